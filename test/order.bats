#!/usr/bin/env bats
# In order, once: many messages, several senders, over Unix and TCP.

load helper

# three_senders DEST: 100 000 lines from each, "SENDER NUMBER".
three_senders() {
	local s pids=

	for s in a b c; do
		seq -f "$s %.0f" 100000 >"$s.in"
		background "$s" msg-send "$1"
		pids="$pids $PID"
	done
	for s in $pids; do
		ends 0 "$s" 120
	done
}

# all_there FILE: each sender's lines in order, all, none twice.
all_there() {
	local s

	is "$(wc -l <"$1")" 300000
	for s in a b c; do
		grep "^$s " "$1" | cmp - "$s.in"
	done
}

@test "100 000 lines from each of three senders into one msg-recv" {
	local r

	start_host
	background r msg-recv -n 300000 --ready-fd 9 r 9>ready
	r=$PID
	wait_for 10 test -s ready
	three_senders r
	ends 0 "$r" 30
	all_there r.out
}

@test "the same over TCP" {
	local r

	start_host -l tcp:127.0.0.1:0
	background r msg-recv -H "$ID" -n 300000 --ready-fd 9 r 9>ready
	r=$PID
	wait_for 10 test -s ready
	HYPERACTOR_HOST_ADDR=$ID three_senders r
	ends 0 "$r" 30
	all_there r.out
}

@test "the same to a stand-alone msg-recv, by its own address" {
	local r

	start_host
	background r msg-recv --listen "unix:$T/r" -n 300000 r
	r=$PID
	wait_for 10 test -S r
	three_senders "unix:$T/r,r"
	ends 0 "$r" 30
	all_there r.out
}

@test "20 000 pipelined msg-calls are answered in order" {
	start_host
	try 0 proc-spawn c proc-boot --lines sh -c 'exec sed -u s/^/x/'
	seq 20000 >in
	DEADLINE=120
	timeout -s KILL 120 msg-call c <in >out 3>&-
	sed s/^/x/ in | cmp - out
}

@test "20 000 spread over four procs are answered in order" {
	start_host
	try 0 proc-spawn -n 4 w proc-boot --lines cat
	seq 20000 >in
	timeout -s KILL 120 msg-call 'w*' <in >out 3>&-
	cmp in out
}

@test "large and small ones of one sender keep their order" {
	local i

	start_host
	background r msg-recv -n 200 --ready-fd 9 r 9>ready
	wait_for 10 test -s ready
	for i in $(seq 100); do
		head -c $((i * 3000)) /dev/zero | tr '\0' x
		printf '\n%s\n' "$i"
	done >in
	try 0 msg-send r <in
	ends 0 "$PID" 30
	cmp in r.out
}
