#!/usr/bin/env bats
# The programs of doc/examples, compiled as anybody would, and run.

load helper

# compile FILE NAME: FILE, as ./NAME.
compile() {
	cc -std=c11 -D_POSIX_C_SOURCE=200809L -Wall -Wextra -Wpedantic -Werror \
	    "$1" -I"$ROOT/include" -L"$BUILD/lib" -lhostmux -o "$2"
}

# build NAME: doc/examples/NAME.c, as ./NAME.
build() {
	compile "$ROOT/doc/examples/$1.c" "$1"
}

# The programs that a page shows, as shown1.c, shown2.c, …: its literal blocks
# that begin with an include.
shown() {
	awk '
		/^\.Bd -literal/ { literal = 1; next }
		/^\.Ed/ { literal = 0 }
		literal == 1 { name = /^#include/ ? "shown" ++n ".c" : "" }
		literal { literal = 2 }
		literal && name != "" { gsub(/\\e/, "\\"); print >name }
	' "$1"
}

answers() {
	[ "$(msg-call -t 5 "$1" "$2" 2>/dev/null)" = "$3" ]
}

@test "echo: five lines of C that answer" {
	build echo
	start_host
	try 0 proc-spawn e ./echo
	is "$(cut -f4 <<<"$output")" "$ID,e,agent[0]"
	try 0 msg-call e hello
	is "$output" hello
	seq 5000 >in
	try 0 msg-call e <in
	is "$(cmp - in <<<"$output" && echo same)" same
	try 0 proc-reap e
	has "$output" 'e	Stopped(exit=0)'
	# By hand: the seeds' error.
	try 2 ./echo
	matches "$stderr" "^echo: error: parameter 'HYPERACTOR_[A-Z_]+' missing: "
}

@test "hostmux(3) begins with a program, and the programs it shows work" {
	local first

	shown "$ROOT/doc/hostmux.3"
	# One more is to be run here, too.
	is "$(echo shown*.c)" "shown1.c shown2.c"
	first=$(sed -n '/^\.Sh DESCRIPTION/,/^#include/{/^\./p;}' \
	    "$ROOT/doc/hostmux.3" | xargs)
	is "$first" ".Sh DESCRIPTION .Bd -literal -offset indent"
	[ "$(wc -l <shown1.c)" -le 20 ]
	compile shown1.c e
	start_host
	try 0 proc-spawn e ./e
	try 0 msg-call e hello
	is "$output" hello
	# It is the example.
	is "$(sed '/^\/\*/,/^ \*\//d' "$ROOT/doc/examples/echo.c")" \
	    "$(cat shown1.c)"
	compile shown2.c both
	try 0 ./both ./e
	has "$output" 'attempted=2 ok=2 failed=0'
	is "$(sed -n '/^#include/,$p' "$ROOT/doc/examples/both.c")" \
	    "$(cat shown2.c)"
}

@test "workers: a worker that fails is replaced, and its proc goes on" {
	local n

	build workers
	start_host
	try 0 proc-spawn w ./workers
	for n in 1 2 3 4; do
		try 0 msg-call w "hello $n"
		is "$output" "HELLO $n"
	done
	try 0 proc-stat 'w,main[1]'
	matches "$output" ',w,main\[1\].*idle.*2.*0'
	try 0 msg-call w fail
	is "$output" "actor 'main[2]' failed: told to"
	# Three in turn: every one of them works again.
	for n in 1 2 3; do
		try 0 msg-call w "again $n"
		is "$output" "AGAIN $n"
	done
	try 1 proc-stat 'w,main[2]'
	try 0 proc-stat 'w,main[4]'
	try 0 msg-call w,agent '{"op":"introspect","actor":"main[2]"}'
	has "$output" '"status":"failed"'
	has "$output" '"reason":"told to"'
	try 0 msg-call 'w,main[0][2]' ''
	has "$output" '"nchildren":3'
	try 0 proc-reap w
	has "$output" 'w	Stopped(exit=0)'
}

@test "both: a host with a proc of its own and another program, side by side" {
	build echo
	build both
	try 0 ./both ./echo
	is "$output" "in: HELLO
out: hello
attempted=2 ok=2 failed=0"
	# What is no proc leaves nothing either.
	try 1 ./both false
	is "$output" ""
	one_line "$stderr"
	has "$stderr" "it ended before it was ready: Stopped(exit=1)"
	try 1 ./both /no/such/file
	has "$stderr" "/no/such/file: No such file or directory"
}

@test "signals: an actor is stopped from outside" {
	build workers
	start_host
	try 0 proc-spawn w ./workers
	try 0 msg-send 'w,main[0][3]' '{"signal":"stop","reason":"enough"}'
	wait_for 5 fails answers w x X
	try 0 msg-call w,agent '{"op":"introspect","actor":"main"}'
	has "$output" '"reason":"enough"'
	try 0 msg-call w,agent ping
	try 0 proc-reap w
}

@test "inbox: a C++ program is a client of its own" {
	command -v c++ >/dev/null || skip "no C++ compiler"
	c++ -std=c++11 -Wall -Wextra -Werror "$ROOT/doc/examples/inbox.cc" \
	    -I"$ROOT/include" -L"$BUILD/lib" -lhostmux -o inbox
	try 0 ./inbox
	is "$output" "hello from C++"
}
