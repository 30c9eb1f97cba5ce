/* The self-test's part for the processor: see promise.h. */
#include <stdint.h>

#include "boot/promise.h"
#include "cpu/cpu.h"
#include "cpu/fixup.h"
#include "cpu/fpu.h"
#include "cpu/timer.h"
#include "cpu/trap.h"
#include "mm/frames.h"
#include "mm/paging.h"

/* Not canonical: #GP and not #PF. Emulators let unknown MSRs pass, so that
 * nothing can be told by one. */
static bool faults_are_caught(void)
{
	uint64_t value;

	return rdmsr_safe(MSR_EFER, &value) &&
	       !probe_read(UINT64_C(1) << 62, &value);
}

static bool timer_is_not_early(void)
{
	uint64_t deadline = rdtsc() + host_tsc_khz; /* 1 ms */

	host_timer_arm(deadline);
	while (!host_timer_fired()) {
		if (rdtsc() > deadline + 1000 * host_tsc_khz)
			return false;
		host_take_interrupts();
	}
	return rdtsc() >= deadline;
}

static bool past_deadline_fires(void)
{
	host_timer_arm(rdtsc() - 1);
	host_idle();
	return host_timer_fired() && !host_timer_fired();
}

static bool stopped_timer_is_silent(void)
{
	uint64_t deadline = rdtsc() + host_tsc_khz;

	host_timer_arm(deadline);
	host_timer_stop();
	while (rdtsc() < deadline + host_tsc_khz)
		host_take_interrupts();
	return !host_timer_fired();
}

static bool fpu_state_survives(void)
{
	uint8_t *area;
	uint64_t in = 0x0123456789abcdef, out = 0;
	unsigned order = 0;
	hpa_t hpa;

	while (VMMU_PAGE_SIZE << order < fpu_area_size())
		order++;
	if (!frame_alloc_run(order, &hpa))
		return false;
	area = hpa_ptr(hpa);
	__asm__ volatile("movq %0, %%xmm5" : : "r"(in));
	fpu_save(area);
	fpu_reset();
	__asm__ volatile("movq %%xmm5, %0" : "=r"(out));
	if (out == 0) {
		fpu_restore(area);
		__asm__ volatile("movq %%xmm5, %0" : "=r"(out));
	}
	fpu_reset();
	frame_free(hpa, order);
	return out == in;
}

const struct promise selftest_cpu[] = {
	{ "an expected fault is caught", faults_are_caught },
	{ "the timer fires, not early", timer_is_not_early },
	{ "a past deadline fires at once", past_deadline_fires },
	{ "a stopped timer is silent", stopped_timer_is_silent },
	{ "FPU state is saved, reset, restored", fpu_state_survives },
	{ NULL, NULL },
};
