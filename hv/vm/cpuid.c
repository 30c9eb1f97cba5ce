/*
 * The CPUID instruction of a guest.
 *
 *   leaf -> slot (by range: basic, 4000_0000h, 8000_0000h)
 *   slot + subleaf -> row -> EAX EBX ECX EDX, changed by vCPU state
 */
#include "vm/cpuid.h"

#include "vm/cpuid_bits.h"
#include "vm/cpuid_table.h"

uint32_t cpuid_xsave_size(const struct cpuid_table *t, uint64_t states)
{
	uint32_t size = 576, end;

	for (unsigned i = 2; i < CPUID_STATES; i++) {
		end = t->state_offset[i] + t->state_size[i];
		if (states >> i & 1 && end > size)
			size = end;
	}
	return size;
}

void cpuid_apply(const struct cpuid_table *t, unsigned dynamic,
		 uint32_t subleaf, const struct cpuid_dynamic *now,
		 uint32_t regs[4])
{
	switch ((enum cpuid_dynamic_kind)dynamic) {
	case STATIC:
		break;
	case DYNAMIC_1:
		regs[EBX] |= now->apic_id << 24;
		if (regs[ECX] & ID1C_XSAVE && now->cr4 & CR4_OSXSAVE)
			regs[ECX] |= ID1C_OSXSAVE;
		if (!now->apic_enabled)
			regs[EDX] &= ~ID1D_APIC;
		break;
	case DYNAMIC_7:
		if (subleaf == 0 && regs[ECX] & ID7C_PKU && now->cr4 & CR4_PKE)
			regs[ECX] |= ID7C_OSPKE;
		break;
	case DYNAMIC_TOPOLOGY:
		regs[ECX] |= subleaf & 0xff;
		regs[EDX] = now->apic_id;
		break;
	case DYNAMIC_XSAVE:
		if (subleaf == 0)
			regs[EBX] = cpuid_xsave_size(t, now->xcr0);
		break;
	case DYNAMIC_X1:
		if (!now->apic_enabled)
			regs[EDX] &= ~ID1D_APIC;
		break;
	case DYNAMIC_X1E:
		regs[EAX] = now->apic_id;
		regs[EBX] = now->apic_id & 0xff;
		break;
	}
}

static const struct cpuid_slot *find(const struct cpuid_table *t, uint32_t leaf)
{
	if (leaf < CPUID_BASIC)
		return leaf <= CPUID_BASIC_LAST ? &t->basic[leaf]
						: &t->basic[t->beyond];
	if (leaf - CPUID_EXTENDED_BASE < CPUID_EXTENDED &&
	    leaf <= t->row[t->extended[0].first][EAX])
		return &t->extended[leaf - CPUID_EXTENDED_BASE];
	if (leaf - CPUID_HYPERVISOR_BASE < CPUID_HYPERVISOR)
		return &t->hypervisor[leaf - CPUID_HYPERVISOR_BASE];
	return &t->basic[t->beyond];
}

unsigned cpuid_look_up(const struct cpuid_table *t, uint32_t leaf,
		       uint32_t subleaf, uint32_t regs[4])
{
	const struct cpuid_slot *s = find(t, leaf);
	uint32_t i = subleaf & s->indexed;
	const uint32_t *row;

	row = t->row[i < s->count ? s->first + i : 0];
	regs[EAX] = row[EAX];
	regs[EBX] = row[EBX];
	regs[ECX] = row[ECX];
	regs[EDX] = row[EDX];
	return s->dynamic;
}

void cpuid_query(const struct cpuid_table *t, uint32_t leaf, uint32_t subleaf,
		 const struct cpuid_dynamic *now, uint32_t regs[4])
{
	unsigned dynamic = cpuid_look_up(t, leaf, subleaf, regs);

	cpuid_apply(t, dynamic, subleaf, now, regs);
}

bool cpuid_xcr0_valid(const struct cpuid_table *t, uint64_t xcr0)
{
	if (!(xcr0 & XCR0_X87) || xcr0 & ~t->xcr0)
		return false;
	if (xcr0 & XCR0_AVX && !(xcr0 & XCR0_SSE))
		return false;
	return !(xcr0 & XCR0_AVX512) ||
	       ((xcr0 & XCR0_AVX512) == XCR0_AVX512 && xcr0 & XCR0_AVX);
}
