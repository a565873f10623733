#!/usr/bin/env bats
# msg-recv: attaches under a name and prints what comes.

load helper

receive() {
	background r msg-recv --ready-fd 9 "$@" 9>r.ready
	wait_for 10 test -s r.ready
}

@test "prints each payload as a line, leaves after COUNT" {
	start_host
	receive -n 3 r
	try 0 msg-send r one two three
	ends 0 "$PID"
	is "$(cat r.out)" $'one\ntwo\nthree'
	is "$(cat r.err)" ""
}

@test "--ready-fd: a newline once attached, not before" {
	start_host
	receive -n 1 r
	is "$(cat -A r.ready)" '$'
	# No --wait: it is there.
	try 0 msg-send r hello
	ends 0 "$PID"
}

@test "without a name its id is the first line on stderr" {
	local id

	start_host
	receive -n 1
	id=$(head -n 1 r.err)
	matches "$id" "^$ID,client-[0-9a-z]+"
	try 0 msg-send "$id" hello
	ends 0 "$PID"
	is "$(cat r.out)" hello
}

@test "after COUNT the rest is returned" {
	start_host
	receive -n 2 r
	seq 10 >in
	try 1 msg-send r <in
	ends 0 "$PID"
	is "$(cat r.out)" $'1\n2'
	is "$(grep -cE 'not sent|refused|unknown' <<<"$stderr")" 8
}

@test "-t: idle for so long is 124" {
	start_host
	background r msg-recv -t 200ms r
	ends 124 "$PID"
	receive -t 1 r
	try 0 msg-send r hello
	ends 124 "$PID"
	is "$(cat r.out)" hello
}

@test "--null, --json, --whole" {
	start_host
	receive -n 2 --null r
	try 0 msg-send r $'two\nlines' ''
	ends 0 "$PID"
	is "$(tr '\0\n' '@+' <r.out)" 'two+lines@@'

	receive -n 1 --whole r
	printf 'no newline' >in
	try 0 msg-send --whole r <in
	ends 0 "$PID"
	cmp in r.out

	receive -n 1 --json r
	try 0 msg-send --type log.line --header k=v r 'say "hi"'
	ends 0 "$PID"
	one_line "$(cat r.out)"
	has "$(cat r.out)" '"payload":"say \"hi\""'
	has "$(cat r.out)" '"type":"log.line"'
	has "$(cat r.out)" "\"dest\":\"$ID,r,main[0][0]\""
	matches "$(cat r.out)" '"headers":\{"k":"v"\}'
	matches "$(cat r.out)" "\"sender\":\"$ID,client-"
	matches "$(cat r.out)" '"ttl":6[0-4]'
}

@test "--json: what is not UTF-8 goes as base64, and back" {
	start_host
	receive -n 1 --json r
	printf '\377\000\001' >in
	try 0 msg-send --whole r <in
	ends 0 "$PID"
	has "$(cat r.out)" '"payload_base64":"/wAB"'
	mv r.out json
	receive -n 1 --whole r
	try 0 msg-send --json r <json
	ends 0 "$PID"
	cmp in r.out
}

@test "stdout closed: 0, and what it did not print is returned" {
	start_host
	mkfifo pipe
	head -n 1 <pipe >first 3>&- &
	msg-recv --ready-fd 9 r >pipe 2>r.err 9>r.ready 3>&- &
	PID=$!
	wait_for 10 test -s r.ready
	try 0 msg-send r one
	wait_for 10 test -s first
	try 1 bash -c 'while msg-send r more; do :; done; exit 1'
	ends 0 "$PID"
	is "$(cat first)" one
}

@test "the host gone: 1" {
	start_host
	receive r
	kill -KILL "$HOST"
	ends 1 "$PID"
	one_line "$(cat r.err)"
	SOCKETS_STAY=1
}

@test "a name is taken until it is free" {
	start_host
	receive r
	try 1 msg-recv r
	one_line "$stderr"
	has "$stderr" "'r'"
	has "$stderr" "already exists"
	stop "$PID"
	receive -n 1 r
	try 0 msg-send r hello
	ends 0 "$PID"
}

@test "names of the host's own are refused" {
	local name

	start_host
	for name in service local client-x 'a b' -x .x 'a,b' '' \
	    "$(printf 'n%.0s' {1..65})"; do
		try 1,2 msg-recv -- "$name"
		matches "$stderr" '^msg-recv: error: '
	done
}

@test "--listen: stand-alone, without a host" {
	background r msg-recv --listen "unix:$T/s" -n 1 r
	wait_for 10 test -S s
	try 0 msg-send --listen unix "unix:$T/s,r" hello
	ends 0 "$PID"
	is "$(cat r.out)" hello
	is "$(sockets)" ""
}

@test "--listen with no name: its id is the first line on stderr" {
	background r msg-recv --listen tcp:127.0.0.1:0 -n 1
	wait_for 10 grep -q . r.err
	matches "$(head -n 1 r.err)" '^tcp:127\.0\.0\.1:[0-9]+,'
	try 0 msg-send --listen tcp:127.0.0.1:0 "$(head -n 1 r.err)" hello
	ends 0 "$PID"
	is "$(cat r.out)" hello
}

@test "two receivers, each its own" {
	start_host
	receive -n 1 a
	local a=$PID
	mv r.out a.out
	rm r.ready
	receive -n 1 b
	try 0 msg-send a for-a
	try 0 msg-send b for-b
	ends 0 "$a"
	ends 0 "$PID"
	is "$(cat a.out)" for-a
	is "$(cat r.out)" for-b
}
