#!/usr/bin/env bats
# Bad input on every socket: the host goes on serving, as large as it was.

load helper

# same_size FDS: the descriptors are back.
back_to() {
	[ "$(descriptors "$HOST")" -le "$1" ]
}

# Serves as before: KIB and FDS are what it was.
unmoved() {
	local kib=$1 fds=$2 now

	wait_for 15 back_to "$fds"
	now=$(resident "$HOST")
	[ "$now" -le $((kib + 4096)) ] || {
		echo "# grew from $kib to $now KiB"
		return 1
	}
	try 0 proc-stat p
	try 0 msg-call p hello
	is "$output" HELLO
}

# bats test_tags=memory
@test "3000 connections of garbage to the frontend" {
	local kib fds

	start_host
	try 0 proc-spawn p proc-boot --exec tr a-z A-Z
	try 0 msg-call p hello
	kib=$(resident "$HOST")
	fds=$(descriptors "$HOST")
	DEADLINE=120
	try 0 "$(driver garbage)" "${HYPERACTOR_HOST_ADDR#unix:}" 3000
	unmoved "$kib" "$fds"
}

# bats test_tags=memory
@test "3000 connections of garbage to the backend" {
	local kib fds

	start_host
	try 0 proc-spawn p proc-boot --exec tr a-z A-Z
	try 0 msg-call p hello
	kib=$(resident "$HOST")
	fds=$(descriptors "$HOST")
	DEADLINE=120
	try 0 "$(driver garbage)" "${HYPERACTOR_HOST_BACKEND_ADDR#unix:}" 3000 2
	unmoved "$kib" "$fds"
}

@test "garbage to a proc's own socket" {
	local addr pid

	start_host
	try 0 proc-spawn p proc-boot --exec tr a-z A-Z
	pid=$(cut -f2 <<<"$output")
	addr=$(cut -f3 <<<"$output")
	DEADLINE=60
	try 0 "$(driver garbage)" "${addr#unix:}" 500 3
	alive "$pid"
	try 0 msg-call p hello
	is "$output" HELLO
}

@test "a peer that has not greeted within 5 s is dropped" {
	local fds

	start_host -l tcp:127.0.0.1:0
	fds=$(descriptors "$HOST")
	exec 8<>"/dev/tcp/127.0.0.1/${ID##*:}"
	more() {
		[ "$(descriptors "$HOST")" -gt "$fds" ]
	}
	wait_for 5 more
	wait_for 10 back_to "$fds"
	# It was told so, by the end of the file.
	timeout -s KILL 5 cat <&8 >/dev/null
	exec 8<&-
}

@test "more ungreeted than are kept, all in the same turn" {
	local i

	start_host
	try 0 proc-spawn p proc-boot --exec tr a-z A-Z
	for i in 1 2 3 4 5; do
		# They wait in the backlog, silent or with what they say.
		kill -STOP "$HOST"
		background g "$(driver garbage)" "${HYPERACTOR_HOST_ADDR#unix:}" \
		    2000 "$i"
		ends 0 "$PID" 30
		kill -CONT "$HOST"
		try 0 msg-call p hello
		is "$output" HELLO
	done
	alive "$HOST"
}

@test "while all that goes on, others are served" {
	local g

	start_host
	try 0 proc-spawn c proc-boot --lines cat
	background g "$(driver garbage)" "${HYPERACTOR_HOST_ADDR#unix:}" 3000 4
	g=$PID
	seq 5000 >in
	DEADLINE=60
	try 0 msg-call c <in
	is "$(tail -n 1 <<<"$output")" 5000
	ends 0 "$g" 60
}
