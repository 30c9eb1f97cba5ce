/*
 * The bare machine under hv/pv, hosted: what it has of the assembly, and the
 * hypervisor's own functions that it calls, as fakes that note what they were
 * asked. pv_rig.h makes guests on it.
 */
#ifndef TEST_UNIT_PV_BARE_H
#define TEST_UNIT_PV_BARE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <vmmu/vmmu.h>

#include "cpu/backtrace.h"
#include "cpu/cpu.h"
#include "cpu/desc.h"
#include "cpu/fixup.h"
#include "cpu/fpu.h"
#include "cpu/print.h"
#include "cpu/stack.h"
#include "cpu/timer.h"
#include "cpu/wallclock.h"
#include "mm/frames.h"
#include "mm/paging.h"
#include "mm/space.h"
#include "pv/bystander.h"
#include "pv/shadow.h"
#include "test/unit/load_image.h"
#include "test/unit/pv_machine.h"
#include "vm/memory.h"

#define RIG_FRAMES 16384u
#define RIG_OURS   256u /* frames that nobody is given */
#define RIG_MEMORY (UINT64_C(8) << 20)
#define RIG_BASE   UINT64_C(0x200000000000)
#define RIG_P2M	   UINT64_C(0x210000000000)
#define RIG_CODE   (RIG_BASE + IMAGE_BASE)

#define P_RW UINT64_C(0x67)
#define P_RO UINT64_C(0x65)

/* The words of Xen's notes. */
#define NOTE_ENTRY     1
#define NOTE_PAGE      2
#define NOTE_BASE      3
#define NOTE_MOD_START 16
#define NOTE_P2M       15

static struct pv_rig {
	struct vm vm;
	struct config config;
	struct load_request req;
	struct image image;
	struct pv_cpu *c;
	struct pv_domain *d;
	const struct start_info *si;
	uint64_t entries[512]; /* for lists of frames and the like */
	/* The machine. */
	int memory; /* a file, so that it can be seen at several places */
	struct vmmu_frame frame[RIG_FRAMES];
	uint64_t m2p[RIG_FRAMES];
	bool taken[RIG_FRAMES];
	unsigned frames_taken, allocs_out;
	unsigned frames_left; /* until there are no more */
	unsigned alloc_fails; /* the n-th from now on; 0: none */
	char said[4096], console[8192];
	size_t console_size;
	unsigned takes, fpu_resets;
	uint64_t stack[128];
	hpa_t shown[64]; /* pages from HV_PV_BASE: 16 of the GDT, then LDT */
	bool timer_fired;
	uint64_t armed, tss[16];
	const char *typed;
} rig;

static struct trap_frame rig_frame;

/* 1. What the assembly has. */

struct pv_cpu *pv_current;
uint64_t pv_stack_top;
struct trap_frame *pv_frame = &rig_frame;
const uint8_t pv_stubs[8192], trap_stubs[4096];
bool (*trap_own_fault)(struct trap_frame *f);

void pv_debug_stub(void)
{
}

void pv_syscall(void)
{
}

void pv_syscall32(void)
{
}

void pv_fault_stub(void)
{
}

void pv_shadow_fault_stub(void)
{
}

void pv_enter(void)
{
	pv_current->leave = false;
}

void pv_load_gdt(const void *pseudo_descriptor)
{
	(void)pseudo_descriptor;
}

/* 2. The bare machine. */

uint64_t host_tsc_khz = 1000000;

void say(const char *format, ...)
{
	size_t n = strlen(rig.said);
	va_list ap;

	va_start(ap, format);
	vsnprintf(rig.said + n, sizeof(rig.said) - n, format, ap);
	va_end(ap);
}

void vm_stop(struct vm *vm, enum vm_end end, const char *fmt, ...)
{
	va_list ap;

	if (vm->end != VM_RUNNING)
		return;
	vm->end = end;
	va_start(ap, fmt);
	vsnprintf(vm->sentence, sizeof(vm->sentence), fmt, ap);
	va_end(ap);
}

void *vm_alloc(size_t size)
{
	if (rig.alloc_fails && !--rig.alloc_fails)
		return NULL;
	rig.allocs_out++;
	return calloc(1, size);
}

void vm_free(void *object, size_t size)
{
	assert_true(size > 0);
	rig.allocs_out--;
	free(object);
}

bool frame_alloc_run(unsigned order, hpa_t *out)
{
	const unsigned count = 1u << order;

	if (rig.frames_left < count)
		return false;
	for (unsigned at = RIG_OURS; at + count <= RIG_FRAMES; at += count) {
		unsigned n = 0;

		while (n < count && !rig.taken[at + n])
			n++;
		if (n < count)
			continue;
		memset(&rig.taken[at], true, count);
		rig.frames_taken += count;
		rig.frames_left -= count;
		*out = hfn_hpa(mk_hfn(at));
		return true;
	}
	return false;
}

bool frame_alloc(hpa_t *out)
{
	return frame_alloc_run(0, out);
}

void frame_free(hpa_t hpa, unsigned order)
{
	for (unsigned i = 0; i < 1u << order; i++) {
		assert_true(rig.taken[hpa_hfn(hpa).v + i]);
		rig.taken[hpa_hfn(hpa).v + i] = false;
	}
	memset(pv_page(hpa), 0, VMMU_PAGE_SIZE << order);
	rig.frames_taken -= 1u << order;
	rig.frames_left += 1u << order;
}

const struct ranges *frames_ram(void)
{
	abort();
}

bool stack_make(uint64_t *top)
{
	*top = (uintptr_t)rig.stack + sizeof(rig.stack);
	return true;
}

/* Of what the processor's own tables show, a page of it each. */
bool paging_map(hva_t hva, uint64_t size, hpa_t hpa)
{
	assert_int_equal(size, VMMU_PAGE_SIZE);
	rig.shown[(hva.v - HV_PV_BASE) / VMMU_PAGE_SIZE % 64] = hpa;
	return true;
}

bool paging_map_public(hva_t hva, uint64_t size, hpa_t hpa)
{
	(void)hva, (void)size, (void)hpa;
	abort();
}

void paging_unmap(hva_t hva, uint64_t size)
{
	(void)hva, (void)size;
}

void paging_use(void)
{
	machine.cr[3] = 0x1000;
}

void paging_template(uint64_t entries[])
{
	for (unsigned i = 0; i < HV_SLOTS; i++)
		entries[i] = (uint64_t)(i + 1) << 12 | 0x63;
}

uint64_t desc_tss_base(void)
{
	return (uintptr_t)rig.tss;
}

void desc_set_ist(unsigned ist, uint64_t top)
{
	(void)ist, (void)top;
}

void desc_init(void)
{
}

void fpu_reset(void)
{
	rig.fpu_resets++;
}

uint64_t wallclock_read(void)
{
	return UINT64_C(0x1234567890);
}

bool wrmsr_safe(uint32_t msr, uint64_t value)
{
	*machine_msr(msr) = value;
	return true;
}

bool host_timer_fired(void)
{
	bool fired = rig.timer_fired;

	rig.timer_fired = false;
	return fired;
}

void host_timer_arm(uint64_t tsc_deadline)
{
	rig.armed = tsc_deadline;
}

void host_timer_stop(void)
{
	rig.armed = 0;
}

void host_take_interrupts(void)
{
	rig.takes++;
}

void host_idle(void)
{
}

void trap_take(struct trap_frame *f)
{
	(void)f;
}

int host_console_read(void)
{
	return rig.typed && *rig.typed ? (uint8_t)*rig.typed++ : -1;
}

void host_console_write(uint8_t byte)
{
	if (rig.console_size < sizeof(rig.console) - 1)
		rig.console[rig.console_size] = (char)byte;
	rig.console_size++;
}

int report_read(void)
{
	return -1;
}

void report_write(const char *text, size_t n)
{
	(void)text, (void)n;
}

uint64_t space_given(void)
{
	return 0;
}

#endif
