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
