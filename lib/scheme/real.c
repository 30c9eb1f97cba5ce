/*
 * The registers that the processor runs a guest with, when it walks a table
 * of ours instead of the guest's.
 *
 *   guest's paging mode      table walked       real PG PAE LMA LA57
 *   off, 32-bit, PAE         PAE                      1   1   0    0
 *   4-level                  4-level                  1   1   1    0
 *   5-level                  5-level                  1   1   1    1
 *
 * Always WP, so that a supervisor's write to a page without W comes to us
 * whatever the guest's WP is, and NXE, so that NX may be used and fetches are
 * reported as such. PCIDE never: the root is one. SMEP, SMAP and the keys are
 * as the guest has them, because the table has the guest's U bits and keys;
 * but while the guest's paging is off all pages are both user's and
 * supervisor's, and nothing of the kind applies (SDM 3A 4.1.1, 4.6).
 *
 * An AMD processor runs a guest in real mode with PG and without PE: paged
 * real mode, APM 2 15.9. PE is therefore the guest's.
 */
#include "scheme/real.h"

#define LONG_MODE (VMMU_EFER_LME | VMMU_EFER_LMA)
#define OF_PAGING (VMMU_CR4_SMEP | VMMU_CR4_SMAP | VMMU_CR4_PKE | VMMU_CR4_PKS)

const struct pt_format *real_format(const struct vmmu_mode *mode)
{
	if (mode->format == &pt_x86_64 || mode->format == &pt_x86_la57)
		return mode->format;
	return &pt_x86_pae;
}

void vmmu_cpu_real_regs(const struct vmmu_cpu *cpu, struct vmmu_regs *real)
{
	const struct pt_format *format = real_format(&cpu->mode);

	*real = cpu->mode.regs;
	if (cpu->scheme->needs & VMMU_NEEDS_SECOND)
		return;
	real->cr0 |= VMMU_CR0_PG | VMMU_CR0_WP;
	real->cr3 = cpu->root.v;
	real->cr4 &= ~(VMMU_CR4_PCIDE | VMMU_CR4_LA57);
	real->cr4 |= VMMU_CR4_PAE;
	if (format == &pt_x86_la57)
		real->cr4 |= VMMU_CR4_LA57;
	if (!cpu->mode.format)
		real->cr4 &= ~OF_PAGING;
	real->efer = (real->efer & ~LONG_MODE) | VMMU_EFER_NXE;
	if (format != &pt_x86_pae)
		real->efer |= LONG_MODE;
}
