#!/usr/bin/env bats
# What goes wrong, as a table: command, exit status, the one clear line.  None
# of it leaves a process or a name behind.

load helper

# refused STATUS TEXT CMD [ARG]...: exactly one line "CMD: error: …TEXT…";
# nothing on stdout but host-mux's "false".
refused() {
	local want=$1 text=$2 said

	shift 2
	try "$want" "$@"
	said=$(grep "^$1: error: " <<<"$stderr" | grep -F -- "$text") || :
	one_line "$said" || { echo "# wanted: $text, in $*: $stderr"; return 1; }
	[ "$1" = host-mux ] || is "$output" "" || return 1
}

# usage TEXT CMD [ARG]...: exactly two lines, exit 2.
usage() {
	local text=$1

	shift
	refused 2 "$text" "$@" || return 1
	is "$(wc -l <<<"$stderr")" 2 || { echo "# $*"; return 1; }
	matches "$(tail -n 1 <<<"$stderr")" "^usage: $1 "
}

# nothing_of NAME: no process but the host, no proc, the name is free.
nothing_of() {
	only_host || { say_processes; return 1; }
	try 1 proc-stat "$1"
	try 0 proc-reap --all
	is "$output" 'attempted=0 ok=0 failed=0'
	try 0 proc-spawn "$1" proc-boot sleep 600
	try 0 proc-reap -k "$1"
	try 0 proc-reap --all # it counts until then
}

PROGRAMS='host-mux proc-spawn proc-boot proc-reap proc-stat msg-send msg-call msg-recv'

# --- usage

@test "--help is on stdout, 0; --version too" {
	local name

	for name in $PROGRAMS; do
		try 0 "$name" --help
		matches "$output" "^usage: $name "
		is "$stderr" ""
		try 0 "$name" -h
		try 0 "$name" -V
		matches "$output" "^$name \(hostmux\) [0-9]+\.[0-9]+\.[0-9]+"
		try 0 "$name" --version
	done
	try 0 proc-reap --help
	has "$output" '  -H, --at ADDR       the host '
	try 0 proc-stat --help
	has "$output" '  -H, --host ADDR     the host '
	try 0 host-mux --help
	lacks "$output" -H
}

@test "unknown options: two lines, 2" {
	local name

	for name in $PROGRAMS; do
		usage '' "$name" --nonsense x y
		has "$stderr" nonsense
		usage -Z "$name" -Z x y
	done
}

@test "missing operands, and operands too many: two lines, 2" {
	usage '' proc-spawn
	usage '' proc-spawn w1
	usage '' proc-boot
	usage '' proc-reap
	usage '' msg-send
	usage '' msg-call
	usage '' msg-recv a b
	usage '' host-mux operand
	usage '' proc-reap --host w1
}

@test "an option without its value, with a bad value" {
	usage -t proc-reap -t
	usage -t proc-reap -t soon w
	usage -t msg-call -t -1 w
	usage -n msg-recv -n many
	usage -n proc-spawn -n 0 w true
	usage -j proc-reap -j x w
	usage -t proc-spawn -t 1x w true
	usage -m host-mux -m 0999 -l "unix:$T/x"
}

@test "a bad variable is an error that names it, 2, in every program" {
	local name value

	export HYPERACTOR_MESSAGE_DELIVERY_TIMEOUT
	for value in soon -1 '' 1x; do
		HYPERACTOR_MESSAGE_DELIVERY_TIMEOUT=$value
		for name in host-mux 'msg-send w x' 'msg-call w x' msg-recv; do
			# shellcheck disable=SC2086
			try 2 $name
			has "$stderr" "parameter 'HYPERACTOR_MESSAGE_DELIVERY_TIMEOUT' invalid: "
		done
	done
	unset HYPERACTOR_MESSAGE_DELIVERY_TIMEOUT
	HYPERACTOR_HOST_MEMORY=lots try 2 host-mux -D
	has "$stderr" HYPERACTOR_HOST_MEMORY
	HYPERACTOR_HOST_ADDR=nonsense try 2 proc-stat
	has "$stderr" nonsense
}

# --- addresses and ids

@test "bad addresses: used or refused with what is wrong and where" {
	local long

	long=$T/$(printf 'x%.0s' {1..120})
	refused 2 "address 'tcp:host': no port" host-mux -l tcp:host
	refused 2 "address 'nonsense'" host-mux -l nonsense
	refused 2 "address 'nonsense'" proc-stat -H nonsense
	refused 2 "address 'unix:'" proc-stat -H unix:
	refused 2 "relative/path" proc-stat -H unix:relative/path
	refused 2 "tcp:127.0.0.1:99999" proc-stat -H tcp:127.0.0.1:99999
	refused 2 'a,b' host-mux -l "unix:$T/a,b"
	refused 2 'longer than' host-mux -l "unix:$long"
	refused 2 'longer than' proc-stat -H "unix:$long"
	try 2,111 proc-stat -H tcp:no.such.name.invalid:7000
	has "$stderr" no.such.name.invalid
}

@test "bad ids and names" {
	local name

	start_host
	for name in 'a b' .x ,x 'w,' 'w,main[' 'w,main[x]' 'w,main[0][-1]' \
	    "$(printf 'n%.0s' {1..65})" ''; do
		try 1,2 msg-send -- "$name" x
		matches "$stderr" '^msg-send: error: '
		try 1,2 proc-spawn -- "$name" true
		matches "$stderr" '^proc-spawn: error: '
	done
	try 1,2 msg-send 'w,main[0][18446744073709551616]' x
	matches "$stderr" '^msg-send: error: '
	for name in service local client-1; do
		try 1,2 proc-spawn "$name" proc-boot true
		has "$stderr" "$name"
	done
	only_host
}

# --- hosts that are not there

@test "a host that is not there: 111" {
	local command

	for command in proc-stat 'proc-reap w' 'proc-reap --all' 'proc-reap --host' \
	    'msg-send w x' 'msg-call w x' 'msg-recv w' 'proc-spawn w true'; do
		# shellcheck disable=SC2086
		refused 111 "unix:$XDG_RUNTIME_DIR/hostmux/host" $command
		# shellcheck disable=SC2086
		refused 111 "$T/none" ${command%% *} -H "unix:$T/none" ${command#* }
	done
	refused 111 tcp:127.0.0.1:1 proc-stat -H tcp:127.0.0.1:1
	[ ! -e "$XDG_RUNTIME_DIR/hostmux/host" ]
}

@test "a dead host's socket: 111, and the next host takes it" {
	start_host
	kill -KILL "$HOST"
	wait_for 5 gone "$HOST"
	refused 111 "unix:$XDG_RUNTIME_DIR/hostmux/host" proc-stat
	start_host
	try 0 proc-stat
}

@test "a living host's socket, a file that is none" {
	start_host
	refused 1 "$HOST" host-mux
	echo precious >file
	try 1,111 host-mux -l "unix:$T/file"
	one_line "$stderr"
	is "$(cat file)" precious
	try 111 proc-stat -H "unix:$T/file"
	one_line "$stderr"
}

@test "a TCP port that is taken: 1" {
	start_host -l tcp:127.0.0.1:0
	refused 1 "$ID" host-mux -l "unix:$T/other" -l "$ID"
	is "$(find . -maxdepth 1 -name 'other*' -type s)" ""
}

@test "a directory that is not there, or not ours to write in: 111" {
	try 1,111 host-mux -l "unix:$T/none/host"
	one_line "$stderr"
	has "$stderr" "$T/none/host"
	# Root may write nearly anywhere.
	local shut=$T/shut
	mkdir -m 500 "$shut"
	[ "$(id -u)" -ne 0 ] || shut=/proc
	try 1,111 host-mux -l "unix:$shut/host"
	one_line "$stderr"
	has "$stderr" "$shut/host"
}

@test "something else listens there: not spoken to as a host, in time" {
	command -v python3 >/dev/null || skip "no python3 to listen with"
	python3 -c '
import socket
s = socket.socket(socket.AF_UNIX)
s.bind("other")
s.listen()
c = []
while True:
    c.append(s.accept()[0])
    c[-1].sendall(b"220 smtp.example ESMTP ready, and much more to say\r\n")' 3>&- &
	wait_for 10 test -S other
	DEADLINE=15
	try 111 proc-stat -H "unix:$T/other"
	one_line "$stderr"
	kill "$!"
	rm other
}

# --- spawning

@test "a proc that never calls back: 124" {
	start_host
	refused 124 'failed to configure process' proc-spawn -t 500ms w1 sleep 600
	has "$stderr" "proc '$ID,w1'"
	has "$stderr" 'does it boot? try: proc-spawn w1 proc-boot sleep'
	nothing_of w1
}

@test "one that ends before it is ready: 1, with its status and last lines" {
	start_host
	refused 1 'failed to configure process' proc-spawn w1 sh -c 'echo my last words; exit 42'
	has "$stderr" 42
	has "$stderr" 'my last words'
	nothing_of w1
	refused 1 'failed to configure process' proc-spawn w1 sh -c 'kill -SEGV $$'
	has "$stderr" 11
	nothing_of w1
}

@test "a program that cannot be executed or found, behind proc-boot too: 126, 127" {
	start_host
	echo text >plain
	printf '#!/no/such/interpreter\n' >script
	chmod +x script
	refused 127 "proc '$ID,w1' failed to spawn process: " proc-spawn w1 ./none
	has "$stderr" 'No such file'
	nothing_of w1
	refused 126 "proc '$ID,w1' failed to spawn process: " proc-spawn w1 ./plain
	nothing_of w1
	refused 126,127 "failed to spawn process: " proc-spawn w1 ./script
	refused 126 "failed to spawn process: " proc-spawn w1 "$T"
	refused 127 none proc-spawn w1 proc-boot ./none
	nothing_of w1
	refused 126 plain proc-spawn w1 proc-boot ./plain
	nothing_of w1
	# A directory of PATH that cannot be searched would make it 126.
	PATH=$BUILD/bin:/usr/bin:/bin refused 127 nowhere-in-path proc-spawn w1 proc-boot --exec nowhere-in-path
	nothing_of w1
	refused 126,127 ./script proc-spawn w1 proc-boot --lines ./script
	nothing_of w1
	refused 126 plain host-mux -- ./plain
	refused 127 none host-mux -- ./none
}

@test "a name taken twice: 1" {
	start_host
	try 0 proc-spawn w1 proc-boot sleep 600
	refused 1 "proc 'w1' already exists" proc-spawn w1 proc-boot sleep 600
	one_line "$stderr"
	refused 1 "already exists" msg-recv w1
	one_line "$stderr"
	try 0 proc-stat w1
	is "$(spawners | wc -l)" 2
}

# --- callbacks; child speaks for itself

# callback STATUS TEXT LINE...: with these lines the spawn is refused; what it
# said is in $said.
callback() {
	local want=$1 text=$2

	shift 2
	refused "$want" "$text" proc-spawn -t 3 w1 "$(driver child)" "$@" || return 1
	said=$(grep '^proc-spawn: error: proc ' <<<"$stderr")
	nothing_of w1
}

@test "the fixture: a child that calls back in its own words is ready" {
	start_host
	try 0 proc-spawn w1 "$(driver child)" \
	    "{\"token\":\"@TOKEN@\",\"addr\":\"unix:$T/x\",\"agent\":\"$ID,w1,agent[0]\",\"pid\":1}"
	is "$(cut -f3 <<<"$output")" "unix:$T/x"
	try 0 proc-reap -k w1
}

@test "a callback without an address, with a bad one" {
	start_host
	callback 1 'failed to configure process' \
	    "{\"token\":\"@TOKEN@\",\"agent\":\"$ID,w1,agent[0]\"}"
	has "$said" addr
	callback 1 'failed to configure process' \
	    "{\"token\":\"@TOKEN@\",\"addr\":\"nonsense\",\"agent\":\"$ID,w1,agent[0]\"}"
}

@test "a callback without an agent, with somebody else's" {
	start_host
	callback 1 'fail' "{\"token\":\"@TOKEN@\",\"addr\":\"unix:$T/x\"}"
	has "$said" agent
	callback 1 'fail' "{\"token\":\"@TOKEN@\",\"addr\":\"unix:$T/x\",\"agent\":\"$ID,w2,agent[0]\"}"
	callback 1 'fail' "{\"token\":\"@TOKEN@\",\"addr\":\"unix:$T/x\",\"agent\":\"nonsense\"}"
}

@test "a callback without the token, with another one, with garbage" {
	start_host
	# Whether it is refused at once (1) or not heard (124), it is no callback.
	callback 1,124 'failed to configure process' \
	    "{\"addr\":\"unix:$T/x\",\"agent\":\"$ID,w1,agent[0]\"}"
	callback 1,124 'failed to configure process' \
	    "{\"token\":\"00000000000000000000000000000000\",\"addr\":\"unix:$T/x\",\"agent\":\"$ID,w1,agent[0]\"}"
	callback 1,124 'failed to configure process' 'GET / HTTP/1.0'
	callback 1,124 'failed to configure process' '{"token":7}'
	callback 1,124 'failed to configure process' '[[[[[['
}

@test "a callback that reports an error, or ends in the middle" {
	start_host
	callback 1,125,126 'spoilt for choice' \
	    '{"token":"@TOKEN@","error":"spoilt for choice","errno":13,"exit":126}'
	callback 1 'failed to configure process' -
}

# --- messages

@test "what comes back, and the one line it makes" {
	start_host
	try 1 msg-send nobody x
	has "$(head -n 1 <<<"$stderr")" "not sent"
	has "$(head -n 1 <<<"$stderr")" "no proc 'nobody' on $ID"
	try 1 msg-call nobody x
	has "$stderr" "no proc 'nobody' on $ID"
	refused 1 "no proc fits 'z*'" msg-send 'z*' x
	refused 1 "no proc fits 'z*'" msg-call 'z*' x
	try 1 msg-send service,nobody x
	has "$stderr" "no actor 'nobody' in proc 'service'"
}

@test "proc-stat and proc-reap of a name never known" {
	start_host
	try 1 proc-stat w9
	has "$stderr$output" "no proc 'w9' on $ID"
	try 1 proc-reap w9
	has "$stderr$output" "no proc 'w9' on $ID"
	has "$output" 'attempted=1 ok=0 failed=1'
}

@test "stdout full: an error, not a silent 0" {
	[ -w /dev/full ] || skip "no /dev/full"
	start_host
	try 0 proc-spawn w1 proc-boot --exec cat
	try 111 bash -c 'proc-stat >/dev/full'
	one_line "$stderr"
	try 1,111 bash -c 'msg-call w1 hello >/dev/full'
	matches "$stderr" '^msg-call: error: '
}

@test "no descriptors left: says so" {
	start_host
	try 0 proc-spawn w1 proc-boot --exec cat
	DEADLINE=10
	try 111 bash -c 'ulimit -n 4; exec msg-send w1 x'
	one_line "$stderr"
}

@test "a host out of descriptors refuses and goes on" {
	local i pids=''

	start_host_small() {
		ulimit -n 40
		start_host
	}
	start_host_small
	for i in $(seq 60); do
		background "c$i" msg-recv "c$i"
		pids="$pids $PID"
	done
	wait_for 15 test -s c60.err
	# shellcheck disable=SC2086
	kill -KILL $pids
	# shellcheck disable=SC2086
	wait_for 10 gone $pids
	wait_for 10 proc-stat
	alive "$HOST"
}
