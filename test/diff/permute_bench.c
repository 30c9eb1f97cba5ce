/*
 * The guest and its two machines: memory, registers, entries. See permute.h.
 */
#include "permute.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY 1u

/* 1. Guest memory. */

static enum smmu_mem_status load(void *ctx, gpa_t gpa, unsigned size,
				 uint64_t *value)
{
	struct bench *b = ctx;

	*value = 0;
	if (gpa.v >= VMMU_2M)
		return SMMU_MEM_NONE;
	memcpy(value, b->memory + gpa.v, size);
	return SMMU_MEM_OK;
}

static enum smmu_mem_status swap(void *ctx, gpa_t gpa, unsigned size,
				 uint64_t old, uint64_t now)
{
	struct bench *b = ctx;

	if (memcmp(b->memory + gpa.v, &old, size))
		return SMMU_MEM_CHANGED;
	memcpy(b->memory + gpa.v, &now, size);
	return SMMU_MEM_OK;
}

uint64_t bench_entry(const struct bench *b, unsigned level)
{
	uint64_t value = 0;

	memcpy(&value, b->memory + b->slot_gpa[level], b->entry_size);
	return value;
}

struct smmu_mem bench_mem(struct bench *b)
{
	return (struct smmu_mem){ .load = load, .swap = swap, .ctx = b };
}

void bench_set_entry(struct bench *b, unsigned level, uint64_t value)
{
	gpa_t gpa = mk_gpa(b->slot_gpa[level]);

	if (b->entry_size == 4)
		value &= UINT32_MAX;
	if (bench_entry(b, level) == value)
		return;
	memcpy(b->memory + gpa.v, &value, b->entry_size);
	for (unsigned i = 0; i < PERMUTE_MACHINES; i++)
		vmmu_cpu_wrote(&b->on[i].cpu, gpa, b->entry_size);
}

static void die(const char *sentence)
{
	fprintf(stderr, "permute: %s\n", sentence);
	exit(2);
}

/* SDM 3A 4.4.1: to flush in PAE paging is to load the PDPTEs. */
static void flushed(void *ctx, struct vmmu_cpu *cpu, const gva_t *gva)
{
	struct bench *b = ctx;

	for (unsigned i = 0; i < PERMUTE_MACHINES && !gva; i++)
		if (!cpu || cpu == &b->on[i].cpu)
			b->on[i].root.pdptes_loaded = false;
}

static void make_host(struct bench *b)
{
	struct lab_host_config config = { .memory = VMMU_2M,
					  .extent = VMMU_2M,
					  .table_pages = 128 };

	if (!lab_host_init(&b->host, &config))
		die("no memory");
	b->host.hooks.flushed = flushed;
	b->host.hooks.ctx = b;
}

static void make_machine(struct bench *b, struct permute_machine *m,
			 const struct vmmu_scheme *scheme)
{
	struct vmmu_slot slot = { .size = VMMU_2M, .hva = b->host.hva_base };
	struct vmmu_vm_config vm = { .host = lab_host_ops(&b->host),
				     .hw.host_max_leaf = 2,
				     .slot_storage = m->slot_storage,
				     .slot_capacity = 1,
				     .table_limit = 64 };

	m->name = scheme->name;
	if (!vmmu_vm_init(&m->vm, &vm) ||
	    !vmmu_cpu_init(&m->cpu, &m->vm, scheme))
		die("no VM");
	if (vmmu_vm_set_slot(&m->vm, &slot) != VMMU_SLOT_OK)
		die("no slot");
	m->root = (struct rootwalk){ .cpu = &m->cpu, .host = &b->host };
}

static void make_machines(struct bench *b)
{
	static const struct vmmu_scheme *const schemes[PERMUTE_MACHINES] = {
		&vmmu_vtlb,
		&vmmu_shadow,
	};

	make_host(b);
	for (unsigned i = 0; i < PERMUTE_MACHINES; i++)
		make_machine(b, &b->on[i], schemes[i]);
	if (vmmu_gmem_page(&b->on[0].cpu.mem, mk_gfn(0), VMMU_W, &b->memory) !=
	    VMMU_GMEM_OK)
		die("no guest memory");
}

/* Tables from the root at page 1 down, each refering to the next; the index
 * at each level is the level's number. */
static void make_tables(struct bench *b)
{
	unsigned bits = b->entry_size == 4 ? 10 : 9;

	b->va = 0x123;
	for (unsigned level = b->levels; level >= 1; level--) {
		uint64_t table = (b->levels - level + 1) << 12;
		uint64_t index = level == 3 && b->mode == MODE_PAE ? 2 : level;
		uint64_t low = b->mode == MODE_PAE && level == 3 ? 1 : 0x67;

		b->slot_gpa[level] = table + index * b->entry_size;
		b->va |= index << (12 + bits * (level - 1));
		bench_set_entry(b, level,
				(level == 1 ? 8 << 12 : table + 0x1000) | low);
	}
	b->regs.cr3 = 0x1000;
	if (b->mode == MODE_PAE)
		memcpy(b->regs.pdpte, b->memory + 0x1000, 32);
}

void bench_init(struct bench *b, enum guest_mode mode)
{
	memset(b, 0, sizeof(*b));
	b->mode = mode;
	b->levels = (unsigned)mode + 1;
	b->entry_size = mode == MODE_32 ? 4 : 8;
	b->features = (struct vmmu_features){ .maxphyaddr = 40,
					      .nx = true,
					      .gib_pages = true };
	make_machines(b);
	make_tables(b);
}

void bench_fini(struct bench *b)
{
	for (unsigned i = 0; i < PERMUTE_MACHINES; i++) {
		vmmu_cpu_fini(&b->on[i].cpu);
		vmmu_vm_fini(&b->on[i].vm);
	}
	lab_host_fini(&b->host);
}

/* 2. Registers. */

static uint64_t when(bool condition, uint64_t bit)
{
	return condition ? bit : 0;
}

/* The protection keys' settings: which is enabled, and what the page's key
 * and another key may do. The last: rights without the CR4 bits. */
static void set_keys(struct bench *b, unsigned setting)
{
	static const struct {
		bool pke, pks;
		unsigned user, supervisor; /* AD 1, WD 2; of the page's key */
	} keys[8] = {
		{ false, false, 0, 0 }, { true, false, 1, 3 },
		{ true, false, 2, 3 },	{ true, true, 3, 0 },
		{ false, true, 3, 1 },	{ false, true, 3, 2 },
		{ true, true, 0, 3 },	{ false, false, 3, 3 },
	};
	unsigned user = keys[setting].user;
	unsigned supervisor = keys[setting].supervisor;

	b->machine.pke = keys[setting].pke;
	b->machine.pks = keys[setting].pks;
	b->machine.user_key_ad = user & 1;
	b->machine.user_key_wd = user & 2;
	b->machine.supervisor_key_ad = supervisor & 1;
	b->machine.supervisor_key_wd = supervisor & 2;
	/* All other keys have the opposite rights. */
	b->regs.pkru = ~UINT32_C(0) & ~(3u << 2 * KEY);
	b->regs.pkru |= user << 2 * KEY;
	b->regs.pkrs = ~UINT32_C(0) & ~(3u << 2 * KEY);
	b->regs.pkrs |= supervisor << 2 * KEY;
}

void bench_set_registers(struct bench *b, unsigned bits, unsigned keys)
{
	struct predict_machine *m = &b->machine;
	struct vmmu_regs *r = &b->regs;

	m->is_32bit = b->mode == MODE_32;
	m->is_pae = b->mode >= MODE_PAE;
	m->long_mode = b->mode >= MODE_4LEVEL;
	m->wp = bits & 1;
	m->smep = bits & 2;
	m->smap = bits & 4;
	m->nxe = bits & 8;
	set_keys(b, keys);
	r->cr0 = VMMU_CR0_PE | VMMU_CR0_PG | when(m->wp, VMMU_CR0_WP);
	r->cr4 = VMMU_CR4_PSE | when(m->smep, VMMU_CR4_SMEP) |
		 when(m->smap, VMMU_CR4_SMAP) | when(m->pke, VMMU_CR4_PKE) |
		 when(m->pks, VMMU_CR4_PKS) | when(m->is_pae, VMMU_CR4_PAE) |
		 when(b->mode == MODE_LA57, VMMU_CR4_LA57);
	r->efer = when(m->long_mode, VMMU_EFER_LME | VMMU_EFER_LMA) |
		  when(m->nxe, VMMU_EFER_NXE);
	for (unsigned i = 0; i < PERMUTE_MACHINES; i++)
		vmmu_cpu_set_regs(&b->on[i].cpu, r, &b->features);
	b->sregs = (struct smmu_regs){ .cr0 = r->cr0,
				       .cr3 = r->cr3,
				       .cr4 = r->cr4,
				       .efer = r->efer,
				       .pkru = r->pkru,
				       .pkrs = r->pkrs,
				       .maxphyaddr = 40,
				       .has_nx = true,
				       .has_1g = true };
	memcpy(b->sregs.pdpte, r->pdpte, sizeof(r->pdpte));
}

/* 3. Entries. */

static bool has_nx(const struct bench *b)
{
	return b->mode != MODE_32;
}

/* What is reserved in every 8-byte entry is an address bit beyond the width;
 * in a 4-byte one that maps 4 MiB, without PSE-36, bit 21. */
static uint64_t reserved_bit(const struct bench *b)
{
	return b->mode == MODE_32 ? UINT64_C(1) << 21 : UINT64_C(1) << 45;
}

static uint64_t encode(const struct bench *b, const struct predict_entry *e,
		       uint64_t address, uint64_t flags)
{
	uint64_t raw_entry = address | flags | when(e->present, 1) |
			     when(e->write, 2) | when(e->user, 4) |
			     when(e->large, 0x80) |
			     when(e->reserved, reserved_bit(b));

	if (has_nx(b))
		raw_entry |= when(e->no_execute, UINT64_C(1) << 63);
	if (b->machine.long_mode)
		raw_entry |= (uint64_t)KEY << 59;
	return raw_entry;
}

void bench_flush(struct bench *b)
{
	for (unsigned i = 0; i < PERMUTE_MACHINES; i++)
		vmmu_cpu_flush(&b->on[i].cpu, VMMU_FLUSH_ALL);
}

void bench_set_entries(struct bench *b, uint64_t upper_flags,
		       uint64_t leaf_flags)
{
	uint64_t below = (b->levels - b->upper_level + 2) << 12;

	b->upper_raw =
		encode(b, &b->upper, b->upper.large ? 0 : below, upper_flags);
	b->leaf_raw = encode(b, &b->leaf, 8 << 12, leaf_flags);
	bench_set_entry(b, b->upper_level, b->upper_raw);
	bench_set_entry(b, 1, b->leaf_raw);
	bench_flush(b);
}
