/*
 * The monitor's translations: gva -> gpa -> slot -> hva -> hpa, one step at a
 * time, and what the hardware's own table has for it:
 *
 *   guest     the levels of the guest's table, for a gva
 *   npt       the levels of ours below it, for the gpa: under nested
 *   x86-64    the levels of ours in its place, for the gva: under a scheme of
 *             software; the guest's own, of a paravirtual one
 *
 * Every entry is shown with what it grants by itself; a leaf with what all of
 * them together do.
 */
#include <vmmu/direct.h>

#include "vm/monitor.h"
#include "vm/vm.h"

typedef unsigned long long ull;

/* The host gives memory for a page that has none yet, as an access would. */
static bool find_machine(struct vm *vm, uint64_t gpa,
			 const struct vmmu_slot **slot, struct vmmu_extent *run)
{
	const struct vmmu_host *host = &vm->mmu.host;
	hva_t hva;

	*slot = vmmu_slots_find(&vm->mmu.slots, gpa_gfn(mk_gpa(gpa)));
	if (!*slot)
		return false;
	hva = vmmu_slot_hva(*slot, mk_gpa(gpa));
	return host->ops->resolve(host->cookie, hva, VMMU_R, run) ==
	       VMMU_RESOLVE_OK;
}

/* 1. Single steps, with QEMU's sentences. */

void monitor_gva2gpa(struct vm *vm, const char *args,
		     const struct fmt_sink *out)
{
	struct vmmu_gwalk walk;
	struct vmmu_mode mode;
	uint64_t gva;

	if (!monitor_number(vm, args, &gva, out))
		return;
	monitor_mode(vm, &mode);
	if (monitor_walk(vm, &mode, gva, &walk) == VMMU_GWALK_OK)
		fmt_print(out, "gpa: 0x%llx\n", (ull)walk.gpa.v);
	else
		fmt_print(out, "Unmapped\n");
}

static void gpa_to_host(struct vm *vm, const char *args,
			const struct fmt_sink *out, bool machine)
{
	const struct vmmu_slot *slot;
	struct vmmu_extent run;
	uint64_t gpa, hva;
	bool found;

	if (!monitor_number(vm, args, &gpa, out))
		return;
	found = find_machine(vm, gpa, &slot, &run);
	if (!slot || (machine && !found)) {
		fmt_print(out, "No memory is mapped at address 0x%llx\n",
			  (ull)gpa);
		return;
	}
	hva = vmmu_slot_hva(slot, mk_gpa(gpa)).v;
	fmt_print(out, "Host %s address for 0x%llx (slot %u) is 0x%llx\n",
		  machine ? "physical" : "virtual", (ull)gpa, slot->id,
		  (ull)(machine ? run.hpa.v + (hva - run.hva.v) : hva));
}

void monitor_gpa2hva(struct vm *vm, const char *args,
		     const struct fmt_sink *out)
{
	gpa_to_host(vm, args, out, false);
}

void monitor_gpa2hpa(struct vm *vm, const char *args,
		     const struct fmt_sink *out)
{
	gpa_to_host(vm, args, out, true);
}

/* 2. One level. */

static void put_perms(const struct fmt_sink *out, unsigned perms)
{
	fmt_print(out, "%c%c%c%c", perms & VMMU_R ? 'r' : '-',
		  perms & VMMU_W ? 'w' : '-', perms & VMMU_X ? 'x' : '-',
		  perms & VMMU_U ? 'u' : '-');
}

struct step {
	const char *whose;
	const struct pt_level *row;
	unsigned level;
	uint64_t at, entry;
	bool leaf;
};

static void put_step(const struct fmt_sink *out, const struct step *s)
{
	unsigned span = s->row->shift;

	fmt_print(out, "%-7s level %u at 0x%llx: 0x%016llx ", s->whose,
		  s->level, (ull)s->at, (ull)s->entry);
	if (!(s->entry & s->row->present)) {
		fmt_print(out, "absent\n");
		return;
	}
	/* A PDPTE has no rights of its own: it withholds nothing. */
	put_perms(out, s->row->allow[PT_W] ? pt_entry_perms(s->row, s->entry)
					   : VMMU_RWXU);
	fmt_print(out, "%s%s%s", s->entry & s->row->accessed ? " A" : "",
		  s->leaf && s->entry & s->row->dirty ? " D" : "",
		  s->leaf && s->entry & s->row->global ? " G" : "");
	if (s->leaf)
		fmt_print(out, " page of %u %s\n", 1u << (span % 10),
			  span < 20   ? "KiB"
			  : span < 30 ? "MiB"
				      : "GiB");
	else
		fmt_print(out, " table\n");
}

/* 3. The guest's levels. */

static const char *memtype_name(enum vmmu_memtype type)
{
	static const char *const names[] = {
		[VMMU_UC] = "uncached",	     [VMMU_WC] = "write-combining",
		[VMMU_WT] = "write-through", [VMMU_WP] = "write-protected",
		[VMMU_WB] = "write-back",    [VMMU_UC_MINUS] = "uncached-",
	};

	return names[type];
}

/* The entry that the walk went through at this level, read again. */
static uint64_t entry_at(struct vm *vm, const struct vmmu_mode *m,
			 const struct vmmu_gwalk *walk, unsigned level,
			 uint64_t gva, uint64_t *at)
{
	uint64_t entry = 0;

	*at = walk->tables[level].v +
	      (gva >> m->level[level].shift & m->level[level].index_mask) *
		      m->entry_size;
	if (level == walk->level)
		return walk->entry;
	if (m->pdptes && level == 3)
		return m->regs.pdpte[gva >> 30 & 3];
	vmmu_gmem_read(&vm->vcpu[0]->mmu.mem, mk_gpa(*at), &entry,
		       m->entry_size);
	return entry;
}

/* A walk that ended otherwise than well or by a fault has not read the entry
 * of its last level. */
static void put_guest(struct vm *vm, const struct vmmu_mode *m, uint64_t gva,
		      const struct vmmu_gwalk *walk,
		      enum vmmu_gwalk_status status, const struct fmt_sink *out)
{
	bool read = status == VMMU_GWALK_OK || status == VMMU_GWALK_FAULT;
	unsigned last = walk->level + !read;

	for (unsigned level = m->levels; level >= last; level--) {
		struct step s = { .whose = "guest",
				  .row = &m->format->level[level],
				  .level = level };

		s.entry = entry_at(vm, m, walk, level, gva, &s.at);
		s.leaf = status == VMMU_GWALK_OK && level == walk->level;
		put_step(out, &s);
	}
}

static const char *why_not(const struct vmmu_gwalk *walk,
			   enum vmmu_gwalk_status status)
{
	switch (status) {
	case VMMU_GWALK_FAULT:
		return walk->error_code & VMMU_PF_RSVD
			       ? "a reserved bit is set: #PF"
			       : "nothing is mapped there: #PF";
	case VMMU_GWALK_NON_CANONICAL:
		return "the address is not canonical: #GP";
	case VMMU_GWALK_NO_SLOT:
		return "its table is where no memory is";
	default:
		return "its table's memory cannot be had";
	}
}

/* The guest's part; false: it leads nowhere, and that was said. */
static bool walk_guest(struct vm *vm, uint64_t gva, struct vmmu_gwalk *walk,
		       const struct fmt_sink *out)
{
	enum vmmu_gwalk_status status;
	struct vmmu_mode m;

	monitor_mode(vm, &m);
	status = monitor_walk(vm, &m, gva, walk);
	fmt_print(out, "gva 0x%llx, %s, CR3 0x%llx\n", (ull)gva,
		  m.format ? m.format->name : "paging off", (ull)m.regs.cr3);
	if (m.format && status != VMMU_GWALK_NON_CANONICAL)
		put_guest(vm, &m, gva, walk, status, out);
	if (status != VMMU_GWALK_OK) {
		fmt_print(out, "%s\n", why_not(walk, status));
		return false;
	}
	fmt_print(out, "gpa 0x%llx ", (ull)walk->gpa.v);
	put_perms(out, walk->perms);
	if (m.format)
		fmt_print(out, " %s",
			  memtype_name(vmmu_memtype_of_leaf(&m, walk->level,
							    walk->entry)));
	fmt_print(out, walk->pkey ? " key %u\n" : "\n", walk->pkey);
	return true;
}

/* 4. What the hardware's table has for the address. */

static const struct pt_format *format_of(const struct vmmu_cpu *cpu)
{
	struct vmmu_regs real;

	if (cpu->scheme->needs & VMMU_NEEDS_SECOND)
		return cpu->vm->hw.nested_format;
	vmmu_cpu_real_regs(cpu, &real);
	if (!(real.efer & VMMU_EFER_LMA))
		return &pt_x86_pae;
	return real.cr4 & VMMU_CR4_LA57 ? &pt_x86_la57 : &pt_x86_64;
}

/* True: it leads to *hpa. */
static bool walk_root(const struct vmmu_cpu *cpu, const struct pt_format *f,
		      uint64_t addr, uint64_t *hpa, const struct fmt_sink *out)
{
	const struct vmmu_host *host = &cpu->vm->host;
	struct step s = { .whose = f->name, .level = f->levels };
	uint64_t table = cpu->root.v;

	for (;; s.level--) {
		const uint64_t *entries =
			host->ops->ptr(host->cookie, mk_hpa(table));
		unsigned index;

		s.row = &f->level[s.level];
		index = (unsigned)(addr >> s.row->shift) &
			((1u << s.row->index_bits) - 1);
		s.at = table + index * sizeof(uint64_t);
		s.entry = __atomic_load_n(&entries[index], __ATOMIC_RELAXED);
		s.leaf = (s.entry & s.row->present) &&
			 pt_entry_is_leaf(s.row, s.entry);
		put_step(out, &s);
		if (!(s.entry & s.row->present) || s.leaf)
			break;
		table = pt_table_addr(s.row, s.entry);
	}
	*hpa = pt_leaf_addr(s.row, s.entry) | (addr & (pt_span(s.row) - 1));
	return s.leaf;
}

static void walk_ours(const struct vmmu_cpu *cpu, uint64_t addr,
		      const struct fmt_sink *out)
{
	const struct pt_format *f = format_of(cpu);
	uint64_t hpa;

	if (walk_root(cpu, f, addr, &hpa, out))
		fmt_print(out, "%-7s maps hpa 0x%llx\n", f->name, (ull)hpa);
	else
		fmt_print(out,
			  "%-7s has no entry yet: the next access makes "
			  "one\n",
			  f->name);
}

/* A paravirtual guest's own table has machine addresses in it, and the way
 * back is the m2p. */
static void walk_direct(const struct vmmu_cpu *cpu, uint64_t gva,
			const struct fmt_sink *out)
{
	uint64_t hpa;
	gfn_t gfn;

	fmt_print(out, "gva 0x%llx, the guest's own table at hpa 0x%llx\n",
		  (ull)gva, (ull)cpu->root.v);
	if (!cpu->root.v || !walk_root(cpu, &pt_x86_64, gva, &hpa, out)) {
		fmt_print(out, "nothing is mapped there: #PF\n");
		return;
	}
	fmt_print(out, "hpa 0x%llx\n", (ull)hpa);
	if (vmmu_direct_m2p(cpu->vm, hpa_hfn(mk_hpa(hpa)), &gfn))
		fmt_print(out, "gpa 0x%llx by m2p\n",
			  (ull)(gfn_gpa(gfn).v | (hpa & VMMU_PAGE_MASK)));
	else
		fmt_print(out, "which is no frame of the guest's own\n");
}

/* 5. All of it. */

static void put_machine(struct vm *vm, uint64_t gpa, const struct fmt_sink *out)
{
	const struct vmmu_slot *slot;
	struct vmmu_extent run;
	uint64_t hva;
	bool found = find_machine(vm, gpa, &slot, &run);

	if (!slot) {
		fmt_print(out, "no slot has it: a device's, or nothing's\n");
		return;
	}
	hva = vmmu_slot_hva(slot, mk_gpa(gpa)).v;
	fmt_print(out, "slot %u at gpa 0x%llx%s%s\nhva 0x%llx\n", slot->id,
		  (ull)slot->gpa.v,
		  slot->flags & VMMU_SLOT_READ_ONLY ? ", read-only" : "",
		  slot->flags & VMMU_SLOT_LOG_DIRTY ? ", dirty logged" : "",
		  (ull)hva);
	if (!found)
		fmt_print(out, "the host has no memory behind it now\n");
	else
		fmt_print(out, "hpa 0x%llx, in a run of %llu KiB\n",
			  (ull)(run.hpa.v + (hva - run.hva.v)),
			  (ull)run.size >> 10);
}

void monitor_walk_steps(struct vm *vm, const char *args,
			const struct fmt_sink *out)
{
	struct vmmu_cpu *cpu = &vm->vcpu[0]->mmu;
	struct vmmu_gwalk walk = { .level = 0 };
	uint64_t gva;

	if (!monitor_number(vm, args, &gva, out))
		return;
	if (vm->mmu.direct) {
		walk_direct(cpu, gva, out);
		return;
	}
	if (vm->engine->para &&
	    vmmu_cpu_walk(cpu, mk_gva(gva), VMMU_R, VMMU_GWALK_PEEK, &walk) !=
		    VMMU_GWALK_OK) {
		fmt_print(out, "nothing is mapped there: #PF\n");
		return;
	}
	if (vm->engine->para)
		fmt_print(out,
			  "gva 0x%llx is gpa 0x%llx by the guest's own "
			  "tables\n",
			  (ull)gva, (ull)walk.gpa.v);
	else if (!walk_guest(vm, gva, &walk, out))
		return;
	put_machine(vm, walk.gpa.v, out);
	walk_ours(cpu,
		  cpu->scheme->needs & VMMU_NEEDS_SECOND ? walk.gpa.v : gva,
		  out);
}
