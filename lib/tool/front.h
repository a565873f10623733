/*
 * The front of proc-spawn: between its caller and the supervisor.
 */
#ifndef HM_FRONT_H
#define HM_FRONT_H

#include "boot/supervisor.h"
#include "tool/tool.h"

/*
 * Has the job done: prints a line for each proc that is ready, says why others
 * are not, and returns the status to exit with, when all are decided; with
 * job->stay, when all have ended.
 */
int front_run(const struct tool *tool, const struct job *job, bool json);

#endif
