#!/usr/bin/env bats
# The C drivers of test/drivers, one test each: a missing one fails.

load helper

drive() {
	local path

	path=$(driver "$1")
	shift
	cd "$ROOT" || return 1 # where the vectors are
	DEADLINE=300
	try 0 "$path" "$@"
}

@test "every driver of test/drivers is named here or is a tool of a test" {
	local file name missing=

	for file in "$ROOT"/test/drivers/*.c; do
		name=$(basename "$file" .c)
		case $name in
		child | flow | forged | garbage | linked | mutate | orphans | proxy | seed | settled | terminal)
			continue
			;;
		esac
		grep -q "drive $name\$" "$BATS_TEST_FILENAME" ||
		    missing="$missing $name"
	done
	is "$missing" ""
}

@test "sys: what differs between systems" {
	drive sys
}

@test "socket: addresses listened on and dialed" {
	drive socket
}

@test "text: durations, sizes, numbers, base64, safe printing" {
	drive text
}

@test "error: kinds, sentences, exit statuses" {
	drive error
}

@test "json: the reader and the writer" {
	drive json
}

@test "addr: addresses are used or refused" {
	drive addr
}

@test "id: printing and parsing are inverses, the order is total" {
	drive id
}

@test "limits: defaults and variables" {
	drive limits
}

@test "record: the golden vectors, at every chunk size, and the bad ones" {
	drive record
}

@test "envelope: heads and the JSON form" {
	drive envelope
}

@test "status: the machine of its legal changes" {
	drive status
}

@test "link: two links back to back lose nothing" {
	drive link
}

@test "route: a host's router and its clients in one process" {
	drive route
}

@test "lane: what a peer holds waits, all else goes past it" {
	drive lane
}

@test "net: who is not there yet, what is too large, who takes nothing" {
	drive net
}

@test "resume: a TCP link that breaks again and again" {
	drive resume
}

@test "channel: one way for envelopes over each transport; procs and hosts as senders" {
	drive channel
}

@test "outlive: what was passed on is settled after who passed it on has gone; channels freed in what they call" {
	drive outlive
}

@test "turn: large messages for one receiver go in the order they asked" {
	drive turn
}

@test "late: messages wait for their turn as long as something is taken" {
	drive late
}

@test "cross: hosts that dial each other have one link, also when an answer is lost" {
	drive cross
}

@test "states: whatever happens in whatever order, the promises of links hold" {
	drive states
}

@test "registry: what a host remembers of its procs" {
	drive registry
}

@test "reap: owners, waits, watches and ends in one process" {
	drive reap
}

@test "ordered: answers in the order asked" {
	drive ordered
}

@test "reader: text cut into messages" {
	drive reader
}

@test "output: what procs print, kept and passed on" {
	drive output
}

@test "embed: a host, its own procs and bound names, by the public headers" {
	drive embed
}

@test "handles: procs started, bound, asked and ended, by the public headers" {
	drive handles
}

@test "spawn: a child loses no signal" {
	drive spawn
}

@test "tree: the hunt ends when nothing is left" {
	drive tree
}

@test "handle: who waits, and what is said" {
	drive handle
}

@test "manager: processes born and ended" {
	drive manager
}

@test "beside: procs that share an address" {
	drive beside
}

@test "local: procs in this process, born, watched and ended" {
	drive local
}

@test "managed: a host that spawns, in this process and as processes" {
	drive managed
}

@test "reentry: who is told of a process ends it, waits and forgets, from inside the call" {
	drive reentry
}

@test "reentry_local: the same with procs in this process" {
	drive reentry_local
}

@test "loop: descriptors, tasks, turns" {
	drive loop
}

@test "signal: signals arrive in a turn" {
	drive signal
}

@test "timer: timers fire in order" {
	drive timer
}

@test "runner: the modes of proc-boot, with CMD and who asks it in one process" {
	drive runner
}

@test "actor: made, found, given messages, in a tree, and ended" {
	drive actor
}

@test "supervise: who hears of a failure, and what comes of it" {
	drive supervise
}

@test "destroy: the ends that take time, and the end of all" {
	drive destroy
}

@test "clients: driven by their callers, and receivers" {
	drive clients
}

@test "watched: what is told of actors, and to whom" {
	drive watched
}

@test "mailbox: what is taken at which port, and what comes back" {
	drive mailbox
}
