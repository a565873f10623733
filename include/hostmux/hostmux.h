/* hostmux: everything. */
#ifndef HOSTMUX_HOSTMUX_H
#define HOSTMUX_HOSTMUX_H

#define HM_VERSION "0.1.0"

#include <hostmux/actor.h>
#include <hostmux/addr.h>
#include <hostmux/channel.h>
#include <hostmux/envelope.h>
#include <hostmux/error.h>
#include <hostmux/host.h>
#include <hostmux/id.h>
#include <hostmux/json.h>
#include <hostmux/limits.h>
#include <hostmux/loop.h>
#include <hostmux/manager.h>
#include <hostmux/proc.h>
#include <hostmux/status.h>
#include <hostmux/text.h>

#endif
