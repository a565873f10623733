#!/usr/bin/env bats
# As PID 1: of a PID namespace, and of a container from scratch under runc; and a
# proc in a container of its own, with its host outside.

load helper

# Once, before tests that run side by side want it.
setup_file() {
	if [ "$(id -u)" -eq 0 ] && command -v runc >/dev/null; then
		make -s -C "$BATS_TEST_DIRNAME/.." static >&2
	fi
}

# The words before CMD that make it PID 1 of a namespace.
namespace() {
	local how

	# The uid stays what it is: an agent obeys its own.
	for how in 'unshare --pid --fork --mount-proc' \
	    'unshare --user --map-current-user --pid --fork --mount-proc'; do
		NAMESPACE=$how
		$how true 2>/dev/null && return
	done
	skip "unshare makes no PID namespace here"
}

# init NAME CMD [ARG]...: CMD runs as PID 1; $PID is of what started it, $INIT
# is its pid out here.
init() {
	# shellcheck disable=SC2086
	background "$1" $NAMESPACE "${@:2}"
	wait_for 10 has_init "$PID"
}

has_init() {
	INIT=$(cut -d' ' -f1 <"/proc/$1/task/$1/children")
	[ -n "$INIT" ] && [ "$(awk '/^NSpid:/ { print $NF }' \
	    "/proc/$INIT/status")" = 1 ]
}

no_zombies() {
	[ -z "$(zombies "$1")" ]
}

# What is in the namespace of PID 1 too.
in_namespace_of() {
	local other

	for other in /proc/[0-9]*/ns/pid; do
		[ ! "$other" -ef "/proc/$1/ns/pid" ] || echo "$other"
	done
}

@test "host-mux as PID 1: 5000 orphans are reaped" {
	local orphans

	namespace
	orphans=$(driver orphans)
	init h host-mux -- "$orphans" 5000 over
	wait_for 60 test -e over
	wait_for 5 no_zombies "$INIT"
	# It, its command.
	is "$(in_namespace_of "$INIT" | wc -l)" 2
	kill -TERM "$INIT"
	ends 143 "$PID"
}

@test "host-mux as PID 1 without a command: what falls to it is reaped" {
	namespace
	init h sh -c 'sleep .3 & exec host-mux'
	wait_for 10 test -s h.out
	wait_for 5 fails grep -q . "/proc/$INIT/task/$INIT/children"
	kill -TERM "$INIT"
	ends 0 "$PID"
}

@test "proc-boot as PID 1, joined to a host outside: 5000 orphans are reaped" {
	local orphans

	namespace
	start_host
	orphans=$(driver orphans)
	init p proc-boot --join "$HYPERACTOR_HOST_ADDR" --name w "$orphans" 5000 over
	wait_for 60 test -e over
	wait_for 5 no_zombies "$INIT"
	is "$(in_namespace_of "$INIT" | wc -l)" 2
	try 0 proc-stat w
	try 0 proc-reap w
	ends 143 "$PID"
	wait_for 5 only_host
}

@test "PID 1: the exit status is the command's" {
	local how

	namespace
	start_host
	touch plain
	for how in 'host-mux --' \
	    "proc-boot --join $HYPERACTOR_HOST_ADDR --name w"; do
		# shellcheck disable=SC2086
		{
			try 0 $NAMESPACE $how true
			try 7 $NAMESPACE $how sh -c 'exit 7'
			try 137 $NAMESPACE $how sh -c 'kill -KILL $$'
			try 134 $NAMESPACE $how sh -c 'kill -ABRT $$'
			try 127 $NAMESPACE $how ./there-is-none
			try 126 $NAMESPACE $how ./plain
		}
	done
}

@test "PID 1, what docker stop does: CMD hears it, the procs end, its status" {
	namespace
	init h host-mux -- sh -c '
		trap "echo heard >>log; exit 5" TERM
		proc-spawn w proc-boot sh -c "trap \"echo proc >>log; exit 0\" TERM
			echo up >>up; while :; do sleep 1 & wait \$!; done" >&2
		echo up >>up
		while :; do sleep 1 & wait $!; done'
	wait_for 15 lines_in up 2
	kill -TERM "$INIT"
	ends 5 "$PID"
	is "$(cat log)" 'heard
proc'
	wait_for 5 no_process
}

@test "PID 1: a command that hears nothing is killed at the deadline, 137" {
	local start=$SECONDS

	namespace
	init h host-mux -t 1s -- sh -c '
		trap "" TERM
		proc-spawn w proc-boot sh -c "trap \"\" TERM; while :; do sleep 1; done" >&2
		(setsid sleep 600 &)
		echo up >up
		while :; do sleep 1; done'
	wait_for 15 test -s up
	kill -TERM "$INIT"
	ends 137 "$PID"
	# docker stop would send SIGKILL 10 s after.
	[ $((SECONDS - start)) -le 9 ]
	wait_for 2 no_process
}

@test "PID 1 without a command: ended in order, 0" {
	namespace
	init h host-mux
	wait_for 10 proc-stat
	try 0 proc-spawn w1 proc-boot sleep 600
	kill -TERM "$INIT"
	ends 0 "$PID"
}

@test "PID 1: signals are passed on to the command, once" {
	namespace
	init h host-mux -- sh -c '
		for s in HUP INT QUIT USR1 USR2 WINCH TSTP CONT; do
			trap "echo $s >>log" $s
		done
		trap "exit 3" TERM
		echo up >up
		while :; do sleep 600 & wait $!; kill $!; done'
	wait_for 10 test -s up
	for s in USR1 USR2 WINCH TSTP CONT; do
		kill -s "$s" "$INIT"
		wait_for 5 grep -qx "$s" log
	done
	kill -TERM "$INIT"
	ends 3 "$PID"
	is "$(grep -vx CONT log)" 'USR1
USR2
WINCH
TSTP'
}

spawned_again() {
	# shellcheck disable=SC2086
	proc-spawn w $NAMESPACE proc-boot sh -c \
	    'setsid sleep 600 & sleep 600' >again 3>&-
}

@test "a proc in a PID namespace of its own, its host outside" {
	namespace
	start_host
	# shellcheck disable=SC2086
	try 0 proc-spawn w $NAMESPACE proc-boot --exec \
	    sh -c 'setsid sleep 600 >/dev/null & cat; echo " of $PPID"'
	# What runs is a child of PID 1.
	try 0 msg-call w hello
	is "$output" 'hello of 1'
	try 0 proc-reap -t 2s w
	wait_for 5 only_host
	# And whoever is killed: its supervisor, or what made the namespace.
	# shellcheck disable=SC2086
	try 0 proc-spawn w $NAMESPACE proc-boot sh -c 'setsid sleep 600 & sleep 600'
	kill -KILL "$(supervisor_of "$(cut -f2 <<<"$output")")"
	wait_for 2 only_host
	wait_for 3 status_is w 'Failed(supervisor lost)'
	wait_for 3 spawned_again
	kill -KILL "$(cut -f2 again)"
	wait_for 3 only_host
	# Of a proc-boot proc the status is CMD's, and that heard SIGTERM.
	wait_for 3 status_is w 'Killed(sig=15)'
}

# --- under runc

# bundle DIR: of our static programs, and orphans; nothing else is in there.
bundle() {
	local bin=$ROOT/build/static/bin

	[ "$(id -u)" -eq 0 ] || skip "not root: runc needs it"
	command -v runc >/dev/null || skip "no runc (test/setup ci installs it)"
	mkdir -p "$1/rootfs/bin" "$1/rootfs/proc" "$1/rootfs/dev" "$1/rootfs/run"
	cp "$bin"/* "$1/rootfs/bin"
	cc -static -o "$1/rootfs/bin/orphans" "$ROOT/test/drivers/orphans.c"
	try 0 runc --root "$T/runc" --version
}

# config DIR MOUNTS ENV ARG...: MOUNTS and ENV are JSON.
config() {
	local dir=$1 mounts=$2 env=$3

	shift 3
	cat >"$dir/config.json" <<-END
	{"ociVersion": "1.0.2",
	"process": {"terminal": false, "user": {"uid": 0, "gid": 0}, "cwd": "/",
		"args": $(jq -nc '$ARGS.positional' --args -- "$@"),
		"env": ["PATH=/bin", "HOSTMUX_TEST=$HOSTMUX_TEST" $env]},
	"root": {"path": "$T/$dir/rootfs"},
	"mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}
		$mounts],
	"linux": {"namespaces": [{"type": "pid"}, {"type": "mount"},
		{"type": "ipc"}, {"type": "user"}],
		"uidMappings": [{"containerID": 0, "hostID": 0, "size": 1}],
		"gidMappings": [{"containerID": 0, "hostID": 0, "size": 1}]}}
	END
}

# Containers of this test are named by its tag.
container() {
	CONTAINER=hm.${HOSTMUX_TEST//[^0-9]/}
	background c runc --root "$T/runc" run --bundle "$1" "$CONTAINER"
	wait_for 10 is_running
}

inspect() {
	runc --root "$T/runc" state "$CONTAINER" 2>/dev/null
}

in_runc() {
	runc --root "$T/runc" exec "$CONTAINER" "$@"
}

is_running() {
	[ "$(inspect | jq -r .status)" = running ]
}

@test "runc: a container from scratch, 5000 orphans, runc kill" {
	bundle b
	config b '' '' host-mux -l unix:/run/s -- orphans 5000 /run/over
	container b
	INIT=$(inspect | jq .pid)
	wait_for 60 test -e b/rootfs/run/over
	wait_for 5 no_zombies "$INIT"
	is "$(in_namespace_of "$INIT" | wc -l)" 2
	try 0 runc --root "$T/runc" kill "$CONTAINER" TERM
	ends 143 "$PID"
	is "$(sockets)" ""
}

@test "runc: a host and its procs behind one entry point, called, stopped" {
	bundle b
	config b '' '' host-mux -l unix:/run/s -t 3s -- \
	    proc-spawn -w w proc-boot --exec proc-stat -H unix:/run/s --json
	container b
	wait_for 10 in_runc msg-call -H unix:/run/s w x
	try 0 runc --root "$T/runc" exec "$CONTAINER" msg-call -H unix:/run/s w x
	has "$output" '"name":"w"'
	try 0 runc --root "$T/runc" kill "$CONTAINER" TERM
	wait_for 10 gone "$PID"
	wait "$PID" || is "$?" 143
	is "$(sockets)" ""
}

@test "runc: a proc in a container of its own, its host outside" {
	bundle b
	start_host
	# What starts the container: the variables of the boot go into it, and
	# the directory of the sockets is mounted there at the same place.
	cat >boot <<-'END'
	#!/bin/sh
	env=$(env | sed -n 's/^HYPERACTOR_.*/,"&"/p')
	sed "s|@ENV@|$(echo "$env" | tr -d '\n' | sed 's/[&|]/\\&/g')|" template \
	    >b/config.json
	exec runc --root runc run --bundle b "$CONTAINER"
	END
	chmod +x boot
	config b ", {\"destination\": \"$XDG_RUNTIME_DIR\", \"type\": \"bind\",
		\"source\": \"$XDG_RUNTIME_DIR\", \"options\": [\"bind\", \"rw\"]}" \
	    @ENV@ proc-boot --exec proc-stat --json
	mv b/config.json template
	export CONTAINER=hm.${HOSTMUX_TEST//[^0-9]/}
	try 0 proc-spawn w ./boot
	INIT=$(inspect | jq .pid)
	is "$(cat "/proc/$INIT/comm")" proc-boot
	fails is "$(readlink "/proc/$INIT/ns/pid")" "$(readlink /proc/self/ns/pid)"
	fails is "$(readlink "/proc/$INIT/ns/user")" "$(readlink /proc/self/ns/user)"
	try 0 msg-call w x
	has "$output" '"name":"w"'
	try 0 proc-reap -t 3s w
	wait_for 5 only_host
	runc --root "$T/runc" delete -f "$CONTAINER" 2>/dev/null || :
	# Whoever is killed, nothing is left in the container.
	try 0 proc-spawn w ./boot
	INIT=$(inspect | jq .pid)
	kill -KILL "$(supervisor_of "$(cut -f2 <<<"$output")")"
	wait_for 3 only_host
	fails alive "$INIT"
	runc --root "$T/runc" delete -f "$CONTAINER" 2>/dev/null || :
}
