/*
 * hv/pv hosted: a machine of frames, a guest that the real builder has made
 * from a real image, and its memory where the guest has it: each page of its
 * address space is mapped at the same address in this program, with the rights
 * that the guest's own tables give. So what a hypercall is given as an address
 * is one. pv_machine.h is the processor; the bare machine's functions that
 * hv/pv calls are here.
 *
 * Every test ends with an audit, with all memory given back, and with no
 * access having been made to the hypervisor's half.
 */
#ifndef TEST_UNIT_PV_RIG_H
#define TEST_UNIT_PV_RIG_H

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

/* 3. As libvmmu's host. */

static inline bool rig_table_alloc(void *cookie, hpa_t *page)
{
	(void)cookie;
	return frame_alloc(page);
}

static inline void rig_table_free(void *cookie, hpa_t page)
{
	(void)cookie;
	frame_free(page, 0);
}

static inline void *rig_ptr(void *cookie, hpa_t hpa)
{
	(void)cookie;
	return pv_page(hpa);
}

static inline void rig_flush_all(void *cookie)
{
	const struct hv_port *port = cookie;

	port->flush(port->ctx);
}

static inline void rig_flush_cpu(void *cookie, struct vmmu_cpu *cpu)
{
	(void)cpu;
	rig_flush_all(cookie);
}

static inline void rig_flush_gva(void *cookie, struct vmmu_cpu *cpu, gva_t gva)
{
	(void)gva;
	rig_flush_cpu(cookie, cpu);
}

const struct vmmu_host_ops hv_host_ops = {
	.table_alloc = rig_table_alloc,
	.table_free = rig_table_free,
	.ptr = rig_ptr,
	.flush_all = rig_flush_all,
	.flush_cpu = rig_flush_cpu,
	.flush_gva = rig_flush_gva,
};

/* 4. VMs: vm.c's, without what a whole machine has. */

static inline void rig_cpuid(struct cpuid_table *table)
{
	/* An AMD processor that has everything, and x87, SSE, AVX. */
	static const struct cpuid_leaf host[] = {
		{ 0, 0, 0xd, 0x68747541, 0, 0 },
		{ 1, 0, 0, 0, ~0u, ~0u },
		{ 7, 0, 0, ~0u, ~0u, ~0u },
		{ 0xd, 0, 7, 0x240, 0x340, 0 },
		{ 0xd, 1, 0xf, 0, 0, 0 },
		{ 0xd, 2, 0x100, 0x240, 0, 0 },
		{ 0x80000000, 0, 0x80000008, 0, 0, 0 },
		{ 0x80000001, 0, 0, 0, ~0u, ~0u },
		{ 0x80000008, 0, 0x3028, 0, 0, 0 },
	};
	const struct cpuid_config c = { .cpus = 1,
					.tsc_khz = 1000000,
					.hide = engine_pv.para->hides };

	cpuid_build(table, &c, host, sizeof(host) / sizeof(host[0]));
}

static inline uint64_t rig_now(void *ctx)
{
	(void)ctx;
	return rdtsc();
}

static inline void rig_board(struct vm *vm)
{
	const struct board_config c = { .tsc_khz = 1000000,
					.ram_size = RIG_MEMORY,
					.cpus = 1 };
	const struct board_host h = { .now = rig_now, .ctx = vm };

	board_init(&vm->board, &c, &h);
}

const char *vm_create(struct vm *vm, const struct config *config,
		      const struct engine *engine)
{
	struct vcpu *v;
	const char *wrong;

	vm->engine = engine;
	vm->config = config;
	wrong = engine->para->memory(vm, config);
	if (wrong)
		return wrong;
	rig_cpuid(&vm->cpuid);
	rig_board(vm);
	v = vm_alloc(sizeof(*v));
	if (!v)
		return "there is no memory for a vCPU";
	v->vm = vm;
	vm->vcpu[0] = v;
	vm->cpus = 1;
	if (!engine->vcpu_init(v))
		return "there is no memory for a vCPU";
	if (!vmmu_cpu_init(&v->mmu, &vm->mmu, vm->scheme[0])) {
		v->mmu.vm = NULL;
		return "there is no table memory for a vCPU";
	}
	msr_init(&v->msrs, &vm->cpuid);
	return NULL;
}

void vm_destroy(struct vm *vm)
{
	for (unsigned i = 0; i < vm->cpus; i++) {
		struct vcpu *v = vm->vcpu[i];

		if (v->mmu.vm)
			vmmu_cpu_fini(&v->mmu);
		if (v->engine_state)
			vm->engine->vcpu_fini(v);
		vm_free(v, sizeof(*v));
	}
	vm->cpus = 0;
	vm->engine->para->memory_free(vm);
	vmmu_vm_fini(&vm->mmu);
}

/* 5. The guest's address space. */

/* The page of va is here what it is there. */
static inline void rig_see(uint64_t va)
{
	void *at = (void *)(va & ~VMMU_PAGE_MASK);
	struct vmmu_direct_walk w;
	int prot = PROT_READ;

	if (!vmmu_direct_walk(&rig.c->vcpu->mmu, mk_gva(va), &w)) {
		mmap(at, VMMU_PAGE_SIZE, PROT_NONE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		return;
	}
	if (w.perms & VMMU_W)
		prot |= PROT_WRITE;
	if (mmap(at, VMMU_PAGE_SIZE, prot, MAP_SHARED | MAP_FIXED, rig.memory,
		 (off_t)(w.entry & UINT64_C(0x000ffffffffff000))) != at)
		abort();
}

static inline void rig_see_all(void)
{
	for (uint64_t at = 0; at < RIG_MEMORY; at += VMMU_PAGE_SIZE) {
		rig_see(RIG_BASE + at);
		rig_see(RIG_P2M + at);
	}
}

static inline uint64_t rig_mfn(uint64_t gfn)
{
	hfn_t hfn = { 0 };

	assert_true(vmmu_direct_p2m(&rig.vm.mmu, mk_gfn(gfn), &hfn));
	return hfn.v;
}

/* Pages behind all that the builder has put there, writable and of no use. */
static inline void *rig_spare(unsigned n)
{
	return (void *)(rig.si->pt_base +
			(rig.si->nr_pt_frames + 2 + n) * VMMU_PAGE_SIZE);
}

static inline uint64_t rig_gfn_of(const volatile void *va)
{
	return ((uintptr_t)va - RIG_BASE) / VMMU_PAGE_SIZE;
}

static inline uint64_t rig_mfn_of(const volatile void *va)
{
	return rig_mfn(rig_gfn_of(va));
}

/* 6. Beginning and end. */

struct rig_note {
	uint32_t type;
	uint64_t value;
};

static inline void rig_image(const struct rig_note *note, size_t count)
{
	size_t at = IMAGE_NOTES;

	image_linux(&rig.image, true);
	for (size_t i = 0; i < count; i++)
		at = image_note(&rig.image, at, "Xen", 4, note[i].type,
				note[i].value, 8);
	image_segment(&rig.image, 2, PT_NOTE, IMAGE_NOTES, 0, at - IMAGE_NOTES,
		      0);
	rig.req.kernel = (struct load_file){ rig.image.byte, rig.image.size };
}

static inline void rig_machine(void)
{
	memset(&rig, 0, sizeof(rig));
	memset(&rig_frame, 0, sizeof(rig_frame));
	machine_start();
	machine.cr[0] = CR0_PE | CR0_WP;
	machine.cr[4] = 0x20;
	rig.frames_left = RIG_FRAMES;
	rig.memory = memfd_create("memory", 0);
	if (rig.memory < 0 ||
	    ftruncate(rig.memory, RIG_FRAMES * (off_t)VMMU_PAGE_SIZE))
		abort();
	pv_frames = (struct vmmu_frames){
		.frame = rig.frame,
		.m2p = rig.m2p,
		.map = mmap(NULL, RIG_FRAMES * VMMU_PAGE_SIZE,
			    PROT_READ | PROT_WRITE, MAP_SHARED, rig.memory, 0),
		.count = RIG_FRAMES,
		.count_limit = VMMU_FRAME_COUNT_MAX,
	};
	vmmu_frames_init(&pv_frames);
	assert_true(pv_switch_init());
	pv_frame = &rig_frame;
	pv_has_fsgsbase = false;
	rig.frames_taken = 0;
	rig.frames_left = RIG_FRAMES;
	rig.config = (struct config){ .mmu = "direct",
				      .memory = RIG_MEMORY,
				      .cpus = 1,
				      .table_pages = 64 };
	rig.req.args = "one two";
	rig.vm.scheme[0] = &vmmu_direct;
	rig.vm.scheme_count = 1;
}

/* NULL, or why there is no guest. */
static inline const char *rig_load(void)
{
	const char *wrong = vm_create(&rig.vm, &rig.config, &engine_pv);

	if (!wrong)
		wrong = engine_pv.para->load(&rig.vm, &rig.req);
	if (wrong)
		return wrong;
	rig.d = pv_domain_of(&rig.vm);
	rig.c = rig.d->cpu;
	pv_current = rig.c;
	machine.cr[3] = rig.c->vcpu->mmu.root.v;
	pv_quick(rig.c);
	rig_see_all();
	rig.si = (const void *)rig_frame.rsi;
	return NULL;
}

static inline const struct rig_note *rig_usual(void)
{
	static const struct rig_note usual[] = {
		{ NOTE_BASE, RIG_BASE },
		{ NOTE_ENTRY, RIG_CODE },
		{ NOTE_PAGE, RIG_CODE },
	};

	return usual;
}

static inline int rig_setup(void **state)
{
	(void)state;
	rig_machine();
	rig_image(rig_usual(), 3);
	assert_null(rig_load());
	return 0;
}

static inline void rig_breach(void *ctx, unsigned invariant,
			      const char *sentence, uint64_t addr,
			      uint64_t entry)
{
	(void)ctx, (void)invariant;
	print_message("# %s: 0x%llx, 0x%llx\n", sentence,
		      (unsigned long long)addr, (unsigned long long)entry);
}

static inline void rig_audit(void)
{
	struct vmmu_audit audit = { .breach = rig_breach };

	assert_true(vmmu_audit(&rig.vm.mmu, &audit));
	assert_true(audit.entries > 0);
}

static inline int rig_teardown(void **state)
{
	(void)state;
	machine_take();
	if (rig.c)
		rig_audit();
	pv_current = NULL;
	vm_destroy(&rig.vm);
	assert_int_equal(rig.frames_taken, 0);
	assert_int_equal(rig.allocs_out, 0);
	assert_int_equal(machine.trespass, 0);
	for (unsigned i = 0; i < RIG_FRAMES; i++) {
		assert_int_equal(rig.frame[i].owner, 0);
		assert_int_equal(rig.m2p[i], VMMU_M2P_INVALID);
	}
	munmap(pv_frames.map, RIG_FRAMES * VMMU_PAGE_SIZE);
	munmap((void *)RIG_BASE, RIG_MEMORY);
	munmap((void *)RIG_P2M, RIG_MEMORY);
	close(rig.memory);
	return 0;
}

/* A test is the state that it is given first. */
static inline void rig_run(void **state)
{
	union {
		void *state;
		void (*run)(void **state);
	} test = { *state };

	machine_take();
	test.run(state);
}
#define RIG_TEST(f, setup)                                                     \
	{                                                                      \
#f, rig_run, setup, rig_teardown, (void *)(uintptr_t)(f)       \
	}

/* 7. What guests do. */

static inline long rig_call5(unsigned n, uint64_t a1, uint64_t a2, uint64_t a3,
			     uint64_t a4, uint64_t a5)
{
	rig.c->calls[n]++;
	return pv_call_table[n](a1, a2, a3, a4, a5, rig.c);
}
#define call(n, ...) call_pick(n, __VA_ARGS__, 0, 0, 0, 0)
#define call_pick(n, a, b, c, d, e, ...)                                       \
	rig_call5(__HYPERVISOR_##n, (uint64_t)(a), (uint64_t)(b),              \
		  (uint64_t)(c), (uint64_t)(d), (uint64_t)(e))

/* Addresses of which none may be read or written: of the hypervisor, of
 * nothing, none at all; and, the last, of the guest where nothing is. */
static const uint64_t rig_bad[] = {
	HV_IMAGE_BASE,
	HV_M2P_BASE,
	HV_DIRECT_BASE + 0x200000,
	HV_END - 8,
	HV_END - 4,
	UINT64_C(1) << 47,
	(UINT64_C(1) << 47) - 4,
	UINT64_C(1) << 63,
	~UINT64_C(0),
	~UINT64_C(7),
	RIG_BASE + RIG_MEMORY - 4096,
};
#define RIG_BAD (sizeof(rig_bad) / sizeof(rig_bad[0]))

#endif
