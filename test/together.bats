#!/usr/bin/env bats
# The block "Together" of the design, line by line, as it stands: what a new
# user types.

load helper

@test "the lines of the quick start work as they stand" {
	cat >lines <<'END'
eval "$(host-mux -D)" || exit
proc-spawn upper proc-boot --exec tr a-z A-Z
msg-call upper hello
#   HELLO
proc-spawn -n 4 w proc-boot --lines sh -c 'while IFS= read -r l; do printf "%s %s\n" "$HYPERACTOR_PROC_RANK" "$l"; done'
seq 1000 | msg-call w2 | tail -n 1
#   2 1000
seq 1000 >numbers; msg-call 'w*' <numbers | cut -d' ' -f2 | cmp - numbers
proc-spawn out proc-boot --lines sh -c 'cat >got'
proc-spawn src proc-boot --lines --to out seq 3
proc-reap -w src | tail -n 1
#   attempted=1 ok=1 failed=0
proc-stat
proc-reap --all -t 5s | tail -n 1
#   attempted=7 ok=7 failed=0        (src had ended by itself and counts)
cat got
#   1 2 3, one to a line
proc-reap --host
host-mux -- sh -c 'proc-spawn a proc-boot --exec cat >&2 && msg-call a hi'
#   hi
END
	DEADLINE=60
	try 0 bash -e lines
	has "$output" $'\nHELLO\n'
	has "$output" $'\n2 1000\n'
	has "$output" $'\nattempted=1 ok=1 failed=0\n'
	matches "$output" '^src	'"|^upper	"
	has "$output" $'\nattempted=7 ok=7 failed=0\n1\n2\n3\n'
	is "$(tail -n 1 <<<"$output")" hi
	lacks "$output" 'cmp:'
	is "$(cat got)" $'1\n2\n3'
	# On stderr: nothing but what proc-spawn said inside the last line.
	one_line "$stderr"
	matches "$stderr" ',a	[0-9]+	unix:'
	wait_for 5 no_process
}

@test "and again, one after the other on the same machine" {
	local i

	for i in 1 2 3; do
		try 0 bash -e -c 'eval "$(host-mux -D)" || exit
			proc-spawn -n 4 w proc-boot --exec cat >/dev/null
			seq 100 | msg-call "w*" | tail -n 1
			proc-reap --host'
		is "$(head -n 1 <<<"$output")" 100
	done
}
