#!/usr/bin/env bats
# Several hosts on one machine, over TCP: procs of one address procs of the
# other by their full ids.

load helper

# host NAME [ARG]...: a host with its own socket; its variables in NAME.sh, its
# id in the variable NAME.
host() {
	local name=$1

	shift
	timeout -s KILL 20 host-mux -D -l "unix:$T/$name" "$@" \
	    >"$name.sh" 2>"$name.err" 3>&-
	printf -v "$name" %s "$(in_host "$name.sh" sh -c 'echo "$HYPERACTOR_HOST_ID"')"
}

at() {
	local name=$1

	shift
	HYPERACTOR_HOST_ADDR=unix:$T/$name "$@"
}

two_hosts() {
	host one -l tcp:127.0.0.1:0
	host two -l tcp:127.0.0.1:0
}

@test "a proc of one calls a proc of the other by its full id" {
	two_hosts
	at two try 0 proc-spawn upper proc-boot --exec tr a-z A-Z
	is "$(cut -f1 <<<"$output")" "$two,upper"
	at one try 0 proc-spawn asker proc-boot --exec sh -c "msg-call $two,upper \"\$(cat)\""
	at one try 0 msg-call asker hello
	is "$output" HELLO
	at one try 0 msg-call "$two,upper" straight
	is "$output" STRAIGHT
	at two try 0 msg-call "$one,asker" 'from the other side'
	is "$output" 'FROM THE OTHER SIDE'
}

@test "the last lines of a proc's output are not for another machine" {
	local op

	two_hosts
	at two try 0 proc-spawn p proc-boot sh -c 'cat; echo secret'
	at two try 0 proc-reap p
	for op in '"list","all":true' '"status","name":"p"' '"wait","name":"p"'; do
		op="{\"op\":$op,\"tail\":true}"
		at two try 0 msg-call service,host_agent "$op"
		has "$output" secret
		at one try 0 msg-call "$two,service,host_agent" "$op"
		has "$output" '"name":"p"'
		lacks "$output" secret
	done
}

@test "in order over hosts, all of 50 000" {
	two_hosts
	background r msg-recv -H "$two" -n 50000 --ready-fd 9 r 9>ready
	wait_for 10 test -s ready
	seq 50000 >in
	DEADLINE=60
	at one try 0 msg-send "$two,r" <in
	ends 0 "$PID" 20
	cmp in r.out
}

@test "an unknown name there is returned at once, with that host's words" {
	two_hosts
	DEADLINE=5
	at one try 1 msg-send "$two,nobody" x
	has "$stderr" "no proc 'nobody' on $two"
}

@test "what is remote: list, status, ping, echo; no control" {
	two_hosts
	at two try 0 proc-spawn p proc-boot sleep 600
	at one try 0 msg-call "$two,service,host_agent" '{"op":"list"}'
	has "$output" '"name":"p"'
	at one try 0 msg-call "$two,service,host_agent" '{"op":"status","name":"p"}'
	has "$output" '"ok":true'
	at one try 0 msg-call "$two,service,host_agent" '{"op":"ping"}'
	has "$output" '"ok":true'
	at one try 0 msg-call "$two,p,agent" echo
	is "$output" "$two,p,agent[0]"
	at one try 0 msg-call "$two,service,host_agent" '{"op":"kill","names":["p"]}'
	has "$output" '"ok":false'
	at one try 0 msg-call "$two,service,host_agent" '{"op":"shutdown"}'
	has "$output" '"ok":false'
	at one try 0,1 msg-call "$two,p,agent" stop
	at two try 0 proc-stat p
	# Nor over TCP straight to it.
	try 1 proc-reap -H "$two" p
	at two try 0 proc-stat p
}

@test "a unix address means nothing on another machine" {
	host one
	host two -l tcp:127.0.0.1:0
	at two try 0 proc-spawn p proc-boot --exec cat
	at one try 1 msg-call "$two,p" hello
	has "$stderr" 'cannot be reached from there; start the host with -l tcp:'
}

# relayed [--relay]: three sends by way of one to two.
relayed() {
	local three=tcp:10.9.8.7:3

	host one -l tcp:127.0.0.1:0 "$@"
	host two -l tcp:127.0.0.1:0 -d "$three=$one"
	host three -l tcp:127.0.0.1:0 --as "$three" -d "$two=$one"
	at two try 0 proc-spawn p proc-boot --exec tr a-z A-Z
}

@test "what is remote is not passed on to a third host" {
	relayed
	at three try 1 msg-send "$two,p" hello
	has "$stderr" 'not sent'
	matches "$stderr" 'relay'
}

@test "--relay: it is, and the answer comes back" {
	relayed --relay
	at three try 0 msg-call "$two,p" hello
	is "$output" HELLO
}

@test "-d ADDR=VIA: the way to an address that cannot be dialed" {
	host two --as tcp:10.9.8.7:9
	is "$two" tcp:10.9.8.7:9
	at two try 0 proc-spawn p proc-boot --exec tr a-z A-Z
	host one -d "tcp:10.9.8.7:9=unix:$T/two"
	at one try 0 msg-call "$two,p" hello
	is "$output" HELLO
}

@test "two hosts over Unix sockets" {
	host one
	host two
	at two try 0 proc-spawn p proc-boot --exec tr a-z A-Z
	at one try 0 msg-call "$two,p" hello
	is "$output" HELLO
}

@test "the other host killed and started again: one goes on" {
	local pid

	two_hosts
	at two try 0 proc-spawn p proc-boot --exec cat
	at one try 0 msg-call "$two,p" hello
	pid=$(in_host two.sh sh -c 'echo "$HYPERACTOR_HOST_PID"')
	kill -KILL "$pid"
	wait_for 5 gone "$pid"
	at one try 1 msg-send --now "$two,p" hello
	host again -l "$two"
	HYPERACTOR_HOST_ADDR=unix:$T/again try 0 proc-spawn q proc-boot --exec cat
	at one try 0 msg-call "$two,q" hello
	is "$output" hello
	SOCKETS_STAY=1
}

@test "attached over TCP: a client has the host's id address" {
	host one -l tcp:127.0.0.1:0
	at one try 0 proc-spawn p proc-boot --exec sh -c 'echo "$MSG_SENDER"'
	try 0 msg-call -H "$one" "$one,p" x
	matches "$output" "^$one,client-"
}

@test "a stand-alone msg-call --listen tcp asks a proc" {
	host one -l tcp:127.0.0.1:0
	at one try 0 proc-spawn p proc-boot --exec tr a-z A-Z
	try 0 msg-call --listen tcp:127.0.0.1:0 "$one,p" hello
	is "$output" HELLO
	at one try 0 proc-spawn s proc-boot --exec sh -c 'echo "$MSG_SENDER"'
	try 0 msg-call --listen tcp:127.0.0.1:0 "$one,s" x
	matches "$output" '^tcp:127\.0\.0\.1:[0-9]+,'
}

@test "a proc sends to a stand-alone msg-recv" {
	local to

	host one -l tcp:127.0.0.1:0
	background r msg-recv --listen tcp:127.0.0.1:0 -n 1
	wait_for 10 grep -q . r.err
	to=$(head -n 1 r.err)
	at one try 0 proc-spawn src proc-boot --lines --to "$to" echo hello
	ends 0 "$PID"
	is "$(cat r.out)" hello
}

@test "bind: a stand-alone server gets a name on the host" {
	host one
	background r msg-recv --listen "unix:$T/server" -n 1 server
	wait_for 10 test -S server
	at one try 0 msg-call service,host_agent "{\"op\":\"bind\",\"name\":\"server\",\"addr\":\"unix:$T/server\"}"
	has "$output" '"ok":true'
	at one try 0 msg-send server hello
	ends 0 "$PID"
	is "$(cat r.out)" hello
	at one try 0 msg-call service,host_agent '{"op":"unbind","name":"server"}'
	has "$output" '"ok":true'
	at one try 1 msg-send server hello
	at one try 0 msg-call service,host_agent "{\"op\":\"bind\",\"name\":\"server\",\"addr\":\"unix:$T/one\"}"
	has "$output" "it is the host's own"
}

@test "the TTL ends what goes round in circles" {
	local a=unix:$T/a b=unix:$T/b c=unix:$T/c nowhere=unix:$T/nowhere

	host a -d "$nowhere=$b"
	host b -d "$nowhere=$c"
	host c -d "$nowhere=$b"
	DEADLINE=10
	at a try 1 msg-send "$nowhere,nobody" hello
	matches "$stderr" 'not sent.*(TTL|ttl|hops)'
	at b try 0 proc-stat
	at c try 0 proc-stat
}

@test "two hosts that are each other's default: what nobody takes comes back" {
	local a=unix:$T/a b=unix:$T/b

	host a -d "$b"
	host b -d "$a"
	DEADLINE=10
	at a try 1 msg-send nobody hello
	one_line "$(head -n 1 <<<"$stderr")"
	lacks "$stderr" '\x'
	at a try 1 msg-send nobody again
	at a try 0 proc-stat
	at b try 0 proc-stat
}
