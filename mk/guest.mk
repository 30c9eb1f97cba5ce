# What runs inside: a Linux userland, and small bare-metal Multiboot guests.
GUEST_SRC := $(wildcard guest/*.c)
GUEST_OBJ := $(GUEST_SRC:%.c=$(O)/%.o)
BUSYBOX   ?= /bin/busybox

$(O)/guest/%.o: guest/%.c
	@mkdir -p $(@D)
	$(CC) $(HOST_CFLAGS) -fno-pie -c $< -o $@
$(O)/guest/init: $(GUEST_OBJ)
	$(CC) -static $^ -o $@

# Names sorted and times fixed: the same input packs to the same image.
$(O)/guest/initrd.cpio.gz: $(O)/guest/init $(BUSYBOX)
	@rm -rf $(O)/guest/root
	@mkdir -p $(O)/guest/root/bin $(O)/guest/root/dev
	cp $(O)/guest/init $(O)/guest/root/init
	strip $(O)/guest/root/init
	cp $(BUSYBOX) $(O)/guest/root/bin/busybox
	ln -s busybox $(O)/guest/root/bin/sh
	find $(O)/guest/root -exec touch -h -d @0 {} +
	cd $(O)/guest/root && find . | LC_ALL=C sort | \
	 cpio --quiet --reproducible -o -H newc -R 0:0 | \
	 gzip -9n >../initrd.cpio.gz
-include $(GUEST_OBJ:.o=.d)
all: guest
guest: $(O)/guest/initrd.cpio.gz ## pack the guest image and test guests
.PHONY: guest

# Each C file but the shared ones is one guest.
MB_SHARED := lib paging
MB_NAMES  := $(filter-out $(MB_SHARED),\
               $(basename $(notdir $(wildcard guest/multiboot/*.c))))
MB_DIR    := $(O)/guest/multiboot
MB_ELF    := $(MB_NAMES:%=$(O)/guest/%.elf)
MB_CFLAGS := -std=c11 -m32 -march=i686 -ffreestanding -fno-pie -O2 -g \
             -fno-stack-protector -mgeneral-regs-only -fcf-protection=none \
             -fno-asynchronous-unwind-tables $(WARN) -MMD -MP

$(MB_DIR)/%.o: guest/multiboot/%.c
	@mkdir -p $(@D)
	$(CC) $(MB_CFLAGS) -c $< -o $@
$(MB_DIR)/start.o: guest/multiboot/start.S
	@mkdir -p $(@D)
	$(CC) -m32 -c $< -o $@
$(MB_ELF): $(O)/guest/%.elf: $(MB_DIR)/start.o $(MB_DIR)/%.o \
           $(MB_SHARED:%=$(MB_DIR)/%.o) guest/multiboot/link.ld
	$(CC) -m32 -static -nostdlib -Wl,--build-id=none \
	 -Wl,-z,noexecstack -Wl,-T,guest/multiboot/link.ld $(filter %.o,$^) -o $@
guest: $(MB_ELF)
-include $(wildcard $(MB_DIR)/*.d)

# One guest of many parts, with the hosted proofs' prediction in it.
PERMUTE_OBJ := $(patsubst %,$(O)/guest/permute/%.o,\
                 $(basename $(notdir $(wildcard guest/permute/*.[cS])))) \
               $(O)/guest/permute/predict.o $(MB_DIR)/start.o $(MB_DIR)/lib.o
PERMUTE_FLAGS := $(MB_CFLAGS) -Iguest -I.

$(O)/guest/permute/%.o: guest/permute/%.c
	@mkdir -p $(@D)
	$(CC) $(PERMUTE_FLAGS) -c $< -o $@
$(O)/guest/permute/%.o: guest/permute/%.S
	@mkdir -p $(@D)
	$(CC) -m32 -c $< -o $@
$(O)/guest/permute/predict.o: test/diff/predict.c
	@mkdir -p $(@D)
	$(CC) $(PERMUTE_FLAGS) -c $< -o $@
$(O)/guest/permute.elf: $(PERMUTE_OBJ) guest/multiboot/link.ld
	$(CC) -m32 -static -nostdlib -Wl,--build-id=none \
	 -Wl,-z,noexecstack -Wl,-T,guest/multiboot/link.ld $(filter %.o,$^) -o $@
guest: $(O)/guest/permute.elf
-include $(wildcard $(O)/guest/permute/*.d)

# Small paravirtual guests: 64 bits, in ring 3, seen where Linux is.
PV_NAMES  := $(filter-out lib,$(basename $(notdir $(wildcard guest/pv/*.c))))
PV_DIR    := $(O)/guest/pv
PV_ELF    := $(PV_NAMES:%=$(O)/guest/%.elf)
PV_CFLAGS := -std=c11 -ffreestanding -fno-pie -mcmodel=kernel -mno-red-zone \
             -O2 -g -fno-stack-protector -mgeneral-regs-only \
             -fcf-protection=none -fno-asynchronous-unwind-tables $(WARN) \
             -MMD -MP

$(PV_DIR)/%.o: guest/pv/%.c
	@mkdir -p $(@D)
	$(CC) $(PV_CFLAGS) -c $< -o $@
$(PV_DIR)/start.o: guest/pv/start.S
	@mkdir -p $(@D)
	$(CC) -c $< -o $@
$(PV_ELF): $(O)/guest/%.elf: $(PV_DIR)/start.o $(PV_DIR)/lib.o $(PV_DIR)/%.o \
           guest/pv/link.ld
	$(CC) -static -nostdlib -no-pie -Wl,--build-id=none \
	 -Wl,-z,noexecstack -Wl,-z,max-page-size=4096 \
	 -Wl,--no-warn-rwx-segments -Wl,-T,guest/pv/link.ld $(filter %.o,$^) \
	 -o $@
guest: $(PV_ELF)
-include $(wildcard $(PV_DIR)/*.d)
