/*
 * One vCPU of hv/vm over the lab's host, with a real board and an engine that
 * is a table of registers: what hardware does in between, a test says.
 *
 *   gpa 0 .. 1 MiB        RAM
 *   gpa 2 MiB .. +64 KiB  a read-only slot
 *
 * The functions of the bare machine that hv/vm calls are here, and so is
 * vm_stop, whose file makes VMs out of the bare machine's memory.
 */
#ifndef TEST_UNIT_VCPU_RIG_H
#define TEST_UNIT_VCPU_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <vmmu/vmmu.h>

#include "cpu/print.h"
#include "cpu/serial.h"
#include "cpu/timer.h"
#include "cpu/trap.h"
#include "lab/host.h"
#include "mm/space.h"
#include "vm/memory.h"
#include "vm/vm.h"

#define RIG_RAM	 UINT64_C(0x100000)
#define RIG_ROM	 UINT64_C(0x200000)
#define RIG_NONE UINT64_C(0x180000) /* no slot, no device */

/* Bits of an entry, by the manual's names. */
#define P  UINT64_C(0x001)
#define W  UINT64_C(0x002)
#define U  UINT64_C(0x004)
#define A  UINT64_C(0x020)
#define D  UINT64_C(0x040)
#define PS UINT64_C(0x080)
#define NX (UINT64_C(1) << 63)

struct rig {
	struct lab_host lab;
	struct vm vm;
	struct vcpu cpu;
	struct vcpu *v; /* &cpu */
	struct sregs s;
	uint8_t bits;
	/* What the engine and the host were asked. */
	bool window, iret;
	unsigned windows, irets, idles, takes, flushes, arms, timer_stops;
	uint64_t armed, pat, tsc_offset;
	/* What they do. */
	uint32_t cannot; /* VMMU_NEEDS_* */
	void (*run)(struct rig *r);
	void (*idle)(struct rig *r);
	unsigned runs;
	bool timer_fired;
	/* What vm_alloc may still give; what it has out. */
	unsigned allocs_left, allocs_out;
	const char *typed; /* console input to come */
	const char *asked; /* the monitor's input to come */
	char answer[1 << 20];
	size_t answer_size;
	char printed[64];
	unsigned printed_count;
	uint64_t now;
};

static struct rig rig;

/* The engine. */

static inline void rig_get_sregs(struct vcpu *v, struct sregs *s)
{
	(void)v;
	*s = rig.s;
}

static inline void rig_set_sregs(struct vcpu *v, const struct sregs *s)
{
	(void)v;
	rig.s = *s;
}

static inline bool rig_look(struct vcpu *v, struct look *look)
{
	const struct vmmu_regs regs = { .cr0 = rig.s.cr0,
					.cr3 = rig.s.cr3,
					.cr4 = rig.s.cr4,
					.efer = rig.s.efer,
					.pat = rig.s.pat };
	bool same = memcmp(&regs, &look->regs, sizeof(regs)) == 0;

	(void)v;
	look->regs = regs;
	look->bits = rig.bits;
	look->cpl = rig.s.cpl;
	look->cs_base = rig.s.seg[SEG_CS].base;
	return !same;
}

static inline void rig_run(struct vcpu *v)
{
	rig.runs++;
	v->exit = (struct vm_exit){ .kind = EXIT_INTERRUPT };
	rig.run(&rig);
}

static inline void rig_want_window(struct vcpu *v, bool wanted)
{
	(void)v;
	rig.window = wanted;
	rig.windows++;
}

static inline void rig_want_iret(struct vcpu *v, bool wanted)
{
	(void)v;
	rig.iret = wanted;
	rig.irets++;
}

static inline void rig_flush(struct vcpu *v)
{
	(void)v;
	rig.flushes++;
}

static inline void rig_flush_gva(struct vcpu *v, gva_t gva)
{
	(void)gva;
	rig_flush(v);
}

static inline void rig_get_segment(struct vcpu *v, enum segment_name name,
				   struct segment *s)
{
	(void)v;
	*s = rig.s.seg[name];
}

static inline const char *rig_cannot(uint32_t needs)
{
	return needs & rig.cannot ? "the rig cannot" : NULL;
}

static inline void rig_use_scheme(struct vcpu *v)
{
	(void)v;
}

static inline void rig_set_cr2(struct vcpu *v, uint64_t cr2)
{
	(void)v;
	rig.s.cr2 = cr2;
}

static inline void rig_set_paging(struct vcpu *v, const struct vmmu_regs *regs)
{
	(void)v;
	rig.s.cr0 = regs->cr0;
	rig.s.cr3 = regs->cr3;
	rig.s.cr4 = regs->cr4;
	rig.s.efer = regs->efer;
}

static inline void rig_set_cr3(struct vcpu *v, uint64_t cr3)
{
	rig.s.cr3 = cr3;
	rig_flush(v);
}

static inline void rig_set_efer(struct vcpu *v, uint64_t efer)
{
	(void)v;
	rig.s.efer = efer;
}

static inline void rig_set_pat(struct vcpu *v, uint64_t pat)
{
	(void)v;
	rig.pat = rig.s.pat = pat;
}

static inline void rig_set_tsc_offset(struct vcpu *v, uint64_t offset)
{
	(void)v;
	rig.tsc_offset = offset;
}

static const struct engine rig_engine = {
	.name = "rig",
	.run = rig_run,
	.want_window = rig_want_window,
	.want_iret = rig_want_iret,
	.walks_pdptes = true,
	.flush = rig_flush,
	.flush_gva = rig_flush_gva,
	.get_sregs = rig_get_sregs,
	.set_sregs = rig_set_sregs,
	.get_segment = rig_get_segment,
	.look = rig_look,
	.cannot = rig_cannot,
	.use_scheme = rig_use_scheme,
	.set_cr2 = rig_set_cr2,
	.set_cr3 = rig_set_cr3,
	.set_paging = rig_set_paging,
	.set_efer = rig_set_efer,
	.set_pat = rig_set_pat,
	.set_tsc_offset = rig_set_tsc_offset,
};

/* The bare machine. */

void say(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fputc('\n', stderr);
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

uint64_t host_tsc_khz = 1000000;

uint64_t space_given(void)
{
	return RIG_RAM;
}

void *vm_alloc(size_t size)
{
	if (!rig.allocs_left)
		return NULL;
	rig.allocs_left--;
	rig.allocs_out++;
	return calloc(1, size);
}

void vm_free(void *object, size_t size)
{
	assert_true(size > 0);
	rig.allocs_out--;
	free(object);
}

int host_console_read(void)
{
	return rig.typed && *rig.typed ? (uint8_t)*rig.typed++ : -1;
}

int report_read(void)
{
	return rig.asked && *rig.asked ? (uint8_t)*rig.asked++ : -1;
}

void report_write(const char *text, size_t n)
{
	assert_true(rig.answer_size + n < sizeof(rig.answer));
	memcpy(rig.answer + rig.answer_size, text, n);
	rig.answer_size += n;
	rig.answer[rig.answer_size] = 0;
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
	rig.arms++;
}

void host_timer_stop(void)
{
	rig.timer_stops++;
}

void host_take_interrupts(void)
{
	rig.takes++;
}

void host_idle(void)
{
	rig.idles++;
	if (rig.idle)
		rig.idle(&rig);
}

/* What the board asks. */

static inline uint64_t rig_now(void *ctx)
{
	return ((struct rig *)ctx)->now;
}

static inline void rig_out(void *ctx, uint8_t byte)
{
	struct rig *r = ctx;

	r->printed[r->printed_count++ % sizeof(r->printed)] = (char)byte;
}

static inline bool rig_guest_write(void *ctx, gpa_t gpa, const void *buf,
				   size_t n)
{
	struct rig *r = ctx;

	return vmmu_gmem_write(&r->vm.mem, gpa, buf, n) == VMMU_GMEM_OK;
}

/* Making it. */

static inline void rig_slot(uint32_t id, uint32_t flags, uint64_t gpa,
			    uint64_t size, uint64_t hva)
{
	const struct vmmu_slot slot = {
		.id = id,
		.flags = flags,
		.gpa = mk_gpa(gpa),
		.size = size,
		.hva = mk_hva(rig.lab.hva_base.v + hva),
	};

	assert_int_equal(vmmu_vm_set_slot(&rig.vm.mmu, &slot), VMMU_SLOT_OK);
}

static inline void rig_changed(void *ctx, hva_t hva, uint64_t size)
{
	(void)ctx;
	vmmu_vm_backing_changed(&rig.vm.mmu, hva, size);
}

static inline void rig_cpuid(void)
{
	/* An AMD processor that has everything, and x87, SSE, AVX, PKRU. */
	static const struct cpuid_leaf host[] = {
		{ 0, 0, 0xd, 0x68747541, 0, 0 },
		{ 1, 0, 0, 0, ~0u, ~0u },
		{ 7, 0, 0, ~0u, ~0u, ~0u },
		{ 0xd, 0, 0x207, 0x240, 0xa88, 0 },
		{ 0xd, 1, 0xf, 0, 0, 0 },
		{ 0xd, 2, 0x100, 0x240, 0, 0 },
		{ 0xd, 9, 8, 0xa80, 0, 0 },
		{ 0x80000000, 0, 0x80000008, 0, 0, 0 },
		{ 0x80000001, 0, 0, 0, ~0u, ~0u },
		{ 0x80000008, 0, 0x3028, 0, 0, 0 },
	};
	const struct cpuid_config c = { .cpus = 1, .tsc_khz = 1000000 };

	cpuid_build(&rig.vm.cpuid, &c, host, sizeof(host) / sizeof(host[0]));
}

static inline void rig_board(void)
{
	const struct board_config c = { .tsc_khz = 1000000,
					.ram_size = RIG_RAM,
					.cpus = 1 };
	const struct board_host h = { .now = rig_now,
				      .console_out = rig_out,
				      .guest_write = rig_guest_write,
				      .ctx = &rig };

	board_init(&rig.vm.board, &c, &h);
}

/* 64-bit mode at CPL 0, tables at 0x4000 (none yet), rip 0. */
static inline int rig_setup(void **state)
{
	const struct lab_host_config lab = { .memory = 2 * RIG_RAM,
					     .spare = 2 * RIG_RAM,
					     .extent = 4096,
					     .table_pages = 64 };
	static const struct config config = { .mmu = "nested" };
	struct vm *vm = &rig.vm;
	struct vmmu_vm_config c;

	(void)state;
	memset(&rig, 0, sizeof(rig));
	assert_true(lab_host_init(&rig.lab, &lab));
	rig.lab.hooks.backing_changed = rig_changed;
	c = (struct vmmu_vm_config){
		.host = lab_host_ops(&rig.lab),
		.hw = { .nested_format = &pt_npt, .nested_max_leaf = 1 },
		.slot_storage = vm->slots,
		.slot_capacity = VM_SLOTS_MAX,
		.table_limit = 32,
	};
	assert_true(vmmu_vm_init(&vm->mmu, &c));
	rig_slot(0, 0, 0, RIG_RAM, 0);
	rig_slot(1, VMMU_SLOT_READ_ONLY, RIG_ROM, 0x10000, RIG_RAM);
	vmmu_gmem_init(&vm->mem, &vm->mmu.slots, &vm->mmu.host);
	vm->config = &config;
	vm->engine = &rig_engine;
	vm->scheme[0] = &vmmu_nested;
	vm->scheme_count = 1;
	vm->switch_at = UINT64_MAX;
	vm->timer_armed = UINT64_MAX;
	vm->console_byte = -1;
	vm->cpus = 1;
	vm->vcpu[0] = rig.v = &rig.cpu;
	rig_cpuid();
	rig_board();
	rig.v->vm = vm;
	assert_true(vmmu_cpu_init(&rig.v->mmu, &vm->mmu, vm->scheme[0]));
	vcpu_set_features(rig.v);
	msr_init(&rig.v->msrs, &vm->cpuid);
	rig.bits = 64;
	rig.s.cr0 = VMMU_CR0_PE | VMMU_CR0_PG | VMMU_CR0_WP;
	rig.s.cr3 = 0x4000;
	rig.s.cr4 = VMMU_CR4_PAE;
	rig.s.efer = VMMU_EFER_LME | VMMU_EFER_LMA | VMMU_EFER_NXE;
	rig.v->rflags = 2;
	rig.v->mode_stale = true;
	return 0;
}

static inline int rig_teardown(void **state)
{
	(void)state;
	vmmu_cpu_fini(&rig.v->mmu);
	vmmu_vm_fini(&rig.vm.mmu);
	lab_host_fini(&rig.lab);
	return 0;
}

/* As between an exit and the next: the vCPU is looked at anew. */
static inline void rig_exit(void)
{
	rig.v->looked = false;
	rig.v->event.type = EVENT_NONE;
}

static inline uint8_t *rig_memory(uint64_t gpa)
{
	uint8_t *page = NULL;

	assert_int_equal(vmmu_gmem_page(&rig.vm.mem, gpa_gfn(mk_gpa(gpa)),
					gpa < RIG_RAM ? VMMU_W : VMMU_R, &page),
			 VMMU_GMEM_OK);
	return page + (gpa & VMMU_PAGE_MASK);
}

static inline uint64_t *rig_entry(uint64_t table, unsigned i)
{
	return (uint64_t *)(void *)(rig_memory(table) + 8ul * i);
}

static inline unsigned rig_index(uint64_t gva, unsigned level)
{
	return gva >> (12 + 9 * (level - 1)) & 511;
}

/* gva -> leaf by the tables at 0x4000 (level 4) .. 0x1000 (level 1). */
static inline void rig_map(uint64_t gva, uint64_t leaf)
{
	for (unsigned n = 4; n > 1; n--)
		*rig_entry(0x1000ul * n, rig_index(gva, n)) =
			0x1000ul * (n - 1) | P | W | U;
	*rig_entry(0x1000, rig_index(gva, 1)) = leaf;
}

/* The vCPU is to take this fault, and no other. */
static inline void rig_raised(uint8_t vector, bool has_error, uint32_t error)
{
	assert_int_equal(rig.v->event.type, EVENT_EXCEPTION);
	assert_int_equal(rig.v->event.vector, vector);
	assert_int_equal(rig.v->event.has_error, has_error);
	if (has_error)
		assert_int_equal(rig.v->event.error, error);
}

#define RIG_TEST(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

#endif
