#!/usr/bin/env bats
# The tests of the seeds' host, by name: in C over a host in one process (the
# driver seed), and those two that can be done so with the programs, step by
# step.  Their EchoActor is every proc's agent: "echo" is answered with its own
# actor id.

load helper

seed() {
	try 0 "$(driver seed)" "$1"
}

@test "seed 003: test_basic" {
	seed test_basic
}

@test "seed 003: test_process_proc_manager" {
	seed test_process_proc_manager
}

@test "seed 003: local_ready_and_wait_are_immediate" {
	seed local_ready_and_wait_are_immediate
}

@test "seed 003: host_spawn_times_out_when_configured" {
	seed host_spawn_times_out_when_configured
}

@test "seed 003: host_spawn_timeout_zero_disables_and_succeeds" {
	seed host_spawn_timeout_zero_disables_and_succeeds
}

@test "seed 003: host_spawn_maps_channel_closed_ready_error_to_config_failure" {
	seed host_spawn_maps_channel_closed_ready_error_to_config_failure
}

@test "seed 003: host_spawn_maps_terminal_ready_error_to_config_failure" {
	seed host_spawn_maps_terminal_ready_error_to_config_failure
}

@test "seed 003: host_spawn_fails_if_ready_but_missing_addr" {
	seed host_spawn_fails_if_ready_but_missing_addr
}

@test "seed 003: host_spawn_fails_if_ready_but_missing_agent" {
	seed host_spawn_fails_if_ready_but_missing_agent
}

@test "test_basic: procs and the system proc talk to each other" {
	start_host
	try 0 proc-spawn proc1 proc-boot --exec sh -c 'msg-call proc2 "$(cat)"'
	is "$(cut -f1 <<<"$output")" "$ID,proc1"
	try 0 proc-spawn proc2 proc-boot --exec sed 's/$/ by proc2/'
	is "$(cut -f1 <<<"$output")" "$ID,proc2"
	# proc1 -> proc2 -> proc1
	try 0 msg-call proc1 hello
	is "$output" "hello by proc2"
	# system -> proc, proc -> system: an answer of the system's agent
	try 0 proc-spawn proc3 proc-boot --exec sh -c 'msg-call service,host_agent "$(cat)"'
	try 0 msg-call proc3 echo
	is "$output" "$ID,service,host_agent[0]"
	# system -> system
	try 0 msg-call service,host_agent echo
	is "$output" "$ID,service,host_agent[0]"
}

@test "test_process_proc_manager (1) to (5)" {
	local echo1 echo2

	start_host
	# (1) Spawn and check invariants.
	matches "$HYPERACTOR_HOST_ADDR" '^unix:'
	try 0 proc-spawn proc1 proc-boot sleep 600
	is "$(cut -f1 <<<"$output")" "$ID,proc1"
	echo1=$(cut -f4 <<<"$output")
	try 0 proc-spawn proc2 proc-boot sleep 600
	is "$(cut -f1 <<<"$output")" "$ID,proc2"
	echo2=$(cut -f4 <<<"$output")
	matches "$echo1" "^$ID,proc1,[a-z_]+\[0\]\$"
	matches "$echo2" "^$ID,proc2,[a-z_]+\[0\]\$"

	# (2) Duplicate name rejection.
	try 1 proc-spawn proc1 proc-boot sleep 600
	one_line "$stderr"
	has "$stderr" "proc 'proc1' already exists"

	# (3) A stand-alone client (Proc::direct) asks a child through the host.
	try 0 msg-call -t 5 --listen unix "$echo1" echo
	is "$output" "$echo1"

	# (4) The other child, and the answer goes to the client's own address.
	try 0 msg-call -t 5 --listen "unix:$T/test" "$echo2" echo
	is "$output" "$echo2"

	# (5) A message of somebody else that has the reply come to the client.
	background r msg-recv --listen "unix:$T/client" -n 1 client
	wait_for 10 test -S client
	try 0 msg-send --header "reply-to=unix:$T/client,client,main[0][0]" \
	    "$echo1" echo
	ends 0 "$PID" 5
	is "$(cat r.out)" "$echo1"
}
