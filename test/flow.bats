#!/usr/bin/env bats
# Promises 4 to 7 under load, in short: make soak has the whole forms.

load helper

flow() {
	DEADLINE=300
	# Both cores may be busy with other tests: two minutes more.
	FORM=short TMPDIR=/tmp try 0 "$ROOT/test/soak-flow" -n 1 -g 120000 "$@"
	echo "# $output"
	matches "$output" ': 1 rounds, [0-9]+ ms at most$'
}

# bats test_tags=memory
@test "a receiver and a client are stopped: nothing is lost, others go on" {
	flow stopped
}

@test "a queue that takes ten times the delivery timeout times out not" {
	flow slow
}

# bats test_tags=memory
@test "many senders flood one receiver: each has its share" {
	flow flood
}

# bats test_tags=memory
@test "128 MiB in one message pass through a host of 18" {
	flow large
}

# bats test_tags=memory
@test "128 MiB in one message, from host to host over TCP" {
	flow far
}

# bats test_tags=memory
@test "two that flood each other and take nothing until they have written" {
	flow both
}
