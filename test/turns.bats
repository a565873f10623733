#!/usr/bin/env bats
# Large messages for one receiver take turns: none is refused, it stores no more
# than a few, and those that are small wait for no large one.

load helper

MOST=4000000
SENDERS=16
FORM=--whole

# receiver [ARG]...: msg-recv $FORM r, its pid in $R.  For it and all to come the
# largest message has 4 MiB.
receiver() {
	export HYPERACTOR_CODEC_MAX_FRAME_LENGTH=${LARGEST:-4M}
	background r msg-recv ${FORM:+"$FORM"} --ready-fd 9 "$@" r 9>ready
	R=${PID:?}
	wait_for 10 test -s ready
}

# unread [ARG]...: a receiver whose output nobody reads yet: it is at 7.
unread() {
	mkfifo r.out
	exec 7<>r.out
	receiver "$@" 7>&-
}

# payload N: that of N messages.
payload() {
	head -c $((MOST * $1)) /dev/zero | tr '\0' x
}

# send_each DEST [ARG]...: $SENDERS of $EACH (1) largest messages each, %n in ARG
# being the number of each.
send_each() {
	local i dest=$1

	shift
	SENT=
	for i in $(seq "${EACH:-1}"); do
		payload 1
		printf '\0'
	done >big
	for i in $(seq "$SENDERS"); do
		ln -sf big "s$i.in"
		background "s$i" msg-send --null "${@//%n/$i}" "$dest"
		SENT+=" $PID"
	done
}

# all_came FILE: what they sent is in FILE.
all_came() {
	local i

	for i in $SENT; do
		ends 0 "$i" 60 || { cat s*.err; return 1; }
	done
	is "$(cat s*.err)" ""
	wait_for 30 has_size $((MOST * SENDERS)) "$1"
	payload "$SENDERS" | cmp - "$1"
}

has_size() {
	[ "$(wc -c <"$2")" -eq "$1" ]
}

peak() {
	sed -n 's/^VmHWM:[[:space:]]*\([0-9]*\) kB/\1/p' "/proc/$1/status"
}

# Four that wait to be printed, each once more in what is to be written, and the
# next: all would be twice $SENDERS.
stores_few() {
	echo "# receiver: $(peak "$R") KiB at most"
	[ "$(peak "$R")" -lt $((12 * MOST / 1024)) ]
}

host_is_small() {
	[ "$(peak "${HOST:?}")" -lt 18432 ]
}

# bats test_tags=memory
@test "through a host, which stays small too" {
	start_host
	receiver
	send_each r
	all_came r.out
	stores_few
	host_is_small
}

# bats test_tags=memory
@test "to one whose output nobody reads: the others wait with their senders" {
	local all=$((MOST * SENDERS))

	start_host
	unread
	# Four of them from each of a quarter as many.
	SENDERS=4 EACH=4 send_each r 7>&-
	wait_for 30 stands_still $((4 * MOST / 1024)) peak "$R"
	stores_few
	host_is_small
	timeout 60 head -c "$all" <&7 >got
	exec 7>&-
	all_came got
}

# numbered NAME: sixteen lines that are large, and a small one behind each.
numbered() {
	local i

	for i in $(seq 16); do
		printf '%s %s ' "$1" "$i"
		payload 1
		printf '\n%s %s small\n' "$1" "$i"
	done
}

# bats test_tags=memory
@test "to one that stands alone, what fits a window waits too, and what is behind it" {
	local s

	MOST=390000
	export HYPERACTOR_LINK_WINDOW=500K
	FORM='' LARGEST=400K unread --listen "unix:$T/alone"
	SENT=
	for s in a b c d; do
		numbered "$s" >"$s.in"
		background "$s" msg-send --listen "unix:$T/$s" "unix:$T/alone,r" 7>&-
		SENT+=" $PID"
	done
	wait_for 30 stands_still 3000 peak "$R"
	echo "# receiver: $(peak "$R") KiB at most"
	[ "$(peak "$R")" -lt 12000 ]
	timeout 60 head -n 128 <&7 >got
	for s in $SENT; do
		ends 0 "$s" 60 || { cat ./?.err; return 1; }
	done
	for s in a b c d; do
		grep "^$s" got >"$s.got"; cmp "$s.got" "$s.in"
	done
	stop "$R"
	exec 7>&-
}

# taken_slowly: what comes out of it is read, a message at a time, for far longer
# in all than the delivery timeout.
taken_slowly() {
	local i

	for i in $(seq "$SENDERS"); do
		head -c "$MOST" <&7
		sleep .5
	done >got
}

@test "one that stands alone takes slowly: none times out while it does" {
	MOST=390000
	export HYPERACTOR_MESSAGE_DELIVERY_TIMEOUT=2s
	LARGEST=400K unread --listen "unix:$T/alone"
	send_each "unix:$T/alone,r" --listen "unix:$T/sender.%n" 7>&-
	taken_slowly
	all_came got
	stop "$R"
	exec 7>&-
}

@test "one takes slowly what comes from two hosts: none times out while it does" {
	local half=$((SENDERS / 2)) here

	MOST=390000
	export HYPERACTOR_MESSAGE_DELIVERY_TIMEOUT=2s
	export HYPERACTOR_CODEC_MAX_FRAME_LENGTH=400K
	start_host -l tcp:127.0.0.1:0
	timeout -s KILL 20 host-mux -D -l "unix:$T/two" -l tcp:127.0.0.1:0 \
	    >two.env 3>&-
	LARGEST=400K unread
	SENDERS=$half send_each r 7>&-
	here=$SENT
	mkdir there
	(
		cd there
		HYPERACTOR_HOST_ADDR=unix:$T/two SENDERS=$half \
		    send_each "$ID,r" 7>&-
		for i in $SENT; do
			wait "$i" || exit
		done
	) 3>&- &
	SENT="$here $!"
	taken_slowly
	exec 7>&-
	all_came got
	timeout 20 proc-reap --host -H "unix:$T/two"
}

# bats test_tags=memory
@test "from host to host over TCP" {
	export HYPERACTOR_CODEC_MAX_FRAME_LENGTH=4M
	start_host -l tcp:127.0.0.1:0
	receiver
	timeout -s KILL 20 host-mux -D -l "unix:$T/two" -l tcp:127.0.0.1:0 \
	    >two.env 3>&-
	HYPERACTOR_HOST_ADDR=unix:$T/two send_each "$ID,r"
	all_came r.out
	stores_few
	timeout 20 proc-reap --host -H "unix:$T/two"
}

# bats test_tags=memory
@test "to one that stands alone, over Unix sockets" {
	receiver --listen "unix:$T/alone"
	send_each "unix:$T/alone,r" --listen "unix:$T/sender.%n"
	all_came r.out
	stores_few
	stop "$R"
}

# bats test_tags=memory
@test "to one that stands alone, over TCP" {
	receiver --listen tcp:127.0.0.1:0
	send_each "$(head -n 1 r.err)" --listen tcp:127.0.0.1:0
	all_came r.out
	stores_few
	stop "$R"
}

# r_has FIELD: it is above 0.
r_has() {
	[ "$(proc-stat -a --json r | grep -o "\"$1\":[0-9]*" |
	    cut -d: -f2)" -gt 0 ]
}

@test "the sender of one is stopped in its middle: small ones go on, a large one when it is gone" {
	local a b

	export HYPERACTOR_LINK_WINDOW=4096
	start_host
	LARGEST=20M receiver
	head -c 20000000 /dev/zero | tee b.in | tr '\0' a >a.in
	background a msg-send --whole r
	a=$PID
	wait_for 10 r_has bytes_in
	kill -STOP "$a"
	background b msg-send --whole r
	b=$PID
	wait_for 10 r_has queued
	head -c 100000 /dev/zero | tr '\0' c >c.in
	DEADLINE=20 try 0 msg-send --whole r <c.in
	wait_for 10 cmp c.in r.out
	alive "$b"
	kill -KILL "$a"
	ends 0 "$b" 60
	cat c.in b.in >both
	wait_for 10 cmp both r.out
}
