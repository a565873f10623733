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

# garbage_to VARIABLE [SEED]: to the address there.
garbage_to() {
	local kib fds addr

	start_host
	addr=${!1}
	try 0 proc-spawn p proc-boot --exec tr a-z A-Z
	try 0 msg-call p hello
	kib=$(resident "$HOST")
	fds=$(descriptors "$HOST")
	DEADLINE=120
	try 0 "$(driver garbage)" "${addr#unix:}" 3000 "${@:2}"
	unmoved "$kib" "$fds"
}

# bats test_tags=memory
@test "3000 connections of garbage to the frontend" {
	garbage_to HYPERACTOR_HOST_ADDR
}

# bats test_tags=memory
@test "3000 connections of garbage to the backend" {
	garbage_to HYPERACTOR_HOST_BACKEND_ADDR 2
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

# bats test_tags=memory
@test "every byte of every record changed, or cut there: a host" {
	local kib fds addr

	# Over TCP a name is free when its link breaks.  Answers to ids that are
	# nowhere are given up soon.
	export HYPERACTOR_LINK_SESSION_TIMEOUT=0
	export HYPERACTOR_MESSAGE_DELIVERY_TIMEOUT=1s
	start_host -l "unix:$T/h" -l tcp:127.0.0.1:0
	try 0 proc-spawn p proc-boot --exec tr a-z A-Z
	try 0 proc-spawn c proc-boot --lines cat
	try 0 msg-call p hello
	kib=$(resident "$HOST")
	fds=$(descriptors "$HOST")
	DEADLINE=120
	for addr in "unix:$T/h" "$HYPERACTOR_HOST_BACKEND_ADDR" "$ID"; do
		try 0 "$(driver mutate)" "$addr" c attach
		echo "# $output"
	done
	unmoved "$kib" "$fds"
}

@test "every byte of every record changed, or cut there: a proc, msg-recv" {
	local addr

	export HYPERACTOR_MESSAGE_DELIVERY_TIMEOUT=1s
	start_host
	try 0 proc-spawn c proc-boot --lines cat
	addr=$(cut -f3 <<<"$output")
	background r msg-recv --listen "unix:$T/r" r
	wait_for 10 test -S r
	DEADLINE=120
	try 0 "$(driver mutate)" "$addr" c host
	try 0 "$(driver mutate)" "unix:$T/r" r host
	try 0 msg-call c hello
	is "$output" hello
	try 0 msg-send "unix:$T/r,r" 'the last one'
	wait_for 10 grep -qxF 'the last one' r.out
	stop "$PID"
}

# bats test_tags=memory
@test "who breaks the protocol or lies is told why, and its name is free" {
	local kib fds addr

	start_host -l "unix:$T/h" -l tcp:127.0.0.1:0
	try 0 proc-spawn p proc-boot --exec tr a-z A-Z
	try 0 proc-spawn c proc-boot --lines cat
	try 0 msg-call p hello
	kib=$(resident "$HOST")
	fds=$(descriptors "$HOST")
	for addr in "unix:$T/h" "$HYPERACTOR_HOST_BACKEND_ADDR" "$ID"; do
		try 0 "$(driver forged)" "$addr" c
	done
	unmoved "$kib" "$fds"
	try 0 msg-call c 'still here'
	is "$output" 'still here'
}

@test "TCP links that break in great numbers leave credit to who comes then" {
	# Of 256 windows, the least each.
	export HYPERACTOR_HOST_MEMORY=1M
	start_host -l "unix:$T/h" -l tcp:127.0.0.1:0
	cat >break.py <<-'END'
	import socket, struct, sys
	body = struct.pack(">IBBBBQQQQ", 0x686D7578, 1, 0, 1, 0, 7, 0, 1 << 20, 65536)
	hello = struct.pack(">IBBH", len(body) + 3, 1, 0, 0) + body + bytes(3)
	for i in range(400):
	    link = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
	    link.sendall(hello)
	    link.recv(8)
	    link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
	    link.close()
	END
	try 0 python3 break.py "${ID##*:}"
	DEADLINE=5
	try 0 msg-call service,host_agent ping
	has "$output" true
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

# bats test_tags=memory
@test "messages begun and never finished are bounded, and given up" {
	local before

	export HYPERACTOR_MESSAGE_DELIVERY_TIMEOUT=2s
	start_host
	before=$(resident "$HOST")
	cat >begin.py <<-'END'
	import socket, struct, sys, time
	def str8(text): return bytes([len(text)]) + text.encode()
	def record(kind, body, flags=0, extra=0):
	    return struct.pack(">IBBH", len(body), kind, flags, extra) + body
	link = socket.socket(socket.AF_UNIX)
	link.connect(sys.argv[1])
	link.sendall(record(1, struct.pack(">IBBBBQQQQ", 0x686D7578, 1, 0, 1, 0, 7,
	    0, 1 << 20, 65536) + str8("") + str8("x") + str8("")))
	file = link.makefile("rb")
	credit, refused, timed_out = 0, 0, 0
	def step():
	    global credit, refused, timed_out
	    size, kind, flags, extra = struct.unpack(">IBBH", file.read(8))
	    body = file.read(size)
	    if kind == 7 and flags == 0: credit += struct.unpack(">Q", body)[0]
	    if kind == 5 and extra == 2: refused += struct.unpack(">I", body[12:16])[0]
	    if kind == 5 and extra == 3: timed_out += struct.unpack(">I", body[12:16])[0]
	    return kind, body
	_, body = step()
	credit = struct.unpack(">Q", body[32:40])[0]
	host = body[41:41 + body[40]].decode()
	head = struct.pack(">QBBHII", 262144, 64, 0, 0, 0xFFFFFFFF, 0)
	head += str8(host) + str8("service") + str8("host_agent") + bytes(16)
	head += str8(host) + str8("x") + str8("main") + bytes(8)
	head += str8("text/plain") + bytes(2)
	# All but the last byte of each, in pieces as credit allows.
	for number in range(1, 201):
	    left, front = 262143, head
	    while left > 0:
	        while credit < 1000: step()
	        size = min(left, 16000, credit - 16 - len(front))
	        body = struct.pack(">Q", number) + front + bytes(size)
	        credit -= max(128, len(body) + 8)
	        link.sendall(record(3, body, 1 if front else 0, len(front)))
	        left, front = left - size, b""
	# Four at a time; on a slow machine some are given up meanwhile.
	while refused + timed_out < 196: step()
	print("begun", flush=True)
	while refused + timed_out < 200: step()
	print("given up", flush=True)
	END
	background b python3 begin.py "$T/run/hostmux/host"
	wait_for 20 grep -q begun b.out
	[ "$(resident "$HOST")" -lt $((before + 4096)) ]
	ends 0 "$PID" 20
	has "$(cat b.out)" 'given up'
	try 0 proc-stat -a
}
