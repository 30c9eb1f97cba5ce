# vmmu: `make` builds, `make demo` shows, `make check` tests; `make help` lists.
# Each part of the tree has its own fragment in mk/.

O       := build
CC      ?= gcc
VERSION := 0.1.0

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SUFFIXES:

WARN := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes \
        -Wmissing-prototypes -Wvla -Werror
# Hosted code: the lab, the tools, the tests.
HOST_CFLAGS := -std=c11 -D_GNU_SOURCE -O2 -g $(WARN) -Iinclude -MMD -MP

all:
help: ## what each target does
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sort | \
	 awk -F ':.*## ' '{ printf "  %-16s %s\n", $$1, $$2 }'
.PHONY: all help

include $(sort $(wildcard mk/*.mk))
