# The front door.  Meson builds; this says with which settings, and installs what is missing first.
#
#   make build     the library, the leat command and the examples, in build/
#   make demo      counts the words of a book with three processes (FILES="a b": of these files)
#   make test      every test program in the variants of test/variants.py (VARIANTS=gcc,asan: in these; ONLY=regex: tests that match);
#                  what needs a tool that is missing is skipped and named, unless STRICT=1
#   make models    every order of things in the protocols that hold without a lock and in those between processes, the long ones too
#   make schedules small programs under every schedule with up to three preemptions (BUDGET=10: ten times as many at the most)
#   make bench     the measurements, of a build without asserts (ONLY=regex: these; PEERS="go": beside the same programs of others)
#   make growth    how the cost of one grows with how many there are, as charts in docs/growth (AGAIN=1: measures all of it anew)
#   make sim       the word count, channels used in every way, selects, in simulated worlds (SEEDS=1..1000: these; PROGRAM="...": another;
#                  FLAGS="--faults cut"; SIM_STATE=DIR: goes on there where it was stopped)
#   make survive   the word count with a worker killed and restarted and a link cut for five seconds: on real networks, and in 10,000
#                  simulated worlds, with the right total (SEEDS=1..1000: in these; SIM_STATE=DIR: goes on there where it was stopped)
#   make mutants   mutations of the protocol between nodes that make sim must find (ONLY=regex: these)
#   make fuzz     libFuzzer on everything that reads what may come from anyone (BUDGET=600: seconds in all; ONLY="talk frames": these)
#   make gob-fuzz  leat's gob against Go's own, on random types, values and damage (BUDGET=600: seconds; SEED=7)
#   make go       go/leat under Go's race detector, with C at the other end, and its fuzzers (BUDGET=600: seconds of these in all)
#   make hostile  a million strangers at the door of a node, over Unix sockets and TCP (N=1000000: so many)
#   make fuzz-coverage   which branches of the decoders the corpus and its mutations take
#   make breaks   breaks each promise at a distance of docs/semantics.md, and looks whether tests notice (ONLY=regex: these; V=1: and how)
#   make race-cancel   what blocks against its cancel and its deadline, N=1000000 times each (half an hour; goes on where it was stopped;
#                  AGAIN=1: begins anew)
#   make faults    25 kinds of fault on real networks, while two programs talk and while words are counted (SEEDS=1..1000: so many of each;
#                  ONLY=regex: these; FAULTS_STATE=DIR: goes on there where it was stopped)
#   make check     all that must be clean before a change lands: test, and the variants that take longer
#   make endure   what the tests do on a small scale, at full size: 10^6 descriptors, 10^6 ends (ENDURE=n), each at most ENDURE_S seconds
#   make install   without asserts, to PREFIX (/usr/local), under DESTDIR where that is given
#   make uninstall removes what the last make install here put there
#   make clean     removes every build directory

SHELL = /bin/bash -o pipefail
PREFIX ?= /usr/local
JOBS ?= $(shell nproc)
VARIANTS ?= test
NO_DEPS ?=
MESON_FLAGS ?=

.PHONY: fuzz fuzz-coverage gob-fuzz hostile go
.PHONY: help build demo test models schedules bench growth bench-build sim check endure install uninstall clean deps-build deps-test
.PHONY: faults breaks mutants survive

help:
	@sed -n 's/^#   //p' Makefile

deps-build deps-test deps-bench:
	@[ -n "$(NO_DEPS)" ] || scripts/deps.sh build $(filter-out build,$(@:deps-%=%))

build/build.ninja: | deps-build
	@meson setup build '--prefix=$(PREFIX)' $(MESON_FLAGS) >build.log 2>&1 || { cat build.log; rm -f build.log; exit 1; }
	@mv build.log build/setup.log

build: deps-build build/build.ninja
	@ninja -C build -j$(JOBS) --quiet | sed '/no work to do/d'

demo: build
	@examples/demo.sh $(FILES)

test: deps-build
	@[ -n "$(NO_DEPS)" ] || scripts/deps.sh test || $(if $(STRICT),exit 1,echo 'deps: what needs more is skipped' >&2)
	@test/run.py --variants '$(VARIANTS)' $(if $(STRICT),,--lenient) $(if $(ONLY),--only '$(ONLY)') $(if $(REPEAT),--repeat $(REPEAT))

check: deps-test
	@test/run.py --variants '$(if $(filter test,$(VARIANTS)),all,$(VARIANTS))' $(if $(ONLY),--only '$(ONLY)')

BUDGET ?= 1
schedules: build
	@T_NOFORK=1 SCHEDULES=$(BUDGET) build/chan_schedule_test
	@T_NOFORK=1 SCHEDULES=$(BUDGET) build/chan_schedule_sync_test

# its own default: a minute
fuzz:
	@test/fuzz/run.py fuzz $(if $(filter command environment,$(origin BUDGET)),$(BUDGET),60) $(ONLY)

go: build
	@ninja -C build test/go/go_peer >>build.log && test/go/long.py $(if $(filter command environment,$(origin BUDGET)),$(BUDGET),60)

gob-fuzz: build
	@ninja -C build test/gob_harness >>build.log && \
		test/gob/fuzz.py $(if $(filter command environment,$(origin BUDGET)),$(BUDGET),60) $(SEED)

fuzz-coverage:
	@test/fuzz/run.py coverage

models:
	@MODELS_LONG=1 test/models/run.py
	@MODELS_LONG=1 test/models/spin/run.py

build-bench/build.ninja: | deps-build
	@meson setup build-bench -Db_ndebug=true $(MESON_FLAGS) >build.log 2>&1 || { cat build.log; rm -f build.log; exit 1; }
	@mv build.log build-bench/setup.log

BENCHES = $(addprefix bench/,leat_bench net_bench raw_bench codec_bench) test/faults/faults_relay

bench-build: deps-build build-bench/build.ninja
	@[ -n "$(NO_DEPS)" ] || command -v go >/dev/null || scripts/deps.sh bench || true
	@ninja -C build-bench -j$(JOBS) --quiet $(BENCHES) | sed '/no work to do/d'

bench: bench-build
	@bench/run.py $(if $(ONLY),--only '$(ONLY)') $(if $(filter command environment,$(origin PEERS)),--peers '$(PEERS)')

growth: bench-build
	@bench/growth.py $(if $(ONLY),--only '$(ONLY)') $(if $(AGAIN),--again)

SEEDS ?= 1..100
PROGRAM ?=
FLAGS ?=
SIM_STATE ?=
sim: build
	@$(if $(PROGRAM),build/leat sim --seeds $(SEEDS) $(if $(SIM_STATE),--state $(SIM_STATE)/program) $(FLAGS) -- $(PROGRAM), \
	build/leat sim --seeds $(SEEDS) $(if $(SIM_STATE),--state $(SIM_STATE)/wordcount) $(FLAGS) -- \
		build/examples/wordcount run examples/data/opticks.txt && \
	build/leat sim --seeds $(SEEDS) $(if $(SIM_STATE),--state $(SIM_STATE)/channels) --nodes 4 $(FLAGS) -- build/test/sim_channels && \
	build/leat sim --seeds $(SEEDS) $(if $(SIM_STATE),--state $(SIM_STATE)/choose) --nodes 4 $(FLAGS) -- build/test/sim_choose)

survive: SEEDS = 1..10000
survive: build
	@ninja -C build --quiet test/faults/faults_relay && test/faults/wordcount.py
	@build/leat sim --seeds $(SEEDS) $(if $(SIM_STATE),--state $(SIM_STATE)/survive) --faults heal --must-succeed -- \
		build/examples/wordcount run examples/data/opticks.txt

mutants: build
	@test/sim/mutants.py '$(if $(ONLY),$(ONLY),.)'

FAULTS_STATE ?=
faults: SEEDS = 1..20
faults: build
	@test/faults/faults.py --seeds $(SEEDS) --jobs $$(( $(JOBS) * 12 )) $(if $(ONLY),--only '$(ONLY)') \
		$(if $(FAULTS_STATE),--state '$(FAULTS_STATE)')

N ?= 1000000
hostile: build
	@for p in unix tcp; do HOSTILE_N=$(N) build/test/hostile/hostile_doors_test \
		masses_that_speak_something_else_are_refused_in_few_words_$$p || exit 1; done

breaks: build
	@test/breaks/breaks.py '$(if $(ONLY),$(ONLY),.)'

race-cancel: build
	@$(if $(AGAIN),rm -f build/race-*.state)
	@ninja -C build -j$(JOBS) --quiet test/cancel/cancel_share_test test/cancel/cancel_io_test | sed '/no work to do/d'
	@for p in share io; do RACE_STATE=build/race-$$p.state RACE_TURNS=$(N) build/test/cancel/cancel_$${p}_test || exit 1; done

ENDURE ?= 1000000
ENDURE_S ?= 600
endure: build
	@ENDURE=$(ENDURE) T_SLOW=1 timeout $(ENDURE_S) build/boot_endure_test a_number_that_is_closed_and_used_again_is_silent
	@ENDURE=$(ENDURE) T_SLOW=1 timeout $(ENDURE_S) build/test/netchan/netchan_ends_test \
		ends_that_have_gone_leave_nothing_behind_unix ends_that_have_gone_leave_nothing_behind_tcp

# as measured: the ordinary flags, without the asserts of the library's own laws
build-install/build.ninja: | deps-build
	@meson setup build-install '--prefix=$(PREFIX)' -Db_ndebug=true $(MESON_FLAGS) >build.log 2>&1 || \
		{ cat build.log; rm -f build.log; exit 1; }
	@mv build.log build-install/setup.log

install: deps-build build-install/build.ninja
	@meson configure build-install '-Dprefix=$(PREFIX)' >/dev/null
	@ninja -C build-install -j$(JOBS) --quiet libleat.a libleat.so.0.1.0 leat | sed '/no work to do/d'
	@meson install -C build-install --no-rebuild $(if $(DESTDIR),--destdir "$$(realpath -m -- '$(DESTDIR)')")
	@[ -n "$(DESTDIR)" ] || [ "$$(id -u)" != 0 ] || ldconfig

uninstall:
	@[ ! -f build-install/meson-logs/install-log.txt ] || { ninja -C build-install --quiet uninstall && \
		sed -n 's,/leat/[^/]*$$,/leat,p' build-install/meson-logs/install-log.txt | sort -u | \
		xargs -rd '\n' rmdir --ignore-fail-on-non-empty; }
	@[ -n "$(DESTDIR)" ] || [ "$$(id -u)" != 0 ] || ldconfig

clean:
	rm -rf build build-*
