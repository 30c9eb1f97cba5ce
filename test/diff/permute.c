/*
 * Permission permutations: every combination of entry bits at two levels, of
 * control-register bits and of kinds of access, in each guest mode; predicted
 * (predict.c), walked by the software MMU and by the library, and made on
 * hardware that walks the tables of the schemes `vtlb` and `shadow`. All must
 * agree, and all must leave the same accessed and dirty flags. The schemes'
 * tables stay as they are from one access to the next, as long as the entries
 * do: what was filled for one must not let another through.
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
#include "permute.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define ACCESSES 24

static bool verbose;

/* 1. One case. */

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
	return bench_entry(b, b->upper_level) == upper &&
	       bench_entry(b, 1) == leaf;
}

static void restore(struct bench *b)
{
	bench_set_entry(b, b->upper_level, b->upper_raw);
	bench_set_entry(b, 1, b->leaf_raw);
}

struct hardware {
	bool sane; /* some end was reached */
	bool allowed;
	uint32_t error; /* of the #PF that the guest gets, else 0 */
	gpa_t hpa;
};

/* EMULATE leaves it to the walk, which was compared already. */
static struct hardware on_hardware(const struct bench *b,
				   struct permute_machine *m, unsigned access)
{
	struct hardware h = { .sane = true };
	struct vmmu_fault fault = { .gva = mk_gva(b->va), .access = access };
	struct vmmu_answer answer;
	struct smmu_regs real;
	struct vmmu_gwalk walk;
	struct smmu_result r;

	for (unsigned tries = 0; tries < 3; tries++) {
		if (!rootwalk_regs(&m->root, &real))
			break;
		rootwalk_access(&m->root, &real, fault.gva, access, &r);
		h.hpa = r.gpa;
		h.allowed = r.outcome == SMMU_OK;
		if (h.allowed)
			return h;
		fault.error_code = r.error;
		vmmu_cpu_fault(&m->cpu, &fault, &answer);
		h.error = answer.error_code;
		if (answer.verdict == VMMU_INJECT) {
			h.sane = answer.gva.v == b->va;
			return h;
		}
		h.error = 0;
		if (answer.verdict == VMMU_EMULATE) {
			m->emulated++;
			vmmu_cpu_walk(&m->cpu, fault.gva, access, 0, &walk);
			h.hpa = mk_gpa(walk.gpa.v + b->host.hpa_base.v);
			h.allowed = true;
			return h;
		}
	}
	h.sane = false;
	return h;
}

static void try_smmu(struct bench *b, unsigned access,
		     const struct predict_access *a,
		     const struct prediction *want, struct smmu_result *r)
{
	struct smmu_mem mem = bench_mem(b);

	smmu_access(&b->sregs, &mem, mk_gva(b->va), access, SMMU_UPDATE, r);
	if ((r->outcome == SMMU_OK) != want->allowed ||
	    r->error != want->error || !flags_are_right(b, want, a))
		complain(b, "the software MMU", access, want,
			 r->outcome == SMMU_OK, r->error);
	restore(b);
}

static void try_library(struct bench *b, unsigned access,
			const struct predict_access *a,
			const struct prediction *want, gpa_t gpa)
{
	struct vmmu_gwalk walk;
	enum vmmu_gwalk_status status =
		vmmu_cpu_walk(&b->on[0].cpu, mk_gva(b->va), access, 0, &walk);

	if ((status == VMMU_GWALK_OK) != want->allowed ||
	    (!want->allowed &&
	     (status != VMMU_GWALK_FAULT || walk.error_code != want->error)) ||
	    (want->allowed && walk.gpa.v != gpa.v) ||
	    !flags_are_right(b, want, a))
		complain(b, "the library", access, want,
			 status == VMMU_GWALK_OK, walk.error_code);
	restore(b);
}

static void try_hardware(struct bench *b, struct permute_machine *m,
			 unsigned access, const struct predict_access *a,
			 const struct prediction *want, gpa_t gpa)
{
	struct hardware h = on_hardware(b, m, access);

	if (!h.sane || h.allowed != want->allowed || h.error != want->error ||
	    (want->allowed && h.hpa.v != gpa.v + b->host.hpa_base.v) ||
	    !flags_are_right(b, want, a))
		complain(b, m->name, access, want, h.allowed, h.error);
	restore(b);
}

static void one_case(struct bench *b, unsigned n)
{
	struct predict_access a = nth_access(n);
	unsigned access = access_word(&a);
	struct prediction want = predict(&b->machine, &b->upper, &b->leaf, &a);
	struct smmu_result r;

	b->cases++;
	try_smmu(b, access, &a, &want, &r);
	try_library(b, access, &a, &want, r.gpa);
	for (unsigned i = 0; i < PERMUTE_MACHINES; i++)
		try_hardware(b, &b->on[i], access, &a, &want, r.gpa);
}

/* 2. The sweeps. */

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
		bench_set_registers(b, reg % 16, reg / 16);
		for (unsigned bits = 0; bits < 256; bits++) {
			rights_entry(&b->upper, bits % 16);
			rights_entry(&b->leaf, bits / 16);
			bench_set_entries(b, 0x20, 0x60);
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
		bench_set_registers(b, (reg & 1) | (reg & 2) << 2, 0);
		for (unsigned bits = 0; bits < 1024; bits++) {
			flags_entries(b, bits);
			bench_set_entries(
				b, (bits & 64) >> 1 | (bits & 128) >> 1,
				(bits & 256) >> 3 | (bits & 512) >> 3);
			for (unsigned n = 0; n < ACCESSES; n++) {
				/* The flags before are as if never used. */
				bench_flush(b);
				one_case(b, n);
			}
		}
	}
}

static bool test_mode(enum guest_mode mode)
{
	static struct bench b;
	bool has_middle = mode >= MODE_4LEVEL, good = true;

	bench_init(&b, mode);
	for (unsigned pass = 0; pass <= has_middle; pass++) {
		b.upper_level = pass ? b.levels : 2;
		sweep_rights(&b);
		sweep_flags(&b);
		/* Leave the upper entry permissive for the next pass. */
		bench_set_entry(&b, b.upper_level,
				((b.levels - b.upper_level + 2) << 12) | 0x67);
	}
	for (unsigned i = 0; i < PERMUTE_MACHINES; i++)
		good &= b.on[i].emulated < b.cases / 100;
	good &= !b.wrong && b.cases > 100000;
	printf("%sok %u - %s: %" PRIu64 " permutations, %" PRIu64
	       " wrong; emulated %" PRIu64 " by %s, %" PRIu64 " by %s\n",
	       good ? "" : "not ", mode, mode_names[mode], b.cases, b.wrong,
	       b.on[0].emulated, b.on[0].name, b.on[1].emulated, b.on[1].name);
	fflush(stdout);
	bench_fini(&b);
	return good;
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
