#!/usr/bin/env bats
# proc-spawn: starts procs, waits until they are ready, leaves them supervised.

load helper

@test "prints PROC_ID PID ADDR AGENT, and leaves it supervised" {
	local id pid addr agent

	start_host
	try 0 proc-spawn w1 proc-boot sleep 600
	one_line "$output"
	is "$stderr" ""
	IFS=$'\t' read -r id pid addr agent <<<"$output"
	is "$id" "$ID,w1"
	alive "$pid"
	matches "$addr" "^unix:$XDG_RUNTIME_DIR/hostmux/"
	test -S "${addr#unix:}"
	is "$agent" "$ID,w1,agent[0]"
	status_is w1 "Ready*"
	is "$(field w1 pid)" "$pid"
}

@test "--json prints an object" {
	start_host
	try 0 proc-spawn --json w1 proc-boot sleep 600
	one_line "$output"
	matches "$output" '^\{.*\}$'
	has "$output" '"name":"w1"'
	matches "$output" '"pid":[0-9]+'
}

@test "x=\$(proc-spawn …) returns: nothing of the caller's is held" {
	local out pid

	start_host
	exec 9>"$T/held"
	out=$(timeout -s KILL 20 proc-spawn w proc-boot sleep 600 2>&1 3>&- | cat)
	exec 9>&-
	pid=$(cut -f2 <<<"$out")
	alive "$pid"
	for pid in $(processes); do
		[ "$pid" != "$HOST" ] || continue
		is "$(find "/proc/$pid/fd" -lname '*held*' 2>/dev/null)" ""
		is "$(find "/proc/$pid/fd" -lname "$T/bats*" 2>/dev/null)" ""
	done
}

@test "the boot variables, and those CMD must not see" {
	start_host
	LISTEN_FDS=1 NOTIFY_SOCKET=/nowhere \
	    try 0 proc-spawn -e NAME=VALUE -e EMPTY= w1 proc-boot sh -c 'env >env; exec sleep 600'
	wait_for 10 grep -q NAME= env
	grep -qx "HYPERACTOR_HOST_ADDR=$HYPERACTOR_HOST_ADDR" env
	grep -qx "HYPERACTOR_HOST_PROC_ID=$ID,w1" env
	grep -qx HYPERACTOR_PROC_RANK=0 env
	grep -qx HYPERACTOR_PROC_COUNT=1 env
	grep -qx NAME=VALUE env
	grep -qx EMPTY= env
	is "$(grep -E 'BOOTSTRAP_MODE|CALLBACK|NOTIFY_SOCKET|LISTEN_' env)" ""
}

@test "what proc-boot is given: the plain variables and MODE agree" {
	start_host
	try 1 proc-spawn w1 sh -c 'env >env'
	grep -qx "HYPERACTOR_HOST_PROC_ID=$ID,w1" env
	grep -qx "HYPERACTOR_HOST_BACKEND_ADDR=$HYPERACTOR_HOST_BACKEND_ADDR" env
	matches "$(cat env)" '^HYPERACTOR_HOST_CALLBACK_ADDR=unix:/'
	sed -n 's/^HYPERACTOR_MESH_BOOTSTRAP_MODE=//p' env | base64 -d >mode
	has "$(cat mode)" "\"proc_id\":\"$ID,w1\""
	has "$(cat mode)" "\"backend_addr\":\"$HYPERACTOR_HOST_BACKEND_ADDR\""
	matches "$(cat mode)" '"token":"[0-9a-f]{32}"'
}

@test "own group, stdin /dev/null, other descriptors closed, directory, umask" {
	local pid

	start_host
	mkdir sub
	umask 027
	exec 8<"$ROOT/LICENSE"
	try 0 proc-spawn w1 proc-boot \
	    sh -c 'pwd >where; umask >mask; ls -l /proc/self/fd >fds; exec sleep 600'
	exec 8<&-
	pid=$(cut -f2 <<<"$output")
	wait_for 10 test -s fds
	is "$(cat where)" "$T"
	is "$(cat mask)" 0027
	is "$(grep -c LICENSE fds || :)" 0
	has "$(cat fds)" '0 -> /dev/null'
	is "$(kernel "$pid" 5)" "$pid"
	try 0 proc-spawn -C sub w2 proc-boot sh -c 'pwd >where; exec sleep 600'
	wait_for 10 test -s sub/where
	is "$(cat sub/where)" "$T/sub"
	is "$(find "/proc/$pid/fd" -lname '*LICENSE*')" ""
}

@test "signals are as the caller had them" {
	local pid ignored

	# Whoever runs the tests may ignore others already.
	try 0 env --ignore-signal=USR1 sed -n 's/^SigIgn:[[:space:]]*//p' /proc/self/status
	ignored=$output
	matches "$ignored" '[2367abef]..$'
	start_host
	try 0 env --ignore-signal=USR1 proc-spawn w1 proc-boot sh -c 'echo $$ >pid; exec sleep 600'
	wait_for 10 test -s pid
	pid=$(cat pid)
	is "$(sed -n 's/^SigBlk:[[:space:]]*//p' "/proc/$pid/status")" 0000000000000000
	is "$(sed -n 's/^SigIgn:[[:space:]]*//p' "/proc/$pid/status")" "$ignored"
}

@test "-n COUNT: a line each, ranks, one supervisor" {
	local pids

	start_host
	try 0 proc-spawn -n 20 w proc-boot --exec sh -c 'echo "$HYPERACTOR_PROC_RANK/$HYPERACTOR_PROC_COUNT"'
	is "$(wc -l <<<"$output")" 20
	is "$(cut -f1 <<<"$output" | sed "s/^.*,w//" | sort -n | tr '\n' ' ')" \
	    "$(seq 0 19 | tr '\n' ' ')"
	pids=$(cut -f2 <<<"$output")
	is "$(for p in $pids; do parent_of "$p"; done | sort -u | wc -l)" 1
	try 0 msg-call w13 x
	is "$output" 13/20
}

@test "-n: all names are reserved, or none" {
	start_host
	try 0 proc-spawn w2 proc-boot sleep 600
	try 1 proc-spawn -n 4 w proc-boot sleep 600
	is "$output" ""
	matches "$stderr" "proc '?w2'? already exists"
	try 0 proc-stat
	is "$(wc -l <<<"$output")" 1
}

@test "-n: more names than one request has room for are reserved, or none" {
	local name

	start_host
	name=$(printf 'w%.0s' {1..60})
	try 0 proc-spawn "${name}4999" proc-boot sleep 600
	try 1 proc-spawn -n 5000 "$name" proc-boot sleep 600
	one_line "$stderr"
	has "$stderr" "'${name}4999' already exists"
	try 0 proc-stat
	is "$(cut -f1 <<<"$output")" "${name}4999"
	try 0 proc-reap -k "${name}4999"
	# None of these is started: five thousand processes are not for a test.
	DEADLINE=300
	try 1 proc-spawn -n 5000 "$name" "$T/none"
	is "$(wc -l <<<"$stderr")" 5000
	try 0 proc-stat
	is "$output" ""
}

@test "-n: those that fail are reported, the others stay" {
	start_host
	try 1 proc-spawn -n 4 w sh -c '[ "$HYPERACTOR_PROC_RANK" != 2 ] && exec proc-boot sleep 600; exit 3'
	is "$(wc -l <<<"$output")" 3
	matches "$stderr" 'w2'
	try 0 proc-stat w0 w1 w3
	try 0 proc-stat
	is "$(wc -l <<<"$output")" 3
}

@test "200 side by side" {
	start_host
	DEADLINE=90
	try 0 proc-spawn -n 200 w proc-boot sleep 600
	is "$(wc -l <<<"$output")" 200
	try 0 proc-reap --all
	has "$output" 'attempted=200 ok=200 failed=0'
}

@test "-w: stays in front, ends as CMD ends" {
	start_host
	try 3 proc-spawn -w w1 proc-boot sh -c 'exit 3'
	try 0 proc-spawn -w w1 proc-boot true
	try 143 proc-spawn -w w1 proc-boot sh -c 'kill -TERM $$'
}

@test "-w: stdin is the caller's, output goes to stderr by default, prefixed" {
	start_host
	echo hello >in
	try 0 proc-spawn -w w1 proc-boot sh -c 'read -r x; echo "got $x"; echo oops >&2' <in
	is "$(grep -c hello <<<"$output")" 0
	matches "$stderr" 'w1.*got hello'
	matches "$stderr" 'w1.*oops'
	try 0 proc-spawn -w -o stdout w1 proc-boot sh -c 'echo to stdout'
	has "$output" 'to stdout'
}

@test "-w: a terminal that nobody reads holds up nobody" {
	start_host
	background t "$(driver terminal)" held proc-spawn -w loud \
		proc-boot sh -c 'yes "$(printf %099d 0)" | head -c 300000; : >written; exec sleep 1000'
	wait_for 20 [ -e written ]
	try 0 proc-reap -t 10s loud
	: >go
	ends 143 "$PID"
}

@test "-w: passes signals on" {
	start_host
	background s proc-spawn -w w1 proc-boot \
	    sh -c 'trap "echo usr1 >>log" USR1; trap "exit 4" TERM; echo up >>log; while :; do sleep 1 & wait $!; done'
	wait_for 10 grep -q up log
	wait_for 10 ready w1
	kill -USR1 "$PID"
	wait_for 10 grep -q usr1 log
	kill -TERM "$PID"
	ends 4 "$PID"
	is "$(grep -c usr1 log)" 1
}

@test "-w -n: a signal during the start ends all, also who had not started" {
	start_host
	background s proc-spawn -w -n 60 w proc-boot sleep 600
	wait_for 15 ready w0
	kill "$PID"
	wait_for 20 gone "$PID"
	wait "$PID" || :
	wait_for 5 only_host
}

@test "-w -n: the first non-zero status by rank" {
	start_host
	try 2 proc-spawn -w -n 4 w proc-boot sh -c 'case $HYPERACTOR_PROC_RANK in 1) sleep .3; exit 2;; 3) exit 7;; esac'
}

@test "its own death undoes the spawn" {
	start_host
	background s proc-spawn -n 3 w sh -c '[ "$HYPERACTOR_PROC_RANK" = 0 ] && exec proc-boot sleep 600; echo up >>log; exec sleep 600'
	wait_for 10 lines_in log 2
	wait_for 10 ready w0
	kill -KILL "$PID"
	wait_for 15 only_host
	try 0 proc-stat
	is "$output" ""
	try 0 proc-spawn w1 proc-boot sleep 600
}

@test "a CMD that does not boot: ended, says so, its last lines, the name free" {
	start_host
	try 124 proc-spawn -t 700ms w1 sh -c 'echo starting >&2; exec sleep 600'
	matches "$stderr" "proc '.*w1' failed to configure process"
	has "$stderr" starting
	has "$stderr" 'does it boot? try: proc-spawn w1 proc-boot sh'
	is "$(processes)" "$HOST"
	try 0 proc-spawn w1 proc-boot sleep 600
}

@test "a CMD that ends before: says how, and its last lines" {
	start_host
	try 1 proc-spawn w1 sh -c 'echo no such table >&2; exit 3'
	has "$stderr" 'no such table'
	matches "$stderr" "proc '.*w1' failed to configure process: .*3"
	has "$stderr" 'does it boot?'
	try 1 proc-spawn w1 sh -c 'kill -9 $$'
	matches "$stderr" '9'
	is "$(processes)" "$HOST"
	try 0 proc-spawn w1 proc-boot sleep 600
}

@test "HOST_SPAWN_READY_TIMEOUT; -t goes before it" {
	start_host
	HYPERACTOR_HOST_SPAWN_READY_TIMEOUT=300ms DEADLINE=10 \
	    try 124 proc-spawn w1 sleep 600
	HYPERACTOR_HOST_SPAWN_READY_TIMEOUT=300ms \
	    try 0 proc-spawn -t 20 w1 sh -c 'sleep 1; exec proc-boot sleep 600'
}

runs() {
	proc-stat "$1" | grep -q Running
}

@test "no limit: HOST_SPAWN_READY_TIMEOUT=0 waits" {
	start_host
	HYPERACTOR_HOST_SPAWN_READY_TIMEOUT=0 \
	    background s proc-spawn late sh -c \
	    'until [ -e go ]; do sleep 0.05; done; exec proc-boot sleep 600'
	wait_for 10 runs late
	: >go
	ends 0 "$PID"
	is "$(cut -f1 s.out)" "$ID,late"
}

@test "a proc that called back counts as spawned, although it ended" {
	start_host
	try 0 proc-spawn -n 20 q proc-boot true
	is "$(wc -l <<<"$output")" 20
	wait_for 10 status_is q7 'Stopped(exit=0)'
	try 0 proc-reap --all
	has "$output" 'attempted=20 ok=20 failed=0'
}

@test "a name is free as soon as its proc has ended" {
	local i

	start_host
	for i in 1 2 3 4 5; do
		try 0 proc-spawn w1 proc-boot sleep 600
		try 0 proc-reap -k w1
	done
}

@test "-c: overrides in the child's config snapshot; unknown keys are errors" {
	start_host
	try 1 proc-spawn -c MESSAGE_DELIVERY_TIMEOUT=7s w1 sh -c 'env >env'
	sed -n 's/^HYPERACTOR_MESH_BOOTSTRAP_MODE=//p' env | base64 -d >mode
	matches "$(cat mode)" '"MESSAGE_DELIVERY_TIMEOUT":"?7'
	try 2 proc-spawn -c NONSENSE=1 w1 proc-boot true
	has "$stderr" NONSENSE
	try 2 proc-spawn -c MESSAGE_DELIVERY_TIMEOUT=soon w1 proc-boot true
	has "$stderr" MESSAGE_DELIVERY_TIMEOUT
	try 2 proc-spawn -c MESSAGE_DELIVERY_TIMEOUT w1 proc-boot true
	is "$(processes)" "$HOST"
}

@test "-o file:PATH appends both streams" {
	start_host
	echo before >log
	try 0 proc-spawn -o "file:$T/log" w1 proc-boot sh -c 'echo out; echo err >&2'
	try 0 proc-reap -w w1
	wait_for 5 lines_in log 3
	is "$(head -n 1 log)" before
	grep -q out log
	grep -q err log
}

@test "-o port:DEST: each line is a log.line with proc, stream, n" {
	start_host
	background r msg-recv --json -n 2 --ready-fd 9 logs 9>r.ready
	wait_for 10 test -s r.ready
	try 0 proc-spawn -o port:logs w1 proc-boot sh -c 'echo first; echo second'
	ends 0 "$PID"
	is "$(grep -c '"type":"log.line"' r.out)" 2
	has "$(head -n 1 r.out)" '"payload":"first"'
	matches "$(head -n 1 r.out)" '"proc":"([^"]*,)?w1"'
	has "$(head -n 1 r.out)" '"stream":"stdout"'
	matches "$(tail -n 1 r.out)" '"n":"[0-9]+"'
}

@test "-o - and -o stdout need -w" {
	start_host
	try 2 proc-spawn -o - w1 proc-boot true
	try 2 proc-spawn -o stdout w1 proc-boot true
	try 2 proc-spawn -o nonsense w1 proc-boot true
	try 0 proc-spawn -o null w1 proc-boot true
}

@test "a full disk never stops the proc" {
	[ -w /dev/full ] || skip "no /dev/full"
	start_host
	try 0 proc-spawn -o file:/dev/full w1 proc-boot sh -c 'i=0; while [ $i -lt 5000 ]; do echo line $i; i=$((i+1)); done'
	try 0 proc-reap -w -t 20 w1
	has "$output" 'Stopped(exit=0)'
}

@test "a disk that was full and is no more: the next line begins anew" {
	unshare -m true 2>/dev/null || skip "no file system of its own here"
	mkdir small
	cat >in <<-'END'
	mount -t tmpfs -o size=8k none small && head -c 4096 /dev/zero >small/fill
	eval "$(host-mux -D 3>&-)"
	proc-spawn -n 2 -o file:"$PWD/small/log" w proc-boot sh -c '
		l=abcdefghijklmnopqrstuvwxyz; l=$l$l$l
		if mkdir first; then
			seq -f "line %g $l" 80
		else
			until [ -e go ]; do sleep .05; done
			echo next
		fi' >w.out 2>w.err
	until proc-stat -a | grep -q Stopped; do sleep .05; done
	rm small/fill
	echo >go
	proc-reap -w w0 w1
	proc-reap --host
	tail -n 2 small/log
	END
	try 0 unshare -m bash in
	has "$output" $' lines dropped]\nnext'
	matches "$output" '^\[[0-9]+ lines dropped\]$'
}

@test "the last line written before death is kept, a grandchild delays nothing" {
	start_host
	try 0 proc-spawn w1 proc-boot sh -c '(trap "" TERM; sleep 600) & echo first >&2; echo the last words >&2; kill -9 $$'
	DEADLINE=10 try 0 proc-reap -w w1
	has "$output" 'Killed(sig=9)'
	try 0,1 proc-stat --tail w1
	has "$output" 'the last words'
}

@test "tcp hosts are refused: use ssh" {
	start_host -l tcp:127.0.0.1:0
	try 1,2 proc-spawn -H "$ID" w1 proc-boot true
	has "$stderr" ssh
}

@test "a spawn made inside a proc lives as long as that proc" {
	start_host
	try 0 proc-spawn outer proc-boot sh -c 'proc-spawn inner proc-boot sleep 600 >spawned; exec sleep 600'
	wait_for 10 ready inner
	try 0 proc-reap outer
	wait_for 10 only_host
}

@test "two spawns of one name at once: one wins" {
	local a b won=0

	start_host
	background a proc-spawn w proc-boot sleep 600
	a=$PID
	background b proc-spawn w proc-boot sleep 600
	b=$PID
	wait_for 15 gone "$a" "$b"
	ends 0 "$a" && won=$((won + 1))
	ends 0 "$b" && won=$((won + 1))
	is "$won" 1
	has "$(cat a.err b.err)" 'already exists'
	try 0 proc-stat w
}

@test "-- before NAME, and CMD's options are CMD's" {
	start_host
	try 0 proc-spawn -- w1 proc-boot --exec cat -u
	try 0 proc-spawn w2 proc-boot --exec -- sh -c 'echo "$1"' -n -w
	try 0 msg-call w2 x
	is "$output" -w
}

@test "ended while it is reserved: it is not started any more, the others are" {
	start_host
	background s proc-spawn -n 300 w proc-boot --lines cat
	# The names are there long before the last of them runs.
	wait_for 10 proc-reap w299
	ends 1 "$PID" 60
	has "$(cat s.err)" "'w299' was not started any more"
	try 1 proc-stat w299
	DEADLINE=120 try 0 proc-reap --all
	has "$output" 'attempted=299 ok=299 failed=0'
}
