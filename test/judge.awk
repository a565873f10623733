# judge.awk: what a sender was told against what was received, for soak-settled.
#
#     awk [-v mode=MODE] -v bound=BYTES -f judge.awk GOT SENT
#
# GOT has a line "N SIZE xxx" of SIZE bytes for each message received, SENT what
# "settled send" says.  Every number was settled, once; what was delivered was
# received, and what came back was not, unless it is unknown; what was received
# is whole, in order, and none twice.  With one life of everybody the delivered
# come first, then the unknown, then the rest: mode "again" is for another life.
# (A refusal goes ahead of what was delivered before it, and may survive that.)
# Unknown without having been received are BYTES in a row at most, each message
# counted with 128 at least: so much can have been handed to the dead one and not
# been settled.  Mode "all": everything was delivered (or refused).
#
# Prints how many are delivered, refused, unknown, not sent, timed out; or what
# is wrong, and ends with 1.

function bad(what) {
	print what
	failed = 1
	exit 1
}

# A number's place in the order of one life.
function place(outcome) {
	if (outcome == "delivered" || outcome == "refused")
		return 0
	return outcome == "unknown" ? 1 : 2
}

FILENAME == ARGV[1] {
	if ($2 != length($0))
		bad("received broken: " substr($0, 1, 60))
	if ($1 + 0 <= last)
		bad("received " $1 " after " last)
	last = $1 + 0
	got[last] = 1
	next
}

$1 == "end" {
	posted = $2
	next
}

{
	n = $1 + 0
	if (n in how)
		bad("settled twice: " n)
	how[n] = $2
	size[n] = $3 > 128 ? $3 : 128
	count[$2]++
	if ($2 == "delivered" && !(n in got))
		bad("delivered, not received: " $0)
	if ($2 != "delivered" && $2 != "unknown" && n in got)
		bad("received and came back: " $0)
	if (mode == "all" && place($2) > 0)
		bad("came back: " $0)
}

END {
	if (failed)
		exit 1
	if (posted == "")
		bad("the sender has not ended")
	for (n in got)
		if (!(n in how))
			bad("received, never settled: " n)
	for (n = 1; n <= posted; n++) {
		if (!(n in how))
			bad("not settled: " n)
		now = how[n] == "refused" ? before : place(how[n])
		if (now < before && mode != "again")
			bad(n " is " how[n] ", " n - 1 " was " how[n - 1])
		before = now
		handed = how[n] == "unknown" && !(n in got) ? handed + size[n] : 0
		if (handed > bound)
			bad("unknown and not received: more than " bound \
			    " bytes up to " n)
	}
	print count["delivered"] + 0, count["refused"] + 0,
	    count["unknown"] + 0, count["not-sent"] + 0, count["timed-out"] + 0
}
