#!/usr/bin/env bats
# proc-reap: ends procs, or waits for them, one or all.

load helper

STUBBORN='trap "" TERM; echo up >>up; while :; do sleep 1; done'

@test "NAME<TAB>STATUS as each ends, then the summary" {
	start_host
	try 0 proc-spawn -n 3 w proc-boot sleep 600
	try 0 proc-reap w0 w2
	is "$(sort <<<"$output")" "attempted=2 ok=2 failed=0
w0	Killed(sig=15)
w2	Killed(sig=15)"
	is "$(tail -n 1 <<<"$output")" 'attempted=2 ok=2 failed=0'
	is "$stderr" ""
	try 0 proc-stat w1
}

@test "terminate: SIGTERM, and SIGKILL at the deadline" {
	start_host
	try 0 proc-spawn polite proc-boot sh -c 'trap "exit 0" TERM; while :; do sleep 1 & wait $!; done'
	try 0 proc-spawn stubborn proc-boot sh -c "$STUBBORN"
	wait_for 10 test -s up
	DEADLINE=15 try 0 proc-reap -t 1s polite stubborn
	has "$output" 'polite	Stopped(exit=0)'
	has "$output" 'stubborn	Killed(sig=9)'
}

@test "-k: SIGKILL now" {
	start_host
	try 0 proc-spawn s proc-boot sh -c "$STUBBORN"
	wait_for 10 test -s up
	DEADLINE=5 try 0 proc-reap -k s
	has "$output" 's	Killed(sig=9)'
}

@test "-w: only waits; -t bounds the wait, 124" {
	start_host
	try 0 proc-spawn w proc-boot sleep 600
	try 124 proc-reap -w -t 300ms w
	has "$output" 'attempted=1 ok=0 failed=1'
	try 0 proc-stat w
	try 0 proc-spawn short proc-boot sh -c 'sleep .3; exit 2'
	try 0 proc-reap -w short
	is "$output" $'short\tStopped(exit=2)\nattempted=1 ok=1 failed=0'
}

@test "many may wait, all are told the same" {
	local i pids=

	start_host
	try 0 proc-spawn w proc-boot sleep 600
	for i in 1 2 3 4; do
		background "r$i" proc-reap -w w
		pids="$pids $PID"
	done
	try 0 proc-reap w
	for i in $pids; do
		ends 0 "$i"
	done
	is "$(sort -u r?.out)" $'attempted=1 ok=1 failed=0\nw\tKilled(sig=15)'
}

@test "concurrent reaps share one attempt" {
	start_host
	try 0 proc-spawn s proc-boot sh -c "$STUBBORN"
	wait_for 10 test -s up
	background a proc-reap -t 2 s
	DEADLINE=20 try 0 proc-reap -t 60 s
	has "$output" 's	Killed(sig=9)'
	ends 0 "$PID"
}

@test "an ended one is ok, an unknown one is failed" {
	start_host
	try 0 proc-spawn w proc-boot true
	try 0 proc-reap -w w
	try 0 proc-reap w
	has "$output" 'w	Stopped(exit=0)'
	try 1 proc-reap w nobody
	has "$output" 'attempted=2 ok=1 failed=1'
	has "$stderr$output" "no proc 'nobody' on $ID"
}

@test "- reads names from stdin" {
	start_host
	try 0 proc-spawn -n 3 w proc-boot sleep 600
	printf 'w0\nw1\nw2\n' >in
	try 0 proc-reap - <in
	has "$output" 'attempted=3 ok=3 failed=0'
}

@test "--all: live and ended, once; then none" {
	start_host
	try 0 proc-reap --all
	is "$output" 'attempted=0 ok=0 failed=0'
	try 0 proc-spawn -n 3 w proc-boot sleep 600
	try 0 proc-spawn e proc-boot true
	try 0 proc-reap -w e
	try 1 proc-spawn never sh -c 'exit 1'
	background c msg-recv --ready-fd 9 client 9>ready
	wait_for 10 test -s ready
	try 0 proc-reap --all
	is "$(tail -n 1 <<<"$output")" 'attempted=4 ok=4 failed=0'
	has "$output" 'e	Stopped(exit=0)'
	alive "$PID"
	try 0 proc-reap --all
	is "$output" 'attempted=0 ok=0 failed=0'
	kill "$PID"
}

@test "--all counts one per name, its latest life" {
	start_host
	try 0 proc-spawn w proc-boot sh -c 'exit 1'
	try 0 proc-reap -w w
	try 0 proc-spawn w proc-boot sleep 600
	try 0 proc-reap --all
	has "$output" 'w	Killed(sig=15)'
	lacks "$output" 'exit=1'
	is "$(tail -n 1 <<<"$output")" 'attempted=1 ok=1 failed=0'
}

@test "--all: ended ones beyond the retention count, without a line" {
	export HYPERACTOR_TERMINATED_SNAPSHOT_RETENTION=3
	start_host
	try 0 proc-spawn -n 8 w proc-boot true
	all_ended() {
		[ -z "$(proc-stat)" ]
	}
	wait_for 10 all_ended
	try 0 proc-reap --all
	is "$(tail -n 1 <<<"$output")" 'attempted=8 ok=8 failed=0'
	is "$(wc -l <<<"$output")" 4
}

@test "-j MAX: at most so many at a time" {
	start_host
	try 0 proc-spawn -n 6 w proc-boot sh -c \
	    'trap "mkdir lock || echo two at once >>bad; sleep .1; rmdir lock; exit 0" TERM; while :; do sleep 1 & wait $!; done'
	try 0 proc-reap -j 1 --all
	is "$(grep -c 'Stopped(exit=0)' <<<"$output")" 6
	[ ! -e bad ]
	try 2 proc-reap -j 0 --all
}

@test "--deadline bounds the whole: what is left then is killed" {
	start_host
	try 0 proc-spawn -n 4 s proc-boot sh -c "$STUBBORN"
	wait_for 10 lines_in up 4
	DEADLINE=15 try 0 proc-reap -t 60 --deadline 1s --all
	is "$(grep -c 'Killed(sig=9)' <<<"$output")" 4
	is "$(tail -n 1 <<<"$output")" 'attempted=4 ok=4 failed=0'
}

@test "-r REASON is kept" {
	start_host
	try 0 proc-spawn w proc-boot sleep 600
	try 0 proc-reap -r 'making room' w
	try 0,1 proc-stat --json w
	has "$output" '"reason":"making room"'
}

@test "--host: all procs, then the host; returns when its sockets are gone" {
	start_host
	try 0 proc-spawn -n 3 w proc-boot sleep 600
	try 0 proc-reap --host
	is "$(sockets)" ""
	wait_for 5 no_process
	try 111 proc-stat
}

@test "the tree: what left the group goes too, the status is the leader's" {
	start_host
	try 0 proc-spawn w proc-boot sh -c 'setsid sh -c "trap \"\" TERM; while :; do sleep 1; done" & echo up >up; exit 3'
	try 0 proc-reap -w -t 15 w
	has "$output" 'Stopped(exit=3)'
	wait_for 1 bash -c '[ "$(grep -lsz "HOSTMUX_TEST=$HOSTMUX_TEST" /proc/[0-9]*/environ 2>/dev/null | xargs -r -n 1 dirname 2>/dev/null | while read -r d; do cat "$d/comm"; done | grep -c sleep)" = 0 ]'
}

@test "--json: an object per line" {
	start_host
	try 0 proc-spawn w proc-boot sh -c 'exit 3'
	try 0 proc-reap -w --json w
	has "$(head -n 1 <<<"$output")" '"name":"w"'
	has "$(head -n 1 <<<"$output")" '"exit":3'
	is "$(grep -vc '^{.*}$' <<<"$output")" 0
}

@test "usage" {
	try 2 proc-reap
	try 2 proc-reap -k -w w
	try 2 proc-reap --all w
	try 2 proc-reap -t soon w
	is "$(wc -l <<<"$stderr")" 2
	matches "$(tail -n 1 <<<"$stderr")" '^usage: proc-reap '
}
