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
.PHONY: lib
-include $(LIB_OBJ:.o=.d)
