/*
 * A processor in ring 0, for code of hv/pv that runs hosted, in ring 3: what it
 * must not execute is a signal, and is carried out here on registers that a
 * test can look at. What faults for any other reason goes on where the fixup
 * table says, as in the hypervisor.
 *
 * The table is found in the program's own section headers: its name is none
 * that the linker makes symbols of. Such tests are linked at fixed addresses.
 */
#ifndef TEST_UNIT_PV_MACHINE_H
#define TEST_UNIT_PV_MACHINE_H

#include <elf.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <ucontext.h>
#include <unistd.h>

#include "insn/emulate.h"
#include "mm/layout.h"

#define MACHINE_MSRS 16u

static struct machine {
	uint64_t cr[16], dr[16], xcr0;
	struct {
		uint32_t number;
		uint64_t value;
	} msr[MACHINE_MSRS];
	unsigned msrs;
	uint64_t invlpg_at;
	unsigned invlpgs, cr3_loads, lldts;
	unsigned faults;   /* that a fixup took */
	unsigned trespass; /* accesses to the hypervisor's half */
	const struct machine_fixup {
		uint64_t at, go_on;
	} * fixup;
	size_t fixups;
} machine;

/* 1. Registers. */

static inline uint64_t *machine_msr(uint32_t number)
{
	for (unsigned i = 0; i < machine.msrs; i++)
		if (machine.msr[i].number == number)
			return &machine.msr[i].value;
	if (machine.msrs == MACHINE_MSRS)
		abort();
	machine.msr[machine.msrs].number = number;
	return &machine.msr[machine.msrs++].value;
}

static inline greg_t *machine_gpr(ucontext_t *c, unsigned n)
{
	static const int at[16] = { REG_RAX, REG_RCX, REG_RDX, REG_RBX,
				    REG_RSP, REG_RBP, REG_RSI, REG_RDI,
				    REG_R8,  REG_R9,  REG_R10, REG_R11,
				    REG_R12, REG_R13, REG_R14, REG_R15 };

	return &c->uc_mcontext.gregs[at[n & 15]];
}

static inline void machine_edx_eax(ucontext_t *c, uint64_t value)
{
	*machine_gpr(c, 0) = (greg_t)(value & UINT32_MAX);
	*machine_gpr(c, 2) = (greg_t)(value >> 32);
}

static inline uint64_t machine_from_edx_eax(ucontext_t *c)
{
	return (uint64_t)*machine_gpr(c, 2) << 32 |
	       (uint32_t)*machine_gpr(c, 0);
}

/* 2. Instructions: MOV of CRs and DRs, INVLPG, RDMSR, WRMSR, XSETBV, LLDT,
 * SWAPGS. */

static inline bool machine_swap_gs(void)
{
	uint64_t *now = machine_msr(0xc0000101);
	uint64_t *other = machine_msr(0xc0000102), base = *now;

	*now = *other;
	*other = base;
	return true;
}

static inline void machine_move(ucontext_t *c, const struct insn *in,
				uint64_t *reg, bool write)
{
	greg_t *gpr = machine_gpr(c, in->rm);

	if (write)
		reg[in->reg & 15] = (uint64_t)*gpr;
	else
		*gpr = (greg_t)reg[in->reg & 15];
}

static inline bool machine_carry_out(ucontext_t *c, const struct insn *in)
{
	if (in->map != INSN_MAP_0F)
		return false;
	switch (in->opcode) {
	case 0x00: /* LLDT */
		machine.lldts++;
		return (in->reg & 7) == 2;
	case 0x01:
		if (in->has_mem && (in->reg & 7) == 7) {
			machine.invlpgs++;
			machine.invlpg_at = (uint64_t)*machine_gpr(
				c, in->base < 16 ? in->base : 0);
			return true;
		}
		if (!in->has_mem && (in->reg & 7) == 7 && !(in->rm & 7))
			return machine_swap_gs();
		machine.xcr0 = machine_from_edx_eax(c);
		return !in->has_mem && (in->reg & 7) == 2 && (in->rm & 7) == 1;
	case 0x20:
		machine_move(c, in, machine.cr, false);
		return true;
	case 0x21:
		machine_move(c, in, machine.dr, false);
		return true;
	case 0x22:
		machine_move(c, in, machine.cr, true);
		machine.cr3_loads += (in->reg & 15) == 3;
		return true;
	case 0x23:
		machine_move(c, in, machine.dr, true);
		return true;
	case 0x30:
		*machine_msr((uint32_t)*machine_gpr(c, 1)) =
			machine_from_edx_eax(c);
		return true;
	case 0x32:
		machine_edx_eax(c, *machine_msr((uint32_t)*machine_gpr(c, 1)));
		return true;
	default:
		return false;
	}
}

static inline bool machine_execute(ucontext_t *c)
{
	greg_t *rip = &c->uc_mcontext.gregs[REG_RIP];
	struct insn in;

	if (insn_decode(&in, (const uint8_t *)*rip, 15, INSN_64) != INSN_OK ||
	    !machine_carry_out(c, &in))
		return false;
	*rip += in.length;
	return true;
}

static inline void machine_signal(int number, siginfo_t *info, void *context)
{
	ucontext_t *c = context;
	greg_t *rip = &c->uc_mcontext.gregs[REG_RIP];

	if (machine_execute(c))
		return;
	machine.trespass += (uint64_t)info->si_addr - HV_IMAGE_BASE <
			    HV_END - HV_IMAGE_BASE;
	for (size_t i = 0; i < machine.fixups; i++)
		if (machine.fixup[i].at == (uint64_t)*rip) {
			machine.faults++;
			*rip = (greg_t)machine.fixup[i].go_on;
			return;
		}
	signal(number, SIG_DFL);
}

/* 3. Copying to and from guests is assembly in the hypervisor. */
__asm__(".globl pv_copy\n"
	"pv_copy:\n\t"
	"movq	%rdx, %rcx\n"
	"1:	rep movsb\n"
	"2:	movq	%rcx, %rax\n\t"
	"ret\n\t"
	".pushsection .fixup_table, \"a\"\n\t"
	".quad	1b, 2b\n\t"
	".popsection");

/* 4. The beginning. */

static inline const Elf64_Shdr *machine_section(const uint8_t *file,
						const char *name)
{
	const Elf64_Ehdr *e = (const void *)file;
	const Elf64_Shdr *s = (const void *)(file + e->e_shoff);
	const char *names = (const char *)file + s[e->e_shstrndx].sh_offset;

	for (unsigned i = 0; i < e->e_shnum; i++)
		if (strcmp(names + s[i].sh_name, name) == 0)
			return &s[i];
	return NULL;
}

/* In each function that a framework calls: it has handlers of its own. */
static inline void machine_take(void)
{
	const struct sigaction action = { .sa_sigaction = machine_signal,
					  .sa_flags = SA_SIGINFO };

	sigaction(SIGSEGV, &action, NULL);
}

static inline void machine_start(void)
{
	int self = open("/proc/self/exe", O_RDONLY);
	const Elf64_Shdr *s;
	struct stat about;
	uint8_t *file;

	if (self < 0 || fstat(self, &about))
		abort();
	file = mmap(NULL, (size_t)about.st_size, PROT_READ, MAP_PRIVATE, self,
		    0);
	s = file == MAP_FAILED ? NULL : machine_section(file, ".fixup_table");
	if (!s)
		abort();
	memset(&machine, 0, sizeof(machine));
	machine.fixup = (const void *)(uintptr_t)s->sh_addr;
	machine.fixups = s->sh_size / sizeof(machine.fixup[0]);
	munmap(file, (size_t)about.st_size);
	close(self);
	machine_take();
}

#endif
