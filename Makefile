# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# One file, no recursion, everything below build/. `make help` lists the goals.
# V=1 shows the commands; SAN=1 builds with ASan and UBSan into build/san (the default of the test
# goals); CC and CLANG choose the compilers.

VERSION := 0.1.0
CC      := gcc
CLANG   := clang
BPFTOOL := $(shell PATH="$$PATH:/usr/sbin:/sbin" command -v bpftool || echo bpftool)
PREFIX  := /usr/local

TEST_GOALS := test mutate
SAN ?= $(if $(filter $(TEST_GOALS),$(MAKECMDGOALS)),1,0)
O   := build$(if $(filter 1,$(SAN)),/san)
Q   := $(if $(V),,@)
comma := ,
say  = $(if $(V),,@printf '  %-7s %s\n' '$(1)' '$(2)')

MULTIARCH := $(shell $(CC) -print-multiarch 2>/dev/null)
WARNINGS  := -Wall -Wextra -Werror -Wstrict-prototypes -Wmissing-prototypes -Wshadow \
             -Wno-missing-field-initializers
CPPFLAGS  := -D_GNU_SOURCE -DWEIR_VERSION='"$(VERSION)"' -Iinclude -Iuserspace \
             -isystem $(O)/gen -isystem /usr/include/libnl3
CFLAGS    := -std=gnu11 -g -O2 $(WARNINGS) \
             $(if $(filter 1,$(SAN)),-fsanitize=address$(comma)undefined -fno-sanitize-recover=all \
             -fno-omit-frame-pointer)
LDLIBS    := -lbpf -lnl-3 -lyaml -lmaxminddb -lpcre2-8 -ljansson -lcares -lssl -lcrypto -lm
BPF_FLAGS := -target bpf -mcpu=v3 -std=gnu11 -g -O2 -Wall -Wextra -Werror -fno-strict-aliasing \
             -Wno-missing-field-initializers -Iinclude -Ibpf -isystem /usr/include/$(MULTIARCH)

USER_SOURCES := $(wildcard userspace/*/*.c)
USER_OBJECTS := $(USER_SOURCES:%.c=$(O)/%.o)
LIB_OBJECTS  := $(filter-out $(O)/userspace/cli/main.o,$(USER_OBJECTS))
BPF_OBJECTS  := $(patsubst bpf/%.bpf.c,$(O)/bpf/%.bpf.o,$(wildcard bpf/*.bpf.c))
BPF_OBJECTS  += $(O)/bpf/weir_explain.bpf.o
SKELETONS    := $(patsubst $(O)/bpf/%.bpf.o,$(O)/gen/%.skel.h,$(BPF_OBJECTS))

# What the tests need: one Criterion program per file, and the small peers that tests talk to.
CRITERION   := $(wildcard tests/unit/test_*.c tests/bpf/test_*.c)
TESTS       := $(CRITERION:%.c=$(O)/%)
TEST_LIB    := $(patsubst %.c,$(O)/%.o,$(wildcard tests/lib/*.c))
PEERS       := $(patsubst tests/peer/%.c,$(O)/tests/peer/%,$(wildcard tests/peer/*.c))
TEST_BPF    := $(patsubst tests/lib/%.bpf.c,$(O)/tests/lib/%.bpf.o,$(wildcard tests/lib/*.bpf.c))
TEST_LIB    := $(filter-out %.bpf.o,$(TEST_LIB))

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all bench bench-control bench-http bench-live help deps fuzz test test-kernels demo demo-http lab lab-down lint format mutate install clean packages

all: $(O)/weir $(BPF_OBJECTS) $(O)/generated/weir.8 $(O)/generated/weir.yaml.5 $(O)/generated/weir-metrics.7 ## build $(O)/weir and the BPF objects

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile

# On a fresh machine `demo` and `test` install what is missing; other goals only name it.
ifneq ($(filter demo demo-http lab deps $(TEST_GOALS),$(MAKECMDGOALS)),)
packages:
	$(Q)tools/deps
else
packages:
	$(Q)tools/deps --check
endif

deps: packages ## install the Debian packages that weir needs

$(O)/%.o: %.c | packages
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# Whoever uses a skeleton: -MMD does not name what -isystem finds.
$(O)/userspace/dataplane/program.o $(O)/userspace/dataplane/listing.o \
$(O)/userspace/dataplane/decap.o $(O)/userspace/dataplane/explain.o \
$(O)/userspace/dataplane/routing.o \
$(O)/tests/bpf/test_decap.o $(O)/tests/bpf/test_fragment.o: $(SKELETONS)

$(O)/bpf/%.bpf.o: bpf/%.bpf.c | packages
	$(call say,BPF,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_FLAGS) -MMD -MP -c -o $@ $<

# The data plane once more, as `weir explain` asks it: see bpf/explain.h.
$(O)/bpf/weir_explain.bpf.o: bpf/weir.bpf.c | packages
	$(call say,BPF,$< (explaining))
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_FLAGS) -DEXPLAINING=1 -MMD -MP -c -o $@ $<

$(O)/gen/%.skel.h: $(O)/bpf/%.bpf.o
	$(call say,SKEL,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(BPFTOOL) gen skeleton $< name $* > $@

$(O)/libweir.a: $(LIB_OBJECTS)
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $^

$(O)/weir: $(O)/userspace/cli/main.o $(O)/libweir.a
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(O)/tests/%.o: CPPFLAGS += -Itests/lib
$(O)/tests/lib/%.bpf.o: tests/lib/%.bpf.c | packages
	$(call say,BPF,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_FLAGS) -MMD -MP -c -o $@ $<

$(O)/gen/%.skel.h: $(O)/tests/lib/%.bpf.o
	$(call say,SKEL,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(BPFTOOL) gen skeleton $< name $* > $@

$(O)/tests/lib/batch.o: $(O)/gen/batch.skel.h
$(O)/tests/bpf/test_plain.o: $(O)/gen/heads.skel.h

$(TESTS): %: %.o $(TEST_LIB) $(O)/libweir.a
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS) -lcriterion

$(PEERS): %: %.o
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^

# What `make bench` measures with: one program of all C files there, and the BPF programs beside it.
BENCH_PARTS := $(patsubst %.c,$(O)/%.o,$(filter-out %.bpf.c,$(wildcard tests/bench/*.c)))
BENCH_SKELETONS := $(patsubst tests/bench/%.bpf.c,$(O)/gen/%.skel.h,$(wildcard tests/bench/*.bpf.c))

$(O)/tests/bench/%.bpf.o: tests/bench/%.bpf.c | packages
	$(call say,BPF,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_FLAGS) -MMD -MP -c -o $@ $<

$(O)/gen/%.skel.h: $(O)/tests/bench/%.bpf.o
	$(call say,SKEL,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(BPFTOOL) gen skeleton $< name $* > $@

$(O)/tests/bench/measure.o $(O)/tests/bench/ruler.o $(O)/tests/bench/live/pipe.o: $(BENCH_SKELETONS)

$(O)/tests/bench/dataplane: $(BENCH_PARTS) $(O)/tests/lib/packet.o $(O)/libweir.a
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS) -lcriterion

bench: $(O)/tests/bench/dataplane ## what a packet costs (ROW=pattern, ROUNDS=n)
	$(Q)mkdir -p $(O)/bench
	$(Q)$< '$(ROUNDS)' '$(ROW)' $(O)/bench/dataplane.jsonl

# The same on live frames, beside other balancers.
LIVE_PARTS := $(patsubst %.c,$(O)/%.o,$(wildcard tests/bench/live/*.c)) \
              $(patsubst %,$(O)/tests/bench/%.o,traffic subject steady)

$(O)/tests/bench/live/%.o: CPPFLAGS += -Itests/bench

$(O)/tests/bench/live/live: $(LIVE_PARTS) $(O)/tests/lib/packet.o $(O)/libweir.a
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS) -lcriterion

bench-live: $(O)/tests/bench/live/live ## live frames: weir beside the kernel and nftables (ROUNDS=n)
	$(Q)tools/deps bench-live
	$(Q)mkdir -p $(O)/bench
	$(Q)$< '$(ROUNDS)' $(O)/bench/live.jsonl

$(O)/tests/bench/control/control: $(O)/tests/bench/control/control.o $(O)/libweir.a
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

bench-control: $(O)/weir $(O)/tests/bench/control/control $(PEERS) $(TEST_BPF) ## what configuration costs: 10 000 listeners (ROUNDS=n)
	$(Q)mkdir -p $(O)/bench
	$(Q)$(O)/tests/bench/control/control $(O)/weir '$(ROUNDS)' $(O)/bench/control.jsonl
	$(Q)BUILD=$(O) tests/bench/control/health | tee -a $(O)/bench/control.jsonl

bench-http: $(O)/weir $(PEERS) $(TEST_BPF) ## requests: weir beside HAProxy and nginx (ROUNDS=n, TIME=s each, ROWS="...")
	$(Q)tools/deps bench-http
	$(Q)mkdir -p $(O)/bench
	$(Q)BUILD=$(O) tests/bench/http/run '$(or $(ROUNDS),5)' '$(or $(TIME),5)' $(O)/bench/http.jsonl

# What is only checked now and then, since it takes so long: other compilers, other kernels.
$(O)/tests/kernels/load: $(O)/tests/kernels/load.o
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

test-kernels: $(O)/weir $(PEERS) $(TEST_BPF) $(O)/tests/kernels/load ## four clangs, four kernels in QEMU (T=name: one)
	$(Q)tools/deps test-kernels
	$(Q)BUILD=$(O) BPF_FLAGS="$(BPF_FLAGS)" tests/kernels/run $(T)

# libFuzzer, of clang: one program per file of tests/fuzz, with the sources that it is about. What
# only one of them is about stands under its name.
FUZZ_NAMES   := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/*.c))
FUZZERS      := $(addprefix $(O)/fuzz/,$(FUZZ_NAMES))
FUZZ_SOURCES := $(wildcard $(addprefix userspace/,util/*.c config/*.c plan/*.c http/*.c)) \
                userspace/net/addr.c $(addprefix tests/lib/,rules_naive.c heads.c)
FUZZ_probe   := userspace/health/http_answer.c
FUZZ_dns     := $(addprefix userspace/dns/,channel.c resolver.c)
FUZZ_metrics := userspace/net/sock.c userspace/daemon/guest.c $(addprefix userspace/daemon/metrics,.c _text.c _table.c)
FUZZ_admin   := $(wildcard userspace/daemon/calls*.c)
FUZZED       := $(patsubst %.c,$(O)/fuzz/%.o,$(sort $(FUZZ_SOURCES) \
                $(foreach name,$(FUZZ_NAMES),$(FUZZ_$(name)))))
FUZZ_LIBS    := -lyaml -lpcre2-8 -ljansson -lcares -lm
FUZZ_FLAGS := -std=gnu11 -g -O1 $(WARNINGS) -fsanitize=fuzzer$(comma)address$(comma)undefined \
              -fno-sanitize-recover=all -fno-omit-frame-pointer

$(O)/fuzz/tests/%.o: CPPFLAGS += -Itests/lib
$(O)/fuzz/%.o: %.c | packages
	$(call say,FUZZ,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(CPPFLAGS) $(FUZZ_FLAGS) -MMD -MP -c -o $@ $<

.SECONDEXPANSION:
$(FUZZERS): $(O)/fuzz/%: $$(addprefix $(O)/fuzz/,$$(addsuffix .o,$$(basename \
		tests/fuzz/$$*.c $(FUZZ_SOURCES) $$(FUZZ_$$*))))
	$(Q)tools/deps fuzz
	$(call say,LD,$@)
	$(Q)$(CLANG) $(FUZZ_FLAGS) -o $@ $^ $(FUZZ_LIBS)

fuzz: $(FUZZERS) $(O)/weir ## fuzz what reads hostile input (T=name: one, FUZZ_SECONDS=n each)
	$(Q)BUILD=$(O) tests/fuzz/run $(or $(FUZZ_SECONDS),600) $(T)

# The same with a main() that reads the inputs that are kept, for `make test`: no libFuzzer.
REPLAYS := $(addprefix $(O)/tests/fuzz/replay-,$(FUZZ_NAMES))

$(REPLAYS): $(O)/tests/fuzz/replay-%: $(O)/tests/fuzz/%.o $(O)/tests/fuzz/lib/replay.o \
		$$(addprefix $(O)/,$$(addsuffix .o,$$(basename $(FUZZ_SOURCES) $$(FUZZ_$$*))))
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(FUZZ_LIBS)

test: $(if $(filter-out corpora,$(T)),,$(REPLAYS)) $(O)/weir $(if $(T),$(filter %/test_$(T),$(TESTS)),$(TESTS)) $(PEERS) $(BPF_OBJECTS) $(TEST_BPF) ## install, build, pass all tests (T=name: one)
	$(Q)BUILD=$(O) tests/run $(T)

mutate: packages ## plant defects one at a time; each must make a test fail
	$(Q)tests/mutate

demo: $(O)/weir $(PEERS) $(TEST_BPF) ## install, build, show the main job on real traffic
	$(Q)BUILD=$(O) tools/demo

demo-http: $(O)/weir $(PEERS) $(TEST_BPF) ## install, build, show forwarding rules on real requests
	$(Q)BUILD=$(O) tools/demo-http

lab: $(O)/weir $(PEERS) $(TEST_BPF) ## the demo's namespaces, with a prompt (lab-down removes them)
	$(Q)BUILD=$(O) tools/lab up --shell

lab-down: ## remove the lab
	$(Q)tools/lab down

lint: $(SKELETONS) $(USER_OBJECTS) ## layers, headers, formatting, SPDX lines, the list of `make mutate`
	$(Q)BUILD=$(O) CC="$(CC)" CPPFLAGS="$(CPPFLAGS)" CLANG="$(CLANG)" BPF_FLAGS="$(BPF_FLAGS)" \
		tools/check-layers
	$(Q)clang-format --dry-run -Werror $$(git ls-files '*.c' '*.h')
	$(Q)tests/mutate --fit

format: ## format all C files
	$(Q)clang-format -i $$(git ls-files '*.c' '*.h')

# Made from the tables that are in the program.
GENERATED := $(addprefix $(O)/generated/,weir.8 weir.yaml.5 weir-metrics.7 weir.bash weir.zsh weir.fish)

$(O)/generated/weir.8 $(O)/generated/weir.yaml.5 $(O)/generated/weir-metrics.7: $(O)/generated/%: $(O)/weir
	$(call say,MAN,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$< help --man $(subst .,,$(suffix $@)) > $@

$(O)/generated/weir.bash $(O)/generated/weir.zsh $(O)/generated/weir.fish: $(O)/weir
	$(call say,COMPL,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$< completion $(subst .,,$(suffix $@)) > $@

# The program's own path is what PREFIX says.
$(O)/generated/weir.service: tools/systemd/weir.service
	$(call say,UNIT,$@)
	$(Q)mkdir -p $(@D)
	$(Q)sed 's|/usr/sbin/weir|$(PREFIX)/sbin/weir|' $< > $@

.PHONY: $(O)/generated/weir.service

install: $(O)/weir $(GENERATED) $(O)/generated/weir.service ## install below $(DESTDIR)$(PREFIX)
	install -D -m 0755 $(O)/weir $(DESTDIR)$(PREFIX)/sbin/weir
	install -D -m 0644 $(O)/generated/weir.8 $(DESTDIR)$(PREFIX)/share/man/man8/weir.8
	install -D -m 0644 $(O)/generated/weir.yaml.5 $(DESTDIR)$(PREFIX)/share/man/man5/weir.yaml.5
	install -D -m 0644 $(O)/generated/weir-metrics.7 $(DESTDIR)$(PREFIX)/share/man/man7/weir-metrics.7
	install -D -m 0644 $(O)/generated/weir.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/weir
	install -D -m 0644 $(O)/generated/weir.zsh $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_weir
	install -D -m 0644 $(O)/generated/weir.fish $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/weir.fish
	install -D -m 0644 $(O)/generated/weir.service $(DESTDIR)$(PREFIX)/lib/systemd/system/weir.service
	install -D -m 0644 tools/systemd/weir.sysusers $(DESTDIR)$(PREFIX)/lib/sysusers.d/weir.conf
	install -D -m 0644 tools/systemd/weir.tmpfiles $(DESTDIR)$(PREFIX)/lib/tmpfiles.d/weir.conf

clean: ## remove build/
	$(Q)rm -rf build

-include $(FUZZED:.o=.d) $(FUZZ_NAMES:%=$(O)/tests/fuzz/%.d) $(O)/tests/fuzz/lib/replay.d $(FUZZERS:$(O)/fuzz/%=$(O)/fuzz/tests/fuzz/%.d) $(USER_OBJECTS:.o=.d) $(BPF_OBJECTS:.o=.d) $(TESTS:=.d) $(TEST_LIB:.o=.d) $(TEST_BPF:.o=.d) $(PEERS:=.d) \
         $(BENCH_PARTS:.o=.d) $(LIVE_PARTS:.o=.d) $(O)/tests/kernels/load.d $(O)/tests/bench/control/control.d \
         $(patsubst tests/bench/%.bpf.c,$(O)/tests/bench/%.bpf.d,$(wildcard tests/bench/*.bpf.c))
