# The hypervisor. Files that touch no hardware are also tested hosted.
HV_PURE_SRC := $(wildcard hv/dev/*.c hv/insn/*.c) \
               $(wildcard hv/vm/cpuid.c hv/vm/msr.c)
