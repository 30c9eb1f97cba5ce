/*
 * See selftest.h. One function for each promise; each says true or false,
 * and leaves all as it was.
 */
#include "boot/selftest.h"

#include <string.h>

#include "cpu/apic.h"
#include "cpu/cpu.h"
#include "cpu/end.h"
#include "cpu/fixup.h"
#include "cpu/fpu.h"
#include "cpu/print.h"
#include "cpu/stack.h"
#include "cpu/trap.h"
#include "mm/frames.h"
#include "mm/image.h"
#include "mm/paging.h"
#include "mm/space.h"

#define MIB (UINT64_C(1) << 20)

/* 1. Our own address space. */

static bool tables_keep_invariants(void)
{
	return paging_check() == 0;
}

static bool text_refuses_writes(void)
{
	uint64_t word;

	return probe_read((uintptr_t)image_text, &word) &&
	       !probe_write((uintptr_t)image_text, word);
}

static bool rodata_refuses_writes(void)
{
	return !probe_write((uintptr_t)image_text_end, 0);
}

static bool image_has_no_alias(void)
{
	uint64_t word;

	return !probe_read((uintptr_t)hpa_ptr(image_hpa(image_text)), &word);
}

static bool low_half_is_empty(void)
{
	uint64_t word;

	return !probe_read(0, &word) && !probe_read(IMAGE_LOAD, &word);
}

static bool stack_has_guard(void)
{
	uint64_t bottom = (uintptr_t)&bottom & ~(STACK_SIZE - 1);
	uint64_t word;

	return stack_is_guard(bottom - 8) && !stack_is_guard(bottom) &&
	       !probe_read(bottom - 8, &word) && probe_read(bottom, &word);
}

/* 2. Memory. */

static bool frames_keep_invariants(void)
{
	return frames_check() == NULL;
}

static bool frames_come_back_clean(void)
{
	uint64_t before = frames_free();
	hpa_t hpa;

	if (!frame_alloc_run(3, &hpa))
		return false;
	memset(hpa_ptr(hpa), 0xa5, 8 * VMMU_PAGE_SIZE);
	frame_free(mk_hpa(hpa.v + 4 * VMMU_PAGE_SIZE), 2);
	frame_free(hpa, 2);
	return frames_free() == before && frames_check() == NULL;
}

static bool space_writes_reach_memory(hva_t hva)
{
	struct vmmu_extent e;
	uint64_t word;

	if (probe_read(hva.v, &word))
		return false; /* nothing was asked for yet */
	if (space_resolve(hva, VMMU_W, &e) != VMMU_RESOLVE_OK)
		return false;
	*(volatile uint64_t *)hva.v = 0x5a;
	return *(uint64_t *)hpa_ptr(mk_hpa(e.hpa.v + (hva.v - e.hva.v))) ==
	       0x5a;
}

/* 100 MiB: a whole chunk, and an end that must do with less. */
static bool space_gives_and_takes_back(void)
{
	uint64_t frames = frames_free() + paging_table_pages();
	uint64_t held = space_given();
	hva_t hva, end;
	bool good;

	if (!space_reserve(100 * MIB, &hva))
		return false;
	end = mk_hva(hva.v + 100 * MIB - VMMU_PAGE_SIZE);
	good = space_writes_reach_memory(hva) && space_writes_reach_memory(end);
	space_release(mk_hva(hva.v + VMMU_PAGE_SIZE), VMMU_PAGE_SIZE);
	good = good &&
	       space_writes_reach_memory(mk_hva(hva.v + VMMU_PAGE_SIZE));
	space_unreserve(hva);
	return good && space_given() == held &&
	       frames_free() + paging_table_pages() <= frames &&
	       frames_check() == NULL;
}

static bool space_refuses_strangers(void)
{
	struct vmmu_extent e;

	return space_resolve(mk_hva(HV_SPACE_END - VMMU_PAGE_SIZE), VMMU_R,
			     &e) == VMMU_RESOLVE_NONE &&
	       space_resolve(mk_hva(0), VMMU_R, &e) == VMMU_RESOLVE_NONE;
}

/* 3. The processor. */

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

struct promise {
	const char *sentence;
	bool (*holds)(void);
};

static const struct promise promises[] = {
	{ "own page tables keep P1 to P3", tables_keep_invariants },
	{ "text refuses writes", text_refuses_writes },
	{ "read-only data refuses writes", rodata_refuses_writes },
	{ "the image has no second address", image_has_no_alias },
	{ "the low half is empty", low_half_is_empty },
	{ "the stack has a guard page", stack_has_guard },
	{ "free frames keep F1 and F2", frames_keep_invariants },
	{ "frames come back clean, in pieces", frames_come_back_clean },
	{ "a space gives memory and takes it back",
	  space_gives_and_takes_back },
	{ "a space refuses strangers", space_refuses_strangers },
	{ "an expected fault is caught", faults_are_caught },
	{ "the timer fires, not early", timer_is_not_early },
	{ "a past deadline fires at once", past_deadline_fires },
	{ "a stopped timer is silent", stopped_timer_is_silent },
	{ "FPU state is saved, reset, restored", fpu_state_survives },
};

static noreturn void run_all(void)
{
	unsigned count = sizeof(promises) / sizeof(promises[0]);
	unsigned i, passed = 0;
	bool holds;

	for (i = 0; i < count; i++) {
		holds = promises[i].holds();
		say("selftest: %s: %s", holds ? "ok" : "FAILED",
		    promises[i].sentence);
		passed += holds;
	}
	say("selftest: %u passed, %u failed", passed, count - passed);
	machine_end(passed == count ? 0 : MACHINE_END_SELF_TEST);
}

/* 4. Crashes on purpose, to see the dump. */

static void crash_ud(void)
{
	__asm__ volatile("ud2");
}

static void crash_pf(void)
{
	*(volatile uint64_t *)0xdeadbeef000 = 1;
}

/* The frames are real: each has its own words, which the next one reads. */
static __attribute__((noinline)) uint64_t crash_stack(volatile uint64_t *above)
{
	volatile uint64_t mine[32] = { *above };

	if (*above == 0)
		return 0; /* never, but the compiler cannot know */
	return crash_stack(mine) + mine[0];
}

struct crash {
	char how[8];
	void (*go)(void);
};

static void crash_stack_start(void)
{
	volatile uint64_t word = 1;

	crash_stack(&word);
}

static const struct crash crashes[] = {
	{ "ud", crash_ud },
	{ "pf", crash_pf },
	{ "stack", crash_stack_start },
};

static void crash(const char *how)
{
	const struct crash *c = crashes;

	for (; c < crashes + sizeof(crashes) / sizeof(crashes[0]); c++) {
		if (memcmp(how, c->how, sizeof(c->how)) == 0)
			c->go();
	}
	panic("crash=%s is not known", how);
}

void selftest_maybe(const struct boot_info *boot)
{
	char how[8] = "";

	if (boot_option(boot, "crash", how, sizeof(how)))
		crash(how);
	if (boot_flag(boot, "selftest"))
		run_all();
}
