#!/usr/bin/env bats
# "Nothing is left behind", row by row, at random moments and over trees of all
# kinds: a few of the 200 that make soak does.

load helper

left() {
	DEADLINE=120
	driver linked
	# Both cores may be busy with other tests: a second more.
	TMPDIR=/tmp try 0 "$ROOT/test/soak-left" -g 1000 "$@"
	echo "# $output"
	matches "$output" ' rounds, [0-9]+ ms at most$'
}

@test "the program killed, its boot process killed" {
	left -n 4 program
}

@test "the supervisor killed" {
	left -n 4 supervisor
}

@test "the warden killed" {
	left -n 3 warden
}

@test "the host killed" {
	left -n 3 host
}

@test "a client killed" {
	left -n 3 client
}

@test "all killed in the same instant" {
	left -n 2 all
}

@test "a round that leaves something fails, and says with which seed" {
	# The row's time is over before it began.
	try 1 "$ROOT/test/soak-left" -s 5 -n 1 \
	    -g -100000 warden
	matches "$output" 'seed 5: warden, round 1 .*: (not|only) after '
}
