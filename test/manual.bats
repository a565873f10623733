#!/usr/bin/env bats
# The manual pages against the programs: each SYNOPSIS is what --help says, the
# EXAMPLES do what they show, and the client made from hostmux-protocol(7)
# works.

load helper

PROGRAMS='host-mux proc-spawn proc-boot proc-reap proc-stat msg-send msg-call msg-recv'

# The SYNOPSIS of a page on one line, several forms joined by " | ".
synopsis() {
	# Without the overstriking that stands for bold.
	mandoc -T ascii -O width=1000 "$1" | sed "s/.$(printf '\b')//g" |
	    sed -n '/^SYNOPSIS/,/^DESCRIPTION/{/^ /s/^ *//p;}' |
	    awk -v name="$2" '{ sub("^" name " ", "") } NR > 1 { printf " | " }
		{ printf "%s", $0 } END { print "" }'
}

# The lines "$ command" of EXAMPLES and the output behind them: into the files
# script and expected.  Other literal blocks are not for running.
examples() {
	awk '
		/^\.Sh / { inside = /EXAMPLES/ }
		/^\.Bd -literal/ { literal = 1; next }
		/^\.Ed/ { literal = running = 0; next }
		!inside || !literal { next }
		{ gsub(/\\e/, "\\"); gsub(/\\&/, ""); gsub(/\\\(aq/, "\047") }
		/^\$ / { running = 1; print substr($0, 3) >"script"; next }
		running { print >"expected" }
	' "$1"
}

@test "each SYNOPSIS is the usage that --help prints" {
	local name

	for name in $PROGRAMS; do
		try 0 "$name" --help
		is "usage: $name $(synopsis "$ROOT/doc/$name.1" "$name")" \
		    "$(head -n 1 <<<"$output")"
	done
}

@test "every long option of --help is on the page" {
	local name option pages

	for name in $PROGRAMS; do
		try 0 "$name" --help
		pages=("$ROOT/doc/$name.1")
		# Its page says so.
		[ "$name" != msg-call ] || pages+=("$ROOT/doc/msg-send.1")
		while read -r option; do
			case $name$option in
			proc-boot--host) continue ;;
			esac
			grep -q -- "Fl -${option#--}" "${pages[@]}" ||
			    { echo "# $name: $option"; return 1; }
		done < <(grep -oE -- '(^| )--[a-z-]+' <<<"$output")
	done
}

@test "the EXAMPLES of every page do what they show" {
	local page

	for page in "$ROOT"/doc/*.[17]; do
		rm -f script expected
		examples "$page"
		[ -e script ] || continue
		touch expected
		DEADLINE=60
		try 0 bash -e script
		is "$(basename "$page"): $output" \
		    "$(basename "$page"): $(cat expected)"
	done
}

@test "every page has its sections in order, and names what exists" {
	local page name

	for page in "$ROOT"/doc/*.1; do
		is "$(sed -n 's/^\.Sh //p' "$page" | grep -vx FILES | xargs)" \
		    "NAME SYNOPSIS DESCRIPTION ENVIRONMENT EXIT STATUS EXAMPLES SEE ALSO CAVEATS"
	done
	while read -r name; do
		[ -e "$ROOT/doc/$name" ]
	done < <(sed -nE 's/^\.Xr ((host|proc-|msg-)[a-z-]*) ([137]).*/\1.\3/p' \
	    "$ROOT"/doc/*.[137] | sort -u)
}

@test "one version: the file, the header, the programs, the news" {
	local name version

	version=$(cat "$ROOT/doc/VERSION")
	grep -qF "#define HM_VERSION \"$version\"" \
	    "$ROOT/include/hostmux/hostmux.h"
	grep -qx "$version" "$ROOT/doc/NEWS"
	for name in $PROGRAMS; do
		try 0 "$name" --version
		is "$output" "$name (hostmux) $version"
	done
}

@test "every configuration key is in hostmux(7)" {
	local key

	while read -r key; do
		grep -q "^\.It Ev $key Ta " "$ROOT/doc/hostmux.7"
	done < <(grep -oE '"[A-Z]+_[A-Z_]+"' "$ROOT/lib/route/limits.c" | tr -d '"')
}

# The functions of the public headers; the type of one is none.
functions() {
	grep -hv '^typedef' "$ROOT"/include/hostmux/*.h |
	    grep -oE '\bhm_[a-z0-9_]+\(' | tr -d '(' | sort -u
}

@test "hostmux(3) has every public function, and no other" {
	functions >declared
	[ "$(wc -l <declared)" -gt 200 ]
	# What only a program shows is explained by nobody.
	grep '^\.' "$ROOT/doc/hostmux.3" | grep -oE 'Fn hm_[a-z0-9_]+' |
	    cut -d' ' -f2 | sort -u >explained
	is "$(comm -3 declared explained)" ""
}

@test "every public function is called by a driver or an example" {
	local name unused=

	functions >declared
	# Not in a comment.
	cat "$ROOT"/test/drivers/*.[ch] "$ROOT"/doc/examples/*.c* |
	    sed -e 's|/\*.*\*/||g' -e '\|/\*|,\|\*/|d' >code
	while read -r name; do
		grep -qw "$name" code || unused="$unused $name"
	done <declared
	is "$unused" ""
}

# is_test "FILE: NAME": a function of that driver, or the beginning of the name
# of a test.
is_test() {
	local file=$ROOT/test/${1%%: *} name=${1#*: }

	case $file in
	*.bats) grep -qF "@test \"$name" "$file" ;;
	*) grep -q "^$name(" "$ROOT/test/drivers/${1%%: *}.c" ;;
	esac
}

@test "README: where each of the original's tests is, or why it is not here" {
	local upstream here first none='' rows=0

	while IFS= read -r line; do
		upstream=${line:4:40} here=${line:44}
		# A row, one more test of it, or the rest of its reason.
		[[ $upstream != *[^\ ]* ]] || { rows=$((rows + 1)) none=''; }
		first=${here%%: *}
		[ "$first" != none ] || none=1
		[ -n "$none" ] || is_test "$here" ||
		    { echo "# not a test: $here"; return 1; }
	done < <(sed -n '/^What the original tests/,$p' "$ROOT/test/README" |
	    grep '^    ')
	[ "$rows" -gt 90 ]
}

# is_page "PAGE[ SECTION]": a manual page, and how a section of it begins.
is_page() {
	local page=$ROOT/doc/${1%% *} section=${1#"${1%% *}"}

	[ -e "$page" ] && grep -qE "^\.S[hs]$section" "$page"
}

# is_here NAME: in the library or its headers, or a program.
is_here() {
	grep -qxF -- "$1" words || [ -e "$ROOT/bin/$1.c" ]
}

# once CHECK NAME: that check of that name, if it was not made yet.
once() {
	[ -z "${seen["$*"]:-}" ] || return 0
	"$@" || { echo "# not there: $2 ($1)"; return 1; }
	seen["$*"]=1
}

@test "SEEDS: what is named there is there, and each row has all of it" {
	local line here page test name rows=0
	local row='' cells='here page test' # of the row, and what it has
	local -A seen

	cat "$ROOT"/include/hostmux/*.h "$ROOT"/lib/*/*.[ch] |
	    grep -oE '[A-Za-z0-9_]+' | sort -u >words
	while IFS= read -r line; do
		if [[ $line =~ ^\ ?[^\ ] || $line =~ ^\ \ [^\ ] ]]; then
			[ "$cells" = 'here page test' ] ||
			    { echo "# $row: has only $cells"; return 1; }
			row=$line cells=
			[[ $line == '  '* ]] || cells='here page test'
			rows=$((rows + 1))
		fi
		[[ $line == '  '* ]] || continue
		# A name that is longer than its column has a line of its own.
		[[ ${line:26:1} == [\ ] ]] || continue
		here=${line:27:27} page=${line:55:21} test=${line:77}
		if [[ $here == none:* ]]; then
			cells='here page test'
			row=none
		fi
		[ "$row" != none ] || continue
		for name in ${here//,/ }; do
			case $name in
			struct | enum) continue ;;
			esac
			once is_here "$name"
			[[ $cells == here* ]] || cells=here
		done
		page=${page%"${page##*[! ]}"}
		if [ -n "$page" ]; then
			once is_page "$page"
			[[ $cells == here\ page* ]] || cells="$cells page"
		fi
		if [ -n "$test" ]; then
			once is_test "$test"
			[[ $cells == *test ]] || cells="$cells test"
		fi
	done <"$ROOT/doc/SEEDS"
	is "$row: $cells" "$row: here page test"
	[ "$rows" -gt 300 ]
	# Also in reasons.
	while read -r name; do
		once is_here "$name"
	done < <(grep -oE '\b(hm|HM)_[A-Za-z0-9_]+' "$ROOT/doc/SEEDS" | sort -u)
}

@test "the client of the protocol page attaches, receives, answers, asks" {
	local client=$ROOT/doc/examples/client.py path

	command -v python3 >/dev/null || skip "no python3"
	[ "$(wc -l <"$client")" -lt 80 ]
	start_host
	path=${HYPERACTOR_HOST_ADDR#unix:}
	background py python3 "$client" "$path" py
	try 0 msg-call --wait py hello
	is "$output" HELLO
	seq 20000 >in
	try 0 msg-call py <in
	is "$(cmp - in <<<"$output" && echo same)" same
	# More than any credit at once, both ways.
	head -c 3000000 /dev/zero | tr '\0' x >in
	try 0 msg-call --whole py <in
	is "${#output}" 3000000
	try 0 python3 "$client" "$path" asker py question
	is "$output" QUESTION
	try 0 python3 "$client" "$path" asker "$ID,py,main[0][0]" 'by id'
	is "$output" "BY ID"
	try 1 python3 "$client" "$path" asker nobody x
	is "$stderr" "not sent: no proc 'nobody' on $ID"
	try 1 python3 "$client" "$path" py
	is "$stderr" "ProcExists: proc 'py' already exists"
	try 0 proc-reap --host
	ends 1 "$PID"
	is "$(cat py.err)" "the host has left"
}
