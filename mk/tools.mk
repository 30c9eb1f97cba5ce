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
