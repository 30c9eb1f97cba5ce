# The vmmu command, and unit tests of the parts of it that start nothing.
TOOLS_SRC  := $(wildcard tools/*.c)
TOOLS_OBJ  := $(TOOLS_SRC:%.c=$(O)/%.o)
TOOLS_LIBS := -ljansson -llzma -lz -lzstd -lbz2 -llz4
TOOLS_CFLAGS := $(HOST_CFLAGS) -DVMMU_VERSION='"$(VERSION)"'

$(O)/tools/%.o: tools/%.c
	@mkdir -p $(@D)
	$(CC) $(TOOLS_CFLAGS) -c $< -o $@
$(O)/vmmu: $(TOOLS_OBJ)
	$(CC) $^ $(TOOLS_LIBS) -o $@
all: $(O)/vmmu
tools: $(O)/vmmu ## build the vmmu command alone
.PHONY: tools
-include $(TOOLS_OBJ:.o=.d)

# Unit tests named test_tool_* link the command without its main.
TOOLS_SAN  := $(patsubst tools/%.c,$(O)/san/tools/%.o,\
                $(filter-out tools/main.c,$(TOOLS_SRC)))
TOOLS_UNIT := $(filter $(O)/test/unit/test_tool_%,$(UNIT_BIN))
$(O)/san/libtools.a: $(TOOLS_SAN)
	@rm -f $@
	$(AR) rcs $@ $^
$(TOOLS_UNIT): $(O)/san/libtools.a
$(TOOLS_UNIT): UNIT_LIBS = $(O)/san/libtools.a $(TOOLS_LIBS)

PREFIX ?= /usr/local
install-tools: $(O)/vmmu $(O)/vmmu.elf
	install -D -m 755 $(O)/vmmu $(DESTDIR)$(PREFIX)/bin/vmmu
	install -D -m 644 $(O)/vmmu.elf \
	 $(DESTDIR)$(PREFIX)/libexec/vmmu/vmmu.elf
	install -D -m 644 doc/vmmu.1 $(DESTDIR)$(PREFIX)/share/man/man1/vmmu.1
install: install-tools ## all of it under PREFIX (/usr/local)
.PHONY: install install-tools
