#!/usr/bin/env bats
# msg-send: puts messages in, and knows what became of each.

load helper

receive() {
	background r msg-recv --ready-fd 9 "$@" 9>r.ready
	wait_for 10 test -s r.ready
}

@test "each TEXT is a message; without one, each line of stdin" {
	start_host
	receive -n 6 r
	try 0 msg-send r one 'two words'
	printf 'three\n\nlast without newline' >in
	try 0 msg-send r <in
	is "$output$stderr" ""
	try 0 msg-send r six
	ends 0 "$PID"
	is "$(cat r.out)" $'one\ntwo words\nthree\n\nlast without newline\nsix'
}

@test "no line on stdin is no message, and done" {
	start_host
	receive -t 300ms r
	try 0 msg-send r </dev/null
	ends 124 "$PID"
	is "$(cat r.out)" ""
}

@test "--null parts stdin at NULs, --whole sends all of it" {
	start_host
	receive -n 3 --null r
	printf 'one\ntwo\0three\0' >in
	try 0 msg-send --null r <in
	try 0 msg-send --whole r <in
	ends 0 "$PID"
	{ printf 'one\ntwo\0three\0'; cat in; printf '\0'; } >expected
	cmp expected r.out
}

@test "--type and --header" {
	start_host
	receive -n 1 --json r
	try 0 msg-send --type a.b/c --header k=v --header empty= --header 'e=a=b' r x
	ends 0 "$PID"
	has "$(cat r.out)" '"type":"a.b/c"'
	has "$(cat r.out)" '"k":"v"'
	has "$(cat r.out)" '"empty":""'
	has "$(cat r.out)" '"e":"a=b"'
	try 2 msg-send --header novalue r x
	try 2 msg-send --header 'bad key=v' r x
	try 2 msg-send --type 'no spaces' r x
}

@test "--json: what msg-recv --json prints is accepted" {
	start_host
	receive -n 2 --json r
	try 0 msg-send --type t --header k=v r 'a "quoted" line' é
	ends 0 "$PID"
	mv r.out first
	receive -n 2 --json r
	# The destination is in the lines; the operand is for those without.
	try 0 msg-send --json r <first
	ends 0 "$PID"
	sed -E 's/"(sender|ttl|pid)":("[^"]*"|[0-9]+)//g' first >a
	sed -E 's/"(sender|ttl|pid)":("[^"]*"|[0-9]+)//g' r.out >b
	cmp a b
	echo '{"payload":' >bad
	try 1,2 msg-send --json r <bad
	matches "$stderr" '^msg-send: error: .*json'
}

@test "what comes back is a line each with kind and reason, and counted" {
	local out

	start_host
	try 1 msg-send nobody one two three
	is "$(grep -c "not sent.*no proc 'nobody' on $ID" <<<"$stderr")" 3
	matches "$(tail -n 1 <<<"$stderr")" '3'
	is "$output" ""
	# --returned FD: whole, as JSON lines.
	msg-send --returned 8 nobody one two >out 2>err 8>returned 3>&- && return 1
	is "$(wc -l <returned)" 2
	out=$(head -n 1 returned)
	has "$out" '"payload":"one"'
	has "$out" "\"dest\":\"$ID,nobody,main[0][0]\""
	has "$out" '"errors":[{'
	has "$out" '"kind":"not sent"'
	has "$out" "\"reason\":\"no proc 'nobody' on $ID\""
}

@test "the good ones arrive although others come back" {
	start_host
	try 0 proc-spawn picky proc-boot --exec sh -c 'read -r x; [ "$x" != bad ]'
	try 1 msg-send picky good bad good
	is "$(grep -c refused <<<"$stderr")" 1
	matches "$stderr" 'refused.*1'
}

@test "a refusal carries the receiver's words" {
	start_host
	try 0 proc-spawn p proc-boot --exec sh -c 'echo the disk is full >&2; exit 7'
	try 1 msg-send p x
	has "$stderr" refused
	has "$stderr" 'the disk is full'
	has "$stderr" 7
}

@test "no such actor, no such port: returned" {
	start_host
	receive r
	try 1 msg-send r,other x
	matches "$stderr" "not sent.*no actor 'other'"
	try 1 msg-send 'r,main[0][99]' x
	has "$stderr" 'not sent'
	kill "$PID"
}

@test "destinations: PROC, PROC,ACTOR, with index and port, the full id" {
	start_host
	receive -n 5 r
	try 0 msg-send r 1
	try 0 msg-send r,main 2
	try 0 msg-send 'r,main[0]' 3
	try 0 msg-send 'r,main[0][0]' 4
	try 0 msg-send "$ID,r" 5
	ends 0 "$PID"
	is "$(tr '\n' ' ' <r.out)" "1 2 3 4 5 "
}

@test "a pattern sends to each that fits, and only to procs that are Ready" {
	start_host
	try 0 proc-spawn -n 3 w proc-boot --exec sh -c 'echo "$HYPERACTOR_PROC_RANK" >>got'
	receive wclient
	try 0 msg-send 'w*' x
	is "$(sort got | tr '\n' ' ')" "0 1 2 "
	is "$(cat r.out)" ""
	rm got
	try 0 msg-send "$ID,w[01]" x
	is "$(sort got | tr '\n' ' ')" "0 1 "
	try 1 msg-send 'x*' x
	one_line "$stderr"
	has "$stderr" "no proc fits 'x*'"
	kill "$PID"
}

@test "--spread: each message to one of those that fit" {
	start_host
	try 0 proc-spawn -n 4 w proc-boot --lines sh -c 'cat >"got.$HYPERACTOR_PROC_RANK"'
	seq 400 >in
	try 0 msg-send --spread 'w*' <in
	try 0 proc-reap --all
	sort -n got.? >all
	cmp in all
	is "$(find . -name 'got.?' -size +0 | wc -l)" 4
}

@test "--wait: a DEST that is not there yet is waited for" {
	start_host
	background s msg-send --wait late hello
	# It has attached; nothing of it comes back.
	wait_for 10 bash -c 'proc-stat -a | grep -q ^client-'
	receive_pid=$PID
	background r msg-recv -n 1 late
	ends 0 "$PID"
	ends 0 "$receive_pid"
	is "$(cat r.out)" hello
	is "$(cat s.err)" ""
}

@test "--now: a refused connection is an answer at once" {
	start_host
	try 1 msg-send --now "unix:$T/none,p" hello
	has "$stderr" 'not sent'
	DEADLINE=10 try 1 msg-send --now tcp:127.0.0.1:1,p hello
	has "$stderr" 'not sent'
}

@test "without --now it is retried for MESSAGE_DELIVERY_TIMEOUT" {
	start_host
	background s msg-send "unix:$T/later,p" hello
	wait_for 10 bash -c 'proc-stat -a | grep -q ^client-'
	local s=$PID
	background r msg-recv --listen "unix:$T/later" -n 1 p
	ends 0 "$PID"
	ends 0 "$s"
	is "$(cat r.out)" hello
	try 0 proc-reap --host
	export HYPERACTOR_MESSAGE_DELIVERY_TIMEOUT=500ms
	start_host
	try 1 msg-send "unix:$T/never,p" hello
	matches "$stderr" 'timed out|not sent'
}

@test "--listen: a stand-alone sender, no host at all" {
	background r msg-recv --listen "unix:$T/r" -n 1 r
	wait_for 10 test -S r
	try 0 msg-send --listen "unix:$T/s" "unix:$T/r,r" hello
	ends 0 "$PID"
	is "$(cat r.out)" hello
}

@test "reads no faster than DEST takes" {
	start_host
	receive r
	kill -STOP "$PID"
	# Far more than may be parked; the writer counts how far it came.
	bash -c 'i=0; while printf "%01000d\n" "$i"; do i=$((i + 1)); echo "$i" >&4; done' \
	    4>progress 2>/dev/null 3>&- | msg-send r >s.out 2>s.err 3>&- &
	local s=$!
	wait_for 30 stands_still 0 lines_of progress
	[ "$(wc -l <progress)" -lt 20000 ]
	kill -CONT "$PID"
	local n
	n=$(wc -l <progress)
	wait_for 10 lines_in progress $((n + 1))
	stop "$s"
	stop "$PID"
}

# bats test_tags=memory
@test "64 KiB, 1 MiB and 20 MiB go through whole" {
	local size

	start_host
	for size in 65536 1048576 20971520; do
		head -c "$size" /dev/urandom >in
		receive -n 1 --whole r
		try 0 msg-send --whole r <in
		ends 0 "$PID" 30
		cmp in r.out
	done
	# The host kept none of it.
	[ "$(resident "$HOST")" -lt 18432 ]
}

@test "a message larger than the receiver takes is refused with both figures" {
	start_host
	HYPERACTOR_CODEC_MAX_FRAME_LENGTH=1M receive r
	head -c 1048577 /dev/zero >in
	try 1 msg-send --whole r <in
	has "$stderr" 1048577
	has "$stderr" 1048576
	# The link is still good.
	try 0 msg-send r hello
	kill "$PID"
}

@test "the receiver killed: every message is accounted for" {
	local r s

	start_host
	receive r
	r=$PID
	kill -STOP "$r"
	background s msg-send r one two three
	s=$PID
	taken() {
		[ "$(field r msgs_in)" = 3 ]
	}
	wait_for 10 taken
	kill -KILL "$r"
	ends 1 "$s"
	is "$(grep -cE 'unknown|not sent' s.err)" 3
	is "$(cat r.out)" ""
}

@test "the host ends before a slow reader has all: nothing is both delivered and not sent" {
	start_host
	mkfifo pipe
	exec 8<>pipe
	background r sh -c 'exec msg-recv --ready-fd 9 sto >pipe 8>&-' 9>ready
	local r=$PID
	wait_for 10 test -s ready
	seq 100000 >s.in
	background s msg-send --returned 5 sto 5>ret
	local s=$PID
	wait_for 10 listed sto
	wait_for 30 stands_still 100 sent_to sto
	cat <pipe >got 8>&- &
	local reader=$!
	kill -STOP "$reader"
	kill -TERM "$HOST"
	wait_for 20 gone "$HOST"
	kill -CONT "$reader"
	exec 8>&-
	ends 1 "$s" 30
	wait_for 10 gone "$r"
	wait_for 10 gone "$reader"
	jq -r 'select(.errors[-1].kind == "not sent").payload' <ret | sort >not
	[ -s not ] && [ -s got ]
	is "$(sort got | comm -12 - not | head -n 3)" ""
}
