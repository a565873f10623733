#!/usr/bin/env bats
# "Nothing is left behind": each party killed by SIGKILL, and what must follow
# without help.

load helper

# A proc with grandchildren inside and outside its group; its pids:
# $P proc-boot, $S supervisor, $W warden, $CMD the program.
family() {
	try 0 proc-spawn w1 proc-boot sh -c \
	    'setsid sleep 600 & sleep 600 & echo $$ >cmd; exec sleep 600'
	P=$(cut -f2 <<<"$output")
	S=$(supervisor_of "$P")
	W=$(warden_of "$P")
	wait_for 10 test -s cmd
	CMD=$(cat cmd)
	is "$(cat "/proc/$S/comm")" proc-spawn
	is "$(cat "/proc/$W/comm")" proc-spawn
}

name_is_free() {
	proc-spawn w1 proc-boot sleep 600 >/dev/null 3>&-
}

@test "the fixture: the family is there, and would be found" {
	start_host
	family
	alive "$P" && alive "$S" && alive "$W" && alive "$CMD"
	# The host, these two, proc-boot, and three programs.
	mapfile -t all < <(processes)
	is "${#all[@]}" 7
	is "$(kernel "$W" 6)" "$W"
}

@test "CMD killed: its status is published, its tree goes, the name is free" {
	start_host
	family
	kill -KILL "$CMD"
	wait_for 8 only_host_and_nothing_of_w1
	status_is w1 'Killed(sig=9)'
	try 0 proc-reap -w w1
	has "$output" 'w1	Killed(sig=9)'
	name_is_free
}

only_host_and_nothing_of_w1() {
	status_is w1 'Killed*' && gone "$P" "$CMD" &&
	    [ "$(processes)" = "$HOST" ]
}

@test "proc-boot killed: its program goes with it" {
	start_host
	family
	kill -KILL "$P"
	wait_for 8 only_host_and_nothing_of_w1
	name_is_free
}

@test "the program killed: what it had not taken is settled" {
	start_host
	try 0 proc-spawn w1 proc-boot --exec sh -c 'echo up >>log; sleep 600'
	P=$(cut -f2 <<<"$output")
	background s msg-send w1 one two three
	wait_for 10 test -s log
	kill -KILL "$P"
	ends 1 "$PID"
	is "$(grep -cE 'unknown|not sent' s.err)" 3
	wait_for 8 name_is_free
}

@test "the supervisor killed: all below it gone within 1 s, Failed(supervisor lost)" {
	start_host
	family
	kill -KILL "$S"
	wait_for 1 gone "$P" "$CMD"
	wait_for 2 only_host
	wait_for 2 status_is w1 'Failed(supervisor lost)'
	wait_for 2 name_is_free
}

@test "the warden killed: procs ended as by terminate, then gone" {
	start_host
	try 0 proc-spawn w1 proc-boot sh -c \
	    'trap "echo heard >log; exit 0" TERM; echo up >up; while :; do sleep 1 & wait $!; done'
	P=$(cut -f2 <<<"$output")
	wait_for 10 test -s up
	kill -KILL "$(warden_of "$P")"
	wait_for 12 only_host
	is "$(cat log)" heard
	wait_for 3 status_is w1 'Stopped(exit=0)'
	name_is_free
}

@test "the host killed: supervisors end their procs as by terminate, and go" {
	start_host
	SOCKETS_STAY=1
	try 0 proc-spawn -n 3 w proc-boot sh -c \
	    'trap "echo heard >>log; exit 0" TERM; echo up >>up; while :; do sleep 1 & wait $!; done'
	wait_for 10 lines_in up 3
	kill -KILL "$HOST"
	wait_for 15 no_process
	is "$(wc -l <log)" 3
}

@test "the host killed: what does not obey is gone after PROCESS_EXIT_TIMEOUT" {
	export HYPERACTOR_PROCESS_EXIT_TIMEOUT=1s
	start_host
	SOCKETS_STAY=1
	try 0 proc-spawn w1 proc-boot sh -c \
	    'trap "" TERM; echo up >up; while :; do sleep 1; done'
	wait_for 10 test -s up
	kill -KILL "$HOST"
	wait_for 8 no_process
}

@test "a client killed: its name is free, what was for it is settled" {
	local s

	start_host
	background r msg-recv --ready-fd 9 r 9>ready
	R=$PID
	wait_for 10 test -s ready
	kill -STOP "$R"
	background s msg-send r one two
	s=$PID
	kill -KILL "$R"
	ends 1 "$s"
	is "$(grep -cE 'unknown|not sent' s.err)" 2
	background r msg-recv -n 1 r
	wait_for 10 listed r
	try 0 msg-send r hello
	ends 0 "$PID"
}

@test "a client killed in the middle of asking: its answers are dropped quietly" {
	start_host
	try 0 proc-spawn p proc-boot --exec sh -c 'echo up >>log; sleep .3; cat'
	background c msg-call p one
	wait_for 10 test -s log
	kill -KILL "$PID"
	try 0 msg-call p two
	is "$output" two
}

@test "proc-spawn -w killed: nothing of it is left" {
	start_host
	background s proc-spawn -w w1 proc-boot sh -c 'setsid sleep 600 & echo up >up; exec sleep 600'
	wait_for 10 test -s up
	kill -KILL "$PID"
	wait_for 15 only_host
}

# none_is_new: no socket was made within the last two seconds or more.
none_is_new() {
	[ -z "$(find "$XDG_RUNTIME_DIR" -type s -newermt '2.5 seconds ago')" ]
}

@test "all of it in the same instant: direct children die" {
	start_host
	SOCKETS_STAY=1
	try 0 proc-spawn -n 3 w proc-boot sleep 600
	end_processes
	wait_for 2 no_process
	# And the next start removes the sockets, once they are not new any more.
	wait_for 10 none_is_new
	start_host
	try 0 proc-spawn w1 proc-boot sleep 600
	SOCKETS_STAY=
}

@test "the whole group killed while 50 start" {
	start_host
	background s proc-spawn -n 50 w proc-boot sleep 600
	wait_for 10 ready w0
	kill -KILL "$PID"
	wait_for 20 only_host_or_all_ready
	try 0 proc-reap --all
	wait_for 10 only_host
}

# Killed before it returned, the spawn is undone; after, it stands.
only_host_or_all_ready() {
	only_host || [ "$(proc-stat | grep -c Ready)" -eq 50 ]
}

@test "a supervisor killed leaves the procs of other spawns alone" {
	start_host
	try 0 proc-spawn -n 3 a proc-boot sleep 600
	S=$(supervisor_of "$(cut -f2 <<<"$output" | head -n 1)")
	try 0 proc-spawn -n 3 b proc-boot sleep 600
	kill -KILL "$S"
	wait_for 3 status_is a1 'Failed(supervisor lost)'
	try 0 proc-stat b0 b1 b2
}

# break_link PID: the connection of that process to the host is shut down, as
# when the host gives it up; both live on.
break_link() {
	local how=0

	python3 - "$1" <<-'END' || how=$?
	import ctypes, os, socket, sys
	libc = ctypes.CDLL(None, use_errno=True)
	pid = int(sys.argv[1])
	pidfd = os.pidfd_open(pid)
	cut = 0
	for fd in os.listdir('/proc/%d/fd' % pid):
	    try:
	        what = os.readlink('/proc/%d/fd/%s' % (pid, fd))
	    except FileNotFoundError:
	        continue  # closed just now
	    if not what.startswith('socket:'):
	        continue
	    mine = libc.syscall(438, pidfd, int(fd), 0)
	    if mine == -1:
	        sys.exit(77)
	    with socket.socket(fileno=mine) as s:
	        try:
	            peer = s.getpeername()
	        except OSError:
	            continue
	        if peer.endswith('/host-b'):
	            s.shutdown(socket.SHUT_RDWR)
	            cut += 1
	assert cut == 1, cut
	END
	[ "$how" -ne 77 ] || skip "pidfd_getfd is not permitted here"
	return "$how"
}

@test "the link of a proc broken: no proc is Ready and deaf, its CMD hears SIGTERM once" {
	export HYPERACTOR_PROCESS_EXIT_TIMEOUT=4s
	start_host
	try 0 proc-spawn w1 proc-boot --lines sh -c '
		trap "echo heard >>log" TERM
		echo up >up
		while :; do sleep 0.3 & wait $!; [ ! -s log ] || sleep 1; done'
	P=$(cut -f2 <<<"$output")
	wait_for 10 test -s up
	background c msg-call w1 never-answered
	wait_for 10 eval '[ "$(field w1 msgs_in)" = 1 ]'
	break_link "$P"
	# At once: there is no agent that hears.
	wait_for 2 test -s log
	ends 1 "$PID" 20
	wait_for 15 only_host
	status_is w1 'Killed(sig=9)'
	has "$(field w1 reason)" 'link'
	is "$(cat log)" heard
	name_is_free
}

@test "the link of a linked proc broken: it ends" {
	local linked

	start_host
	linked=$(driver linked)
	try 0 proc-spawn w1 "$linked" 'setsid sleep 600'
	break_link "$(cut -f2 <<<"$output")"
	wait_for 10 only_host
	status_is w1 'Stopped(exit=1)'
	name_is_free
}

no_spawners() {
	[ -z "$(spawners)" ]
}

# replace: a server of somebody else stands where each socket of the spawn was.
replace() {
	local path

	OTHERS=()
	for path in "${PATHS[@]}"; do
		rm "$path"
		background "r${path##*-}" msg-recv --listen "unix:$path"
		OTHERS+=("$PID")
		wait_for 10 test -S "$path"
	done
}

@test "a socket that took the place of another is nobody's to remove" {
	local before who path

	start_host
	before=$(sockets)
	for who in proc supervisor; do
		try 0 proc-spawn w proc-boot sleep 600
		mapfile -t PATHS < <(sockets | grep -vxF "$before")
		is "${#PATHS[@]}" 2
		replace
		if [ "$who" = proc ]; then
			kill -KILL "$(field w pid)"
		else
			kill -KILL "$(supervisor_of "$(field w pid)")"
		fi
		wait_for 10 status_is w '[KF]*'
		wait_for 10 no_spawners
		for path in "${PATHS[@]}"; do
			test -S "$path"
		done
		for PID in "${OTHERS[@]}"; do
			stop "$PID"
		done
		is "$(sockets)" "$before"
	done
}
