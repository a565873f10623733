#!/usr/bin/env bats
# The helper itself: what must fail does.

load helper

@test "a fixture that must fail fails, test by test" {
	local path

	# Without what bats adds for itself, or it finds its insides twice.
	path=$(tr : '\n' <<<"$PATH" | grep -v libexec | paste -sd :)
	DEADLINE=120
	try 1 env -i "PATH=$path" "HOME=$T" "HOSTMUX_BUILD=$BUILD" \
	    "TMPDIR=/tmp" bats --tap "$BATS_TEST_DIRNAME/fixture/leak.bats"
	is "$(grep -c '^ok' <<<"$output")" 0
	is "$(grep -c '^not ok' <<<"$output")" 7
	has "$output" "process left:"
	has "$output" "sockets left:"
	has "$output" "ended with 137, not 0"
}

@test "a test is alone: no host, no variables, a directory of its own" {
	[ -z "${HYPERACTOR_HOST_ADDR-}" ]
	is "$(compgen -e HYPERACTOR_ || :)" ""
	is "$PWD" "$T"
	[ "${#XDG_RUNTIME_DIR}" -le 50 ]
	try 111 proc-stat
	one_line "$stderr"
}
