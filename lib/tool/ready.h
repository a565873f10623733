/*
 * Telling whoever started a server that it serves.
 */
#ifndef HM_READY_H
#define HM_READY_H

/* A newline on fd (as s6 wants it), which is closed then; -1: none.  READY=1
 * to $NOTIFY_SOCKET (as systemd wants it), if it is set. */
void ready_tell(int fd);

#endif
