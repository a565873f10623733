#!/usr/bin/env bats
# The fuzz targets, built without a fuzzer, go through what stands in
# fuzz/corpus: records of golden/, and what was found.  The last name printed is
# the one that failed.

load helper

# replay NAME: every file of its corpus, of which there are some.
replay() {
	local files

	files=("$ROOT/test/fuzz/corpus/$1"/*)
	[ -s "${files[0]}" ]
	DEADLINE=120
	try 0 "$BUILD/fuzz/$1" "${files[@]}"
	is "$(wc -l <<<"$output")" "${#files[@]}"
}

@test "every target of test/fuzz is named here, and has a corpus" {
	local file name missing=

	for file in "$ROOT"/test/fuzz/*.c; do
		name=$(basename "$file" .c)
		grep -q "replay $name\$" "$BATS_TEST_FILENAME" &&
		    [ -d "$ROOT/test/fuzz/corpus/$name" ] ||
		    missing="$missing $name"
	done
	is "$missing" ""
}

@test "control: requests to the host_agent" {
	replay control
}

@test "envelope: heads and the textual form, there and back" {
	replay envelope
}

@test "json: what is read, written and read again" {
	replay json
}

@test "link: one link, whatever it is told" {
	replay link
}

@test "name: addresses and ids, there and back, in order" {
	replay name
}

@test "pair: two links on any schedule" {
	replay pair
}

@test "record: whole, in part, one after the other" {
	replay record
}
