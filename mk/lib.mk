# libvmmu: freestanding, no libc but memcpy, memset and memcmp.
LIB_SRC    := $(wildcard lib/*/*.c)
LIB_OBJ    := $(LIB_SRC:%.c=$(O)/%.o)
# -mgeneral-regs-only: a hypervisor must not touch the guest's FPU state.
LIB_CFLAGS := -std=c11 -ffreestanding -fPIE -fno-stack-protector -O2 -g \
              -mgeneral-regs-only -mno-red-zone -fcf-protection=none \
              -fvisibility=hidden $(WARN) -Iinclude -Ilib -MMD -MP

$(O)/lib/%.o: lib/%.c
	@mkdir -p $(@D)
	$(CC) $(LIB_CFLAGS) -c $< -o $@
$(O)/libvmmu.a: $(LIB_OBJ)
	@rm -f $@
	$(AR) rcs $@ $^
all: $(O)/libvmmu.a
lib: $(O)/libvmmu.a ## build libvmmu.a alone
-include $(LIB_OBJ:.o=.d)

# Both compilers, and the library stands on its own: what it needs from
# outside is three functions, and it keeps no state in globals.
FREE_CC     := gcc clang
FREE_MERGED := $(FREE_CC:%=$(O)/freestanding/%.o)
FREE_OBJ     = $(LIB_SRC:%.c=$(O)/freestanding/$(1)/%.o)

$(foreach cc,$(FREE_CC),$(call FREE_OBJ,$(cc))): Makefile mk/lib.mk
$(O)/freestanding/gcc/%.o: %.c
	@mkdir -p $(@D)
	gcc $(LIB_CFLAGS) -c $< -o $@
$(O)/freestanding/clang/%.o: %.c
	@mkdir -p $(@D)
	clang $(LIB_CFLAGS) -c $< -o $@
$(O)/freestanding/gcc.o: $(call FREE_OBJ,gcc)
$(O)/freestanding/clang.o: $(call FREE_OBJ,clang)
$(FREE_MERGED):
	ld -r $^ -o $@
-include $(foreach cc,$(FREE_CC),$(patsubst %.o,%.d,$(call FREE_OBJ,$(cc))))

freestanding: $(FREE_MERGED) ## the library needs no libc and has no globals
	@test/freestanding.sh $^
layers: ## includes point one way only
	@test/layers.sh

# Instructions per operation, against what must be reached.
BENCH_BIN := $(patsubst bench/%.c,$(O)/bench/%,$(wildcard bench/bench_*.c))

$(O)/bench/%: bench/%.c $(O)/libvmmu.a
	@mkdir -p $(@D)
	$(CC) $(HOST_CFLAGS) $< $(O)/libvmmu.a -o $@
-include $(BENCH_BIN:=.d)

bench-lib: $(BENCH_BIN) ## instructions per operation of the library
	@bench/callgrind.py $(O)

# Where `make install` puts headers, library and pkg-config file.
PREFIX  ?= /usr/local
DESTDIR ?=

install: $(O)/libvmmu.a
	install -d $(DESTDIR)$(PREFIX)/include/vmmu \
	 $(DESTDIR)$(PREFIX)/lib/pkgconfig
	install -m 644 include/vmmu/*.h $(DESTDIR)$(PREFIX)/include/vmmu
	install -m 644 $(O)/libvmmu.a $(DESTDIR)$(PREFIX)/lib
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@VERSION@|$(VERSION)|' \
	 mk/vmmu.pc.in > $(DESTDIR)$(PREFIX)/lib/pkgconfig/vmmu.pc

CHECK_MAKE += freestanding layers
CHECK_TAP  += test/install.t
.PHONY: lib freestanding layers bench-lib install
