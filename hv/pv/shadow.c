/*
 * Under `shadow`: the guest's memory, its roots and its faults.
 *
 * Memory is in runs as large as the machine has them; a run that has lost a
 * page to the balloon is no longer one.
 *
 * The guest's kernel maps its tables read-only and writes entries of leaf
 * tables by trap. So it must be known which pages are tables: what is pinned or
 * loaded is one, with all below it, and what an entry of a table above level 1
 * refers to. It is one until a leaf maps it writable, which the ABI forbids for
 * tables. What the guest says here decides nothing but whether its own write is
 * carried out or answered with a fault: it is held by slots.
 *
 * Both modes have a root of their own (SDM 3A 4.6 knows of one kernel only, in
 * ring 0). The library keeps both, and the kernel's is the one that it is told
 * of but while a user's fault is answered; so a change of the mode is no event
 * of its. It may give up a root while another is loaded, so the processor is on
 * the hypervisor's own tables meanwhile.
 */
#include "pv/shadow.h"

#include "cpu/cpu.h"
#include "mm/frames.h"
#include "mm/paging.h"
#include "vm/memory.h"
#include "vm/vm.h"

#define ENTRY_P	    UINT64_C(1)
#define ENTRY_W	    UINT64_C(2)
#define ENTRY_LARGE UINT64_C(0x80)
#define ENTRY_ADDR  UINT64_C(0x000ffffffffff000)
#define OWN_FAULTS  64 /* in a row, at one address */
#define ROOTS_MAX   64

/* 1. Memory. */

static bool has(const struct pv_domain *d, uint64_t gfn)
{
	return gfn <= d->pages && d->p2m[gfn] != VMMU_M2P_INVALID;
}

void *pv_shadow_page(const struct pv_domain *d, uint64_t gfn)
{
	return has(d, gfn) ? hpa_ptr(hfn_hpa(mk_hfn(d->p2m[gfn]))) : NULL;
}

static struct pv_run *run_at(struct pv_domain *d, uint64_t gfn)
{
	for (unsigned i = 0; i < d->runs; i++)
		if (gfn - d->run[i].gfn < d->run[i].count)
			return &d->run[i];
	return NULL;
}

/* hva is the gpa: there is one slot, from 0. */
static enum vmmu_resolve resolve(void *cookie, hva_t hva, unsigned access,
				 struct vmmu_extent *out)
{
	const struct hv_port *port = cookie;
	const struct vm *vm = port->ctx;
	struct pv_domain *d = vm->engine_vm;
	uint64_t gfn = hva.v >> VMMU_PAGE_SHIFT, count = 1;
	const struct pv_run *run;

	(void)access;
	if (!has(d, gfn))
		return VMMU_RESOLVE_NONE;
	run = run_at(d, gfn);
	if (run) {
		gfn = run->gfn;
		count = run->count;
	}
	*out = (struct vmmu_extent){
		.hva = mk_hva(gfn << VMMU_PAGE_SHIFT),
		.hpa = hfn_hpa(mk_hfn(d->p2m[gfn])),
		.size = count << VMMU_PAGE_SHIFT,
	};
	return VMMU_RESOLVE_OK;
}

/* Whichever of the guest's roots, or our own, it is on. */
static void flush_cpu(struct vmmu_cpu *cpu)
{
	(void)cpu;
	write_cr3(read_cr3());
}

static void flush_gva(struct vmmu_cpu *cpu, gva_t gva)
{
	(void)cpu;
	invlpg(gva.v);
}

static void flush(void *ctx)
{
	const struct vm *vm = ctx;

	flush_cpu(&vm->vcpu[0]->mmu);
}

bool pv_shadow_give(struct pv_domain *d, uint64_t gfn, hpa_t page)
{
	if (gfn >= d->pages || has(d, gfn))
		return false;
	d->p2m[gfn] = hpa_hfn(page).v;
	pv_frames.m2p[gfn] = gfn;
	d->owned++;
	return true;
}

bool pv_shadow_release(struct pv_domain *d, uint64_t gfn, hpa_t *page)
{
	struct pv_run *run = run_at(d, gfn);

	if (gfn >= d->pages || !has(d, gfn) || gfn == d->cpu->info_frame.v ||
	    gfn == d->console_gfn)
		return false;
	vmmu_vm_backing_changed(&d->vm->mmu, mk_hva(gfn << VMMU_PAGE_SHIFT),
				VMMU_PAGE_SIZE);
	if (run)
		*run = d->run[--d->runs];
	*page = hfn_hpa(mk_hfn(d->p2m[gfn]));
	d->p2m[gfn] = VMMU_M2P_INVALID;
	d->table_level[gfn] = 0;
	pv_frames.m2p[gfn] = VMMU_M2P_INVALID;
	d->owned--;
	return true;
}

static bool give_run(struct pv_domain *d, hpa_t at, uint64_t count)
{
	if (d->runs < PV_RUNS)
		d->run[d->runs++] = (struct pv_run){ d->owned, count };
	for (uint64_t i = 0; i < count; i++)
		if (!pv_shadow_give(d, d->owned,
				    mk_hpa(at.v + (i << VMMU_PAGE_SHIFT))))
			return false;
	return true;
}

static const char *give_memory(struct pv_domain *d)
{
	const char *wrong = pv_give_runs(d, give_run);

	if (wrong)
		return wrong;
	if (!frame_alloc(&d->shared_page))
		return "there is no memory for the shared page";
	d->p2m[d->pages] = hpa_hfn(d->shared_page).v;
	d->shared = hpa_ptr(d->shared_page);
	return NULL;
}

const char *pv_shadow_memory(struct pv_domain *d, const struct config *config)
{
	static struct vmmu_host_ops host_ops;
	struct vm *vm = d->vm;
	struct vmmu_vm_config c = {
		.host = { &host_ops, &vm->port },
		.slot_storage = vm->slots,
		.slot_capacity = VM_SLOTS_MAX,
		.table_limit = config->table_pages,
		/* Of processes, which have two each. */
		.roots = 2 * (config->roots ? config->roots : PV_ROOTS),
	};
	/* The shared page is behind the memory. */
	const struct vmmu_slot slot = { .size = config->memory +
						VMMU_PAGE_SIZE };

	d->table_level = vm_alloc(d->pages);
	if (!d->table_level)
		return "there is no memory for the guest's frames";
	host_ops = hv_host_ops;
	host_ops.resolve = resolve;
	vm->port = (struct hv_port){ .flush = flush,
				     .flush_cpu = flush_cpu,
				     .flush_gva = flush_gva,
				     .ctx = vm };
	vm->memory = config->memory;
	vm->engine->hardware(&c.hw);
	paging_template(d->template);
	if (c.roots > ROOTS_MAX)
		c.roots = ROOTS_MAX;
	c.hw.filters_faults = (cpuid(0x80000008, 0).eax & 0xff) < 52;
	c.hw.root_entries = d->template;
	c.hw.root_first = HV_SLOT_FIRST;
	c.hw.root_count = HV_SLOTS;
	if (!vmmu_vm_init(&vm->mmu, &c))
		return "there is no memory for the VM's tables";
	vmmu_gmem_init(&vm->mem, &vm->mmu.slots, &vm->mmu.host);
	if (vmmu_vm_set_slot(&vm->mmu, &slot) != VMMU_SLOT_OK)
		return "the VM's memory slot does not fit";
	return give_memory(d);
}

void pv_shadow_free(struct pv_domain *d)
{
	for (uint64_t i = 0; i <= d->pages; i++) {
		if (!has(d, i))
			continue;
		frame_free(hfn_hpa(mk_hfn(d->p2m[i])), 0);
		pv_frames.m2p[i] = VMMU_M2P_INVALID;
	}
	if (d->table_level)
		vm_free(d->table_level, d->pages);
}

/* 2. Tables. */

static uint64_t frame_of(uint64_t entry)
{
	return (entry & ENTRY_ADDR) >> VMMU_PAGE_SHIFT;
}

static void mark_eight(struct pv_domain *d, const uint64_t *entry,
		       unsigned level)
{
	for (unsigned i = 0; i < 8; i++)
		if ((entry[i] & (ENTRY_P | ENTRY_LARGE)) == ENTRY_P)
			pv_shadow_mark(d, frame_of(entry[i]), level);
}

/* Each page once, so that no table makes this long. */
void pv_shadow_mark(struct pv_domain *d, uint64_t gfn, unsigned level)
{
	const uint64_t *entry;

	if (gfn >= d->pages || d->table_level[gfn] || !has(d, gfn))
		return;
	d->table_level[gfn] = (uint8_t)level;
	entry = pv_shadow_page(d, gfn);
	for (unsigned i = 0; level > 1 && i < VMMU_PAGE_SIZE / 8; i += 8)
		if (entry[i] | entry[i + 1] | entry[i + 2] | entry[i + 3] |
		    entry[i + 4] | entry[i + 5] | entry[i + 6] | entry[i + 7])
			mark_eight(d, &entry[i], level - 1);
}

void pv_shadow_wrote(struct pv_cpu *c, uint64_t gpa, uint64_t entry)
{
	struct pv_domain *d = c->domain;
	uint64_t gfn = gpa >> VMMU_PAGE_SHIFT, to = frame_of(entry);
	unsigned level = gfn < d->pages ? d->table_level[gfn] : 0;

	if (entry & ENTRY_P && level > 1)
		pv_shadow_mark(d, to, level - 1);
	else if (entry & ENTRY_P && entry & ENTRY_W && to < d->pages)
		d->table_level[to] = 0;
	/* No other scheme is in use. */
	vmmu_shadow.wrote(&c->vcpu->mmu, mk_gpa(gpa), 8);
}

bool pv_shadow_is_trapped(struct pv_cpu *c, uint64_t gva, uint64_t *gpa)
{
	struct pv_domain *d = c->domain;
	struct vmmu_gwalk walk;
	uint64_t gfn;

	if (vmmu_cpu_walk(&c->vcpu->mmu, mk_gva(gva), VMMU_R, 0, &walk) !=
	    VMMU_GWALK_OK)
		return false;
	*gpa = walk.gpa.v;
	gfn = walk.gpa.v >> VMMU_PAGE_SHIFT;
	return gfn < d->pages && has(d, gfn) && d->table_level[gfn] == 1;
}

/* A page of the guest's, in a run. */
static uint64_t gfn_of(const struct pv_domain *d, uint64_t hfn)
{
	for (unsigned i = 0; i < d->runs; i++) {
		const struct pv_run *run = &d->run[i];

		if (hfn - d->p2m[run->gfn] < run->count)
			return run->gfn + (hfn - d->p2m[run->gfn]);
	}
	return VMMU_M2P_INVALID;
}

/* By what our tables say, where the processor met a leaf without W. */
static uint64_t *trapped_entry(const struct pv_cpu *c, uint64_t gva,
			       uint64_t *gpa)
{
	const struct pv_domain *d = c->domain;
	uint64_t gfn;
	hpa_t at;

	if (gva & 7 || !pv_range_ok(gva, 8) ||
	    !vmmu_cpu_translate(&c->vcpu->mmu, mk_gva(gva), &at))
		return NULL;
	gfn = gfn_of(d, hpa_hfn(at).v);
	if (gfn >= d->pages || d->table_level[gfn] != 1)
		return NULL;
	*gpa = gfn << VMMU_PAGE_SHIFT | (at.v & VMMU_PAGE_MASK);
	return hpa_ptr(at);
}

bool pv_shadow_trapped(struct pv_cpu *c, uint64_t gva, uint64_t keep,
		       uint64_t value, uint64_t *old)
{
	uint64_t gpa, *at = trapped_entry(c, gva, &gpa);

	if (!at)
		return false;
	*old = __atomic_load_n(at, __ATOMIC_RELAXED);
	while (!__atomic_compare_exchange_n(at, old, (*old & keep) | value,
					    false, __ATOMIC_SEQ_CST,
					    __ATOMIC_RELAXED))
		;
	pv_shadow_wrote(c, gpa, (*old & keep) | value);
	return true;
}

enum vmmu_direct_status pv_shadow_store(struct pv_cpu *c, uint64_t gpa,
					unsigned size, uint64_t value,
					uint64_t *expected)
{
	uint64_t *page = pv_shadow_page(c->domain, gpa >> VMMU_PAGE_SHIFT);
	uint64_t mask = size < 8 ? (UINT64_C(1) << 8 * size) - 1 : UINT64_MAX;
	unsigned shift = (unsigned)(gpa & 7) * 8;
	uint64_t old, now, *at;

	if (!page)
		return VMMU_DIRECT_FOREIGN;
	at = &page[(gpa & VMMU_PAGE_MASK) / 8];
	old = expected ? *expected : *at;
	now = (old & ~(mask << shift)) | (value & mask) << shift;
	if (!__atomic_compare_exchange_n(at, &old, now, false, __ATOMIC_SEQ_CST,
					 __ATOMIC_RELAXED)) {
		if (expected)
			*expected = old;
		return VMMU_DIRECT_CHANGED;
	}
	pv_shadow_wrote(c, gpa & ~UINT64_C(7), now);
	return VMMU_DIRECT_OK;
}

/* 3. The processor. */

void pv_shadow_start(struct pv_cpu *c, uint64_t root)
{
	struct vcpu *v = c->vcpu;
	const struct vmmu_regs regs = {
		.cr0 = VMMU_CR0_PE | VMMU_CR0_PG | VMMU_CR0_WP,
		.cr3 = root << VMMU_PAGE_SHIFT,
		.cr4 = VMMU_CR4_PAE,
		.efer = VMMU_EFER_LME | VMMU_EFER_LMA | VMMU_EFER_NXE,
		.pat = PV_PAT,
	};

	v->features.ring_3 = true;
	pv_shadow_mark(c->domain, root, 4);
	vmmu_cpu_set_regs(&v->mmu, &regs, &v->features);
	vmmu_cpu_pair(&v->mmu);
	c->root = root;
}

static void kill(struct pv_cpu *c, const char *why)
{
	vm_stop(c->vcpu->vm, VM_KILLED, "%s", why);
	c->leave = true;
}

/* A root that could not be made is the one of before, which is another
 * process's. */
static void loaded(struct pv_cpu *c)
{
	const struct vmmu_vm *vm = &c->vcpu->vm->mmu;

	/* The same address may be missing again. */
	c->own_faults = 0;
	pv_quick_roots(c);
	if (vm->poisoned)
		kill(c, vm->poisoned);
}

void pv_shadow_load(struct pv_cpu *c, uint64_t root)
{
	paging_use();
	vmmu_cpu_load_root(&c->vcpu->mmu, root << VMMU_PAGE_SHIFT);
	c->root = root;
	write_cr3(c->vcpu->mmu.root.v);
	if (c->user_root)
		loaded(c);
	else
		pv_shadow_load_user(c, 0);
}

/* The processor is on the kernel's, which stays. */
void pv_shadow_load_user(struct pv_cpu *c, uint64_t root)
{
	struct vmmu_cpu *cpu = &c->vcpu->mmu;

	c->user_root = root;
	vmmu_cpu_swap(cpu);
	vmmu_cpu_load_root(cpu, (root ? root : c->root) << VMMU_PAGE_SHIFT);
	vmmu_cpu_swap(cpu);
	loaded(c);
}

/* The balloon took it: a table on the way, or the page. */
static bool is_gone(struct pv_cpu *c, gva_t gva)
{
	struct vmmu_gwalk walk;

	switch (vmmu_cpu_walk(&c->vcpu->mmu, gva, VMMU_R, VMMU_GWALK_PEEK,
			      &walk)) {
	case VMMU_GWALK_OK:
		return !has(c->domain, walk.gpa.v >> VMMU_PAGE_SHIFT);
	case VMMU_GWALK_NONE:
		return true;
	default:
		return false;
	}
}

/* VMMU_MMIO: of memory that there is not. */
static void ask(struct pv_cpu *c, const struct vmmu_fault *f,
		struct vmmu_answer *a)
{
	struct vmmu_cpu *cpu = &c->vcpu->mmu;

	vmmu_cpu_fault(cpu, f, a);
	if (a->verdict == VMMU_EMULATE)
		a->verdict = vmmu_cpu_unshadow(cpu, a->gpa) ? VMMU_RESUME
							    : VMMU_MMIO;
	else if (a->verdict == VMMU_KILL && is_gone(c, f->gva))
		a->verdict = VMMU_MMIO;
}

static bool answer(struct pv_cpu *c, const struct vmmu_fault *f,
		   uint32_t *error)
{
	struct vmmu_answer a;

	if (!c->kernel)
		vmmu_cpu_swap(&c->vcpu->mmu);
	ask(c, f, &a);
	if (!c->kernel)
		vmmu_cpu_swap(&c->vcpu->mmu);
	switch (a.verdict) {
	case VMMU_INJECT:
		*error = a.error_code;
		return false;
	case VMMU_MMIO:
		/* The guest hears of it as of a page that is not present. */
		*error &= VMMU_PF_W | VMMU_PF_U | VMMU_PF_I;
		return false;
	case VMMU_KILL:
		kill(c, a.reason);
		return true;
	default:
		return true;
	}
}

bool pv_shadow_fault(struct pv_cpu *c, uint64_t gva, uint32_t *error)
{
	struct vmmu_fault f = { .gva = mk_gva(gva), .error_code = *error };

	if (!pv_range_ok(gva, 1))
		return false;
	f.access = *error & VMMU_PF_W	? VMMU_W
		   : *error & VMMU_PF_I ? VMMU_X
					: VMMU_R;
	f.access |= c->kernel ? 0 : VMMU_U;
	return answer(c, &f, error);
}

bool pv_shadow_own_fault(struct trap_frame *f)
{
	struct pv_cpu *c = pv_current;
	uint64_t gva = read_cr2();
	uint32_t error = (uint32_t)f->error_code;
	struct vmmu_fault fault = { .gva = mk_gva(gva), .error_code = error };
	uint64_t done = c ? c->vcpu->vm->mmu.stats.pf_fixed : 0;

	if (!c || !pv_range_ok(gva, 1) || error & VMMU_PF_I ||
	    c->vcpu->vm->end != VM_RUNNING)
		return false;
	/* A fault that was answered by an entry is none of a row. */
	if (gva != c->own_fault || done != c->own_done)
		c->own_faults = 0;
	c->own_faults++;
	c->own_fault = gva;
	c->own_done = done;
	/* Nobody but the guest's own tables could be the cause: not for ever.
	 */
	if (c->own_faults > OWN_FAULTS)
		return false;
	fault.access = error & VMMU_PF_W ? VMMU_W : VMMU_R;
	return answer(c, &fault, &error) && c->vcpu->vm->end == VM_RUNNING;
}
