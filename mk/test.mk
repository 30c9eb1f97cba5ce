# Tests speak TAP; prove runs them, and the last line counts them.
SAN        := -fsanitize=address,undefined -fno-sanitize-recover=all
SAN_CFLAGS := -std=c11 -D_GNU_SOURCE -O1 -g $(WARN) $(SAN) -Iinclude -Ilib \
              -Ihv -I. -MMD -MP

# Every file that needs no hardware is built once more, hosted and sanitized;
# unit tests link all of it.
SAN_SRC = $(LIB_SRC) $(LAB_SRC) $(HV_PURE_SRC)
SAN_OBJ = $(SAN_SRC:%.c=$(O)/san/%.o)

$(O)/san/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(SAN_CFLAGS) -c $< -o $@
$(O)/san/libtest.a: $(SAN_OBJ)
	@rm -f $@
	$(AR) rcs $@ $^

UNIT_SRC := $(wildcard test/unit/test_*.c)
UNIT_BIN := $(UNIT_SRC:%.c=$(O)/%)
$(UNIT_BIN): $(O)/test/unit/%: $(O)/san/test/unit/%.o $(O)/san/libtest.a
	@mkdir -p $(@D)
	$(CC) $(SAN) $< $(O)/san/libtest.a $(UNIT_LIBS) -lcmocka -lZydis -o $@

# Code of ring 0, with fixups: test/unit/pv_machine.h.
$(filter $(O)/test/unit/test_pv_%,$(UNIT_BIN)): UNIT_LIBS = -no-pie

unit: $(UNIT_BIN) ## the unit tests alone
	CMOCKA_MESSAGE_OUTPUT=TAP prove -j2 $(UNIT_BIN)
.PHONY: unit
-include $(shell find $(O)/san -name '*.d' 2>/dev/null)
