# What the scripts that go round have in common (soak-left, soak-races,
# soak-settled, soak-flow): a directory and a host of their own, a tag by which all that
# belongs to them is found, deadlines, and the loop.  The one that sources this
# sets ROWS (and in OWN_HOST those that start their hosts themselves), defines
# row_NAME for each, and calls "rounds".  What belongs to it carries LEFT=<tag>
# in its environment, and is found by it whatever session or group it hid in.
#
#     SCRIPT [-n ROUNDS] [-s SEED] [-g MS] [ROW]...
#
# SEED makes the same choices again.  MS is granted on top of every limit, and so
# is the time that the machine was late meanwhile: a ticker, which does nothing
# but sleep, says how much.  The programs are those in PATH, with the drivers
# beside them.
# shellcheck shell=bash

# shellcheck disable=SC2034 # what those use
set -u

rounds=200
seed=$RANDOM
slack=0
while getopts n:s:g: option; do
	case $option in
	n) rounds=$OPTARG ;;
	s) seed=$OPTARG ;;
	g) slack=$OPTARG ;;
	*) exit 2 ;;
	esac
done
shift $((OPTIND - 1))
rows=("$@")
[ $# -gt 0 ] || rows=("${ROWS[@]}")
RANDOM=$seed
DRIVERS=$(cd "$(dirname "$(command -v host-mux)")/../test" && pwd) || exit 2

umask 077
for name in $(compgen -e | grep -E '^(HYPERACTOR_|MSG_)'); do
	unset "$name"
done
work=$(mktemp -d /tmp/rounds.XXXXXX)
mkdir "$work/run"
cd "$work" || exit 1
export XDG_RUNTIME_DIR=$work/run
export LEFT=$$.$seed.$RANDOM
export HYPERACTOR_PROCESS_EXIT_TIMEOUT=1s
host=
row=
round=0
kind=
moment=
worst=0

# --- what there is

# The pids of all that belongs to these rounds, but this script and what it is
# just running to find them.
left() {
	(
		tag=LEFT=$LEFT
		unset LEFT
		grep -lszxF "$tag" /proc/[0-9]*/environ | cut -d/ -f3
	)
}

now() {
	local t=$EPOCHREALTIME

	echo $((${t/./} / 1000))
}

# tick: sleeps 20 ms again and again, and says to the file "late" how much of the
# time so far the machine has lost.  Starting that sleep takes less than 10 ms;
# where it takes 40, all work takes four times as long, and of those 60 ms there
# were 15.
tick() {
	local late=0 last next ms

	unset LEFT
	last=$(now)
	while :; do
		sleep 0.02
		next=$(now)
		ms=$((next - last))
		[ "$ms" -le 30 ] || late=$((late + ms - ms * 10 / (ms - 20)))
		last=$next
		# In place, of one length: whoever reads it reads all of it.
		printf '%09d' "$late" 1<>late
	done
}

late() {
	local ms

	read -r -n 9 ms <late
	echo $((10#$ms))
}

# from_now: what is timed begins.
from_now() {
	killed=$(now)
	killed_late=$(late)
}

# took_over MS: $took, since from_now, is more than MS and what is granted.
took_over() {
	took=$(($(now) - killed))
	[ "$took" -gt $(($1 + slack)) ] || return 1
	[ "$took" -gt $(($1 + slack + $(late) - killed_late)) ] || return 1
	# Where all stood still this may have woken up before the ticker did.
	sleep 0.2
	[ "$took" -gt $(($1 + slack + $(late) - killed_late)) ]
}

nap() {
	sleep "$(printf '%d.%03d' $(($1 / 1000)) $(($1 % 1000)))"
}

parent() {
	sed -n 's/^PPid:[[:space:]]*//p' "/proc/$1/status" 2>/dev/null
}

alive() {
	[[ $(sed -n 's/^State:[[:space:]]*//p' "/proc/$1/status" \
	    2>/dev/null) == [!ZX]* ]]
}

# by_name COMM: those of that name, parents before their children.
by_name() {
	local pid

	for pid in $(left | sort -n); do
		[ "$(cat "/proc/$pid/comm" 2>/dev/null)" != "$1" ] || echo "$pid"
	done
}

say() {
	echo "${0##*/}: $*"
}

leave() {
	local status=$? pid i

	trap - EXIT INT TERM
	kill "$ticker" 2>/dev/null
	for i in 1 2 3 4 5; do
		for pid in $(left); do
			kill -KILL "$pid" 2>/dev/null
		done
	done
	wait
	rm -rf "$work"
	exit "$status"
}

fail() {
	local pid

	say "seed $seed: $row, round $round (tree $kind, $moment): $*"
	for pid in $(left); do
		say "  $pid child of $(parent "$pid"):" \
		    "$(tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline")"
	done
	[ ! -s spawn.err ] || say "  proc-spawn: $(tail -n 3 spawn.err)"
	exit 1
}

# within MS WHAT CMD [ARG]...: CMD is so at last, so many ms after from_now.
within() {
	local limit=$1 what=$2 took

	shift 2
	until "$@"; do
		! took_over "$limit" || fail "$what: not after $took ms"
		sleep 0.01
	done
	! took_over "$limit" || fail "$what: only after $took ms"
	[ "$took" -le "$worst" ] || worst=$took
}

only() {
	[ "$(left)" = "$1" ]
}

gone() {
	local pid

	for pid; do
		! alive "$pid" || return 1
	done
}

status_is() {
	# shellcheck disable=SC2053
	[[ $(proc-stat -a w 2>/dev/null | cut -f3) == $1 ]]
}

name_is_free() {
	proc-spawn w proc-boot --exec cat >/dev/null 2>spawn.err &&
		proc-reap -k w >/dev/null
}

none_is_new() {
	[ -z "$(find run -type s -newermt '2.5 seconds ago')" ]
}

start_host() {
	eval "$(host-mux -D || echo fail host-mux)"
	host=$HYPERACTOR_HOST_PID
	moment='no moment'
}

end_host() {
	from_now
	proc-reap --host >/dev/null || fail "proc-reap --host"
	within 1000 "the host has ended" only ''
	[ -z "$(find run -type s)" ] || fail "sockets left: $(find run -type s)"
}

# The sockets of hosts that were killed are removed by the next, once they are
# not new any more.
remove_leftovers() {
	kind=none
	from_now
	within 9000 "no socket is new" none_is_new
	start_host
}

rounds() {
	say "seed $seed, $rounds rounds each"
	for row in "${rows[@]}"; do
		worst=0
		[[ " $OWN_HOST " == *" $row "* ]] || start_host
		for ((round = 1; round <= rounds; round++)); do
			"row_$row"
		done
		say "$row: $rounds rounds, $worst ms at most"
		[[ " $OWN_HOST " != *" $row "* ]] || remove_leftovers
		end_host
	done
}

trap leave EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
exec 2>&1
printf '%09d' 0 >late
tick &
ticker=$!
disown "$ticker"
