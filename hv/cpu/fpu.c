/*
 * See fpu.h. Intel SDM 1 13 (XSAVE), 10.5 (FXSAVE). XRSTOR from an area whose
 * header is zero puts every component into its initial configuration (13.6),
 * MXCSR excepted, which is loaded from the area.
 */
#include "cpu/fpu.h"

#include <stdalign.h>
#include <stdbool.h>

#include "cpu/cpu.h"

#define CPUID_1_XSAVE (1u << 26)
#define FXSAVE_SIZE   512u
#define XCR0_X87      UINT64_C(1)
#define XCR0_PKRU     (UINT64_C(1) << 9)
#define MXCSR_RESET   0x1f80u
#define FCW_INIT      0x037fu

static uint64_t xcr0_mask; /* 0: FXSAVE only */
static size_t area_size = FXSAVE_SIZE;

void fpu_init(void)
{
	struct cpuid_regs r;

	write_cr0((read_cr0() & ~(CR0_EM | CR0_TS)) | CR0_MP | CR0_NE);
	write_cr4(read_cr4() | CR4_OSFXSR | CR4_OSXMMEXC);
	if (!(cpuid(1, 0).ecx & CPUID_1_XSAVE))
		return;
	write_cr4(read_cr4() | CR4_OSXSAVE);
	r = cpuid(0xd, 0);
	xcr0_mask = (uint64_t)r.edx << 32 | r.eax;
	area_size = (r.ecx + 63u) & ~63u; /* with all components on */
	xsetbv(0, xcr0_mask);
	/* RDPKRU needs it: the guest's keys are asked for at its exits. It
	 * binds nothing of ours, which has no user pages (SDM 3A 4.6.2). */
	if (xcr0_mask & XCR0_PKRU)
		write_cr4(read_cr4() | CR4_PKE);
}

uint64_t fpu_xcr0_mask(void)
{
	return xcr0_mask;
}

size_t fpu_area_size(void)
{
	return area_size;
}

void fpu_save(void *area)
{
	uint64_t xcr0;

	if (xcr0_mask == 0) {
		__asm__ volatile("fxsave64 (%0)" : : "r"(area) : "memory");
		return;
	}
	xcr0 = xgetbv(0);
	xsetbv(0, xcr0_mask);
	__asm__ volatile("xsave64 (%0)"
			 :
			 : "r"(area), "a"(UINT32_MAX), "d"(UINT32_MAX)
			 : "memory");
	xsetbv(0, xcr0);
}

void fpu_restore(const void *area)
{
	uint64_t xcr0;

	if (xcr0_mask == 0) {
		__asm__ volatile("fxrstor64 (%0)" : : "r"(area) : "memory");
		return;
	}
	xcr0 = xgetbv(0);
	xsetbv(0, xcr0_mask);
	__asm__ volatile("xrstor64 (%0)"
			 :
			 : "r"(area), "a"(UINT32_MAX), "d"(UINT32_MAX)
			 : "memory");
	xsetbv(0, xcr0);
}

void fpu_reset(void)
{
	/* The legacy area, 24 bytes in: MXCSR. XRSTOR's header follows it. */
	static alignas(64) uint8_t initial[FXSAVE_SIZE + 64];
	uint32_t mxcsr = MXCSR_RESET;
	uint16_t fcw = FCW_INIT;

	__builtin_memcpy(initial, &fcw, sizeof(fcw));
	__builtin_memcpy(initial + 24, &mxcsr, sizeof(mxcsr));
	fpu_restore(initial);
	if (xcr0_mask != 0)
		xsetbv(0, XCR0_X87);
}
