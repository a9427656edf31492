# The front door. Each target calls a preset of CMakePresets.json or a script of tools/; nothing is decided here.

PRESET ?= release
PREFIX ?= /usr/local
JOBS   ?= $(shell nproc)
# Without: Pulse, our own kernel. linux: Debian's.
GUEST  ?= pulse
MEMORY ?= 256M
APPEND ?= $(append_$(GUEST))
# What else `vitrine run` is told, e.g. make run ARGS="--until READY".
ARGS   ?= --report
# SETUP=no leaves Debian's packages alone.
SETUP  ?= yes

folder_release    := build
folder_ci         := build
folder_debug      := build-debug
folder_asan-ubsan := build-asan
folder := $(folder_$(PRESET))
ifeq ($(folder),)
  $(error PRESET=$(PRESET) is none of release, ci, debug, asan-ubsan)
endif

append_linux := console=ttyS0
image_linux  := .guests/linux/vmlinuz --initrd .guests/initramfs.cpio
image_pulse  :=
ifeq ($(filter $(GUEST),pulse linux),)
  $(error GUEST=$(GUEST) is not known; there are: pulse, linux)
endif

.PHONY: help build run test bench check format install setup guests configure everything clean

help:
	@echo "make build     build/vitrine (PRESET=release, ci, debug or asan-ubsan)"
	@echo "make run       boot Pulse, our kernel, to a shell (MEMORY=256M APPEND=\"loglevel=7\" ARGS=\"--report\")"
	@echo "make run GUEST=linux   the same with Debian's kernel"
	@echo "make test      every test, with a summary at the end (PRESET=ci: at full length)"
	@echo "make bench     Vitrine, QEMU, Bochs and the host's own CPU on the same programs, as ratios"
	@echo "make check     layout, clang-tidy, include rules, paths in documents (ALL=1: clang-tidy on every file)"
	@echo "make format    apply the layout"
	@echo "make install   into PREFIX=/usr/local"
	@echo "make setup     install the Debian packages that are missing (SETUP=no: never)"
	@echo "make guests    download the guests that run and test need into .guests"

setup:
ifeq ($(SETUP),yes)
	@tools/setup.sh
endif

configure: setup
	@cmake --preset $(PRESET) --log-level=WARNING >/dev/null

build: configure
	@cmake --build --preset $(PRESET) --parallel $(JOBS) --target vitrine pulse_kernel

# With the tests: twice as much as the command alone.
everything: configure
	@cmake --build --preset $(PRESET) --parallel $(JOBS)

guests:
	@tools/fetch-guests.sh

run: build guests
	@cmake --build --preset $(PRESET) --target guest-images
	$(folder)/vitrine run $(image_$(GUEST)) --append "$(APPEND)" --memory $(MEMORY) $(ARGS)

# A test whose guest can't be had skips itself and is listed as skipped.
test: everything
	@tools/fetch-guests.sh && cmake --build --preset $(PRESET) --target guest-images \
	  || echo "make test: goes on without the guests from Debian; their tests are skipped" >&2
	@ctest --preset $(PRESET) --parallel $(JOBS)

bench: build guests
	@if [ "$(SETUP)" = yes ]; then tools/setup.sh bench; fi
	@cmake --build --preset $(PRESET) --target guest-images
	@BENCH_MARKDOWN=$(abspath $(BENCH_MARKDOWN)) cmake --build --preset $(PRESET) --target bench

check: everything
	@ALL=$(ALL) tools/check.sh $(folder)

format:
	@git ls-files '*.cpp' '*.hpp' '*.h' '*.c' | xargs clang-format-19 -i

install: build
	@tools/fetch-guests.sh && cmake --build --preset $(PRESET) --target pulse_initramfs \
	  || echo "make install: goes on without Debian's busybox: \`vitrine run\` needs a GUEST or an --initrd" >&2
	@cmake --install $(folder) --prefix $(PREFIX)

clean:
	rm -rf build build-debug build-asan
