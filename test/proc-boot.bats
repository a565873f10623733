#!/usr/bin/env bats
# proc-boot: runs a program as a proc, and is its init.

load helper

# --- no mode

@test "no mode: CMD just runs; messages to main are refused in words" {
	start_host
	try 0 proc-spawn w1 proc-boot sh -c 'echo up >log; exec sleep 600'
	wait_for 10 test -s log
	try 1 msg-send w1 hello
	has "$stderr" 'w1 takes no messages (proc-boot without --lines, --exec or --frames)'
	has "$stderr" refused
}

@test "no mode: what CMD needs for the tools is in its environment" {
	start_host
	background r msg-recv -n 1 --ready-fd 9 out 9>r.ready
	wait_for 10 test -s r.ready
	try 0 proc-spawn w1 proc-boot sh -c 'msg-send out "from $HYPERACTOR_HOST_PROC_ID"'
	ends 0 "$PID"
	is "$(cat r.out)" "from $ID,w1"
}

@test "the status is CMD's own" {
	start_host
	try 0 proc-spawn a proc-boot sh -c 'exit 3'
	try 0 proc-spawn b proc-boot sh -c 'kill -TERM $$'
	try 0 proc-spawn c proc-boot sh -c 'kill -SEGV $$'
	try 0 proc-reap -w a b c
	has "$output" 'a	Stopped(exit=3)'
	has "$output" 'b	Killed(sig=15)'
	matches "$output" '^c	Killed\(sig=11(, core)?\)$'
}

@test "CMD that cannot be executed or found: 126, 127, at once, with its name" {
	start_host
	touch plain
	DEADLINE=10 try 127 proc-spawn w1 proc-boot ./there-is-none
	has "$stderr" there-is-none
	DEADLINE=10 try 126 proc-spawn w1 proc-boot ./plain
	has "$stderr" plain
	DEADLINE=10 try 127 proc-spawn w1 proc-boot --exec ./there-is-none
	DEADLINE=10 try 126 proc-spawn w1 proc-boot --exec ./plain
	DEADLINE=10 try 127 proc-spawn w1 proc-boot --lines no-such-command-in-path
	has "$stderr" no-such-command-in-path
	try 0 proc-stat
	is "$output" ""
	only_host
}

@test "by hand, without variables: the seeds' error, exit 2" {
	try 2 proc-boot true
	one_line "$(head -n 1 <<<"$stderr")"
	matches "$stderr" "parameter 'HYPERACTOR_[A-Z_]+' missing: "
	is "$output" ""
}

@test "a missing, a bad, a disagreeing variable: the seeds' error, exit 2" {
	local name

	start_host
	for name in HYPERACTOR_HOST_PROC_ID HYPERACTOR_HOST_BACKEND_ADDR \
	    HYPERACTOR_HOST_CALLBACK_ADDR; do
		try 1,2 proc-spawn w1 sh -c "unset $name; exec proc-boot true"
		has "$stderr" "parameter '$name' missing: "
		try 1,2 proc-spawn w1 sh -c "$name=nonsense; exec proc-boot true"
		has "$stderr" "parameter '$name' invalid: "
	done
	try 1,2 proc-spawn w1 sh -c "unset HYPERACTOR_MESH_BOOTSTRAP_MODE; proc-boot true; echo status \$? >&2"
	has "$stderr" "parameter 'HYPERACTOR_MESH_BOOTSTRAP_MODE' missing: "
	has "$stderr" 'status 2'
	try 1,2 proc-spawn w1 sh -c "HYPERACTOR_MESH_BOOTSTRAP_MODE=@@@; exec proc-boot true"
	has "$stderr" "parameter 'HYPERACTOR_MESH_BOOTSTRAP_MODE' invalid: "
	try 1,2 proc-spawn w1 sh -c "HYPERACTOR_HOST_PROC_ID=$ID,w2; exec proc-boot true"
	has "$stderr" invalid
	only_host
}

# --- --lines

@test "--lines: every line CMD prints answers the head of the queue" {
	start_host
	try 0 proc-spawn c proc-boot --lines sh -c 'while IFS= read -r l; do echo "<$l>"; done'
	try 0 msg-call c a '' 'b  c'
	is "$output" $'<a>\n<>\n<b  c>'
	# A message without reply-to stands in the queue too: its line is dropped.
	try 0 msg-send c dropped
	try 0 msg-call c d
	is "$output" '<d>'
}

@test "--lines: a payload with a newline is refused" {
	start_host
	try 0 proc-spawn c proc-boot --lines cat
	printf 'a\nb' >in
	try 1 msg-send --whole c <in
	has "$stderr" refused
	has "$stderr" newline
	try 0 msg-call c still-there
	is "$output" still-there
}

@test "--lines: CMD's end makes unanswered questions fail with its status" {
	start_host
	try 0 proc-spawn c proc-boot --lines sh -c 'read -r l; exit 5'
	DEADLINE=10 try 1 msg-call c x
	has "$stderr" 'Stopped(exit=5)'
}

@test "--lines: an answer over the limit is refused, those behind it keep their order" {
	start_host
	cat >cmd <<'EOF'
while IFS= read -r l; do
	case $l in
	[0-9]*) head -c "$l" /dev/zero | tr '\0' x ;;
	esac
	echo "$l"
done
EOF
	try 0 proc-spawn -c CODEC_MAX_FRAME_LENGTH=1k c proc-boot --lines sh cmd
	# By a little, and by more than is read at a time.
	DEADLINE=20 try 1 msg-call c a 1100 b 300000 c
	is "$output" $'a\n\nb\n\nc'
	has "$stderr" 'refused'
	is "$(grep -c "CMD's answer is larger than 1024 bytes" <<<"$stderr")" 2
	# The way to the host takes less than the proc.
	try 0 proc-spawn -c CODEC_MAX_FRAME_LENGTH=200M d proc-boot --lines sh cmd
	DEADLINE=60 try 1 msg-call d a 70000000 b
	is "$output" $'a\n\nb'
	has "$stderr" 'the largest taken is 67108864'
}

# bats test_tags=memory
@test "--lines: an answer for which there is no memory is refused, too" {
	start_host
	cat >cmd <<'EOF'
while IFS= read -r l; do
	[ "$l" != big ] || head -c 40000000 /dev/zero | tr '\0' x
	echo "$l"
done
EOF
	try 0 proc-spawn c sh -c 'ulimit -v 40000 && exec proc-boot --lines sh cmd'
	DEADLINE=30 try 1 msg-call c a big b
	is "$output" $'a\n\nb'
	has "$stderr" "no memory"
}

@test "--lines: a last line without newline counts" {
	start_host
	try 0 proc-spawn c proc-boot --lines sh -c 'read -r l; printf "%s!" "$l"'
	try 0 msg-call c x
	is "$output" 'x!'
}

@test "--lines --to: any number of lines, each a message to DEST; questions are refused" {
	start_host
	background r msg-recv -n 4 --ready-fd 9 out 9>r.ready
	wait_for 10 test -s r.ready
	try 0 proc-spawn d proc-boot --lines --to out sh -c 'while read -r l; do echo "$l 1"; echo "$l 2"; done'
	try 1 msg-call d question
	has "$stderr" "d sends its output to"
	has "$stderr" 'and answers nothing'
	try 0 msg-send d a b
	ends 0 "$PID"
	is "$(cat r.out)" $'a 1\na 2\nb 1\nb 2'
}

@test "--lines --to: CMD's status is known, although proc-boot is killed after it" {
	local boot

	start_host
	mkfifo go
	background out msg-recv --ready-fd 9 out 9>ready
	wait_for 10 test -s ready
	kill -STOP "$PID"
	try 0 proc-spawn p proc-boot --lines --to out sh -c 'echo $$ >cmd; echo x; read -r x <go; exit 3'
	wait_for 10 test -s cmd
	boot=$(parent_of "$(cat cmd)")
	is "$(cat "/proc/$boot/comm")" proc-boot
	echo >go
	wait_for 10 gone "$(cat cmd)"
	wait_for 10 fails grep -q . "/proc/$boot/task/$boot/children"
	kill -KILL "$boot"
	wait_for 10 status_is p 'Stopped(exit=3)'
	kill -CONT "$PID"
	kill "$PID"
	wait_for 10 gone "$PID"
}

@test "--lines --to: ends when what CMD printed is settled" {
	start_host
	try 0 proc-spawn out proc-boot --lines sh -c 'cat >got'
	try 0 proc-spawn src proc-boot --lines --to out seq 50000
	try 0 proc-reap -w src
	has "$output" 'Stopped(exit=0)'
	try 0 proc-reap out
	seq 50000 | cmp - got
}

@test "--lines: warns once when nothing is answered for 5 s" {
	start_host
	background s proc-spawn -w c proc-boot --lines sh -c 'cat >/dev/null'
	wait_for 10 ready c
	background q msg-call c one two three
	wait_for 15 grep -q unanswered s.err
	matches "$(cat s.err)" '3 lines unanswered: does CMD buffer its input or output\?'
	is "$(grep -c unanswered s.err)" 1
	try 0 proc-reap c
}

@test "--lines: a reap closes CMD's stdin and lets it finish" {
	start_host
	try 0 proc-spawn c proc-boot --lines sh -c 'cat >got; echo end >>got'
	seq 1000 >in
	try 0 msg-send c <in
	try 0 proc-reap c
	has "$output" 'Stopped(exit=0)'
	{ cat in; echo end; } | cmp - got
}

# --- --exec

@test "--exec: payload on stdin, stdout less one newline is the answer" {
	start_host
	try 0 proc-spawn p proc-boot --exec sh -c 'cat; echo; echo'
	try 0 msg-call --json p <<<'{"payload":"x"}'
	has "$output" '"payload":"x\n"'
	try 0 proc-spawn b proc-boot --exec cat
	head -c 300000 /dev/urandom >in
	msg-call --whole b <in >out 3>&-
	head -c 300000 out | cmp - in
}

@test "--exec: variables of the message" {
	start_host
	try 0 proc-spawn p proc-boot --exec sh -c 'echo "$MSG_TYPE $MSG_HEADER_X_TRACE $MSG_SENDER $MSG_REPLY_TO"'
	try 0 msg-call --type a/b --header x-trace=7 p x
	matches "$output" "^a/b 7 $ID,client-[^ ]*\[0\] $ID,client-[^ ]*\[[0-9]+\]\$"
}

@test "--exec: another end than 0 is refused, with status and the end of stderr" {
	start_host
	try 0 proc-spawn p proc-boot --exec sh -c 'echo useless; echo the reason >&2; exit 7'
	try 1 msg-call p x
	has "$stderr" refused
	has "$stderr" 7
	has "$stderr" 'the reason'
	try 0 proc-spawn k proc-boot --exec sh -c 'kill -9 $$'
	try 1 msg-call k x
	matches "$stderr" 'refused.*9'
	# The proc goes on.
	try 0 proc-stat p k
}

@test "--exec: the proc killed while it works: who asked is told how it ended" {
	start_host
	try 0 proc-spawn p proc-boot --exec sh -c 'echo up >log; exec sleep 600'
	# Who only sends watches nobody: what it hears comes back with its message.
	background s msg-send p x
	wait_for 10 test -s log
	kill -KILL "$(field p pid)"
	ends 1 "$PID"
	has "$(cat s.err)" unknown
	has "$(cat s.err)" 'Killed(sig=9)'
}

@test "--exec -j MAX: at most MAX at a time, 1 without" {
	start_host
	try 0 proc-spawn one proc-boot --exec sh -c 'mkdir lock || exit 9; sleep .05; rmdir lock'
	seq 6 >in
	try 0 msg-call one <in
	try 0 proc-spawn four proc-boot --exec -j 4 sh -c 'echo in >>log; until [ "$(wc -l <log)" -ge 4 ]; do sleep .02; done'
	seq 4 >in
	DEADLINE=20 try 0 msg-call four <in
}

@test "--exec: a CMD that does not read its stdin is answered all the same" {
	start_host
	try 0 proc-spawn p proc-boot --exec echo hi
	head -c 500000 /dev/zero >in
	try 0 msg-call --whole p <in
	is "$output" hi
}

@test "--exec --to: answers without a reply-to go to DEST" {
	start_host
	background r msg-recv -n 1 --ready-fd 9 out 9>r.ready
	wait_for 10 test -s r.ready
	try 0 proc-spawn p proc-boot --exec --to out tr a-z A-Z
	try 0 msg-send p hello
	ends 0 "$PID"
	is "$(cat r.out)" HELLO
	try 0 msg-call p asked
	is "$output" ASKED
}

@test "--exec: a reap lets a running one end" {
	start_host
	try 0 proc-spawn p proc-boot --exec sh -c 'echo up >>log; sleep 1; echo done'
	background c msg-call p x
	wait_for 10 test -s log
	try 0 proc-reap -t 8 p
	ends 0 "$PID"
	is "$(cat c.out)" "done"
}

# --- --frames

@test "--frames --json: envelopes on descriptors 3 and 4" {
	start_host
	try 0 proc-spawn f proc-boot --frames --json sh -c '
		IFS= read -r line <&3
		echo "$line" >got
		reply=$(echo "$line" | sed "s/.*\"reply-to\":\"\([^\"]*\)\".*/\1/")
		printf "{\"dest\":\"%s\",\"payload\":\"answer\"}\n" "$reply" >&4
		read -r line <&3 || exit 0'
	try 0 msg-call f question
	is "$output" answer
	has "$(cat got)" '"payload":"question"'
	try 0 proc-reap f
	has "$output" 'Stopped(exit=0)'
}

# --- an init

@test "CMD's grandchildren go with it, setsid or not" {
	start_host
	try 0 proc-spawn w1 proc-boot sh -c 'setsid sleep 600 & sleep 600 & (setsid sh -c "sleep 600 & sleep 600" &) ; exec sleep 600'
	try 0 proc-reap w1
	has "$output" 'Killed(sig=15)'
	wait_for 5 only_gone
}

only_gone() {
	local pid

	for pid in $(processes); do
		[ "$(cat "/proc/$pid/comm")" != sleep ] || return 1
	done
}

@test "orphans are reaped: no zombies below a proc" {
	local pid

	start_host
	try 0 proc-spawn w1 proc-boot sh -c 'for i in 1 2 3 4 5; do (sh -c "exit 0" &) ; done; echo up >log; exec sleep 600'
	pid=$(cut -f2 <<<"$output")
	wait_for 10 test -s log
	no_zombie() {
		[ -z "$(zombies "$pid")" ]
	}
	wait_for 5 no_zombie
}

@test "signals to proc-boot are passed to CMD's group once" {
	local pid

	start_host
	try 0 proc-spawn w1 proc-boot sh -c 'trap "echo hup >>log" HUP; echo up >>log; while :; do sleep 1 & wait $!; done'
	pid=$(cut -f2 <<<"$output")
	wait_for 10 test -s log
	kill -HUP "$pid"
	wait_for 10 grep -q hup log
	kill -TERM "$pid"
	try 0 proc-reap -w w1
	is "$(grep -c hup log)" 1
}

@test "CMD stopped in its tracks: a reap is heard (SIGCONT)" {
	start_host
	try 0 proc-spawn w1 proc-boot sh -c 'echo $$ >pid; trap "exit 6" TERM; while :; do sleep 1 & wait $!; done'
	wait_for 10 test -s pid
	kill -STOP "$(cat pid)"
	try 0 proc-reap -t 6 w1
	has "$output" 'Stopped(exit=6)'
}

# --- --join

@test "--join: attaches by itself, is a proc, ends with CMD's status" {
	start_host
	background j proc-boot --join "$HYPERACTOR_HOST_ADDR" --name j1 --exec tr a-z A-Z
	wait_for 10 listed j1
	try 0 proc-stat j1
	try 0 msg-call j1 hello
	is "$output" HELLO
	try 0 proc-reap j1
	wait_for 10 gone "$PID"
	background j proc-boot --join "$HYPERACTOR_HOST_ADDR" --name j1 sh -c 'exit 4'
	ends 4 "$PID"
	background j proc-boot --join "$HYPERACTOR_HOST_ADDR" --name j1 sh -c 'kill -9 $$'
	ends 137 "$PID"
}

@test "--join: ^Z on a terminal stops the job, fg goes on" {
	start_host
	try 7 "$(driver terminal)" job proc-boot --join "$HYPERACTOR_HOST_ADDR" --name j1 \
		sh -c 'echo up; read x; echo got $x; exit 7'
}

@test "--join over TCP; a name taken" {
	start_host -l tcp:127.0.0.1:0
	background j proc-boot --join "$ID" --name j1 --lines cat
	wait_for 10 listed j1
	try 0 msg-call j1 hello
	is "$output" hello
	try 1,125 proc-boot --join "$ID" --name j1 true
	has "$stderr" 'already exists'
	try 0 proc-reap --all
	has "$output" 'attempted=1 ok=1 failed=0'
	wait_for 10 gone "$PID"
}

@test "--join: what does not obey is unsupported by manager" {
	start_host
	background j proc-boot --join "$HYPERACTOR_HOST_ADDR" --name j1 sh -c 'trap "" TERM; while :; do sleep 1; done'
	wait_for 10 listed j1
	try 1 proc-reap -t 1 j1
	has "$stderr$output" 'terminate/kill unsupported by manager'
	end_processes
	SOCKETS_STAY=1
}

@test "--join: the link lost for LINK_SESSION_TIMEOUT: CMD is ended, 125" {
	start_host
	HYPERACTOR_LINK_SESSION_TIMEOUT=1s background j proc-boot \
	    --join "$HYPERACTOR_HOST_ADDR" --name j1 sleep 600
	wait_for 10 listed j1
	kill -KILL "$HOST"
	ends 125 "$PID" 20
	SOCKETS_STAY=1
}

@test "--join: redials a host that comes back" {
	start_host
	background j proc-boot --join "$HYPERACTOR_HOST_ADDR" --name j1 --exec cat
	wait_for 10 listed j1
	kill -KILL "$HOST"
	wait_for 5 gone "$HOST"
	start_host
	wait_for 20 listed j1
	try 0 msg-call j1 again
	is "$output" again
	try 0 proc-reap j1
}

@test "usage" {
	try 2 proc-boot
	try 2 proc-boot --lines --exec cat
	try 2 proc-boot --nonsense cat
	try 2 proc-boot --join unix:/nowhere
	one_line "$(sed 1d <<<"$stderr")"
}

@test "--join: how CMD ended is its status" {
	start_host
	try 4 proc-boot --join "$HYPERACTOR_HOST_ADDR" --name j sh -c 'exit 4'
	status_is j 'Stopped(exit=4)'
	is "$stderr" ""
	try 137 proc-boot --join "$HYPERACTOR_HOST_ADDR" --name k \
	    sh -c 'kill -KILL $$'
	status_is k 'Killed(sig=9)'
}
