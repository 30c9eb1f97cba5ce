/*
 * Permission permutations: every combination of entry bits at two levels, of
 * control-register bits and of kinds of access, in each guest mode; predicted
 * (predict.c), walked by the software MMU and by the library, and made on
 * hardware that walks the table of the scheme `vtlb`. All must agree, and all
 * must leave the same accessed and dirty flags. The table stays as it is from
 * one access to the next, as long as the entries do: what was filled for one
 * must not let another through.
 *
 *   rights   P W U NX of both entries x WP SMEP SMAP NXE x 8 settings of the
 *            protection keys x read, write, fetch x CPL x implicit x AC
 *   flags    P A D PS and a reserved bit of both entries, W of the leaf x WP
 *            NXE x the same accesses
 *
 * The two entries are the leaf's and the one above it; then, where there are
 * more than two levels with rights, the leaf's and the root's.
 *
 * Prints TAP; --verbose prints each disagreement, not only the first.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vmmu/vmmu.h>

#include "lab/host.h"
#include "lab/rootwalk.h"
#include "lab/smmu.h"

#include "predict.h"
#include "trace.h"

#define ACCESSES 24
#define KEY	 1u

/* The guest: tables at pages 1.. from the root down, data at page 8; all of
 * it with indices that make up `va`. */
struct bench {
	enum guest_mode mode;
	unsigned levels, entry_size, upper_level;
	uint64_t va;
	uint64_t slot_gpa[6]; /* the entry used, by level */
	uint8_t *memory;
	struct lab_host host;
	struct vmmu_slot slot_storage[1];
	struct vmmu_vm vm;
	struct vmmu_cpu cpu;
	struct rootwalk root;
	struct vmmu_features features;
	struct vmmu_regs regs;
	struct smmu_regs sregs;
	struct predict_machine machine;
	struct predict_entry upper, leaf;
	uint64_t upper_raw, leaf_raw;
	uint64_t cases, wrong, emulated;
};

static bool verbose;

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

static uint64_t raw(struct bench *b, unsigned level)
{
	uint64_t value = 0;

	memcpy(&value, b->memory + b->slot_gpa[level], b->entry_size);
	return value;
}

static void put(struct bench *b, unsigned level, uint64_t value)
{
	memcpy(b->memory + b->slot_gpa[level], &value, b->entry_size);
}

static void die(const char *sentence)
{
	fprintf(stderr, "permute: %s\n", sentence);
	exit(2);
}

static void make_memory(struct bench *b)
{
	struct lab_host_config config = { .memory = VMMU_2M,
					  .extent = VMMU_2M,
					  .table_pages = 64 };
	struct vmmu_slot slot = { .size = VMMU_2M };
	struct vmmu_vm_config vm = { .hw.host_max_leaf = 2,
				     .slot_storage = b->slot_storage,
				     .slot_capacity = 1,
				     .table_limit = 64 };
	uint8_t *page;

	if (!lab_host_init(&b->host, &config))
		die("no memory");
	vm.host = lab_host_ops(&b->host);
	slot.hva = b->host.hva_base;
	if (!vmmu_vm_init(&b->vm, &vm) ||
	    !vmmu_cpu_init(&b->cpu, &b->vm, &vmmu_vtlb))
		die("no VM");
	if (vmmu_vm_set_slot(&b->vm, &slot) != VMMU_SLOT_OK)
		die("no slot");
	if (vmmu_gmem_page(&b->cpu.mem, mk_gfn(0), VMMU_W, &page) !=
	    VMMU_GMEM_OK)
		die("no guest memory");
	b->memory = page;
	b->root = (struct rootwalk){ .cpu = &b->cpu, .host = &b->host };
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
		put(b, level, (level == 1 ? 8 << 12 : table + 0x1000) | low);
	}
	b->regs.cr3 = 0x1000;
	if (b->mode == MODE_PAE)
		memcpy(b->regs.pdpte, b->memory + 0x1000, 32);
}

static void make_bench(struct bench *b, enum guest_mode mode)
{
	memset(b, 0, sizeof(*b));
	b->mode = mode;
	b->levels = (unsigned)mode + 1;
	b->entry_size = mode == MODE_32 ? 4 : 8;
	b->features = (struct vmmu_features){ .maxphyaddr = 40,
					      .nx = true,
					      .gib_pages = true };
	make_memory(b);
	make_tables(b);
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

static void set_registers(struct bench *b, unsigned bits, unsigned keys)
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
	vmmu_cpu_set_regs(&b->cpu, r, &b->features);
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

static void set_entries(struct bench *b, uint64_t upper_flags,
			uint64_t leaf_flags)
{
	uint64_t below = (b->levels - b->upper_level + 2) << 12;

	b->upper_raw =
		encode(b, &b->upper, b->upper.large ? 0 : below, upper_flags);
	b->leaf_raw = encode(b, &b->leaf, 8 << 12, leaf_flags);
	put(b, b->upper_level, b->upper_raw);
	put(b, 1, b->leaf_raw);
	vmmu_cpu_flush(&b->cpu, VMMU_FLUSH_ALL);
}

/* 4. One case. */

static struct predict_access nth_access(unsigned n)
{
	return (struct predict_access){ .write = n % 3 == 1,
					.fetch = n % 3 == 2,
					.cpl3 = n / 3 & 1,
					.implicit = n / 3 & 2,
					.ac = n / 3 & 4 };
}

static unsigned access_word(const struct predict_access *a)
{
	return (a->write   ? VMMU_W
		: a->fetch ? VMMU_X
			   : VMMU_R) |
	       (a->cpl3 ? VMMU_U : 0) | (a->implicit ? VMMU_IMPLICIT : 0) |
	       (a->ac ? VMMU_AC : 0);
}

static void complain(struct bench *b, const char *who, unsigned access,
		     const struct prediction *want, bool ok, uint32_t error)
{
	b->wrong++;
	if (b->wrong > 1 && !verbose)
		return;
	printf("# %s: upper %" PRIx64 " leaf %" PRIx64 " cr0 %" PRIx64
	       " cr4 %" PRIx64 " efer %" PRIx64 " pkru %x pkrs %x access %x: "
	       "%s says %d error %x, the manual %d error %x\n",
	       mode_names[b->mode], b->upper_raw, b->leaf_raw, b->regs.cr0,
	       b->regs.cr4, b->regs.efer, b->regs.pkru, b->regs.pkrs, access,
	       who, ok, error, want->allowed, want->error);
}

/* Flags as SDM 3A 4.8 has them. */
static bool flags_are_right(struct bench *b, const struct prediction *p,
			    const struct predict_access *a)
{
	uint64_t upper = b->upper_raw, leaf = b->leaf_raw;
	uint64_t *last = b->upper.large ? &upper : &leaf;

	if (p->goes_on)
		upper |= 0x20;
	if (p->allowed)
		*last |= a->write ? 0x60 : 0x20;
	if (b->entry_size == 4) {
		upper &= 0xffffffff;
		leaf &= 0xffffffff;
	}
	return raw(b, b->upper_level) == upper && raw(b, 1) == leaf;
}

static void restore(struct bench *b)
{
	put(b, b->upper_level, b->upper_raw);
	put(b, 1, b->leaf_raw);
}

struct hardware {
	bool sane; /* some end was reached */
	bool allowed;
	uint32_t error; /* of the #PF that the guest gets, else 0 */
	gpa_t hpa;
};

/* EMULATE leaves it to the walk, which was compared already. */
static struct hardware on_hardware(struct bench *b, unsigned access)
{
	struct hardware h = { .sane = true };
	struct vmmu_fault fault = { .gva = mk_gva(b->va), .access = access };
	struct vmmu_answer answer;
	struct smmu_regs real;
	struct vmmu_gwalk walk;
	struct smmu_result r;

	for (unsigned tries = 0; tries < 3; tries++) {
		if (!rootwalk_regs(&b->root, &real))
			die("CR3 does not fit");
		rootwalk_access(&b->root, &real, fault.gva, access, &r);
		h.hpa = r.gpa;
		h.allowed = r.outcome == SMMU_OK;
		if (h.allowed)
			return h;
		fault.error_code = r.error;
		vmmu_cpu_fault(&b->cpu, &fault, &answer);
		h.error = answer.error_code;
		if (answer.verdict == VMMU_INJECT) {
			h.sane = answer.gva.v == b->va;
			return h;
		}
		h.error = 0;
		if (answer.verdict == VMMU_EMULATE) {
			b->emulated++;
			vmmu_cpu_walk(&b->cpu, fault.gva, access, 0, &walk);
			h.hpa = mk_gpa(walk.gpa.v + b->host.hpa_base.v);
			h.allowed = true;
			return h;
		}
	}
	h.sane = false;
	return h;
}

static void one_case(struct bench *b, unsigned n)
{
	struct predict_access a = nth_access(n);
	unsigned access = access_word(&a);
	struct prediction want = predict(&b->machine, &b->upper, &b->leaf, &a);
	struct smmu_mem mem = { .load = load, .swap = swap, .ctx = b };
	enum vmmu_gwalk_status status;
	struct vmmu_gwalk walk;
	struct smmu_result r;
	struct hardware h;

	b->cases++;
	smmu_access(&b->sregs, &mem, mk_gva(b->va), access, SMMU_UPDATE, &r);
	if ((r.outcome == SMMU_OK) != want.allowed || r.error != want.error ||
	    !flags_are_right(b, &want, &a))
		complain(b, "the software MMU", access, &want,
			 r.outcome == SMMU_OK, r.error);
	restore(b);
	status = vmmu_cpu_walk(&b->cpu, mk_gva(b->va), access, 0, &walk);
	if ((status == VMMU_GWALK_OK) != want.allowed ||
	    (!want.allowed &&
	     (status != VMMU_GWALK_FAULT || walk.error_code != want.error)) ||
	    (want.allowed && walk.gpa.v != r.gpa.v) ||
	    !flags_are_right(b, &want, &a))
		complain(b, "the library", access, &want,
			 status == VMMU_GWALK_OK, walk.error_code);
	restore(b);
	h = on_hardware(b, access);
	if (!h.sane || h.allowed != want.allowed || h.error != want.error ||
	    (want.allowed && h.hpa.v != r.gpa.v + b->host.hpa_base.v) ||
	    !flags_are_right(b, &want, &a))
		complain(b, "hardware under vtlb", access, &want, h.allowed,
			 h.error);
	restore(b);
}

/* 5. The sweeps. */

static void rights_entry(struct predict_entry *e, unsigned bits)
{
	*e = (struct predict_entry){ .present = bits & 1,
				     .write = bits & 2,
				     .user = bits & 4,
				     .no_execute = bits & 8 };
}

static void sweep_rights(struct bench *b)
{
	for (unsigned reg = 0; reg < 16 * 8; reg++) {
		set_registers(b, reg % 16, reg / 16);
		for (unsigned bits = 0; bits < 256; bits++) {
			rights_entry(&b->upper, bits % 16);
			rights_entry(&b->leaf, bits / 16);
			set_entries(b, 0x20, 0x60);
			for (unsigned n = 0; n < ACCESSES; n++)
				one_case(b, n);
		}
	}
}

/* PS in a root entry is reserved in 4-level and 5-level paging. */
static void flags_entries(struct bench *b, unsigned bits)
{
	bool large = bits & 2;

	b->upper = (struct predict_entry){
		.present = bits & 1,
		.write = true,
		.user = true,
		.large = large && b->upper_level == 2,
		.reserved = bits & 4 && (large || b->mode != MODE_32),
	};
	b->leaf = (struct predict_entry){
		.present = bits & 8,
		.write = bits & 16,
		.user = true,
		.reserved = bits & 32 && b->mode != MODE_32,
	};
}

static void sweep_flags(struct bench *b)
{
	for (unsigned reg = 0; reg < 4; reg++) {
		set_registers(b, (reg & 1) | (reg & 2) << 2, 0);
		for (unsigned bits = 0; bits < 1024; bits++) {
			flags_entries(b, bits);
			set_entries(b, (bits & 64) >> 1 | (bits & 128) >> 1,
				    (bits & 256) >> 3 | (bits & 512) >> 3);
			for (unsigned n = 0; n < ACCESSES; n++) {
				/* The flags before are as if never used. */
				vmmu_cpu_flush(&b->cpu, VMMU_FLUSH_ALL);
				one_case(b, n);
			}
		}
	}
}

static bool test_mode(enum guest_mode mode)
{
	static struct bench b;
	bool has_middle = mode >= MODE_4LEVEL;

	make_bench(&b, mode);
	for (unsigned pass = 0; pass <= has_middle; pass++) {
		b.upper_level = pass ? b.levels : 2;
		sweep_rights(&b);
		sweep_flags(&b);
		/* Leave the upper entry permissive for the next pass. */
		put(&b, b.upper_level,
		    ((b.levels - b.upper_level + 2) << 12) | 0x67);
	}
	printf("%sok %u - %s: %" PRIu64 " permutations, %" PRIu64
	       " wrong; emulated %" PRIu64 "\n",
	       b.wrong ? "not " : "", mode, mode_names[mode], b.cases, b.wrong,
	       b.emulated);
	fflush(stdout);
	vmmu_cpu_fini(&b.cpu);
	vmmu_vm_fini(&b.vm);
	lab_host_fini(&b.host);
	return !b.wrong && b.cases > 100000 && b.emulated < b.cases / 100;
}

int main(int argc, char **argv)
{
	bool good = true;

	verbose = argc > 1 && !strcmp(argv[1], "--verbose");
	printf("1..4\n");
	for (unsigned mode = MODE_32; mode <= MODE_LA57; mode++)
		good &= test_mode((enum guest_mode)mode);
	return !good;
}
