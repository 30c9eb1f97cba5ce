/*
 * See apic.h. Intel SDM 3A 11.4 (registers), 11.5.1 (local vector table),
 * 11.9 (spurious vector), 11.12 (x2APIC: register r is MSR 0x800 + r / 16).
 */
#include "cpu/apic.h"

#include "cpu/cpu.h"
#include "cpu/print.h"
#include "cpu/trap.h"
#include "mm/paging.h"

#define BASE_ENABLE (UINT64_C(1) << 11)
#define BASE_X2APIC (UINT64_C(1) << 10)
#define BASE_ADDR   UINT64_C(0x000ffffffffff000)
#define X2APIC_MSR  0x800u
#define SVR_ENABLE  0x100u
#define LVT_MASKED  0x10000u
#define LVT_EXTINT  0x700u
#define LVT_NMI	    0x400u

static volatile uint32_t *registers; /* NULL: x2APIC */

uint32_t apic_read(enum apic_register r)
{
	if (registers == NULL)
		return (uint32_t)rdmsr(X2APIC_MSR + (uint32_t)r / 16);
	return registers[(uint32_t)r / 4];
}

void apic_write(enum apic_register r, uint32_t value)
{
	if (registers == NULL)
		wrmsr(X2APIC_MSR + (uint32_t)r / 16, value);
	else
		registers[(uint32_t)r / 4] = value;
}

void apic_eoi(void)
{
	apic_write(APIC_EOI, 0);
}

void apic_init(void)
{
	uint64_t base = rdmsr(MSR_APIC_BASE);

	if (!(base & BASE_X2APIC)) {
		wrmsr(MSR_APIC_BASE, base | BASE_ENABLE);
		registers = paging_map_device(mk_hpa(base & BASE_ADDR), 4096);
		if (registers == NULL)
			panic("no memory to map the local APIC");
	}
	apic_write(APIC_TPR, 0);
	apic_write(APIC_LVT_TIMER, LVT_MASKED);
	apic_write(APIC_LVT_ERROR, LVT_MASKED);
	apic_write(APIC_LVT_LINT0, LVT_EXTINT);
	apic_write(APIC_LVT_LINT1, LVT_NMI);
	apic_write(APIC_SVR, SVR_ENABLE | VECTOR_SPURIOUS);
}
