# What every test has in common: a directory, a runtime directory and a host
# of its own, deadlines everywhere, and the check that it leaves nothing.
#
# Programs that a test starts carry HOSTMUX_TEST=<tag> in their environment,
# and so does everything they start; that is how teardown finds what is left,
# whatever session or process group it hid in.
# shellcheck shell=bash

bats_require_minimum_version 1.5.0

ROOT=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
[ -e "$ROOT/include/hostmux" ] || ROOT=$(cd "$ROOT/.." && pwd)
BUILD=${HOSTMUX_BUILD:-build}
case $BUILD in
/*) ;;
*) BUILD=$ROOT/$BUILD ;;
esac
DRIVERS=$BUILD/test

setup() {
	local name

	# A socket's path has room for 107 bytes.
	T=$BATS_TEST_TMPDIR
	[ "${#T}" -le 40 ] || T=$(mktemp -d /tmp/hm.XXXXXX)
	for name in $(compgen -e | grep -E '^(HYPERACTOR_|HOSTMUX_TEST|MSG_)'); do
		unset "$name"
	done
	unset NOTIFY_SOCKET NO_COLOR LISTEN_FDS LISTEN_PID
	export XDG_RUNTIME_DIR=$T/run
	export TMPDIR=$T/tmp
	export HOSTMUX_TEST=$$.$BATS_TEST_NUMBER.$RANDOM$RANDOM
	export PATH=$BUILD/bin:$PATH
	export LC_ALL=C
	mkdir -m 700 "$XDG_RUNTIME_DIR" "$TMPDIR"
	cd "$T" || return 1
	HOST_IS_UP=
	SOCKETS_STAY=
}

teardown() {
	local leaked=0

	stop_hosts
	wait_for 5 no_process || { leaked=1; say_processes; end_processes; }
	if [ -z "$SOCKETS_STAY" ] && [ -n "$(sockets)" ]; then
		echo "# sockets left: $(sockets)"
		leaked=1
	fi
	cd /
	case $T in
	/tmp/hm.*) rm -rf "$T" ;;
	esac
	return "$leaked"
}

# --- what is there, what is left

# The pids of the programs of this test.  (What looks for them goes without
# the tag, or it would find itself.)
processes() {
	local tag=HOSTMUX_TEST=$HOSTMUX_TEST

	(
		unset HOSTMUX_TEST
		grep -lszxF "$tag" /proc/[0-9]*/environ | cut -d/ -f3
	)
}

no_process() {
	[ -z "$(processes)" ]
}

# Of this test's programs only its host is left.
only_host() {
	[ "$(processes)" = "$HOST" ]
}

say_processes() {
	local pid

	for pid in $(processes); do
		echo "# process left: $pid $(tr '\0' ' ' \
		    2>/dev/null <"/proc/$pid/cmdline")"
	done
}

end_processes() {
	local pid i

	for i in 1 2 3 4 5; do
		for pid in $(processes); do
			kill -KILL "$pid" 2>/dev/null || :
		done
	done
}

sockets() {
	find "$T" -type s 2>/dev/null
}

# Every host of this test is told to end; what does not is found as a leak.
stop_hosts() {
	local pid

	for pid in $(processes); do
		case $(cat "/proc/$pid/comm" 2>/dev/null) in
		host-mux) kill -TERM "$pid" 2>/dev/null || : ;;
		esac
	done
}

# alive PID: it runs, and is no zombie.
alive() {
	local state

	state=$(sed -n 's/^State:[[:space:]]*//p' "/proc/$1/status" 2>/dev/null) ||
	    return 1
	case $state in
	'' | Z* | X*) return 1 ;;
	esac
}

gone() {
	local pid

	for pid; do
		if alive "$pid"; then
			return 1
		fi
	done
}

# The resident memory of PID in KiB.
resident() {
	sed -n 's/^VmRSS:[[:space:]]*\([0-9]*\) kB/\1/p' "/proc/$1/status"
}

# kernel PID N: field N of proc(5)'s stat: 3 state, 4 parent, 5 group, 6 session.
kernel() {
	sed 's/^.*) //' "/proc/$1/stat" | cut -d' ' -f$(($2 - 2))
}

# zombies PID: the ended and unreaped children of it.
zombies() {
	local stat

	for stat in /proc/[0-9]*/stat; do
		sed -n "s/^\([0-9]*\) .*) Z $1 .*/\1/p" "$stat" 2>/dev/null
	done
}

descriptors() {
	find "/proc/$1/fd" -mindepth 1 2>/dev/null | wc -l
}

# --- waiting and running, never without a deadline

# wait_for SECONDS CMD [ARG]...: 0 as soon as CMD is, 1 when it is not after
# SECONDS of a quiet machine, or PATIENCE (3) times that, for one that is shared.
wait_for() {
	local end=$((SECONDS + $1 * ${PATIENCE:-3} + 1))

	shift
	until "$@" >/dev/null 2>&1; do
		if [ "$SECONDS" -ge "$end" ]; then
			echo "# waited in vain: $*"
			return 1
		fi
		sleep 0.02
	done
}

# try STATUS[,STATUS]... CMD [ARG]...: CMD ends with one of these within
# DEADLINE (30) seconds; $output is its stdout and $stderr its stderr.  137: it
# did not end.
try() {
	local want=$1 one

	shift
	run --separate-stderr "-${want%%,*}" \
	    timeout -s KILL "${DEADLINE:-30}" "$@" 3>&- && return 0
	for one in ${want//,/ }; do
		[ "$status" -ne "$one" ] || return 0
	done
	BATS_ERROR_SUFFIX=
	echo "# $* ended with $status, not $want"
	printf '# stdout: %.2000s\n# stderr: %.2000s\n' "$output" "$stderr"
	return 1
}

# background NAME CMD [ARG]...: CMD runs with stdout in NAME.out, stderr in
# NAME.err and stdin from NAME.in if there is one; $PID is its pid.
background() {
	local name=$1 in=/dev/null

	shift
	[ ! -e "$name.in" ] || in=$name.in
	"$@" <"$in" >"$name.out" 2>"$name.err" 3>&- &
	PID=$!
}

# ends STATUS PID [SECONDS]: that child ends in time, with STATUS.
ends() {
	local got=0

	wait_for "${3:-15}" gone "$2" || return 1
	wait "$2" || got=$?
	[ "$got" -eq "$1" ] || { echo "# $2 ended with $got, not $1"; return 1; }
}

# stop PID: that child is told to end, and does.
stop() {
	kill "$1"
	wait_for 10 gone "$1"
	wait "$1" || :
}

# --- saying what is expected

# is ACTUAL EXPECTED
is() {
	[ "$1" = "$2" ] && return 0
	printf '# got:      %s\n# expected: %s\n' "$1" "$2"
	return 1
}

# has TEXT PART
has() {
	case $1 in
	*"$2"*) return 0 ;;
	esac
	printf '# not in it: %s\n# text:      %s\n' "$2" "$1"
	return 1
}

# matches TEXT REGEX (extended, some line)
matches() {
	printf '%s\n' "$1" | grep -qE -- "$2" && return 0
	printf '# does not match: %s\n# text:           %s\n' "$2" "$1"
	return 1
}

# lacks TEXT PART
lacks() {
	case $1 in
	*"$2"*)
		printf '# in it: %s\n# text:  %s\n' "$2" "$1"
		return 1
		;;
	esac
}

# one_line TEXT: neither none nor two.
one_line() {
	[ -n "$1" ] && [ "$(printf '%s\n' "$1" | wc -l)" -eq 1 ] && return 0
	printf '# not one line: %s\n' "$1"
	return 1
}

# fails CMD [ARG]...: what "!" would say, if it could fail a test.
fails() {
	if "$@"; then
		echo "# did not fail: $*"
		return 1
	fi
}

# lines_in FILE N: it has at least so many.
lines_in() {
	[ "$(wc -l 2>/dev/null <"$1")" -ge "$2" ]
}

# --- hosts and procs

# start_host [ARG]...: this test's host; its variables are exported.
start_host() {
	local text

	text=$(timeout -s KILL 20 host-mux -D "$@" 3>&- 2>"$T/host.err") || {
		echo "# host-mux -D $*: $(cat "$T/host.err")"
		return 1
	}
	eval "$text"
	ID=$HYPERACTOR_HOST_ID
	HOST=$HYPERACTOR_HOST_PID
}

# in_host FILE CMD [ARG]...: runs CMD with the variables host-mux printed to FILE.
in_host() {
	local file=$1

	shift
	(
		# shellcheck disable=SC1090
		. "$file"
		"$@"
	)
}

# field NAME KEY: a member of proc-stat's record, "" if it has none.
field() {
	proc-stat -a --json "$1" 2>/dev/null |
	    sed -n "s/.*\"$2\":\"\{0,1\}\([^\",}]*\).*/\1/p" | head -n 1
}

# status_is NAME PATTERN
status_is() {
	local status

	status=$(proc-stat -a "$1" 2>/dev/null | cut -f3)
	# shellcheck disable=SC2053
	[[ $status == $2 ]]
}

# listed NAME: it is among the living.
listed() {
	proc-stat -a | cut -f1 | grep -qxF -- "$1"
}

ready() {
	proc-stat "$@" >/dev/null 2>&1
}

# The supervisors and wardens of this test, "PID PPID" each.
spawners() {
	local pid

	for pid in $(processes); do
		[ "$(cat "/proc/$pid/comm" 2>/dev/null)" = proc-spawn ] || continue
		echo "$pid $(sed -n 's/^PPid:[[:space:]]*//p' "/proc/$pid/status")"
	done
}

# supervisor_of PID: the proc-spawn above that proc; warden_of PID: above that.
parent_of() {
	sed -n 's/^PPid:[[:space:]]*//p' "/proc/$1/status"
}
supervisor_of() {
	parent_of "$1"
}
warden_of() {
	parent_of "$(parent_of "$1")"
}

# driver NAME: its path, or a failure that says so.
driver() {
	if [ ! -x "$DRIVERS/$1" ]; then
		echo "# no driver $DRIVERS/$1 (make test builds them)" >&2
		return 1
	fi
	echo "$DRIVERS/$1"
}

# stands_still LEAST CMD [ARG]...: the number that CMD prints is above LEAST, and
# the same each time it is looked at.  That nothing comes can only be seen over a
# while; wait_for asks until it is so.
stands_still() {
	local n look

	n=$("${@:2}")
	[ "$n" -gt "$1" ] || return
	for look in 1 2 3 4 5 6 7 8 9 10; do
		sleep 0.05
		[ "$n" -eq "$("${@:2}")" ] || return
	done
}

lines_of() {
	wc -l <"$1"
}

# sent_to NAME: the messages that went to it.
sent_to() {
	proc-stat -a "$1" | cut -f5
}
