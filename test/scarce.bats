#!/usr/bin/env bats
# What a system runs out of: descriptors, memory, space, and readers that read.
# An error that says so, and nothing left.

load helper

# said_so STATUS WHY: the program (its stderr in err) has done it, or says in
# words of the system why not.
said_so() {
	case $1 in
	0) return 0 ;;
	124) [ -s err ] || return 0 ;; # nothing came to msg-recv
	127) grep -qE 'loading shared libraries|TLS data' err && return 0 ;;
	1 | 111 | 125)
		grep -qE "^[a-z-]+: error: .*($2)" err && return 0
		grep -q 'loading shared libraries' err && return 0 # CMD's
		# The proc it asks for could not be spawned before.
		grep -qE "no proc '?w|not ended" err && return 0
		;;
	esac
	echo "# $COMMAND ended with $1: $(cat err)"
	return 1
}

# limited ULIMIT... -- CMD [ARG]...: CMD with that limit; its stdin is "in".
limited() {
	local limit=

	while [ "$1" != -- ]; do
		limit="$limit $1"
		shift
	done
	shift
	COMMAND="ulimit$limit: $*"
	status=0
	timeout -s KILL 20 bash -c "ulimit$limit"' && exec "$@"' - "$@" \
	    <in >out 2>err 3>&- || status=$?
}

# one_of_each WHY ULIMIT...: every program once.
one_of_each() {
	local why=$1

	shift
	limited "$@" -- proc-spawn w proc-boot --exec cat
	said_so "$status" "$why"
	[ "$status" -ne 125 ]
	limited "$@" -- msg-call w hello
	said_so "$status" "$why"
	limited "$@" -- msg-send w hello
	said_so "$status" "$why"
	limited "$@" -- msg-call --whole w
	said_so "$status" "$why"
	limited "$@" -- msg-recv -t 0.1 r
	said_so "$status" "$why"
	limited "$@" -- proc-stat
	said_so "$status" "$why"
	limited "$@" -- proc-reap -t 1s w
	said_so "$status" "$why"
	limited "$@" -- proc-boot --join "$HYPERACTOR_HOST_ADDR" --name j true
	said_so "$status" "$why"
	[ "$status" -ne 111 ]
	limited "$@" -- host-mux -- true
	said_so "$status" "$why"
	[ "$status" -ne 111 ]
	proc-reap -k w >/dev/null 2>&1 || :
	wait_for 5 only_host
}

@test "few descriptors: each program does it, or says so" {
	local n

	start_host
	echo hello >in
	for n in 4 5 6 7 8 9 10 11 12 13 14 15 16 18 20 22; do
		one_of_each 'Too many open files|No file descriptors|fork' -n "$n"
	done
	# With the last there were enough.
	is "$status" 0
	is "$(find "$XDG_RUNTIME_DIR" -type s | grep -vc /hostmux/host)" 0
}

start_with_few() {
	(ulimit -n 16 && start_host >/dev/null && env | grep ^HYPERACTOR) >few
	# shellcheck disable=SC1091
	. ./few
	export HYPERACTOR_HOST_ADDR
	HOST=$HYPERACTOR_HOST_PID
}

@test "a host with 16 descriptors: refuses in words, and goes on" {
	local i refused=0

	start_with_few
	for i in 1 2 3 4 5 6 7 8; do
		try 0,111 proc-spawn "w$i" proc-boot --exec cat
		[ "$status" -eq 0 ] || {
			refused=1
			is "$stderr" "proc-spawn: error: host \
$HYPERACTOR_HOST_ADDR: it has no descriptors left"
		}
	done
	is "$refused" 1
	try 111 proc-stat
	has "$stderr" 'no descriptors left'
	# One that leaves makes room for those that ask.
	kill -KILL "$(spawners | cut -d' ' -f1 | sort -n | head -n 1)"
	wait_for 10 proc-stat
	try 0 proc-reap --host
	wait_for 5 no_process
	is "$(sockets)" ""
}

# bats test_tags=memory
@test "little memory: each program does it, or says so" {
	local v

	start_host
	head -c 3000000 /dev/zero | tr '\0' x >in
	for v in 2000 2600 2700 2800 3000 3200 3500 4000 6000 8000 16000 40000; do
		one_of_each 'Cannot allocate memory|Out of memory|no memory|memory exhausted|fork' -v "$v"
	done
	is "$status" 0
}

# bats test_tags=memory
@test "a host with little memory: what it cannot do comes back, nothing is left" {
	local v

	# What a host that could not read from it gave up is ended soon.
	export HYPERACTOR_PROCESS_EXIT_TIMEOUT=2s
	head -c 3000000 /dev/zero | tr '\0' x >large
	seq 100000 >many
	for v in 3000 4000 8000; do
		(ulimit -v "$v" && exec timeout 20 host-mux -D) \
		    >vars 2>err 3>&- || continue
		# shellcheck disable=SC1091
		. ./vars
		HOST=$HYPERACTOR_HOST_PID
		DEADLINE=25 try 0,1,111 proc-spawn -n 5 w proc-boot --lines cat
		try 0,1,111 msg-call w0 hello
		try 0,1,111 msg-send w1 <many
		try 0,1,111 msg-call --whole w0 <large
		try 0,1,111 proc-stat
		kill -TERM "$HOST"
		wait_for 20 no_process
		is "$(sockets)" ""
	done
}

# bats test_tags=memory
@test "a message that a receiver has no memory for is refused, and it goes on" {
	start_host
	background r sh -c 'ulimit -v 22000 && exec msg-recv r'
	wait_for 10 proc-stat r
	head -c 30000000 /dev/zero | tr '\0' x >large
	try 1 msg-send --whole r <large
	has "$stderr" "refused"
	has "$stderr" "no memory"
	try 0 msg-send r small
	wait_for 10 grep -qx small r.out
	stop "$PID"
}

@test "a full disk: results that cannot be written are an error, what came is returned" {
	[ -w /dev/full ] || skip "no /dev/full"
	start_host
	try 0 proc-spawn w proc-boot --exec cat
	for cmd in proc-stat 'msg-call w hello' 'proc-reap w' \
	    'proc-spawn v proc-boot --exec cat'; do
		# shellcheck disable=SC2086
		try 111 sh -c '"$@" >/dev/full' - $cmd
		has "$stderr" 'No space left'
	done
	background r sh -c 'exec msg-recv -n 1 r >/dev/full'
	wait_for 10 listed r
	try 1 msg-send r hello
	has "$stderr" '(r,main[0][0])'
	ends 111 "$PID"
	has "$(cat r.err)" 'No space left'
}

@test "a full disk stops no host, no proc and no supervisor" {
	[ -w /dev/full ] || skip "no /dev/full"
	start_host --log /dev/full -v
	background s sh -c 'exec proc-spawn -w -o stdout w proc-boot \
	    sh -c "seq 20000; exit 4" >/dev/full'
	ends 4 "$PID"
	status_is w 'Stopped(exit=4)'
	alive "$HOST"
}

@test "a reader that hangs stops no proc and no supervisor" {
	start_host
	mkfifo hung
	exec 8<>hung
	background s sh -c 'exec proc-spawn -w -o stdout w proc-boot \
	    sh -c "seq 200000; exit 4" >hung 8>&-'
	wait_for 15 status_is w 'Stopped(exit=4)'
	ends 4 "$PID" 20
	exec 8>&-
	# And one on the host.
	background r msg-recv r
	R=$PID
	wait_for 10 listed r
	kill -STOP "$R"
	try 0 proc-spawn -o port:r v proc-boot sh -c 'seq 200000; exit 5'
	wait_for 15 status_is v 'Stopped(exit=5)'
	kill -KILL "$R"
	wait "$R" || is "$?" 137
	wait_for 10 only_host
}
