# hostmux.  GNU make, bmake and pdpmake all run this file: explicit lists, no
# functions, no conditionals.
#
# The rules for the objects and the programs are the same line again and again,
# so they are written by the rule for $(BUILD)/rules.mk, and a second make reads
# them behind this file.  $(BUILD)/flags changes when the compiler or its flags
# do, and everything depends on it.
.POSIX:
.SUFFIXES:

# The user's come on the command line: make CC=clang CFLAGS=-O0
CC = cc
AR = ar
CFLAGS = -O2 -g
CPPFLAGS =
LDFLAGS =
LIBS =
PREFIX = /usr/local
DESTDIR =
BUILD = build

# Of the targets that build in another way, each in a folder of its own.
MODE =
MODE_LDFLAGS = $(MODE)

WARNINGS = -Wall -Wextra -Wpedantic -Wshadow -Wconversion
COMPILE = $(CC) -std=c11 -D_POSIX_C_SOURCE=200809L -Iinclude -Ilib \
	$(CPPFLAGS) $(WARNINGS) $(CFLAGS) $(MODE)
LINK = $(CC) $(CFLAGS) $(LDFLAGS) $(MODE_LDFLAGS)
SECOND = -f Makefile -f $(BUILD)/rules.mk

# Programs that are copied alone are to be small: a third less than with -O2.
STATIC = MODE='-Os -ffunction-sections -fdata-sections \
	-fno-asynchronous-unwind-tables' \
	MODE_LDFLAGS='-static -s -Wl,--gc-sections -Wl,-z,noseparate-code'

FUZZ_CC = clang
FUZZ_SECONDS = 60
SOAK_SECONDS = 600
# Of make asan: the names of bats files, all of them without.
SUITE =
SANITIZE = -fsanitize=address,undefined -fno-sanitize-recover=all \
	-fno-omit-frame-pointer
FUZZ_BUILD = BUILD=build/fuzzing CC=$(FUZZ_CC) CFLAGS='-O1 -g' \
	MODE='-DFUZZING $(SANITIZE) -fsanitize=fuzzer-no-link' \
	MODE_LDFLAGS='$(SANITIZE) -fsanitize=fuzzer'

# Each folder of lib/ uses only those before it.
LIB = \
	lib/base/blocks.c lib/base/error.c lib/base/json.c lib/base/json_out.c \
	lib/base/sys.c lib/base/sys_socket.c lib/base/text.c \
	lib/name/addr.c lib/name/id.c \
	lib/wire/envelope.c lib/wire/envelope_json.c lib/wire/envelope_room.c \
	lib/wire/head.c lib/wire/record.c \
	lib/loop/epoll.c lib/loop/loop.c lib/loop/poll.c lib/loop/signal.c \
	lib/loop/timer.c \
	lib/link/chunk.c lib/link/conn.c lib/link/conn_in.c lib/link/lane.c \
	lib/link/ledger.c lib/link/link.c \
	lib/link/link_in.c lib/link/link_own.c lib/link/parked.c \
	lib/link/queue.c lib/link/refusal.c lib/link/silence.c \
	lib/route/accept.c lib/route/channel.c lib/route/cross.c \
	lib/route/dial.c lib/route/flow.c lib/route/forward.c lib/route/gate.c \
	lib/route/home.c lib/route/limits.c lib/route/names.c \
	lib/route/outgoing.c lib/route/passage.c lib/route/peer.c \
	lib/route/progress.c lib/route/resume.c lib/route/router.c \
	lib/route/store.c lib/route/store_turn.c lib/route/turn.c \
	lib/route/way.c \
	lib/proc/actor.c lib/proc/agent.c lib/proc/beside.c lib/proc/call.c \
	lib/proc/client.c \
	lib/proc/destroy.c lib/proc/end.c lib/proc/lookup.c lib/proc/mail.c \
	lib/proc/mailbox.c lib/proc/port.c \
	lib/proc/proc.c lib/proc/snapshot.c lib/proc/state.c \
	lib/proc/supervise.c lib/proc/system.c \
	lib/boot/boot.c lib/boot/bulk.c lib/boot/callback.c lib/boot/child.c \
	lib/boot/enlist.c lib/boot/environment.c lib/boot/exec.c \
	lib/boot/frames.c \
	lib/boot/handle.c lib/boot/init.c \
	lib/boot/inlet.c lib/boot/joined.c lib/boot/known.c lib/boot/launch.c \
	lib/boot/lifeline.c lib/boot/lines.c lib/boot/local.c \
	lib/boot/manager.c lib/boot/outlet.c \
	lib/boot/output.c lib/boot/payload.c lib/boot/plain.c \
	lib/boot/posted.c \
	lib/boot/process.c lib/boot/proof.c lib/boot/runner.c lib/boot/sink.c lib/boot/spawn.c \
	lib/boot/status.c lib/boot/supervisor.c lib/boot/talk.c \
	lib/boot/terminal.c \
	lib/boot/tree.c lib/boot/ward.c lib/boot/warden.c \
	lib/host/control.c lib/host/host.c lib/host/item.c lib/host/leftover.c lib/host/life.c \
	lib/host/listen.c lib/host/lock.c lib/host/managed.c \
	lib/host/naming.c lib/host/past.c \
	lib/host/reap.c lib/host/record.c lib/host/registry.c \
	lib/host/watch.c
# What the programs have in common; not installed.
TOOL = \
	lib/tool/client.c lib/tool/daemon.c lib/tool/front.c \
	lib/tool/monitor.c lib/tool/mux_addr.c lib/tool/mux_command.c \
	lib/tool/mux_run.c lib/tool/name.c lib/tool/ordered.c \
	lib/tool/option.c lib/tool/outbox.c lib/tool/pool.c \
	lib/tool/reader.c lib/tool/ready.c \
	lib/tool/row.c lib/tool/table.c lib/tool/template.c lib/tool/tool.c \
	lib/tool/writer.c
PROGRAMS = \
	host-mux proc-spawn proc-boot proc-reap proc-stat \
	msg-send msg-call msg-recv
DRIVERS = \
	actor addr beside channel child clients cross destroy embed envelope \
	error flow forged garbage handle handles id json lane late limits link \
	linked local loop mailbox managed manager mutate net ordered orphans \
	outlive output proxy reader reap record reentry reentry_local registry \
	resume route runner seed settled signal socket spawn states status \
	supervise sys terminal text timer tree turn watched
FUZZERS = control envelope json link name pair record
# With bench.c, which they have in common.
BENCHES = actors bare booted filter keeper load payload redis relay
HEADERS = \
	actor.h addr.h channel.h envelope.h error.h host.h hostmux.h id.h json.h limits.h \
	loop.h manager.h proc.h status.h text.h
MAN1 = \
	host-mux.1 msg-call.1 msg-recv.1 msg-send.1 proc-boot.1 proc-reap.1 \
	proc-spawn.1 proc-stat.1
MAN3 = hostmux.3
MAN7 = hostmux.7 hostmux-protocol.7

LIB_OBJ = $(LIB:%.c=$(BUILD)/obj/%.o)
TOOL_OBJ = $(TOOL:%.c=$(BUILD)/obj/%.o)
ARCHIVES = $(BUILD)/lib/libhmtool.a $(BUILD)/lib/libhostmux.a

all: prepare
	@$(MAKE) $(SECOND) programs

# After the programs, so that one make writes the archives at a time.
drivers: all
	@$(MAKE) $(SECOND) test-programs

fuzzers: prepare
	@$(MAKE) $(SECOND) fuzz-programs

benches: all
	@$(MAKE) $(SECOND) bench-programs

# --- what the second make does

programs: $(ARCHIVES) $(PROGRAMS:%=$(BUILD)/bin/%)

# The targets without a fuzzer go through their corpus.
test-programs: $(DRIVERS:%=$(BUILD)/test/%) $(FUZZERS:%=$(BUILD)/fuzz/%)

fuzz-programs: $(FUZZERS:%=$(BUILD)/fuzz/%)

bench-programs: $(BENCHES:%=$(BUILD)/bench/%)

$(BUILD)/lib/libhostmux.a: $(LIB_OBJ)
	rm -f $@
	$(AR) rcs $@ $(LIB_OBJ)

$(BUILD)/lib/libhmtool.a: $(TOOL_OBJ)
	rm -f $@
	$(AR) rcs $@ $(TOOL_OBJ)

# --- what it needs: the rules, and a stamp of the flags

prepare: flags $(BUILD)/rules.mk

flags:
	@mkdir -p $(BUILD)
	@echo '$(COMPILE) $(LINK) $(LIBS)' >$(BUILD)/flags.now
	@cmp -s $(BUILD)/flags.now $(BUILD)/flags || \
	    cp $(BUILD)/flags.now $(BUILD)/flags

$(BUILD)/rules.mk: Makefile
	@mkdir -p $(BUILD)/lib $(BUILD)/bin $(BUILD)/test $(BUILD)/fuzz \
	    $(BUILD)/bench
	@compiled() { \
		for source in $$1; do \
			object=$(BUILD)/obj/$${source%.c}; \
			mkdir -p "$${object%/*}"; \
			printf '%s.o: %s $(BUILD)/flags\n' $$object $$source; \
			printf '\t$$(COMPILE) -MMD -MP -c -o $$@ %s\n' $$source; \
			printf -- '-include %s.d\n' $$object; \
		done; \
	}; \
	linked() { \
		for name in $$3; do \
			compiled $$1/$$name.c; \
			objects="$(BUILD)/obj/$$1/$$name.o $$4"; \
			printf '%s: %s $$(ARCHIVES)\n' \
			    $(BUILD)/$$2/$$name "$$objects"; \
			printf '\t$$(LINK) -o $$@ %s $$(ARCHIVES) $$(LIBS)\n' \
			    "$$objects"; \
		done; \
	}; \
	{ \
		compiled "$(LIB) $(TOOL) test/bench/bench.c"; \
		linked bin bin "$(PROGRAMS)"; \
		linked test/drivers test "$(DRIVERS)"; \
		linked test/fuzz fuzz "$(FUZZERS)"; \
		linked test/bench bench "$(BENCHES)" \
		    $(BUILD)/obj/test/bench/bench.o; \
	} >$@.now
	@mv $@.now $@

# --- using it

demo:
	@test/setup cc
	@$(MAKE) all
	@PATH="$$PWD/$(BUILD)/bin:$$PATH" doc/examples/wordcount

test:
	@test/setup cc bats
	@$(MAKE) drivers
	@HOSTMUX_BUILD=$(BUILD) test/run

soak:
	@test/setup cc
	@$(MAKE) drivers
	@PATH="$$PWD/$(BUILD)/bin:$$PATH" test/soak $(SOAK_SECONDS)

# Against the floors of test/bench, all of it static.  "make bench ROWS='call
# memory' RUNS=9" for some rows.
RUNS = 5
ROWS =
bench: static-benches
	@HOSTMUX_BUILD=build/static test/bench/run -n $(RUNS) $(ROWS)

bench-doc: static-benches
	@HOSTMUX_BUILD=build/static test/bench/run -n $(RUNS) >build/BENCHMARKS
	@cp build/BENCHMARKS doc/BENCHMARKS

# Left out: tests that bound memory, which would count the sanitizer's own, and
# those that link the library as a user does.
asan:
	@test/setup cc bats
	@$(MAKE) BUILD=build/asan CFLAGS='-O1 -g' MODE='$(SANITIZE)' drivers
	@HOSTMUX_BUILD=build/asan test/run -x install -x examples -t memory $(SUITE)

cover:
	@test/setup cc bats
	@rm -rf build/cover
	@$(MAKE) BUILD=build/cover CFLAGS='-O0 -g' MODE=--coverage drivers
	@HOSTMUX_BUILD=build/cover test/run
	@test/coverage build/cover

fuzz:
	@test/setup cc fuzz
	@$(MAKE) $(FUZZ_BUILD) fuzzers
	@for name in $(FUZZERS); do \
		mkdir -p build/fuzzing/corpus/$$name && \
		echo "fuzz: $$name, $(FUZZ_SECONDS) s" && \
		build/fuzzing/fuzz/$$name -max_total_time=$(FUZZ_SECONDS) \
		    -artifact_prefix=build/fuzzing/$$name- \
		    build/fuzzing/corpus/$$name test/fuzz/corpus/$$name \
		    >build/fuzzing/$$name.log 2>&1 || \
		    { tail -n 50 build/fuzzing/$$name.log; exit 1; }; \
		tail -n 1 build/fuzzing/$$name.log; \
	done

lint:
	@test/setup cc lint
	@test/lint $(LIB) $(TOOL) $(PROGRAMS:%=bin/%.c) \
	    $(DRIVERS:%=test/drivers/%.c) $(FUZZERS:%=test/fuzz/%.c)

# One file each, for containers and small systems; musl where it is there.
static: static-all
	@for name in $(PROGRAMS); do \
		if readelf -l build/static/bin/$$name | grep -q INTERP; then \
			echo "build/static/bin/$$name is not static" >&2; \
			exit 1; \
		fi; \
	done

# The programs first, so that one make at a time is in build/static.
static-drivers static-benches: static-all

static-all static-drivers static-benches:
	@test/setup cc
	@cc='$(CC)'; \
	[ "$$cc" != cc ] || ! command -v musl-gcc >/dev/null || cc=musl-gcc; \
	goal=$@; \
	$(MAKE) BUILD=build/static CC="$$cc" $(STATIC) $${goal#static-}

# --- installing it

install: all
	@mkdir -p "$(DESTDIR)$(PREFIX)/bin" "$(DESTDIR)$(PREFIX)/lib/pkgconfig" \
	    "$(DESTDIR)$(PREFIX)/include/hostmux" \
	    "$(DESTDIR)$(PREFIX)/share/man/man1" \
	    "$(DESTDIR)$(PREFIX)/share/man/man3" \
	    "$(DESTDIR)$(PREFIX)/share/man/man7"
	@put() { \
		rm -f "$(DESTDIR)$(PREFIX)/$$3" && \
		cp "$$2" "$(DESTDIR)$(PREFIX)/$$3" && \
		chmod $$1 "$(DESTDIR)$(PREFIX)/$$3"; \
	}; set -e; \
	for name in $(PROGRAMS); do put 755 $(BUILD)/bin/$$name bin/$$name; done; \
	for name in $(HEADERS); do \
		put 644 include/hostmux/$$name include/hostmux/$$name; \
	done; \
	for name in $(MAN1); do put 644 doc/$$name share/man/man1/$$name; done; \
	for name in $(MAN3); do put 644 doc/$$name share/man/man3/$$name; done; \
	for name in $(MAN7); do put 644 doc/$$name share/man/man7/$$name; done; \
	put 644 $(BUILD)/lib/libhostmux.a lib/libhostmux.a; \
	sed -e 's|@PREFIX@|$(PREFIX)|' -e "s|@VERSION@|$$(cat doc/VERSION)|" \
	    doc/hostmux.pc.in >$(BUILD)/hostmux.pc; \
	put 644 $(BUILD)/hostmux.pc lib/pkgconfig/hostmux.pc

uninstall:
	@cd "$(DESTDIR)$(PREFIX)" && { \
		for name in $(PROGRAMS); do rm -f bin/$$name; done; \
		for name in $(HEADERS); do rm -f include/hostmux/$$name; done; \
		for name in $(MAN1); do rm -f share/man/man1/$$name; done; \
		for name in $(MAN3); do rm -f share/man/man3/$$name; done; \
		for name in $(MAN7); do rm -f share/man/man7/$$name; done; \
		rm -f lib/libhostmux.a lib/pkgconfig/hostmux.pc; \
		rmdir include/hostmux 2>/dev/null || :; \
	}

dist:
	@mkdir -p $(BUILD)
	@name=hostmux-$$(cat doc/VERSION) && \
	git archive --prefix=$$name/ HEAD | gzip -9 >$(BUILD)/$$name.tar.gz && \
	echo $(BUILD)/$$name.tar.gz

clean:
	rm -rf build

.PHONY: all drivers fuzzers benches programs test-programs fuzz-programs \
	bench-programs prepare flags demo test soak bench bench-doc \
	static-all static-drivers static-benches asan cover fuzz lint static install uninstall dist clean
