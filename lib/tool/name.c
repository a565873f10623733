/*
 * The name of a proc as people write it: "w1", or its whole id, as proc-spawn
 * prints it.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tool/tool.h"

int
tool_proc_name(const char *text, const char *host, char name[HM_NAME_MAX + 1],
    struct hm_error *err)
{
	struct hm_id id;

	if (hm_name_valid(text, strlen(text))) {
		(void)snprintf(name, HM_NAME_MAX + 1, "%s", text);
		return 0;
	}
	if (hm_id_parse(&id, text, NULL) == -1 || id.depth != HM_ID_PROC)
		return hm_fail_kind(err, HM_ERR_INVALID, EINVAL,
		    "'%.200s' is no name of a proc", text);
	if (strcmp(id.addr, host) != 0)
		return hm_fail_kind(err, HM_ERR_NOPROC, ENOENT,
		    "proc '%s' is not on host %s", text, host);
	memcpy(name, id.proc, sizeof id.proc);
	return 0;
}
