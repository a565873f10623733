#!/usr/bin/env bats
# "Settled once", by killing and cutting: a few of the rounds that make soak
# does, with fewer messages.

load helper

# settled [ARG]... ROW: what it came to is in $output.
settled() {
	DEADLINE=150
	driver settled
	driver proxy
	# Both cores may be busy with other tests.
	TMPDIR=/tmp try 0 "$ROOT/test/soak-settled" -g 10000 "$@"
	echo "# $output"
	[[ $output != *' here: skipped'* ]] || skip 'no network namespaces here'
	matches "$output" ' rounds, [0-9]+ ms at most$'
	# One that goes dark may do so before anything has arrived.
	[ "${WAYS-}" = dark ] || matches "$output" ': [1-9][0-9]* delivered'
}

@test "a receiver killed: what it was sent is settled once" {
	MESSAGES=5000 settled -n 3 receiver
	matches "$output" ' [1-9][0-9]* (unknown|not sent)'
}

@test "the host killed: what it was sent is settled once" {
	MESSAGES=5000 settled -n 3 host
	matches "$output" ' [1-9][0-9]* (unknown|not sent)'
}

@test "the sender's of two hosts killed: what it was sent is settled once" {
	MESSAGES=5000 settled -n 3 near
	matches "$output" ' [1-9][0-9]* (unknown|not sent)'
}

@test "the receiver's of two hosts killed: what it was sent is settled once" {
	MESSAGES=5000 settled -n 3 far
	matches "$output" ' [1-9][0-9]* (unknown|not sent|timed out)'
}

@test "a machine that went dark, with messages on their way to it, is given up" {
	# (dead machines used to be found by TCP's own patience: in 15 minutes)
	[ "$(id -u)" -eq 0 ] || skip 'needs root, for network namespaces'
	WAYS=dark settled -n 1 far
	matches "$output" ' [1-9][0-9]* unknown'
}

@test "a receiver or its host stopped: what has timed out is not delivered" {
	MESSAGES=10000 settled -n 3 stopped
}

@test "a TCP link cut 30 times, at any byte: all is delivered, in order, once" {
	MESSAGES=2000 settled -n 2 cut
	matches "$output" ' 0 unknown, 0 not sent, 0 timed out'
}

@test "a TCP link that cannot come back in time: unknown is what it had" {
	MESSAGES=2000 settled -n 2 gap
}

@test "a wire set down and up, slow and lossy: all is delivered, in order, once" {
	CUTS=10 MESSAGES=3000 settled -n 1 wire
	matches "$output" ' 0 unknown, 0 not sent, 0 timed out'
}

# judged STATUS GOT SENT WORDS [ARG]...: numbers are messages of 9 bytes.
judged() {
	local want=$1 n

	for n in $2; do
		echo "$n 9 ${n//?/x}xxxx"
	done | sed -E 's/^(.{9}).*/\1/' >got
	tr , '\n' <<<"$3" >sent
	has_words=$4
	shift 4
	try "$want" awk -v bound=300 "$@" -f "$ROOT/test/judge.awk" got sent
	has "$output" "$has_words"
}

@test "what is settled wrongly is seen" {
	local good='1 delivered 9,2 delivered 9,3 unknown 9,4 not-sent 9,end 4'

	judged 0 '1 2' "$good" '2 0 1 1 0'
	judged 0 '1 2 3' "$good" '2 0 1 1 0'
	judged 1 '1 3' "$good" 'delivered, not received: 2'
	judged 1 '1 2 4' "$good" 'received and came back: 4'
	judged 1 '1 2 2' "$good" 'received 2 after 2'
	judged 1 '2 1' "$good" 'received 1 after 2'
	judged 1 '1 2 5' "$good" 'received, never settled: 5'
	judged 1 '1 2' "${good%,*}" 'has not ended'
	judged 1 '1 2' "${good/end 4/end 5}" 'not settled: 5'
	judged 1 '1 2' "${good/3 unk/2 unk}" 'settled twice: 2'
	judged 1 '1 2' "$good" 'came back: 3' -v mode=all
	judged 1 '3' '1 delivered 9,end 1' 'delivered, not received: 1'
	judged 1 '' '1 unknown 9,2 unknown 9,3 unknown 9,end 3' 'more than 300'
	judged 0 '2' '1 unknown 9,2 unknown 9,3 unknown 9,end 3' '0 0 3 0 0'
	judged 1 '2' '1 unknown 9,2 delivered 9,end 2' '2 is delivered, 1 was'
	judged 0 '2' '1 unknown 9,2 delivered 9,end 2' '1 0 1 0 0' -v mode=again
	judged 0 '' '1 unknown 9,2 refused 9,end 2' '0 1 1 0 0'
	echo '1 9 xx' >got
	try 1 awk -f "$ROOT/test/judge.awk" got sent
	has "$output" 'received broken'
}
