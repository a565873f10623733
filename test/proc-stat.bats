#!/usr/bin/env bats
# proc-stat: shows procs and their status, once or as it changes.

load helper

@test "columns, tab-separated, without a header in a pipe" {
	start_host
	try 0 proc-stat
	is "$output" ""
	try 0 proc-spawn w1 proc-boot --exec cat
	pid=$(cut -f2 <<<"$output")
	addr=$(cut -f3 <<<"$output")
	try 0 msg-call w1 hello
	try 0 proc-stat
	one_line "$output"
	is "$(awk -F'\t' '{print NF}' <<<"$output")" 9
	is "$(cut -f1-3 <<<"$output")" "w1	$pid	Ready at $addr"
	matches "$(cut -f4 <<<"$output")" '^[0-9]+(\.[0-9]+)?$'
	is "$(cut -f5 <<<"$output")" 1
	matches "$(cut -f6 <<<"$output")" '^[0-9]+$'
	is "$(cut -f7 <<<"$output")" 5
	is "$(cut -f9 <<<"$output")" 0
}

@test "on a terminal: a header, aligned" {
	command -v script >/dev/null || skip "no script(1) for a terminal"
	start_host
	try 0 proc-spawn w1 proc-boot sleep 600
	script -qec proc-stat /dev/null </dev/null >out 2>&1 3>&-
	matches "$(head -n 1 out)" 'NAME +PID +STATUS +UPTIME +MSGS_IN +MSGS_OUT +BYTES_IN +BYTES_OUT +QUEUED'
	lacks "$(cat out)" $'\t'
	is "$(wc -l <out)" 2
}

@test "-a adds service, local, clients and retained ended ones" {
	start_host
	try 0 proc-spawn e proc-boot sh -c 'exit 3'
	try 0 proc-reap -w e
	background r msg-recv --ready-fd 9 client 9>ready
	wait_for 10 test -s ready
	try 0 proc-stat
	is "$output" ""
	try 0 proc-stat -a
	matches "$output" '^service	'
	matches "$output" '^local	'
	matches "$output" '^client	'
	matches "$output" '^e	[0-9]+	Stopped\(exit=3\)	'
	kill "$PID"
}

@test "with names: 0 if all are Ready, else 1" {
	start_host
	try 0 proc-spawn w1 proc-boot sleep 600
	try 0 proc-spawn e proc-boot true
	try 0 proc-reap -w e
	try 0 proc-stat w1
	try 1 proc-stat w1 e
	has "$output" 'Stopped(exit=0)'
	try 1 proc-stat nobody
	has "$stderr$output" "no proc 'nobody' on $ID"
	try 1 proc-stat w1 nobody
	has "$output" w1
}

@test "--json: one object per line, with the keys" {
	local key

	start_host
	try 0 proc-spawn w1 proc-boot --exec cat
	try 0 proc-stat --json
	one_line "$output"
	for key in name proc pid status addr agent started uptime msgs_in \
	    msgs_out bytes_in bytes_out queued; do
		has "$output" "\"$key\":"
	done
	has "$output" '"name":"w1"'
	has "$output" "\"proc\":\"$ID,w1\""
	matches "$output" '"status":"Ready'
	has "$output" "\"agent\":\"$ID,w1,agent[0]\""
	try 0 proc-spawn w2 proc-boot sleep 600
	try 0 proc-reap w2
	try 1 proc-stat --json w2
	for key in ended cpu peak_memory; do
		has "$output" "\"$key\":"
	done
	has "$output" '"signal":15'
	try 0 proc-spawn x proc-boot sh -c 'exit 3'
	try 0 proc-reap -w x
	try 1 proc-stat --json x
	has "$output" '"exit":3'
}

@test "--tail adds the last lines of output" {
	start_host
	try 0 proc-spawn w1 proc-boot sh -c 'seq 300; echo an error >&2; exit 1'
	try 0 proc-reap -w w1
	try 1 proc-stat --tail w1
	has "$output" 'an error'
	matches "$output" '(^|[^0-9])300([^0-9]|$)'
	fails matches "$output" '(^|[^0-9])200([^0-9]|$)'
}

@test "-f: each change, until the named procs have ended" {
	start_host
	try 0 proc-spawn w1 proc-boot sh -c 'exec sleep 600'
	background f proc-stat -f w1
	wait_for 10 grep -q Ready f.out
	try 0 proc-reap w1
	wait_for 10 gone "$PID"
	matches "$(cut -f3 f.out | head -n 1)" '^Ready'
	matches "$(tail -n 1 f.out)" 'Stopped|Killed'
}

@test "-f: births and ends in order, until interrupted" {
	start_host
	background f env --default-signal=INT proc-stat -f
	wait_for 10 bash -c 'proc-stat -a | grep -q ^client-'
	try 0 proc-spawn w1 proc-boot sleep 600
	try 0 proc-reap w1
	wait_for 10 grep -q Killed f.out
	is "$(cut -f3 f.out | sed 's/[ (].*//' | uniq | tr '\n' ' ' | sed 's/Running //')" \
	    "Starting Ready Stopping Killed "
	kill -INT "$PID"
	wait_for 10 gone "$PID"
}

@test "PROC,ACTOR introspects an actor" {
	start_host
	try 0 proc-spawn w1 proc-boot --exec cat
	try 0 proc-stat w1,agent
	has "$output" agent
	try 0 proc-stat w1,main
	try 1 proc-stat w1,nobody
	try 1 proc-stat nobody,main
}

@test "control bytes in what others wrote are made safe" {
	start_host
	try 0 proc-spawn w1 proc-boot sleep 600
	try 0 proc-reap -r $'a\tb\n\033[31mred' w1
	try 1 proc-stat w1
	lacks "$output" $'\033'
	one_line "$output"
	is "$(awk -F'\t' '{print NF}' <<<"$output")" 9
}

@test "a stopped host does not hold up the check for ever" {
	start_host
	kill -STOP "$HOST"
	DEADLINE=20 try 1,111,124 proc-stat
	kill -CONT "$HOST"
}
