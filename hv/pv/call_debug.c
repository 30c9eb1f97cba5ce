/*
 * Debug registers of the guest: they are the processor's own. A breakpoint on
 * an address of the hypervisor's would tell the guest when it gets there, or
 * make #DB where nobody expects it, so there is none; general detect would
 * make our own MOVs trap. SDM 3B 17.2.
 */
#include "pv/pv.h"

#define DR7_GD	  0x2000u
#define DR7_FIXED 0x400u
#define DR7_MAY	  UINT64_C(0xffff03ff)
#define DR6_FIXED UINT64_C(0xffff0ff0)

static void load_debug(unsigned n, uint64_t value)
{
	switch (n) {
	case 0:
		__asm__ volatile("movq %0, %%dr0" : : "r"(value));
		break;
	case 1:
		__asm__ volatile("movq %0, %%dr1" : : "r"(value));
		break;
	case 2:
		__asm__ volatile("movq %0, %%dr2" : : "r"(value));
		break;
	case 3:
		__asm__ volatile("movq %0, %%dr3" : : "r"(value));
		break;
	case 6:
		__asm__ volatile("movq %0, %%dr6" : : "r"(value));
		break;
	default:
		__asm__ volatile("movq %0, %%dr7" : : "r"(value));
		break;
	}
}

static uint64_t read_dr6(void)
{
	uint64_t value;

	__asm__ volatile("movq %%dr6, %0" : "=r"(value));
	return value;
}

/* I/O breakpoints have no meaning for a guest without ports. */
static bool dr7_is_good(uint64_t value)
{
	if (value & ~DR7_MAY)
		return false;
	for (unsigned i = 0; i < 4; i++)
		if ((value >> (16 + 4 * i) & 3) == 2)
			return false;
	return true;
}

long pv_set_debugreg(uint64_t n, uint64_t value, uint64_t a3, uint64_t a4,
		     uint64_t a5, struct pv_cpu *c)
{
	(void)a3, (void)a4, (void)a5;
	if (n < 4) {
		if (!pv_range_ok(value, 8))
			return -XEN_EPERM;
	} else if (n == 6) {
		value = (value & 0xe00f) | DR6_FIXED;
	} else if (n == 7) {
		value &= ~(uint64_t)DR7_FIXED;
		if (value & DR7_GD || !dr7_is_good(value))
			return -XEN_EPERM;
		value |= DR7_FIXED;
	} else {
		return -XEN_EINVAL;
	}
	c->debug[n] = value;
	load_debug((unsigned)n, value);
	return 0;
}

long pv_get_debugreg(uint64_t n, uint64_t a2, uint64_t a3, uint64_t a4,
		     uint64_t a5, struct pv_cpu *c)
{
	(void)a2, (void)a3, (void)a4, (void)a5;
	if (n == 6)
		return (long)read_dr6();
	if (n < 4 || n == 7)
		return (long)c->debug[n];
	return -XEN_EINVAL;
}
