# The hypervisor: build/vmmu.elf, and an ISO that GRUB boots.

# Files that touch no hardware are also tested hosted.
HV_PURE_SRC := $(wildcard hv/dev/*.c hv/insn/*.c) \
               $(wildcard hv/load/*.c hv/vm/cpuid*.c hv/vm/msr.c hv/vm/cr.c \
                 hv/vm/event.c) \
               $(addprefix hv/vm/,config.c code.c guest.c access.c \
                 string_io.c stats.c tsc.c monitor.c monitor_info.c audit.c \
                 monitor_pages.c monitor_walk.c dirty.c insn_glue.c violation.c paging_exits.c cr_exits.c schemes.c exits.c loop.c) \
               $(addprefix hv/vmx/,controls.c qual.c check.c check_own.c \
                 pml.c) \
               $(wildcard hv/pv/*.c) hv/boot/multiboot.c hv/cpu/fmt.c \
               hv/mm/bitset.c hv/mm/buddy.c hv/mm/ranges.c

NM      ?= nm
OBJCOPY ?= objcopy

HV_SRC := $(wildcard hv/*/*.c)
# boot/link.ld.S and boot/wrap.S are the linker's, not the image's.
HV_ASM := $(filter-out hv/boot/link.ld.S hv/boot/wrap.S,$(wildcard hv/*/*.S))
HV_OBJ := $(HV_SRC:%.c=$(O)/%.o) $(HV_ASM:%.S=$(O)/%.o)

# Frame pointers are for the backtrace. Hidden visibility and -fPIE make all
# references relative, so that the image may live at its high address.
HV_CFLAGS := -std=c11 -ffreestanding -fPIE -fno-stack-protector -O2 -g \
             -mgeneral-regs-only -mno-red-zone -fcf-protection=none \
             -fno-asynchronous-unwind-tables -fno-omit-frame-pointer \
             -fno-optimize-sibling-calls -fvisibility=hidden $(WARN) \
             -Iinclude -Ihv -MMD -MP

# The exit path goes without frame pointers, which cost it four instructions a
# call: a backtrace skips these functions, and finds their callers.
HV_HOT := $(addprefix $(O)/hv/,svm/svm.o svm/state.o vm/loop.o vm/exits.o \
            vm/paging_exits.o vm/code.o pv/call.o pv/call_mmu.o pv/ptwr.o \
            pv/trap.o pv/bounce.o pv/emulate.o)
$(HV_HOT): HV_CFLAGS += -fomit-frame-pointer -foptimize-sibling-calls

$(O)/hv/%.o: hv/%.c mk/hv.mk
	@mkdir -p $(@D)
	$(CC) $(HV_CFLAGS) -c $< -o $@
$(O)/hv/%.o: hv/%.S mk/hv.mk
	@mkdir -p $(@D)
	$(CC) -Ihv -MMD -MP -c $< -o $@
$(O)/hv/link.ld: hv/boot/link.ld.S hv/mm/layout.h
	@mkdir -p $(@D)
	$(CC) -E -P -x assembler-with-cpp -Ihv $< -o $@

# Linked twice: the names of the first link's functions are the second's
# symbol table, which lies behind the text and so moves none of it.
# --no-relax: ld would turn loads from the GOT into 32-bit constants, which no
# address of ours is.
HV_LINK = $(LD) -static -z max-page-size=4096 -z noexecstack --build-id=none \
          --no-relax -T $(O)/hv/link.ld $(HV_OBJ)
$(O)/hv/names.o: hv/symbols.awk
	@mkdir -p $(@D)
	awk -f $< </dev/null >$(O)/hv/names.S
	$(CC) -c $(O)/hv/names.S -o $@
$(O)/hv/first.elf: $(HV_OBJ) $(O)/libvmmu.a $(O)/hv/link.ld $(O)/hv/names.o
	$(HV_LINK) $(O)/hv/names.o $(O)/libvmmu.a -o $@
$(O)/vmmu64.elf: $(O)/hv/first.elf
	$(NM) -n $< | awk -f hv/symbols.awk >$(O)/hv/symbols.S
	$(CC) -c $(O)/hv/symbols.S -o $(O)/hv/symbols.o
	$(HV_LINK) $(O)/hv/symbols.o $(O)/libvmmu.a -o $@

# QEMU's -kernel wants a 32-bit ELF file: the flat image, wrapped.
$(O)/vmmu.elf: $(O)/vmmu64.elf hv/boot/wrap.S
	$(OBJCOPY) -O binary --set-section-flags .bss=alloc,load,contents \
	        $< $(O)/hv/vmmu.bin
	$(CC) -m32 -c -DHV_FLAT='"$(O)/hv/vmmu.bin"' hv/boot/wrap.S \
	        -o $(O)/hv/wrap.o
	$(LD) -m elf_i386 -static -N -Ttext=0x100000 --no-warn-rwx-segments \
	        --section-start=.image=0x100000 $(O)/hv/wrap.o -o $@

all: $(O)/vmmu.elf
hv: $(O)/vmmu.elf ## build the hypervisor alone
.PHONY: hv

# make iso ISO_KERNEL=bzImage ISO_INITRD=initrd ISO_ARGS="mmu=nested -- ..."
ISO_KERNEL ?=
ISO_INITRD ?=
ISO_ARGS   ?=
iso: $(O)/vmmu.elf $(O)/vmmu ## an ISO for GRUB: ISO_KERNEL, ISO_INITRD, ISO_ARGS
	hv/boot/mkiso.sh $(O)/vmmu.elf $(O)/vmmu.iso "$(ISO_ARGS)" \
	        $(ISO_KERNEL) $(ISO_INITRD)
.PHONY: iso

-include $(HV_OBJ:.o=.d)
