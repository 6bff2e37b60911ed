# sock99: the C library libsocket99, and the Lua module sock99 over it.
# GNU make. `make help` lists the targets and the variables.

VERSION = 1.0.0
SONUMBER = 1

BUILD ?= build
# One name for one file, whoever calls: what depends on what is kept by name.
override BUILD := $(patsubst $(CURDIR)/%,%,$(BUILD))
PREFIX ?= /usr/local
INCLUDEDIR ?= $(PREFIX)/include
LIBDIR ?= $(PREFIX)/lib
MANDIR ?= $(PREFIX)/share/man
DATADIR ?= $(PREFIX)/share/sock99
INSTALL ?= install

# The user's CPPFLAGS, CFLAGS and LDFLAGS come after ours, and win.
CFLAGS ?= -O2 -g

warnings = -Wall -Wextra -Wpedantic -Wconversion -Wshadow $(if $(filter 1,$(WERROR)),-Werror)
# Needs an optimizing compiler, and blinds the sanitizers.
fortify = $(if $(filter -O -O1 -O2 -O3 -Os,$(CFLAGS)),$(if \
  $(findstring -fsanitize,$(CFLAGS))$(findstring _FORTIFY_SOURCE,$(CFLAGS) $(CPPFLAGS)),,\
  -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2))
# A large frame touches each page of the stack, so that none jumps over the guard.
clash = $(if $(filter Linux,$(system)),-fstack-clash-protection)
compile = $(CC) -std=c99 -fPIC -fvisibility=hidden -fstack-protector-strong $(clash) -pthread \
  $(warnings) $(fortify) -MMD -MP -Iinclude -Isrc/socket99 -Isrc/sock99 $(CPPFLAGS) $(CFLAGS)
link = $(CC) -pthread $(CFLAGS)

system := $(shell uname -s)
ifeq ($(system),Darwin)
  lib_file = libsocket99.$(VERSION).dylib
  lib_soname = libsocket99.$(SONUMBER).dylib
  lib_name = libsocket99.dylib
  lib_ldflags = -dynamiclib -install_name $(LIBDIR)/$(lib_soname) -current_version $(VERSION)
  module_ldflags = -bundle -undefined dynamic_lookup
else
  lib_file = libsocket99.so.$(VERSION)
  lib_soname = libsocket99.so.$(SONUMBER)
  lib_name = libsocket99.so
  # A resolver's thread may outlive dlclose: nodelete keeps its code mapped.
  hardened = -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack
  module_ldflags = -shared -Wl,-z,nodelete $(hardened)
  lib_ldflags = $(module_ldflags) -Wl,-soname,$(lib_soname)
endif
# dladdr and dlopen, before glibc 2.34.
ldlibs = $(if $(filter Linux,$(system)),-ldl)

# incdir_5.3 and so on: where the headers of each Lua are; empty: not here.
known_luas = 5.1 5.2 5.3 5.4 5.5 jit
chosen_luas := $(LUAS)
$(foreach v,$(or $(chosen_luas),$(known_luas)),$(eval incdir_$v := \
  $(shell CC='$(CC)' LUA_INCDIR='$(LUA_INCDIR)' scripts/find-lua headers $v)))
LUAS ?= $(strip $(foreach v,$(known_luas),$(if $(incdir_$v),$v)))

lib_sources := $(wildcard src/socket99/*.c)
module_sources := $(wildcard src/sock99/*.c src/sock99/*/*.c)
lua_files := $(wildcard lua/sock99/*.lua lua/sock99/*/*.lua)
lua_directories := $(sort $(dir $(lua_files:lua/%=%)))

public_objects = $(lib_sources:src/%.c=$(BUILD)/obj/public/%.o)
private_objects = $(lib_sources:src/%.c=$(BUILD)/obj/private/%.o)
modules = $(LUAS:%=$(BUILD)/%/sock99.so)
lua_test_sources := $(wildcard test/lua/*.c)
lua_tests = $(foreach v,$(LUAS),$(lua_test_sources:test/lua/%.c=$(BUILD)/$v/test_%.so))
# The injector knows the names that glibc gives its functions.
fault_modules = $(if $(shell getconf GNU_LIBC_VERSION 2>/dev/null),\
  $(foreach v,$(LUAS),$(BUILD)/$v/faults.so $(BUILD)/$v/faults_capi.so))
c_tests = $(patsubst %.c,$(BUILD)/%,$(wildcard test/c/test_*.c test/network/*.c))


all: lib modules
lib: $(BUILD)/libsocket99.a $(BUILD)/$(lib_name)
modules: $(modules)
c-tests: $(c_tests)
lua-tests: $(lua_tests)
fault-modules: $(fault_modules)

$(BUILD)/libsocket99.a: $(public_objects)
	rm -f $@
	$(AR) rc $@ $^

$(BUILD)/$(lib_name): $(public_objects)
	$(link) $(lib_ldflags) $(LDFLAGS) -o $(BUILD)/$(lib_file) $^ $(ldlibs)
	ln -sf $(lib_file) $(BUILD)/$(lib_soname)
	ln -sf $(lib_soname) $@

$(BUILD)/obj/public/%.o: src/%.c
	@mkdir -p $(@D)
	$(compile) -c -o $@ $<

$(BUILD)/obj/private/%.o: src/%.c
	@mkdir -p $(@D)
	$(compile) -DSOCKET99_PRIVATE -c -o $@ $<

define module_rules
$(BUILD)/$1/sock99.so: $(module_sources:src/%.c=$(BUILD)/obj/$1/%.o) $(private_objects)
	@mkdir -p $$(@D)
	$$(link) $$(module_ldflags) $$(LDFLAGS) -o $$@ $$^ $$(ldlibs)

$(BUILD)/obj/$1/%.o: src/%.c
	$$(if $$(incdir_$1),,$$(error no headers of Lua $1 found; LUA_INCDIR says where they are))
	@mkdir -p $$(@D)
	$$(compile) -I$$(incdir_$1) -DSOCKET99_PRIVATE -c -o $$@ $$<

$(BUILD)/$1/test_%.so: test/lua/%.c src/sock99/values/compat.h
	@mkdir -p $$(@D)
	$$(compile) -I$$(incdir_$1) $$(module_ldflags) $$(LDFLAGS) -o $$@ $$<

# The injector, which is preloaded, with the Lua module that steers it.
$(BUILD)/$1/faults.so: test/faults/inject.c test/faults/control.c test/faults/inject.h
	@mkdir -p $$(@D)
	$$(compile) -I$$(incdir_$1) -shared $$(LDFLAGS) -o $$@ $$(filter %.c,$$^) $$(ldlibs)

$(BUILD)/$1/faults_capi.so: test/faults/capi.c $(BUILD)/$(lib_name)
	@mkdir -p $$(@D)
	$$(compile) -I$$(incdir_$1) -shared $$(LDFLAGS) -Wl,-rpath,$$(abspath $(BUILD)) \
	  -o $$@ $$^
endef
$(foreach v,$(LUAS),$(eval $(call module_rules,$v)))

$(BUILD)/test/%: test/%.c $(BUILD)/libsocket99.a
	@mkdir -p $(@D)
	$(compile) -Itest/c $(hardened) $(LDFLAGS) -o $@ $< $(filter %.o,$^) $(BUILD)/libsocket99.a \
	  -lcmocka $(ldlibs)

# What the module asks of the system knows nothing of Lua.
$(BUILD)/test/c/test_system: $(patsubst src/%.c,$(BUILD)/obj/public/%.o,$(wildcard src/sock99/system/*.c))

-include $(wildcard $(BUILD)/obj/*/*/*.d $(BUILD)/obj/*/*/*/*.d $(BUILD)/test/*/*.d $(BUILD)/*/test_*.d)


# Each of these first installs what it needs, then starts over, to find it.

run:
	@scripts/install-dependencies run
	@lua=$(or $(firstword $(chosen_luas)),$$(scripts/find-lua tour)) && \
	$(MAKE) --no-print-directory modules LUAS=$$lua && \
	BUILD='$(BUILD)' scripts/with-lua $$lua examples/tour.lua && \
	echo && echo "A program of yours, from here:" \
	  "LUA_CPATH='$(BUILD)/$$lua/?.so;;' $$(scripts/find-lua interpreter $$lua) program.lua"

test:
	@scripts/install-dependencies test
	@$(MAKE) --no-print-directory test-built

test-built: all c-tests lua-tests fault-modules
	@BUILD='$(BUILD)' LUAS='$(LUAS)' TESTS='$(TESTS)' test/run

faults:
	@scripts/install-dependencies test
	@$(MAKE) --no-print-directory all lua-tests fault-modules
	@BUILD='$(BUILD)' LUAS='$(LUAS)' test/faults/run

check:
	@scripts/install-dependencies test check
	@scripts/check

coverage:
	@scripts/install-dependencies test coverage
	@BUILD='$(BUILD)' LUAS='$(chosen_luas)' scripts/coverage

soak:
	@scripts/install-dependencies test
	@$(MAKE) --no-print-directory modules lua-tests
	@BUILD='$(BUILD)' scripts/with-lua $(or $(firstword $(chosen_luas)),5.3) test/soak/run.lua

SECONDS ?= 60

fuzz:
	@scripts/install-dependencies fuzz
	@BUILD='$(BUILD)' TARGETS='$(TARGETS)' FUZZ_SECONDS='$(SECONDS)' test/fuzz/run fuzz

fuzz-merge:
	@BUILD='$(BUILD)' TARGETS='$(TARGETS)' test/fuzz/run merge

bench:
	@test -x bench/run || { echo 'there is no bench/run'; exit 1; }
	@scripts/install-dependencies bench
	@$(MAKE) --no-print-directory all lua-tests
	@BUILD='$(BUILD)' CC='$(CC)' CFLAGS='$(CFLAGS)' bench/run

# BEFORE: another build of the module, to compare with.
instructions: modules
	@LUAS='$(LUAS)' CC='$(CC)' bench/instructions $(BEFORE) $(BUILD)

# From what was measured last, without measuring.
bench-report:
	@scripts/install-dependencies bench
	@scripts/with-lua $$(scripts/find-lua bench) bench/write.lua doc/bench/data.tsv doc/bench \
	  README.md CHANGELOG.md doc/*.md

# From the LDoc above functions and the rows of options.
definitions:
	@$$(scripts/find-lua interpreter $$(scripts/find-lua tour)) scripts/definitions.lua library

doc:
	@scripts/install-dependencies doc
	@scripts/build-doc $(BUILD)/doc
	@echo $(BUILD)/doc/index.html


install: lib
	$(INSTALL) -d $(DESTDIR)$(INCLUDEDIR) $(DESTDIR)$(LIBDIR)/pkgconfig $(DESTDIR)$(MANDIR)/man3
	$(INSTALL) -m 644 include/socket99.h $(DESTDIR)$(INCLUDEDIR)
	$(INSTALL) -m 644 $(BUILD)/libsocket99.a $(DESTDIR)$(LIBDIR)
	$(INSTALL) -m 755 $(BUILD)/$(lib_file) $(DESTDIR)$(LIBDIR)
	ln -sf $(lib_file) $(DESTDIR)$(LIBDIR)/$(lib_soname)
	ln -sf $(lib_soname) $(DESTDIR)$(LIBDIR)/$(lib_name)
	sed -e 's|@VERSION@|$(VERSION)|' -e 's|@PREFIX@|$(PREFIX)|' \
	  -e 's|@LIBDIR@|$(LIBDIR:$(PREFIX)/%=$${prefix}/%)|' \
	  -e 's|@INCLUDEDIR@|$(INCLUDEDIR:$(PREFIX)/%=$${prefix}/%)|' \
	  -e 's|@LDLIBS@|$(ldlibs)|' socket99.pc.in > $(DESTDIR)$(LIBDIR)/pkgconfig/socket99.pc
	chmod 644 $(DESTDIR)$(LIBDIR)/pkgconfig/socket99.pc
	$(INSTALL) -m 644 doc/socket99.3 $(DESTDIR)$(MANDIR)/man3

uninstall:
	rm -f $(DESTDIR)$(INCLUDEDIR)/socket99.h $(DESTDIR)$(LIBDIR)/libsocket99.a \
	  $(DESTDIR)$(LIBDIR)/$(lib_file) $(DESTDIR)$(LIBDIR)/$(lib_soname) \
	  $(DESTDIR)$(LIBDIR)/$(lib_name) $(DESTDIR)$(LIBDIR)/pkgconfig/socket99.pc \
	  $(DESTDIR)$(MANDIR)/man3/socket99.3

# LuaJIT reads Lua 5.1's directories, and a module built for 5.1 works there.
installed_luas = $(if $(filter 5.1,$(LUAS)),$(filter-out jit,$(LUAS)),$(LUAS))
directory_version = $(patsubst jit,5.1,$1)
cpath = $(DESTDIR)$(or $(INST_CPATH),$(PREFIX)/lib/lua/$(directory_version))
lpath = $(DESTDIR)$(or $(INST_LPATH),$(PREFIX)/share/lua/$(directory_version))
one_lua = $(if $(word 2,$(if $(INST_CPATH)$(INST_LPATH),$(installed_luas))),\
  $(error INST_CPATH and INST_LPATH go with one Lua: LUAS=5.3))

define install_lua
	$(INSTALL) -d $(cpath)
	$(INSTALL) -m 755 $(BUILD)/$1/sock99.so $(cpath)
	$(INSTALL) -d $(lua_directories:%=$(lpath)/%)
	set -e; $(foreach d,$(lua_directories),$(INSTALL) -m 644 $(wildcard lua/$d*.lua) $(lpath)/$d;)

endef

define uninstall_lua
	rm -f $(cpath)/sock99.so $(lua_files:lua/%=$(lpath)/%)
	rmdir $(lpath)/sock99/luasocket $(lpath)/sock99 2>/dev/null || true

endef

# What editors know of the module. On package.path library/sock99.lua would be
# found in place of the module, so it never goes into one of Lua's directories.
install-lua: modules
	$(one_lua)
	$(foreach v,$(installed_luas),$(call install_lua,$v))
	$(INSTALL) -d $(DESTDIR)$(DATADIR)/library/sock99
	$(INSTALL) -m 644 library/sock99.lua $(DESTDIR)$(DATADIR)/library
	$(INSTALL) -m 644 library/sock99/luasocket.lua $(DESTDIR)$(DATADIR)/library/sock99

uninstall-lua:
	$(one_lua)
	$(foreach v,$(installed_luas),$(call uninstall_lua,$v))
	rm -f $(DESTDIR)$(DATADIR)/library/sock99.lua $(DESTDIR)$(DATADIR)/library/sock99/luasocket.lua
	rmdir $(DESTDIR)$(DATADIR)/library/sock99 $(DESTDIR)$(DATADIR)/library $(DESTDIR)$(DATADIR) 2>/dev/null || true

clean:
	rm -rf $(BUILD)

define help
make                all that follows; Lua modules for: $(or $(LUAS),no Lua, since no headers were found)
make lib            $(BUILD)/libsocket99.a, $(BUILD)/$(lib_name)
make modules        $(BUILD)/<lua>/sock99.so
make run            the tour: one socket of each kind
make test           all tests; TESTS='test_open …' for some of them
make faults         every call of the product fails in every way, with each Lua; Linux, glibc
make check          compilers' warnings, linters, sanitizers, valgrind
make coverage       which lines and branches of src/ the tests run, and which they don't
make soak           load, for a quarter of an hour; CONNECTIONS, OPENS, REQUESTS: how much
make fuzz           fuzzing: SECONDS=60 of each of TARGETS='config address …', all where
                    there is none; make fuzz-merge keeps what it has found
make bench          all benchmarks, ten minutes; writes doc/bench. QUICK=1: a rough look
make bench-report   writes doc/bench again, from what was measured last
make instructions   how many each operation takes; BEFORE=dir/build: beside another build's
make doc            guide, reference, options, C API and examples, as HTML: $(BUILD)/doc
make definitions    writes library/ again, the definitions for editors
make install        libsocket99 to PREFIX=$(PREFIX), below DESTDIR
make install-lua    the Lua module to PREFIX, or to INST_CPATH and INST_LPATH;
                    definitions for editors to $(PREFIX)/share/sock99/library
make uninstall, uninstall-lua, clean

On Debian and Ubuntu, run, test, check, coverage, fuzz, bench and doc install what is missing.
LUAS='5.3 jit'      only these, of $(known_luas)
LUA_INCDIR=dir      where lua.h is
BUILD=dir           where everything is built
CC CPPFLAGS CFLAGS LDFLAGS, WERROR=1
endef

help:
	$(info $(help))
	@:

.PHONY: all lib modules c-tests lua-tests fault-modules run test test-built faults check coverage \
  soak fuzz fuzz-merge bench instructions bench-report definitions doc install uninstall \
  install-lua uninstall-lua clean help
.DELETE_ON_ERROR:
