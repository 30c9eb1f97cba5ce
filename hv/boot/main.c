/*
 * Brings the machine up, in the order in which each step needs those before
 * it, and hands over:
 *
 *  1. report channel, descriptor tables: from here on a fault is reported;
 *  2. what the boot loader says, memory, our own page tables;
 *  3. stacks with guard pages, and onto the first of them;
 *  4. FPU, interrupt controllers, clock;
 *  5. the self-test, when asked for; the VMs.
 */
#include "boot/main.h"

#include "boot/selftest.h"
#include "cpu/apic.h"
#include "cpu/desc.h"
#include "cpu/end.h"
#include "cpu/fpu.h"
#include "cpu/pic.h"
#include "cpu/print.h"
#include "cpu/stack.h"
#include "mm/frames.h"
#include "mm/paging.h"
#include "vm/main.h"

static struct boot_info boot;

/* While the boot tables are in force: at most 4 GiB, and never address 0. */
static const void *boot_at(void *ctx, uint64_t hpa, uint64_t size)
{
	(void)ctx;
	if (hpa == 0 || hpa >= HV_BOOT_LIMIT || size > HV_BOOT_LIMIT - hpa)
		return NULL;
	return hpa_ptr(mk_hpa(hpa));
}

static void memory_up(uint32_t magic, uint32_t info)
{
	const struct boot_reader reader = { .at = boot_at };
	const char *wrong = multiboot_parse(magic, info, &reader, &boot);

	if (wrong == NULL)
		wrong = frames_init(&boot);
	if (wrong != NULL)
		panic("%s", wrong);
	paging_init();
	frames_add_high();
}

static uint64_t new_stack(void)
{
	uint64_t top;

	if (!stack_make(&top))
		panic("no memory for stacks");
	return top;
}

static noreturn void main_on_stack(void)
{
	fpu_init();
	host_pic_init();
	apic_init();
	timer_init();
	say("%lu MiB free of %lu MiB, TSC %lu kHz",
	    frames_free() * VMMU_PAGE_SIZE >> 20,
	    ranges_total(frames_ram()) >> 20, host_tsc_khz);
	selftest_maybe(&boot);
	machine_end(vm_main(&boot));
}

noreturn void hv_main(uint32_t magic, uint32_t info)
{
	unsigned ist;

	serial_init();
	desc_init();
	memory_up(magic, info);
	for (ist = 1; ist <= IST_COUNT; ist++)
		desc_set_ist(ist, new_stack());
	stack_call(new_stack(), main_on_stack);
}
