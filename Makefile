# SPDX-License-Identifier: GPL-3.0-or-later
# make            build/porteiro                       make test    deps, unit tests, fuzz regressions, whole-program tests
# make demo       an ISP in miniature (as root)        make bench   the figures of the README (as root)
# make asan       the tests under ASan and UBSan       make fuzz    libFuzzer, FUZZ_SECONDS each target
# make lint       layout, sizes, static analysis       make install DESTDIR= PREFIX=
# make deps       the Debian packages that are missing (as root)                make man     man/porteiro.conf.5 anew

BUILD   ?= build
PREFIX  ?= /usr/local
CC       = gcc
CLANG   ?= clang
PYTHON  ?= /usr/bin/python3
FUZZ_SECONDS ?= 30

LIBRARIES := libevent_core libmnl sqlite3 jansson libseccomp libcap-ng libmd libcrypt pwquality libssl libcrypto zlib liblzma libzstd libhs
EDGE_LIBRARIES := libevent_core libssl libcrypto
# The same interface: Hyperscan where it began, Vectorscan wherever else.
VECTORSCAN := $(if $(filter x86_64,$(shell uname -m)),libhyperscan-dev,libvectorscan-dev)
PACKAGES  := gcc make pkg-config libevent-dev libmnl-dev libsqlite3-dev libjansson-dev \
             libseccomp-dev libcap-ng-dev libmd-dev libcrypt-dev libpwquality-dev libssl-dev zlib1g-dev liblzma-dev libzstd-dev $(VECTORSCAN) libcmocka-dev freeradius-utils nftables \
             iptables iproute2 util-linux tzdata python3 \
             python3-pytest python3-scapy postfix postfix-sqlite dovecot-imapd dovecot-sqlite mandoc systemd diffutils \
             openssl swaks libnet-ssleay-perl libio-socket-inet6-perl msmtp s-nail curl pflogsumm
PACKAGES_LINT := clang clang-format cppcheck

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla
ifneq ($(findstring gcc,$(CC)),)
WARNINGS += -Werror=jump-misses-init
endif
ifdef WERROR
WARNINGS += -Werror
endif
HARDEN   := -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fstack-clash-protection -fPIE
LDHARDEN := -pie -Wl,--as-needed,-z,relro,-z,now
OPTIMISE ?= -O2 -g
ifdef SANITIZE
HARDEN   := -fno-omit-frame-pointer
LDHARDEN :=
OPTIMISE := -O1 -g
endif

# Small structs are cleared and copied by plain moves: the string instructions that gcc would take need longer to start than to end.
ifeq ($(findstring gcc,$(CC))$(shell uname -m),gccx86_64)
STRINGS := -mmemset-strategy=unrolled_loop:256:noalign,libcall:-1:noalign -mmemcpy-strategy=unrolled_loop:256:noalign,libcall:-1:noalign
endif

# make V=1 shows whole commands.
ifeq ($(V),)
SAY = @printf '  %-6s %s\n' $(1) $@;
endif

CPPFLAGS += -D_GNU_SOURCE -Isrc
CFLAGS   += -std=gnu17 $(OPTIMISE) $(WARNINGS) $(HARDEN) $(STRINGS) $(SANITIZE) $(shell pkg-config --cflags $(LIBRARIES))
LDFLAGS  += $(LDHARDEN) $(SANITIZE)
LDLIBS   := $(shell pkg-config --libs $(LIBRARIES)) -lm

MAINS   := src/main.c $(wildcard src/edge_main.c)
SOURCES := $(filter-out %_test.c $(MAINS),$(wildcard src/*.c src/*/*.c))
TESTS   := $(wildcard src/*/*_test.c)
TARGETS := $(patsubst fuzz/%.c,%,$(filter-out fuzz/replay.c,$(wildcard fuzz/*.c)))
OBJECTS := $(SOURCES:src/%.c=$(BUILD)/obj/%.o)
PROGRAMS := $(TESTS:src/%.c=$(BUILD)/test/%)
REPLAYS := $(TARGETS:%=$(BUILD)/replay/%)
FUZZERS := $(TARGETS:%=$(BUILD)/fuzz/%)

# Files that other programs wrote: tests that read them are skipped where they are not.
PORTEIRO_DATA ?= $(wildcard $(abspath ../shared/data))
export PORTEIRO_DATA

.PHONY: all demo test unit bench asan fuzz fuzzers lint install man deps clean
.SECONDARY:

all: $(BUILD)/porteiro $(BUILD)/porteiro-edge

$(BUILD)/porteiro: $(BUILD)/obj/main.o $(BUILD)/libporteiro.a
	$(call SAY,LINK)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# The hostile side: nothing but what reads no file and asks no database (tests/test_edge.py looks).
$(BUILD)/porteiro-edge: $(BUILD)/obj/edge_main.o $(BUILD)/libporteiro.a
	$(call SAY,LINK)$(CC) $(LDFLAGS) -o $@ $^ $(shell pkg-config --libs $(EDGE_LIBRARIES)) -lm

$(BUILD)/libporteiro.a: $(OBJECTS)
	@rm -f $@
	$(AR) rcs $@ $(OBJECTS)

# The log engine is what reads gigabytes.
$(BUILD)/obj/maillog/%.o: OPTIMISE := $(subst -O2,-O3,$(OPTIMISE))

$(BUILD)/obj/%.o: src/%.c
	@mkdir -p $(@D)
	$(call SAY,CC)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/test/%: $(BUILD)/obj/%.o $(BUILD)/libporteiro.a
	@mkdir -p $(@D)
	$(call SAY,TEST)$(CC) $(LDFLAGS) -o $@ $^ -lcmocka $(LDLIBS)

# A fuzz target with a plain main: replays files, needs no clang.
$(BUILD)/replay/%: fuzz/%.c fuzz/replay.c $(BUILD)/libporteiro.a
	@mkdir -p $(@D)
	$(call SAY,REPLAY)$(CC) $(CPPFLAGS) $(filter-out -Wmissing-prototypes,$(CFLAGS)) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(BUILD)/fuzz/%: fuzz/%.c $(BUILD)/libporteiro.a
	@mkdir -p $(@D)
	$(call SAY,FUZZ)$(CC) $(CPPFLAGS) $(filter-out -Wmissing-prototypes,$(CFLAGS)) -fsanitize=fuzzer $(LDFLAGS) -o $@ $^ $(LDLIBS)

unit: $(PROGRAMS) $(REPLAYS)

test: deps
	$(MAKE) all unit
	@PORTEIRO_BUILD=$(BUILD) PYTHON=$(PYTHON) tests/run

demo: deps
	$(MAKE) all
	$(BUILD)/porteiro demo

bench: deps
	$(MAKE) all
	bench/run

SANITIZERS := -fsanitize=address,undefined -fno-sanitize-recover=undefined
asan: deps
	$(MAKE) BUILD=build/asan CC=$(CLANG) SANITIZE="$(SANITIZERS)" all unit
	@PORTEIRO_BUILD=build/asan PYTHON=$(PYTHON) tests/run

fuzzers: $(FUZZERS)

fuzz:
	$(MAKE) BUILD=build/fuzzing CC=$(CLANG) SANITIZE="$(SANITIZERS) -fsanitize=fuzzer-no-link" fuzzers
	@set -e; for t in $(TARGETS); do \
	        mkdir -p build/fuzzing/corpus/$$t fuzz/corpus/$$t fuzz/regression/$$t; echo "fuzz: $$t"; \
	        build/fuzzing/fuzz/$$t -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=2048 -close_fd_mask=3 \
	            -artifact_prefix=fuzz/regression/$$t/ build/fuzzing/corpus/$$t fuzz/corpus/$$t; \
	done

lint:
	tests/lint

# The units name /usr/sbin/porteiro; another PREFIX is written into them. An existing policy is never touched.
install: all
	install -D -m 0755 $(BUILD)/porteiro $(DESTDIR)$(PREFIX)/sbin/porteiro
	install -D -m 0755 $(BUILD)/porteiro-edge $(DESTDIR)$(PREFIX)/sbin/porteiro-edge
	for m in $(wildcard man/*.[1-8]); do \
	        install -D -m 0644 $$m $(DESTDIR)$(PREFIX)/share/man/man$${m##*.}/$${m##*/}; done
	for u in $(notdir $(wildcard packaging/*.service)); do \
	        install -D -m 0644 packaging/$$u $(DESTDIR)/lib/systemd/system/$$u; \
	        sed -i 's,/usr/sbin/porteiro,$(PREFIX)/sbin/porteiro,' $(DESTDIR)/lib/systemd/system/$$u; done
	install -D -m 0644 packaging/sysusers.d/porteiro.conf $(DESTDIR)/usr/lib/sysusers.d/porteiro.conf
	install -D -m 0644 packaging/tmpfiles.d/porteiro.conf $(DESTDIR)/usr/lib/tmpfiles.d/porteiro.conf
	install -D -m 0644 packaging/porteiro.conf $(DESTDIR)$(PREFIX)/share/doc/porteiro/porteiro.conf
	install -D -m 0644 -t $(DESTDIR)$(PREFIX)/share/porteiro/data data/weak-words
	install -D -m 0644 -t $(DESTDIR)$(PREFIX)/share/porteiro/texts $(wildcard texts/password.*)
	install -D -m 0644 -t $(DESTDIR)$(PREFIX)/share/porteiro/mail $(wildcard packaging/mail/*)
	install -D -m 0755 -t $(DESTDIR)$(PREFIX)/share/porteiro/lab lab/demo lab/lab
	install -m 0644 $(wildcard lab/*.py) $(DESTDIR)$(PREFIX)/share/porteiro/lab/

# The options in porteiro.conf(5) come from the tables of the parser.
man: all
	man/generate $(BUILD)/porteiro >man/porteiro.conf.5

# Installs what is missing, and only then; asks for nothing.
deps:
	@missing=; for p in $(PACKAGES); do \
	        dpkg-query -W -f='$${db:Status-Abbrev}' $$p 2>/dev/null | grep -q '^ii' || missing="$$missing $$p"; done; \
	if [ -n "$$missing" ]; then \
	        if [ "$$(id -u)" != 0 ]; then echo "make: as root: apt-get install -y$$missing" >&2; exit 1; fi; \
	        export DEBIAN_FRONTEND=noninteractive; apt-get update -q && apt-get install -y -q --no-install-recommends $$missing; \
	fi

clean:
	rm -rf build

-include $(OBJECTS:.o=.d) $(MAINS:src/%.c=$(BUILD)/obj/%.d) $(TESTS:src/%.c=$(BUILD)/obj/%.d)
