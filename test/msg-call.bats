#!/usr/bin/env bats
# msg-call: asks, pipelined, and prints the answers in the order asked.

load helper

# A filter that answers each line with its rank and the line.
RANK='while IFS= read -r l; do printf "%s %s\n" "$HYPERACTOR_PROC_RANK" "$l"; done'

@test "the answer is a line on stdout" {
	start_host
	try 0 proc-spawn upper proc-boot --exec tr a-z A-Z
	try 0 msg-call upper hello
	is "$output" HELLO
	is "$stderr" ""
	try 0 msg-call upper one 'two words'
	is "$output" $'ONE\nTWO WORDS'
}

@test "questions from stdin, answers in the order asked" {
	start_host
	try 0 proc-spawn w proc-boot --lines sh -c "$RANK"
	seq 1000 >in
	try 0 msg-call w <in
	is "$(cut -d' ' -f2 <<<"$output" | cmp - in && echo same)" same
}

@test "in the order asked, although later ones are answered first" {
	start_host
	try 0 proc-spawn s proc-boot --exec -j 4 sh -c 'read -r n; sleep "$n"; echo "$n"'
	try 0 msg-call s 0.6 0.3 0.1 0
	is "$output" $'0.6\n0.3\n0.1\n0'
}

@test "spread over what fits, answers in the order asked" {
	start_host
	try 0 proc-spawn -n 4 w proc-boot --lines sh -c "$RANK"
	seq 1000 >in
	try 0 msg-call 'w*' <in
	is "$(cut -d' ' -f2 <<<"$output" | cmp - in && echo same)" same
	is "$(cut -d' ' -f1 <<<"$output" | sort -u | tr '\n' ' ')" "0 1 2 3 "
	try 1 msg-call 'x*' hello
	has "$stderr" "no proc fits 'x*'"
}

@test "--null, --whole, --json" {
	start_host
	try 0 proc-spawn p proc-boot --exec cat
	printf 'a\nb\0c\0' >in
	msg-call --null p <in >out 3>&-
	is "$(tr '\0\n' '@+' <out)" 'a+b@c@'
	printf 'x\ny' >in
	try 0 msg-call --whole p <in
	is "$output" $'x\ny'
	try 0 msg-call --json p <<<'{"payload":"hi"}'
	one_line "$output"
	has "$output" '"payload":"hi"'
	has "$output" "\"sender\":\"$ID,p,main[0]\""
}

@test "-t: each question has its time; 124" {
	start_host
	try 0 proc-spawn s proc-boot --exec sh -c 'read -r n; sleep "$n"; echo "$n"'
	try 124 msg-call -t 300ms s 30
	matches "$stderr" 'timed out|time'
	is "$output" ""
	try 0 proc-reap -k s
}

@test "1 goes before 124" {
	start_host
	try 0 proc-spawn s proc-boot --exec -j 2 sh -c 'read -r n; [ "$n" != bad ] && sleep "$n"'
	try 1 msg-call -t 500ms s bad 30
	try 0 proc-reap -k s
}

@test "a failed question leaves an empty line and its number; the rest goes on" {
	start_host
	try 0 proc-spawn p proc-boot --exec sh -c 'read -r x; [ "$x" != bad ] || exit 3; echo "$x"'
	msg-call p a bad c >out 2>err 3>&- && return 1
	is "$(tr '\n' '|' <out)" 'a||c|'
	one_line "$(cat err)"
	matches "$(cat err)" '(^|[^0-9])2([^0-9]|$)'
	has "$(cat err)" refused
	# JSON: an object with errors.
	printf '{"payload":"%s"}\n' a bad c >in
	msg-call --json p <in >out 2>err 3>&- && return 1
	is "$(wc -l <out)" 3
	has "$(sed -n 2p out)" '"errors":[{"kind":"refused"'
}

@test "stdout closed: 0, without a word of what is under way" {
	start_host
	try 0 proc-spawn p proc-boot --exec cat
	try 0 bash -c 'seq 20000 | msg-call p | head -n 3; exit "${PIPESTATUS[1]}"'
	is "$output" $'1\n2\n3'
	is "$stderr" ""
}

@test "a proc that ends makes its unanswered questions fail at once, with its status" {
	start_host
	try 0 proc-spawn p proc-boot --lines sh -c 'read -r x; echo "$x"; read -r x; exit 9'
	DEADLINE=10 try 1 msg-call p one two three
	is "$(head -n 1 <<<"$output")" one
	has "$stderr" 'Stopped(exit=9)'
	try 0 proc-spawn p proc-boot --lines sh -c 'read -r x; kill -9 $$'
	DEADLINE=10 try 1 msg-call p one
	has "$stderr" 'Killed(sig=9)'
}

@test "the proc killed whole: the question fails at once" {
	local pid

	start_host
	try 0 proc-spawn p proc-boot --exec sleep 600
	pid=$(cut -f2 <<<"$output")
	background c msg-call p x
	busy() {
		[ "$(field p msgs_in)" = 1 ]
	}
	wait_for 10 busy
	kill -KILL "$pid"
	ends 1 "$PID"
	matches "$(cat c.err)" 'unknown|Killed'
	wait_for 5 status_is p 'Killed(sig=9)'
}

@test "a host that dies before all is asked: said, 1" {
	start_host
	try 0 proc-spawn w proc-boot --exec cat
	mkfifo c.in
	exec 8<>c.in
	background c msg-call w
	echo one >&8
	wait_for 10 grep -qx one c.out
	kill -KILL "$HOST"
	ends 1 "$PID"
	exec 8>&-
	has "$(cat c.err)" 'host lost ('
	wait_for 10 no_process
	SOCKETS_STAY=1
}

@test "no such proc: at once" {
	start_host
	DEADLINE=5 try 1 msg-call nobody x
	has "$stderr" "no proc 'nobody' on $ID"
}

@test "agents: echo, ping, introspect, unknown" {
	start_host
	try 0 proc-spawn p proc-boot sleep 600
	try 0 msg-call p,agent echo
	is "$output" "$ID,p,agent[0]"
	try 0 msg-call p,agent ping
	has "$output" '"ok":true'
	try 0 msg-call p,agent introspect
	matches "$output" '^\{'
	try 0 msg-call service,host_agent echo
	is "$output" "$ID,service,host_agent[0]"
	try 0,1 msg-call p,agent nonsense
	matches "$output$stderr" '"ok":false|refused'
}

@test "stop through the agent" {
	start_host
	try 0 proc-spawn p proc-boot sleep 600
	try 0 msg-send p,agent stop
	try 0 proc-reap -w -t 10 p
	has "$output" "p	Killed(sig=15)"
}

@test "--listen: a stand-alone asker is answered" {
	start_host
	try 0 proc-spawn p proc-boot --exec tr a-z A-Z
	try 0 msg-call --listen "unix:$T/me" "$ID,p" hello
	is "$output" HELLO
	is "$(find . -maxdepth 1 -type s)" ""
}

@test "a slow reader of the answers holds up the questions, nothing is lost" {
	start_host
	try 0 proc-spawn p proc-boot --lines cat
	mkfifo pipe
	seq 20000 >in
	msg-call p <in >pipe 2>c.err 3>&- &
	PID=$!
	exec 8<pipe
	wait_for 10 bash -c 'read -r -n 1 x; [ "$x" = 1 ]' <&8
	cat <&8 >rest
	exec 8<&-
	ends 0 "$PID" 30
	{ printf 1; cat rest; } | cmp - in
}
