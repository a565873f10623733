#!/usr/bin/env bats
# Races: a tenth of the rounds of make soak, and less.

load helper

races() {
	DEADLINE=120
	# Both cores may be busy with other tests: two seconds more.
	TMPDIR=/tmp try 0 "$ROOT/test/soak-races" -g 2000 "$@"
	echo "# $output"
	matches "$output" ' rounds, [0-9]+ ms at most$'
}

@test "a proc ends by itself while it is terminated" {
	races -n 4 exit
}

@test "a proc is terminated while it starts" {
	races -n 4 start
}

@test "kill, terminate, wait and a crash at once: one status for all" {
	races -n 4 crash
}

@test "the name is taken again the instant it is free" {
	races -n 3 name
}

@test "the callback comes when the ready timeout does" {
	races -n 4 late
}

@test "a signal at any moment of the start of a wrapper" {
	races -n 6 signal
}

@test "procs that do not want to end" {
	races -n 3 rude
}

@test "the last line before an abort is in the status, 20 of 20" {
	races -n 1 words
}

@test "500 by one proc-spawn: called, and ended" {
	start_host
	DEADLINE=120
	try 0 proc-spawn -n 500 -t 60s w proc-boot --exec cat
	is "$(wc -l <<<"$output")" 500
	seq 2000 >in
	try 0 msg-call 'w*' <in
	is "$(cmp - in <<<"$output" && echo same)" same
	try 0 proc-reap --all -t 10s
	is "$(tail -n 1 <<<"$output")" 'attempted=500 ok=500 failed=0'
	wait_for 5 only_host
}
