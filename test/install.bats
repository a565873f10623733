#!/usr/bin/env bats
# make install, pkg-config, and programs of others that use the library.

load helper

PROGRAMS='host-mux proc-spawn proc-boot proc-reap proc-stat msg-send msg-call msg-recv'

# One make at a time.
setup_file() {
	export BATS_NO_PARALLELIZE_WITHIN_FILE=true
}

installed() {
	(cd "$ROOT" && DEADLINE=300 try 0 make -s install "DESTDIR=$T/root" \
	    PREFIX=/usr)
}

@test "make install DESTDIR: programs, library, headers, pages" {
	local name

	installed
	for name in $PROGRAMS; do
		[ -x "root/usr/bin/$name" ]
		"root/usr/bin/$name" --version
		is "$(find root -name "$name.1*" | wc -l)" 1
	done
	[ -e root/usr/lib/libhostmux.a ]
	is "$(cd root/usr/include/hostmux && echo *.h)" \
	    "$(cd "$ROOT/include/hostmux" && echo *.h)"
	[ -e root/usr/lib/pkgconfig/hostmux.pc ]
	# Nothing of the build's own place is in what is installed.
	is "$(grep -rl "$T" root | head -n 3)" ""
}

@test "pkg-config, a C program, a C++ file" {
	local flags

	command -v pkg-config >/dev/null || skip "no pkg-config"
	installed
	export PKG_CONFIG_PATH=$T/root/usr/lib/pkgconfig
	export PKG_CONFIG_SYSROOT_DIR=$T/root
	flags=$(pkg-config --cflags --libs hostmux)
	is "$(pkg-config --modversion hostmux)" "$("root/usr/bin/host-mux" --version | sed 's/.* //')"
	cat >app.c <<'END'
#include <hostmux/hostmux.h>
#include <stdio.h>
int
main(void)
{
	struct hm_addr addr;
	struct hm_error err;

	if (hm_addr_parse(&addr, "ipc:///tmp/x", 0, &err) == -1)
		return hm_error_exit(&err, "app");
	puts(addr.text);
	return 0;
}
END
	# shellcheck disable=SC2086
	cc -Wall -Wextra -Werror app.c $flags -o app
	is "$(./app)" unix:/tmp/x
	command -v c++ >/dev/null || skip "no C++ compiler"
	cp app.c app.cc
	# shellcheck disable=SC2086
	c++ -Wall -Wextra -Werror app.cc $flags -o app++
	is "$(./app++)" unix:/tmp/x
}

@test "every header stands alone, in C and C++" {
	local header

	for header in "$ROOT"/include/hostmux/*.h; do
		echo "#include <hostmux/$(basename "$header")>" >one.c
		echo "#include <hostmux/$(basename "$header")>" >>one.c
		cc -std=c11 -D_POSIX_C_SOURCE=200809L -Wall -Wextra \
		    -Wpedantic -Werror -I"$ROOT/include" \
		    -fsyntax-only one.c
		command -v c++ >/dev/null || continue
		cp one.c one.cc
		c++ -Wall -Wextra -Werror -I"$ROOT/include" -fsyntax-only one.cc
	done
}

@test "uninstall leaves nothing" {
	installed
	(cd "$ROOT" && try 0 make -s uninstall "DESTDIR=$T/root" PREFIX=/usr)
	is "$(find root -type f)" ""
}
