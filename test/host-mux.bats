#!/usr/bin/env bats
# host-mux: it serves, says where, keeps others out, ends in order.

load helper

# foreground [ARG]...: a host-mux that serves; its text for eval in h.out.
foreground() {
	background h host-mux "$@"
	HOST=$PID
	wait_for 10 grep -q HYPERACTOR_HOST_PID h.out
}

@test "says where it serves, for eval" {
	foreground
	is "$(wc -l <h.out)" 4
	is "$(grep -cE "^HYPERACTOR_[A-Z_]+=.*; export HYPERACTOR_[A-Z_]+;$" h.out)" 4
	# shellcheck disable=SC1091
	. ./h.out
	is "$HYPERACTOR_HOST_ADDR" "unix:$XDG_RUNTIME_DIR/hostmux/host"
	is "$HYPERACTOR_HOST_ID" "$HYPERACTOR_HOST_ADDR"
	is "$HYPERACTOR_HOST_PID" "$HOST"
	matches "$HYPERACTOR_HOST_BACKEND_ADDR" '^unix:.'
	is "$(env | grep -c '^HYPERACTOR_HOST_')" 4
	try 0 proc-stat
}

@test "what it prints is quoted" {
	mkdir "$T/a b'c"
	foreground -l "unix:$T/a b'c/s"
	# shellcheck disable=SC1091
	. ./h.out
	is "$HYPERACTOR_HOST_ADDR" "unix:$T/a b'c/s"
	try 0 proc-stat
}

@test "TERM, INT, HUP and QUIT end it in order, exit 0" {
	local sig

	for sig in TERM INT HUP QUIT; do
		rm -f h.out
		# An asynchronous child of a script ignores INT and QUIT.
		background h env --default-signal=INT,QUIT host-mux
		HOST=$PID
		wait_for 10 grep -q HYPERACTOR_HOST_PID h.out
		kill -s "$sig" "$HOST"
		ends 0 "$HOST"
		is "$(sockets)" ""
	done
}

@test "a signal that its caller ignores is ignored (nohup)" {
	background h env --ignore-signal=HUP host-mux
	HOST=$PID
	wait_for 10 grep -q HYPERACTOR_HOST_PID h.out
	matches "$(cat "/proc/$HOST/status")" '^SigIgn:.*[13579bdf]$'
	kill -HUP "$HOST"
	in_host h.out proc-stat
	kill "$HOST"
	ends 0 "$HOST"
}

@test "a signal as soon as it has told of itself ends it in order" {
	local i

	for i in 1 2 3 4 5 6 7 8; do
		eval "$(timeout -s KILL 20 host-mux -D -l "unix:$T/s$i" 3>&-)"
		kill "$HYPERACTOR_HOST_PID"
		wait_for 10 gone "$HYPERACTOR_HOST_PID"
	done
	is "$(sockets)" ""
}

@test "-D: returns when it serves, holds nothing of the caller's" {
	local out

	exec 9>"$T/held"
	out=$(timeout -s KILL 20 host-mux -D 3>&- 2>&1 | cat)
	exec 9>&-
	eval "$out"
	try 0 proc-stat
	is "$(find "/proc/$HYPERACTOR_HOST_PID/fd" -lname '*held*')" ""
	is "$(readlink "/proc/$HYPERACTOR_HOST_PID/fd/1" | grep -c pipe)" 0
	is "$(kernel "$HYPERACTOR_HOST_PID" 6)" "$HYPERACTOR_HOST_PID"
}

@test "-D: messages go to ADDR.log, or to --log FILE" {
	start_host
	[ -e "$XDG_RUNTIME_DIR/hostmux/host.log" ]
	try 0 proc-reap --host
	start_host --log "$T/my.log"
	[ -e "$T/my.log" ]
}

@test "a living host there: an error naming its pid, and false for eval" {
	start_host
	try 1 host-mux -D
	is "$output" false
	one_line "$stderr"
	has "$stderr" "$HOST"
	try 1 host-mux
	is "$output" false
	one_line "$stderr"
	# eval "$(host-mux -D)" || exit
	try 7 bash -c 'eval "$(host-mux -D 2>/dev/null)" || exit 7'
	try 0 proc-stat
}

@test "the sockets of a host that was killed are replaced" {
	start_host
	kill -KILL "$HOST"
	wait_for 5 gone "$HOST"
	start_host
	try 0 proc-stat
}

@test "several hosts of one user" {
	foreground -l "unix:$T/one"
	background i host-mux -l "unix:$T/two"
	wait_for 10 grep -q HYPERACTOR_HOST_PID i.out
	background r msg-recv -H "unix:$T/two" -n 1 r
	wait_for 10 msg-send -H "unix:$T/two" r hello
	try 0 proc-stat -H "unix:$T/one"
	lacks "$output" r
	ends 0 "$PID"
}

@test "sockets are 0600 in a directory that is 0700, whatever the umask" {
	umask 0
	start_host
	is "$(stat -c %a "$XDG_RUNTIME_DIR/hostmux")" 700
	is "$(find "$XDG_RUNTIME_DIR" -type s | wc -l)" 2
	is "$(find "$XDG_RUNTIME_DIR" -type s -not -perm 600)" ""
	is "$(find "$XDG_RUNTIME_DIR" -type f -perm /077)" ""
}

@test "-m MODE opens the frontend to a group, the backend stays shut" {
	start_host -l "unix:$T/front" -m 0660
	is "$(stat -c %a "$T/front")" 660
	is "$(stat -c %a "${HYPERACTOR_HOST_BACKEND_ADDR#unix:}")" 600
}

@test "a runtime directory that is a link, or others may write to, is refused" {
	mkdir -m 700 elsewhere
	ln -s "$T/elsewhere" "$XDG_RUNTIME_DIR/hostmux"
	try 1,111 host-mux -D
	is "$output" false
	one_line "$stderr"
	is "$(ls elsewhere)" ""
}

@test "an abstract socket" {
	local name=hm-$BASHPID-$RANDOM

	start_host -l "unix:@$name"
	is "$HYPERACTOR_HOST_ADDR" "unix:@$name"
	try 0 proc-stat
}

@test "a peer of another uid is refused, on an abstract socket too" {
	local name=hm-$BASHPID-$RANDOM

	[ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null ||
	    skip "not root, or no setpriv: nobody else to be"
	start_host -l "unix:@$name"
	try 1,111 setpriv --reuid 65534 --regid 65534 --clear-groups \
	    proc-stat -H "unix:@$name"
	matches "$stderr" '^proc-stat: error: '
	is "$output" ""
	try 0 proc-stat
	# Opened to a group, whoever is let in may send, and control nothing.
	try 0 proc-reap --host
	chmod 755 "$T"
	case $T in
	/tmp/bats-run-*/test/*) chmod 755 "${T%/*}" "${T%/test/*}" ;;
	esac
	start_host -l "unix:$T/front" -m 0666
	try 0 proc-spawn p proc-boot --exec tr a-z A-Z
	try 0 setpriv --reuid 65534 --regid 65534 --clear-groups \
	    msg-call p hello
	is "$output" HELLO
	try 1 setpriv --reuid 65534 --regid 65534 --clear-groups proc-reap p
	try 0 proc-stat p
	try 0 setpriv --reuid 65534 --regid 65534 --clear-groups \
	    msg-call service,host_agent '{"op":"shutdown"}'
	has "$output" '"ok":false'
	try 0 proc-stat p
}

@test "tcp: an address is chosen and is the id address" {
	start_host -l tcp:127.0.0.1:0
	matches "$ID" '^tcp:127\.0\.0\.1:[1-9][0-9]*$'
	is "$HYPERACTOR_HOST_ADDR" "unix:$XDG_RUNTIME_DIR/hostmux/host"
	try 0 proc-stat -H "$ID"
	try 0 msg-call "$ID,service,host_agent" '{"op":"ping"}'
	has "$output" '"ok":true'
}

@test "tcp: a listener outside loopback warns who is trusted" {
	foreground -l 'tcp:*:0' --as auto || {
		# No default route here: name it.
		foreground -l 'tcp:*:0' --as tcp:10.9.8.7:7000
	}
	matches "$(cat h.err)" 'host-mux: warning: .*tcp'
}

@test "--as: the id address; tcp:*:PORT wants one" {
	try 2 host-mux -l 'tcp:*:0'
	one_line "$(head -n 1 <<<"$stderr")"
	has "$stderr" --as
	foreground -q -l 'tcp:*:0' --as tcp:10.9.8.7:7000
	matches "$(cat h.out)" "^HYPERACTOR_HOST_ID='?tcp:10.9.8.7:7000'?;"
	# It never dials itself.
	# shellcheck disable=SC1091
	. ./h.out
	background r msg-recv -n 1 r
	wait_for 10 msg-send tcp:10.9.8.7:7000,r hello
	ends 0 "$PID"
	is "$(cat r.out)" hello
}

@test "the ZeroMQ spellings are read, the canonical form is printed" {
	start_host -l "ipc://$T/z" -l tcp://127.0.0.1:0
	is "$HYPERACTOR_HOST_ADDR" "unix:$T/z"
	matches "$ID" '^tcp:127\.0\.0\.1:[1-9]'
	try 0 proc-stat -H "ipc://$T/z"
}

@test "--ready-fd: a newline when it serves" {
	mkfifo ready
	host-mux --ready-fd 7 7>ready >h.out 2>h.err 3>&- &
	HOST=$!
	is "$(timeout -s KILL 10 cat -A ready)" '$'
	grep -q HYPERACTOR_HOST_ADDR h.out
	try 0 proc-stat
	kill "$HOST"
	ends 0 "$HOST"
}

@test "NOTIFY_SOCKET: READY=1 when it serves" {
	command -v python3 >/dev/null || skip "no python3 to listen with"
	python3 -c '
import socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.settimeout(15)
s.bind("notify")
print(s.recv(4096).decode())' >got 3>&- &
	PID=$!
	wait_for 10 test -S notify
	NOTIFY_SOCKET=$T/notify host-mux -D >h.out 3>&-
	ends 0 "$PID"
	rm notify
	has "$(cat got)" READY=1
}

@test "ends its procs as proc-reap --all does" {
	start_host
	try 0 proc-spawn -n 3 w proc-boot sleep 600
	try 0 proc-spawn x proc-boot --exec cat
	kill "$HOST"
	wait_for 15 no_process
	is "$(sockets)" ""
}

@test "a second signal cuts the grace" {
	foreground -t 60
	# shellcheck disable=SC1091
	. ./h.out
	try 0 proc-spawn stubborn proc-boot \
	    sh -c 'trap "echo >heard" TERM; while :; do sleep 1 & wait $!; done'
	kill "$HOST"
	wait_for 10 test -e heard
	alive "$HOST"
	kill "$HOST"
	ends 0 "$HOST" 15
	wait_for 5 no_process
}

@test "who asks for the end when a signal has begun it is told the summary" {
	foreground -t 60
	# shellcheck disable=SC1091
	. ./h.out
	try 0 proc-spawn slow proc-boot \
	    sh -c 'trap "echo >heard" TERM; echo >up; while :; do sleep .1; done'
	wait_for 10 test -e up
	mkfifo r.in
	exec 8<>r.in
	background r msg-call service,host_agent
	echo '{"op":"ping"}' >&8
	wait_for 10 lines_in r.out 1
	kill "$HOST"
	wait_for 10 test -e heard
	printf '%s\n' '{"op":"shutdown"}' '{"op":"kill","names":["slow"]}' >&8
	ends 0 "$HOST"
	wait_for 10 gone "$PID"
	exec 8>&-
	has "$(sed -n 2p r.out)" '"attempted":1'
}

@test "shutdown over control" {
	start_host
	try 0 proc-spawn w proc-boot sleep 600
	try 0 msg-call service,host_agent '{"op":"shutdown","timeout":5,"max":8}'
	wait_for 15 gone "$HOST"
	wait_for 10 no_process
	is "$(sockets)" ""
}

@test "control: info, ping, list; what is malformed gets an error reply" {
	start_host
	try 0 msg-call service,host_agent '{"op":"info"}'
	has "$output" "\"addr\":\"$ID\""
	has "$output" "\"pid\":$HOST"
	try 0 msg-call service,host_agent '{"op":"ping"}'
	has "$output" '"ok":true'
	try 0 msg-call service,host_agent '{"op":"list"}'
	has "$output" '"procs":['
	for text in '{"op":"nonsense"}' '{"op":7}' '{' '{}' \
	    '{"op":"terminate","names":"w1"}'; do
		try 0 msg-call service,host_agent "$text"
		has "$output" '"ok":false'
		has "$output" '"error":"'
	done
	# What is no object is no operation: an error reply, or refused.
	for text in '[]' nonsense ''; do
		try 0,1 msg-call service,host_agent "$text"
		matches "$output$stderr" '"ok":false|refused'
	done
}

@test "local: starts without actors, is activated once" {
	start_host
	try 1 msg-send local,x hello
	has "$stderr" "no actor 'x' in proc 'local'"
	try 0 msg-call service,host_agent '{"op":"local"}'
	has "$output" '"ok":true'
	try 0 msg-call local,agent echo
	is "$output" "$ID,local,agent[0]"
}

@test "an unknown name is returned, or goes to the default route" {
	start_host
	try 1 msg-send w9 hello
	has "$stderr" "no proc 'w9' on $ID"
	try 0 proc-reap --host
	background r msg-recv --listen "unix:$T/default" -n 1 w9
	wait_for 10 test -S default
	start_host -d "unix:$T/default"
	try 0 msg-send w9 hello
	ends 0 "$PID"
	is "$(cat r.out)" hello
}

@test "-- CMD: runs CMD with the variables, stdout is CMD's, its status ours" {
	try 3 host-mux -- sh -c 'echo "$HYPERACTOR_HOST_ADDR"; proc-stat; exit 3'
	matches "$output" '^unix:'
	is "$(grep -c . <<<"$output")" 1
	is "$stderr" ""
	is "$(ls -A "$TMPDIR")" ""
	try 143 host-mux -- sh -c 'kill -TERM $$'
	try 127 host-mux -- ./there-is-none
	one_line "$stderr"
	touch plain
	try 126 host-mux -- ./plain
	one_line "$stderr"
}

@test "-- CMD: two of them at once do not meet" {
	background a host-mux -- sh -c 'proc-spawn p proc-boot --exec cat >&2 && msg-call p a'
	local a=$PID
	try 0 host-mux -- sh -c 'proc-spawn p proc-boot --exec cat >&2 && msg-call p b'
	is "$output" b
	ends 0 "$a"
	is "$(cat a.out)" a
}

@test "-- CMD: signals go to CMD first, then the procs end" {
	background h host-mux -- sh -c '
		trap "echo heard >>log; exit 5" TERM
		proc-spawn w proc-boot sleep 600 >&2
		echo up >log
		while :; do sleep 1 & wait $!; done'
	wait_for 15 grep -q up log
	kill "$PID"
	ends 5 "$PID"
	is "$(tail -n 1 log)" heard
	wait_for 5 no_process
}

@test "-- CMD: proc-reap --host: CMD hears SIGTERM first, then all end" {
	background h host-mux -t 20s -- sh -c '
		trap "proc-stat w >log; exit 5" TERM
		proc-spawn w proc-boot sleep 600 >&2
		printenv HYPERACTOR_HOST_ADDR >up
		while :; do sleep 1 & wait $!; done'
	wait_for 15 test -s up
	HYPERACTOR_HOST_ADDR=$(cat up) try 0 proc-reap --host
	has "$output" 'attempted=1 ok=1 failed=0'
	ends 5 "$PID" 10
	has "$(cat log)" w
	wait_for 5 no_process
}

@test "-- CMD: it hears signals also when it has left its group" {
	command -v python3 >/dev/null || skip "no python3 to leave it with"
	background h host-mux -t 20s -- python3 -c '
import os, time
os.setpgid(0, os.getpgid(os.getppid()))
open("up", "w").close()
time.sleep(600)'
	wait_for 15 test -e up
	kill "$PID"
	ends 143 "$PID" 10
}

@test "-- CMD: what CMD leaves behind ends with it" {
	try 0 host-mux -- sh -c 'setsid sleep 600 & (sleep 600 &) ; exit 0'
	wait_for 10 no_process
}

@test "-- CMD: stdin is CMD's" {
	echo hello >in
	try 0 host-mux -- cat <in
	is "$output" hello
}

@test "-- CMD: ^Z on a terminal stops the job, fg goes on" {
	try 7 "$(driver terminal)" job host-mux -- sh -c 'echo up; read x; echo got $x; exit 7'
}

@test "-- CMD: ^Z stops nothing where no shell is above" {
	try 7 "$(driver terminal)" leader host-mux -- sh -c 'echo up; read x; echo got $x; exit 7'
}

@test "signals that the caller has blocked are heard all the same" {
	# As from a program that takes its signals by signalfd.
	cat >blocked.py <<-'END'
	import os, signal, sys
	signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD, signal.SIGTERM])
	os.execvp(sys.argv[1], sys.argv[1:])
	END
	DEADLINE=10
	try 3 python3 blocked.py host-mux -l "unix:$T/h" -- sh -c 'exit 3'
	start_host
	try 3 python3 blocked.py proc-boot --join "$HYPERACTOR_HOST_ADDR" --name j \
	    sh -c 'exit 3'
	try 0 python3 blocked.py proc-spawn w proc-boot --exec tr a-z A-Z
	try 0 msg-call w hello
	is "$output" HELLO
	# CMD gets the mask of the caller, so it hears nothing.
	background b python3 blocked.py host-mux -t 1s -l "unix:$T/i" -- \
	    sleep 60
	wait_for 5 proc-stat -a -H "unix:$T/i"
	kill "$PID"
	ends 137 "$PID" 10
}

@test "what stands at its address since is not the old host's to remove" {
	mkdir -m 700 d
	start_host -l "unix:$T/d/h"
	rm -rf d
	mkdir -m 700 d
	background n host-mux -l "unix:$T/d/h"
	local new=$PID
	wait_for 5 proc-stat -a -H "unix:$T/d/h"
	kill "$HOST"
	wait_for 5 gone "$HOST"
	try 0 proc-stat -a -H "unix:$T/d/h"
	[ -e d/h.lock ]
	kill "$new"
	ends 0 "$new"
	is "$(ls d)" ""
}

@test "a full stdout: 111" {
	[ -w /dev/full ] || skip "no /dev/full"
	try 111 sh -c 'exec host-mux >/dev/full'
	has "$stderr" 'No space left'
}

@test "-- CMD: an address that is none is a usage error, own failure 125" {
	try 2 host-mux -l nonsense: -- true
	has "$stderr" 'no transport'
	try 125 host-mux -l unix:/nonexistent/x -- true
}
