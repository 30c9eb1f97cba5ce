/*
 * hv/pv hosted: a machine of frames, a guest that the real builder has made
 * from a real image, and its memory where the guest has it: each page of its
 * address space is mapped at the same address in this program, with the rights
 * that the guest's own tables give. So what a hypercall is given as an address
 * is one. pv_machine.h is the processor, pv_bare.h what is below hv/pv.
 *
 * Every test ends with an audit, with all memory given back, and with no
 * access having been made to the hypervisor's half.
 */
#ifndef TEST_UNIT_PV_RIG_H
#define TEST_UNIT_PV_RIG_H

#include "test/unit/pv_bare.h"

/* 1. As libvmmu's host. */

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

/* 2. VMs: vm.c's, without what a whole machine has. */

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

/* 3. The guest's address space. */

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

/* 4. Beginning and end. */

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
/* The same beside a second VM, which nothing may change. */

#define RIG_BYSTANDER (UINT64_C(6) << 20)

static inline int rig_setup_beside(void **state)
{
	(void)state;
	rig_machine();
	rig.config.bystander = RIG_BYSTANDER;
	rig_image(rig_usual(), 3);
	assert_null(rig_load());
	assert_non_null(rig.d->bystander);
	return 0;
}

static inline void rig_untouched(void)
{
	assert_int_equal(pv_bystander_changed(rig.d->bystander), 0);
	rig_audit();
}

/* A frame of the second VM's. */
static inline uint64_t rig_foreign(void)
{
	const struct pv_bystander *by = rig.d->bystander;

	return by->witness[by->count - 2].hfn.v;
}

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

/* 5. What guests do. */

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

/* One entry by mmu_update, one operation by mmuext_op; their requests are in
 * rig_spare(0). */
static inline long rig_update_list(uint64_t at)
{
	return call(mmu_update, at, 1, 0, DOMID_SELF);
}

static inline struct mmu_update *rig_request(uint64_t ptr, uint64_t val)
{
	struct mmu_update *u = rig_spare(0);

	u[0] = (struct mmu_update){ ptr, val };
	return u;
}

static inline long rig_update(uint64_t ptr, uint64_t val)
{
	return rig_update_list((uintptr_t)rig_request(ptr, val));
}

static inline long rig_ext(unsigned cmd, uint64_t arg1, uint64_t arg2)
{
	struct mmuext_op *op = rig_spare(0);

	*op = (struct mmuext_op){ .cmd = cmd,
				  .arg1.mfn = arg1,
				  .arg2.src_mfn = arg2 };
	return call(mmuext_op, op, 1, 0, DOMID_SELF);
}

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
