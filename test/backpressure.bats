#!/usr/bin/env bats
# A receiver that is stopped makes those wait who post to it, and nobody else;
# the host's memory stays where it was.

load helper

# Writes lines for ever and counts them in the file named.
writer() {
	bash -c 'i=0; while printf "%0999d\n" "$i"; do i=$((i + 1)); echo >>"$0"; done' \
	    "$1" 2>/dev/null
}

# stopped_receiver NAME: a msg-recv that is stopped, its pid in $R.
stopped_receiver() {
	background "$1" msg-recv --ready-fd 9 "$@" 9>"$1.ready"
	R=$PID
	wait_for 10 test -s "$1.ready"
	kill -STOP "$R"
}

# sender_to DEST: a sender without end, its pid in $S, its lines in DEST.n.
sender_to() {
	: >"$1.n"
	writer "$PWD/$1.n" 3>&- | msg-send "$1" >"$1.sout" 2>"$1.serr" 3>&- &
	S=$!
}

@test "a stopped receiver makes its sender wait, then all goes on" {
	local n

	start_host
	stopped_receiver r
	sender_to r
	wait_for 30 stands_still 0 lines_of r.n
	n=$(wc -l <r.n)
	# 1000 bytes each: what one link may park, and what pipes hold.
	[ "$n" -lt 5000 ]
	alive "$S"
	kill -CONT "$R"
	wait_for 20 lines_in r.n $((n + 5000))
	stop "$S"
	stop "$R"
	# What came is in order and without a hole.
	head -n "$n" r.out | sed 's/^0*\(.\)/\1/' | cmp - <(seq 0 $((n - 1)))
}

# bats test_tags=memory
@test "the host's memory stays under 18 MiB, whatever waits" {
	local i peak pids=

	start_host
	for i in 1 2 3 4 5 6 7 8 9 10 11 12; do
		stopped_receiver "r$i"
		pids="$pids $R"
		sender_to "r$i"
	done
	for i in 1 2 3 4 5 6 7 8 9 10 11 12; do
		wait_for 60 stands_still 0 lines_of "r$i.n"
	done
	[ "$(resident "$HOST")" -lt 18432 ]
	peak=$(sed -n 's/^VmHWM:[[:space:]]*\([0-9]*\) kB/\1/p' "/proc/$HOST/status")
	[ "$peak" -lt 18432 ] || { echo "# peak $peak KiB"; return 1; }
	# The others go on.
	try 0 proc-spawn p proc-boot --exec tr a-z A-Z
	try 0 msg-call p hello
	is "$output" HELLO
	# shellcheck disable=SC2086
	kill -KILL $pids
	end_processes
	SOCKETS_STAY=1
}

@test "others of the same sender's host go on: only the way to it waits" {
	start_host
	stopped_receiver r
	sender_to r
	wait_for 30 stands_still 0 lines_of r.n
	try 0 proc-spawn c proc-boot --lines cat
	seq 5000 >in
	DEADLINE=60
	try 0 msg-call c <in
	is "$(tail -n 1 <<<"$output")" 5000
	kill -KILL "$R" "$S"
}

@test "a proc that answers two, of whom one is stopped, goes on answering the other" {
	local stuck

	start_host
	try 0 proc-spawn c proc-boot --lines cat
	# The stuck one: its stdout is a pipe that nobody reads, and then it is
	# stopped too.
	mkfifo pipe
	exec 8<>pipe
	: >n
	writer "$PWD/n" 3>&- 8>&- | msg-call c >pipe 2>/dev/null 3>&- 8>&- &
	stuck=$!
	wait_for 30 stands_still 0 lines_of n
	kill -STOP "$stuck"
	seq 5000 >in
	DEADLINE=60
	try 0 msg-call c <in
	is "$(tail -n 1 <<<"$output")" 5000
	kill -KILL "$stuck"
	exec 8>&-
}

@test "answers that one does not take, more than may be parked, hold up no other" {
	start_host
	# Four megabytes of answers, to one whose stdout nobody reads.
	try 0 proc-spawn p proc-boot --lines sh -c 'pad=$(head -c 4000 /dev/zero |
		tr "\0" x); while IFS= read -r l; do echo "$l $pad"; done'
	mkfifo pipe
	exec 8<>pipe
	seq 3000 | msg-call p >pipe 2>/dev/null 8>&- &
	local asker=$!
	# Its answers stand still.
	answered() {
		proc-stat p | cut -f6
	}
	wait_for 30 stands_still 200 answered
	DEADLINE=20
	try 0 msg-call p hello
	matches "$output" '^hello x'
	# And when it reads on, all of its own come, in order.
	cut -d' ' -f1 <pipe >got 8>&- &
	local reader=$!
	exec 8>&-
	ends 0 "$asker" 30
	ends 0 "$reader"
	cmp got <(seq 3000)
}

# bats test_tags=memory
@test "a large message holds up nobody else" {
	start_host
	background r msg-recv --whole --ready-fd 9 -n 1 r 9>ready
	local r=$PID
	wait_for 10 test -s ready
	head -c 60000000 /dev/zero >big
	try 0 proc-spawn p proc-boot --exec cat
	ln -s big s.in
	background s msg-send --whole r
	local s=$PID
	DEADLINE=10
	try 0 msg-call p small
	is "$output" small
	ends 0 "$s" 60
	ends 0 "$r" 60
	cmp big r.out
	[ "$(resident "$HOST")" -lt 18432 ]
}

@test "progress: a slow receiver never times one out, a stopped one does" {
	export HYPERACTOR_MESSAGE_DELIVERY_TIMEOUT=1s
	start_host
	# 20 messages of 200 ms each: four times the timeout in all.
	try 0 proc-spawn slow proc-boot --exec sleep .2
	seq 20 >in
	try 0 msg-send slow <in
	is "$stderr" ""
	stopped_receiver r
	# What is written to it is its own to settle; the rest is held back.
	head -c 200000 /dev/zero | tr '\0' x | fold -w 10000 >s.in
	background s msg-send r
	S=$PID
	wait_for 15 grep -q 'timed out.*r took nothing' s.err
	kill -CONT "$R"
	ends 1 "$S" 20
	is "$(($(grep -c 'timed out' s.err) + $(wc -l <r.out)))" 20
	kill "$R"
}

@test "names that wait for their procs take nothing of HOST_MEMORY" {
	# 16 links of the least window are all of it.
	export HYPERACTOR_HOST_MEMORY=64k
	start_host
	background s proc-spawn -t 0 -n 64 v sh -c 'sleep 600'
	wait_for 30 sh -c '[ "$(proc-stat | grep -c "^v.*Running")" -eq 64 ]'
	try 0 timeout 10 msg-call -t 5s service,host_agent '{"op":"ping"}'
	kill -9 "$PID"
	wait_for 10 sh -c '[ "$(proc-stat | grep -c "^v")" -eq 0 ]'
}
