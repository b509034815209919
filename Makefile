# sockctl. `make` builds ./sockctl, `make check` tests it, `make install` puts it below PREFIX.
#
# A new .c file in lib/, modes/ or tests/unit/ needs no edit here. Objects stand in build/VARIANT/, one folder for each way
# of building; V=1 shows the commands, WERROR=1 makes warnings errors.

PREFIX ?= /usr/local
BINDIR ?= $(PREFIX)/bin
MANDIR ?= $(PREFIX)/share/man
BASHCOMPDIR ?= $(PREFIX)/share/bash-completion/completions
ZSHCOMPDIR ?= $(PREFIX)/share/zsh/site-functions
FISHCOMPDIR ?= $(PREFIX)/share/fish/vendor_completions.d
INSTALL ?= install
MUSL_CC ?= musl-gcc
CFLAGS ?= -O2
PYTEST ?= pytest
CLANG_FORMAT ?= clang-format

VERSION := $(shell cat VERSION)

variant ?= release
build := build/$(variant)
program := $(build)/sockctl
ifeq ($(variant),release)
program := sockctl
else ifeq ($(variant),static)
program := sockctl-static
endif

# All processors, unless somebody above us has already decided.
ifeq ($(MAKELEVEL),0)
ifeq ($(filter -j% --jobs%,$(MAKEFLAGS)),)
MAKEFLAGS += -j$(shell getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
endif
endif
MAKEFLAGS += --no-print-directory

quiet := $(if $(filter 1,$(V)),,@)
silent := $(findstring s,$(firstword -$(MAKEFLAGS)))
say = $(if $(quiet),$(if $(silent),@:,@printf '  %-6s %s\n' $(1) $(2)),@:)

# --- flags -----------------------------------------------------------------------------------------------------------

# What this compiler knows of a list of flags.
known = $(foreach flag,$(1),$(shell $(CC) -Werror $(flag) -fsyntax-only -x c /dev/null 2>/dev/null && echo $(flag)))

warnings := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wformat=2 -Wvla $(if $(filter 1,$(WERROR)),-Werror)
own_flags := -std=c11 $(warnings) -ffile-prefix-map=$(CURDIR)=.
own_cpp := -D_GNU_SOURCE -DSOCKCTL_VERSION='"$(VERSION)"' -Ilib -I. -Itests/unit
own_ld :=

ifneq ($(findstring seam,$(variant)),)
own_cpp += -DSYS_SEAM
own_flags += -g
seam_c := tests/seam/gate.c
ifeq ($(shell uname -s),Linux) # where the linker puts what only tests use around these two
seam_c := $(wildcard tests/seam/*.c)
own_ld += -Wl,--wrap=sandbox_run_seal,--wrap=tls_lib_open
endif
endif
ifneq ($(findstring fuzz,$(variant)),)
own_flags += -fsanitize=fuzzer-no-link
fuzz_driver := -fsanitize=fuzzer
endif
ifneq ($(findstring cover,$(variant)),)
own_flags += -fprofile-instr-generate -fcoverage-mapping -mllvm -runtime-counter-relocation
own_ld += -fprofile-instr-generate
endif
ifneq ($(findstring asan,$(variant)),)
own_flags += -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover
own_ld += -fsanitize=address,undefined
else
own_cpp += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
own_flags += $(call known,-fstack-protector-strong -fstack-clash-protection -fcf-protection)
ifneq ($(shell uname -s),Darwin)
own_ld += -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack
endif
endif
# A static program has no loader to move it about: with musl's rcrt1.o it does so itself. musl-gcc does not know how to say that.
musl_crt := $(if $(findstring musl-gcc,$(CC)),$(wildcard /usr/lib/$(shell uname -m)-linux-musl/rcrt1.o))
ifeq ($(variant),static)
own_ld += -static
ifneq ($(musl_crt),)
crt_of = $(shell $(CC) -print-file-name=$(1))
own_flags += -fPIE
own_ld += -nostartfiles -Wl,-pie,--no-dynamic-linker $(musl_crt) $(dir $(musl_crt))crti.o $(call crt_of,crtbeginS.o)
crt_end := $(call crt_of,crtendS.o) $(dir $(musl_crt))crtn.o
endif
else
own_flags += -fPIE
own_ld += -pie
endif

# musl-gcc hides the system's headers, and with them the kernel's, which are the same for every libc.
ifneq ($(findstring musl-gcc,$(CC)),)
kernel := build/kernel
own_cpp += -idirafter $(kernel)
endif

# TLS=yes, no, or auto: with it where the compiler finds the headers of OpenSSL 3. The library itself is loaded by a run that asks for
# TLS, and is linked only into a static program.
TLS ?= auto
openssl_test = printf '\043include <openssl/ssl.h>\n\043if OPENSSL_VERSION_MAJOR < 3\n\043error\n\043endif\nint main(void){SSL_CTX_new(0);}\n' | \
	$(CC) $(CPPFLAGS) $(LDFLAGS) $(1) -x c - $(2) -o /dev/null 2>/dev/null && echo yes
ifeq ($(TLS),no)
have_tls :=
else ifeq ($(variant),static)
have_tls := $(shell $(call openssl_test,-static,-lssl -lcrypto))
else
have_tls := $(shell $(call openssl_test,-fsyntax-only))
endif
ifeq ($(have_tls),yes)
own_cpp += -DSOCKCTL_TLS
not_built := lib/tls/tls_none.c
ifeq ($(variant),static)
own_cpp += -DTLS_LINKED
own_libs := -lssl -lcrypto
else ifeq ($(shell uname -s),Linux)
own_libs := -ldl
endif
else ifeq ($(TLS),yes)
$(error TLS=yes: $(CC) finds no headers of OpenSSL 3 (libssl-dev))
else
not_built := $(filter-out lib/tls/tls_none.c,$(wildcard lib/tls/tls_*.c tests/seam/tls_*.c)) $(wildcard tests/unit/tls/*.c)
endif

compile := $(CC) $(own_cpp) $(CPPFLAGS) $(own_flags) $(CFLAGS)
link := $(CC) $(own_flags) $(CFLAGS) $(own_ld) $(LDFLAGS)

# --- files -----------------------------------------------------------------------------------------------------------

lib_c := $(sort $(filter-out $(not_built),$(wildcard lib/*/*.c modes/*.c) $(seam_c)))
unit_c := $(sort $(filter-out $(not_built),$(wildcard tests/unit/*/test_*.c)))
help_c := $(sort $(wildcard tests/unit/*.c)) tests/sim/loop_sim.c
sim_c := $(filter-out $(help_c),$(sort $(wildcard tests/sim/*.c)))
lib_o := $(lib_c:%.c=$(build)/%.o)
main_o := $(build)/sockctl.o
help_o := $(help_c:%.c=$(build)/%.o)
sim_bin := $(build)/sim/sim
sim_o := $(sim_c:%.c=$(build)/%.o)
# A history of a server has a system of its own: these calls of lib come to it (tests/sim/wraps.c).
wrapped := socket bind listen accept4 getsockname setsockopt getsockopt poll recvmsg sendmsg shutdown close ioctl fcntl fstat \
	isatty loop_signal resolve_wait stdfd_stream layers_build stream_setup run_command_wanted run_command_take_stdin run_command_start run_command_busy run_command_end \
	run_command_kill run_command_status run_command_close
wrap := $(if $(filter Linux,$(shell uname -s)),$(wrapped:%=-Wl,--wrap=%))
fuzz_c := $(sort $(filter-out %/replay.c $(if $(have_tls),,%/fuzz_tls.c),$(wildcard tests/fuzz/*.c)))
fuzz_o := $(fuzz_c:%.c=$(build)/%.o)
unit_bin := $(unit_c:tests/unit/%.c=$(build)/unit/%)
bench_c := $(sort $(wildcard tests/bench/*.c))
hostile_c := $(sort $(wildcard tests/hostile/*.c))
bench_bin := $(patsubst tests/bench/%.c,build/bench/%,$(filter-out tests/bench/load.c $(if $(have_tls),,%/handshake.c),$(bench_c)))
all_c := sockctl.c $(sort $(wildcard lib/*/*.c modes/*.c tests/seam/*.c tests/unit/*.c tests/unit/*/*.c tests/sim/*.c tests/fuzz/*.c)) $(bench_c) $(hostile_c)
all_h := $(sort $(wildcard lib/*/*.[hd]* modes/*.h tests/unit/*.h tests/unit/*/*.h tests/sim/*.h tests/fuzz/*.h tests/bench/*.h))

# --- building --------------------------------------------------------------------------------------------------------

.PHONY: all demo static asan seam check check-all check-asan unit cli floors format man man-check install uninstall clean dist FORCE
.DELETE_ON_ERROR:
.SECONDARY:

all: $(program)

demo: all
	$(quiet)sh tests/tools/demo
static:
	$(quiet)$(MAKE) variant=static CC='$(MUSL_CC)' all
asan:
	$(quiet)$(MAKE) variant=asan all
seam:
	$(quiet)$(MAKE) variant=seam all

$(program): $(main_o) $(lib_o)
	$(call say,LINK,$@)
	$(quiet)$(link) -o $@ $^ $(LDLIBS) $(own_libs) $(crt_end)

# Other flags or another compiler make other objects: the file changes only when the command does.
$(build)/command: FORCE | $(kernel)
	@mkdir -p $(@D)
	@printf '%s\n' '$(subst ','\'',$(compile) $(own_ld) $(LDFLAGS))' | cmp -s - $@ || \
		printf '%s\n' '$(subst ','\'',$(compile) $(own_ld) $(LDFLAGS))' >$@

build/kernel:
	@mkdir -p $@
	@ln -s /usr/include/linux /usr/include/asm-generic $@
	@ln -s $(firstword $(wildcard /usr/include/$(shell $(CC) -print-multiarch)/asm /usr/include/asm)) $@/asm

$(build)/%.o: %.c $(build)/command
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(quiet)$(compile) -MMD -MP -c -o $@ $<

$(build)/unit/%: $(build)/tests/unit/%.o $(help_o) $(lib_o)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(quiet)$(link) -o $@ $^ $(LDLIBS) $(own_libs) -lcmocka

$(sim_bin): $(sim_o) $(help_o) $(lib_o)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(quiet)$(link) $(wrap) -o $@ $^ $(LDLIBS) $(own_libs) -lcmocka

fuzz_all_o := $(fuzz_o) $(filter-out %/sim.o,$(sim_o)) $(filter-out %/way.o,$(help_o)) $(lib_o) # way.c needs the seam
$(build)/fuzz/fuzz: $(fuzz_all_o)
$(build)/fuzz/replay: $(build)/tests/fuzz/replay.o $(fuzz_all_o)
$(build)/fuzz/fuzz $(build)/fuzz/replay:
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(quiet)$(link) $(wrap) $(if $(filter %/fuzz,$@),$(fuzz_driver)) -o $@ $^ $(LDLIBS) $(own_libs) -lcmocka

-include $(patsubst %.o,%.d,$(main_o) $(lib_o) $(help_o) $(sim_o) $(fuzz_o) $(build)/tests/fuzz/replay.o $(unit_c:%.c=$(build)/%.d))

# --- proving ---------------------------------------------------------------------------------------------------------

# Unit tests see the seam; the command line is tested on the program as users get it, and on the seam build beside it.
suffix :=
ONLY ?= tests/cli
tested := $(program)
unit_variant = seam$(suffix)
seam_program = build/$(unit_variant)/sockctl
run_check = SOCKCTL='$(CURDIR)/$(tested)' SOCKCTL_SEAM_BIN='$(CURDIR)/$(seam_program)' \
	SOCKCTL_HISTORIES=$(histories) PYTEST='$(PYTEST)' tests/tools/check

sim_program = build/$(unit_variant)/sim/sim
histories = $(if $(suffix),250000,1000000)

# The unit tests need a library; what else is missing, the tests themselves notice.
has_cmocka = echo 'int main(void) { return 0; }' | $(CC) -x c - -lcmocka -o /dev/null 2>/dev/null

check:
	$(quiet)sh tests/tools/need --missing tests
	$(quiet)$(MAKE) all
	$(quiet)programs=unit-programs; $(has_cmocka) || programs=; $(MAKE) variant=$(unit_variant) all $$programs $(sim_program)
	$(quiet)$(run_check) build/$(unit_variant)/unit $(sim_program) $(ONLY)
unit:
	$(quiet)$(MAKE) variant=$(unit_variant) unit-programs
	$(quiet)$(run_check) build/$(unit_variant)/unit
cli: all
	$(quiet)$(MAKE) variant=$(unit_variant) all
	$(quiet)$(run_check) $(ONLY)
check-all: # make check, and its longer half: without TLS, and under sanitizers
	$(quiet)MAKE='$(MAKE)' tests/tools/check-all
check-asan: asan
	$(quiet)$(MAKE) check variant=asan suffix=-asan

# A million histories, drawn from seeds, under the sanitizers: make simulate SEED=1 N=1000000 KIND=chat
SEED ?= 1
N ?= 1000000
.PHONY: simulate
simulate:
	$(quiet)$(MAKE) variant=seam-asan build/seam-asan/sim/sim
	$(quiet)build/seam-asan/sim/sim -s $(SEED) -n $(N) $(if $(KIND),-k $(KIND))

# Every fuzzer for TIME seconds, after what its corpus holds; FUZZ="talk json" chooses. TIME=0 only replays the corpus.
TIME ?= 10
.PHONY: fuzz
fuzz:
	$(quiet)$(MAKE) variant=fuzz-asan CC=clang CFLAGS=-O1 build/fuzz-asan/fuzz/fuzz
	$(quiet)tests/tools/fuzz build/fuzz-asan/fuzz/fuzz $(TIME) $(FUZZ)

# What the tests reach, by file: make coverage ONLY="tests/cli/tls/test_tls_ends.py". The lines themselves: build/coverage/lines.
.PHONY: coverage
coverage:
	$(quiet)$(MAKE) variant=seam-cover CC=clang CFLAGS=-O1 all unit-programs build/seam-cover/sim/sim build/seam-cover/fuzz/replay
	$(quiet)PYTEST='$(PYTEST)' tests/tools/coverage build/seam-cover $(ONLY)

# Mistakes that can be seen without running it. GCC's analyzer is asked file by file, as it compiles; .clang-tidy says what else.
# That one, too, sees one file at a time, because it forgets what va_start is behind the first; on stderr it only counts.
CLANG_TIDY ?= clang-tidy
.PHONY: analyze
analyze:
	$(quiet)$(MAKE) variant=analyze CC=gcc WERROR=1 CFLAGS='-O1 -fanalyzer' build/analyze/objects
	$(quiet)printf '%s\n' -std=c11 -D_GNU_SOURCE '-DSOCKCTL_VERSION="0"' $(if $(have_tls),-DSOCKCTL_TLS) \
		-I$(CURDIR)/lib -I$(CURDIR) >build/analyze/compile_flags.txt
	$(quiet)$(CLANG_TIDY) --version >/dev/null
	$(quiet)printf '%s\n' sockctl.c $(lib_c) | xargs -P $(shell getconf _NPROCESSORS_ONLN) -n 1 \
		$(CLANG_TIDY) --quiet -p build/analyze 2>/dev/null
$(build)/objects: $(main_o) $(lib_o)
	$(quiet)touch $@

check-copy: # nothing left to splice and sendfile
	$(quiet)SOCKCTL_TEST_FLAGS=--no-splice $(MAKE) cli

check-short: # every byte in a call of its own, and so fewer of them
	$(quiet)SOCKCTL_SEAM=short=1 SOCKCTL_TEST_LESS=256 SOCKCTL_TEST_DEADLINE=60 $(MAKE) cli variant=seam

check-strict: # nothing runs without a whole sandbox but what starts programs or asks for names
	$(quiet)SOCKCTL_TEST_FLAGS='--sandbox strict' $(MAKE) cli

check-long: # TLS and programs at full length, and transfers that take their time
	$(quiet)SOCKCTL_LONG=1 SOCKCTL_TEST_DEADLINE=600 $(MAKE) check ONLY='$(wildcard tests/cli/tls/*.py) tests/cli/pump/test_lossless.py tests/cli/services/test_exec.py tests/cli/seam/test_torture.py'

.PHONY: unit-programs check-copy check-short check-strict check-long
unit-programs: $(unit_bin)

floors:
	$(quiet)tests/tools/floors

# The programs that users get: what makes a mistake hard to use is in their ELF.
.PHONY: hardened
hardened: all static
	$(quiet)tests/tools/hardened sockctl sockctl-static

format:
	$(quiet)$(CLANG_FORMAT) --dry-run -Werror $(all_c) $(all_h)

# make torture TORTURE='--quick': the words of TORTURE go to tests/torture/torture.py; --help lists them.
TORTURE :=
.PHONY: torture
torture: all
	$(quiet)$(MAKE) variant=seam all
	$(quiet)SOCKCTL='$(CURDIR)/$(program)' SOCKCTL_SEAM_BIN='$(CURDIR)/build/seam/sockctl' python3 tests/torture/torture.py $(TORTURE)

# The same from outside, by strace, over sockctl and its peers beside it.
.PHONY: torture-compare
torture-compare: all
	$(quiet)SOCKCTL='$(CURDIR)/$(program)' python3 tests/torture/compare.py

# TCP and UDP over lines that delay, lose, double, swap and are cut (root): make torture-net SEEDS=1000, or SEED=17 alone.
SEEDS ?= 1000
.PHONY: torture-net
torture-net: all
	$(quiet)SOCKCTL='$(CURDIR)/$(program)' python3 tests/tools/badline.py $(if $(filter file,$(origin SEED)),--number $(SEEDS),--seed $(SEED))

# --- measuring -------------------------------------------------------------------------------------------------------

# make bench BENCH='--quick': the words of BENCH go to tests/bench/bench.py; --help lists them.
BENCH :=
bench_link = $(CC) -D_GNU_SOURCE -std=c11 $(warnings) $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.c,$^) $(bench_libs)
build/bench/handshake: bench_libs := -lssl -lcrypto

.PHONY: bench bench-programs bench-sandbox
bench-sandbox: all build/bench/spawn # what it costs a run
	$(quiet)SOCKCTL='$(CURDIR)/$(program)' python3 tests/bench/sandbox.py
bench: all bench-programs
	$(quiet)SOCKCTL='$(CURDIR)/$(program)' python3 tests/bench/bench.py $(BENCH)
bench-programs: $(bench_bin)

build/bench/%: tests/bench/%.c tests/bench/load.c tests/bench/load.h
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(quiet)$(bench_link)

# One hostile client may hurt only itself: make hostile HOSTILE="--only drip"; the words of HOSTILE go to tests/hostile/hostile.py.
HOSTILE :=
hostile_bin := build/bench/both build/bench/churn build/hostile/crowd
.PHONY: hostile hostile-programs
hostile: all hostile-programs
	$(quiet)SOCKCTL='$(CURDIR)/$(program)' python3 tests/hostile/hostile.py $(HOSTILE)
hostile-programs: $(hostile_bin)

build/hostile/%: tests/hostile/%.c tests/bench/load.c tests/bench/load.h
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(quiet)$(bench_link) -Itests/bench

# --- manual, completions, installing -----------------------------------------------------------------------------------

build/man/sockctl.1: man/sockctl.1.in man/write sockctl
	@mkdir -p $(@D)
	$(call say,MAN,$@)
	$(quiet)./sockctl --dump-options >build/man/rows
	$(quiet)python3 man/write man/sockctl.1.in <build/man/rows >$@

man: build/man/sockctl.1
	$(quiet)cmp -s $< man/sockctl.1 || cp $< man/sockctl.1

man-check: build/man/sockctl.1
	$(quiet)diff -u man/sockctl.1 $< || { echo 'man/sockctl.1 is stale: run make man' >&2; exit 1; }
	$(quiet)mandoc -T lint -W warning $<

build/completion/%: sockctl
	@mkdir -p $(@D)
	$(call say,GEN,$@)
	$(quiet)./sockctl completion $* >$@

# NC_LINK=1 also puts a link there, by whose name sockctl understands the options of nc; NC_LINK=NAME gives it another one.
NC_LINK ?=
nc_name := $(if $(filter-out 0 no,$(NC_LINK)),$(if $(filter 1 yes,$(NC_LINK)),nc,$(NC_LINK)))

installed = $(BINDIR)/sockctl $(MANDIR)/man1/sockctl.1 $(BASHCOMPDIR)/sockctl $(ZSHCOMPDIR)/_sockctl $(FISHCOMPDIR)/sockctl.fish

install: sockctl build/completion/bash build/completion/zsh build/completion/fish
	$(quiet)$(INSTALL) -d $(foreach file,$(installed),'$(DESTDIR)$(dir $(file))')
	$(quiet)$(INSTALL) -m 0755 sockctl '$(DESTDIR)$(BINDIR)/sockctl'
	$(if $(nc_name),$(quiet)ln -sf sockctl '$(DESTDIR)$(BINDIR)/$(nc_name)')
	$(quiet)$(INSTALL) -m 0644 man/sockctl.1 '$(DESTDIR)$(MANDIR)/man1/sockctl.1'
	$(quiet)$(INSTALL) -m 0644 build/completion/bash '$(DESTDIR)$(BASHCOMPDIR)/sockctl'
	$(quiet)$(INSTALL) -m 0644 build/completion/zsh '$(DESTDIR)$(ZSHCOMPDIR)/_sockctl'
	$(quiet)$(INSTALL) -m 0644 build/completion/fish '$(DESTDIR)$(FISHCOMPDIR)/sockctl.fish'

uninstall:
	$(quiet)rm -f $(foreach file,$(installed) $(if $(nc_name),$(BINDIR)/$(nc_name)),'$(DESTDIR)$(file)')

dist:
	$(quiet)git archive --prefix=sockctl-$(VERSION)/ HEAD | gzip -9n >sockctl-$(VERSION).tar.gz

# The whole way of a package, from the archive to a clean Debian (root, a few minutes), and of the archive by itself.
.PHONY: check-deb check-dist
check-deb:
	$(quiet)tests/tools/check-deb
check-dist:
	$(quiet)tests/tools/check-dist

clean:
	$(quiet)rm -rf build sockctl sockctl-static sockctl-*.tar.gz
