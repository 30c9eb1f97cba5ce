/*
 * One case: what the manual says, what the processor does, and whether they
 * are the same.
 *
 * Several accesses are made with the entries as they are, one after another,
 * and nothing is flushed between them: what one of them cached must not let
 * another through, nor keep a flag from being set. A and D of both entries are
 * therefore kept count of from one access to the next (Intel SDM 3A 4.8: A of
 * an entry that the walk passes, D of the page's when it is written; both of
 * the page's entry only when the access is allowed).
 */
#include "permute.h"

#define MARK	  0x77726974u
#define EFLAGS_AC 0x40000u
#define EFLAGS	  2u
#define TOLD	  8 /* failures that are told of in full */

#define ERROR_P	   1u
#define ERROR_RSVD 8u

static struct entries now;
static uint64_t upper_want, leaf_want;
static struct predict_machine registers;

/* 1. The entries. */

void case_write(const struct entries *e)
{
	now = *e;
	if (chain_read(chain.upper) != e->upper_raw)
		chain_write(0, chain.upper, e->upper_raw);
	if (chain_read(1) != e->leaf_raw)
		chain_write(0, 1, e->leaf_raw);
	upper_want = e->upper_raw;
	leaf_want = e->leaf_raw;
}

void case_entries(const struct entries *e)
{
	case_write(e);
	flush_page(chain.address);
}

void case_registers(const struct registers *r)
{
	set_registers(r);
	registers = (struct predict_machine){
		.is_32bit = machine.levels == 2,
		.is_pae = machine.levels > 2,
		.long_mode = is_long(),
		.wp = r->wp,
		.smep = r->smep,
		.smap = r->smap,
		.pke = r->pke,
		.nxe = r->nxe,
	};
}

/* Key 1, which the entries have, gets these rights; all others are denied
 * everything. Key 0 is this program's ring-3 page. */
void case_keys(bool ad, bool wd)
{
	registers.user_key_ad = ad;
	registers.user_key_wd = wd;
	set_keys(UINT32_C(0xfffffff0) | (ad ? 4u : 0) | (wd ? 8u : 0));
}

/* 2. The access. */

struct attempt {
	unsigned what; /* as the prober takes it */
	uint32_t eflags;
	uint64_t address;
	struct predict_access access;
};

/* 0 .. 11: read, write, fetch; in ring 0, in ring 3; without AC, with it.
 * 12, 13: the processor's own read. */
static struct attempt attempt_of(unsigned n)
{
	static const uint32_t at[WHATS] = { AT_DATA, AT_DATA, AT_CODE,
					    AT_TABLE };
	unsigned what = n < 12 ? n % 3 : IMPLICIT;
	bool user = n < 12 ? n / 3 & 1 : true;
	bool ac = n < 12 ? n / 6 & 1 : n & 1;

	return (struct attempt){
		.what = what | (user ? PROBE_USER : 0),
		.eflags = EFLAGS | (ac ? EFLAGS_AC : 0),
		.address = chain.address + at[what],
		.access = { .write = what == WRITE,
			    .fetch = what == FETCH,
			    .cpl3 = user,
			    .implicit = what == IMPLICIT,
			    .ac = ac },
	};
}

static void make(const struct attempt *t)
{
	uint64_t to = t->address;

	if ((t->what & 3) == FETCH)
		to -= AT_CODE; /* which the prober adds */
	(is_long() ? probe_64 : probe_32)(t->what, t->eflags, to, MARK);
}

/* 3. The comparison. */

static uint32_t expected_error(const struct prediction *want)
{
	if ((want->error & ERROR_RSVD) && !machine.rsvd_with_p)
		return want->error & ~ERROR_P;
	return want->error;
}

static bool came_back_right(const struct attempt *t,
			    const struct prediction *want)
{
	if (want->allowed)
		return probe.vector == VECTOR_DONE;
	return probe.vector == VECTOR_PF &&
	       probe.error == expected_error(want) && probe.cr2 == t->address;
}

/* What is in memory, and back to what was. */
static bool memory_is_right(const struct attempt *t,
			    const struct prediction *want)
{
	unsigned level = now.upper.large ? chain.upper : 1;
	volatile uint32_t *memory = chain_memory(level, now.frame);
	uint32_t signature = chain_signature(level, now.frame);
	bool good = *memory == signature;

	if (!want->allowed)
		return good;
	if (t->access.write) {
		good = *memory == MARK;
		*memory = signature;
	}
	if ((t->what & 3) == READ)
		good &= probe.value == signature;
	return good;
}

/* See machine.gib_sets_a; bits above the address are looked at before. */
static bool sets_a_early(void)
{
	uint64_t above =
		(UINT64_C(1) << 52) - (UINT64_C(1) << machine.has.maxphyaddr);

	if (!machine.now.nxe)
		above |= NX;
	return machine.gib_sets_a && chain.upper == 3 && now.upper.large &&
	       now.upper.present && !(now.upper_raw & above);
}

static bool flags_are_right(const struct attempt *t,
			    const struct prediction *want)
{
	uint64_t *last = now.upper.large ? &upper_want : &leaf_want;
	bool good;

	if ((machine.a_is_late ? want->allowed : want->goes_on) ||
	    sets_a_early())
		upper_want |= A;
	if (want->allowed)
		*last |= t->access.write ? A | D : A;
	good = chain_read(chain.upper) == upper_want &&
	       chain_read(1) == leaf_want;
	upper_want = chain_read(chain.upper);
	leaf_want = chain_read(1);
	return good;
}

static void print_64(const char *name, uint64_t value)
{
	print(" %s %x.%x", name, (uint32_t)(value >> 32), (uint32_t)value);
}

static void tell(const struct attempt *t, const struct prediction *want,
		 const char *what)
{
	const struct registers *r = &machine.now;

	print("permute: %s: access %u, AC %u,", what, t->what,
	      (uint32_t)t->access.ac);
	print_64("upper was", now.upper_raw);
	print_64("is", chain_read(chain.upper));
	print_64("leaf was", now.leaf_raw);
	print_64("is", chain_read(1));
	print_64("address", t->address);
	print("; WP %u PSE %u SMEP %u SMAP %u PKE %u NXE %u: ", r->wp, r->pse,
	      r->smep, r->smap, r->pke, r->nxe);
	if (want->allowed)
		print("should go through");
	else
		print("should fault with %x", expected_error(want));
	print(", gave vector %u, error %x,", probe.vector, probe.error);
	print_64("cr2", probe.cr2);
	print("\n");
}

void case_one(unsigned n, struct count *count)
{
	const struct attempt t = attempt_of(n);
	const struct prediction want =
		predict(&registers, &now.upper, &now.leaf, &t.access);
	bool outcome, memory, flags;

	if (machine.own_minds_ac && registers.smap && t.access.implicit &&
	    t.access.ac)
		return;
	probe.vector = 0;
	make(&t);
	outcome = came_back_right(&t, &want);
	memory = memory_is_right(&t, &want);
	flags = flags_are_right(&t, &want);
	count->cases++;
	if (outcome && memory && flags)
		return;
	if (count->wrong++ < TOLD)
		tell(&t, &want,
		     !outcome  ? "outcome"
		     : !memory ? "memory"
			       : "A or D");
}

/* 4. Emulators' own MMUs, where they are not as the manual has it (SDM 3A 4.6,
 * 4.7, 4.8). Seen once, and then asked of every case. */

static struct attempt plain_read(void)
{
	return (struct attempt){ .what = READ,
				 .eflags = EFLAGS,
				 .address = chain.address };
}

/* P is left out where a reserved bit is set. */
static bool calibrate_rsvd(void)
{
	const struct attempt t = plain_read();
	struct entries e = {
		.upper_raw = chain_refer(0, chain.upper) | P | W | U | A,
		.leaf_raw = chain_frame(0) | P,
	};

	if (machine.entry_size == 4)
		e.upper_raw |= PS | UINT64_C(1) << 21;
	else
		e.leaf_raw |= UINT64_C(1) << 51;
	case_entries(&e);
	make(&t);
	machine.rsvd_with_p = probe.error & ERROR_P;
	return probe.vector == VECTOR_PF &&
	       (probe.error | ERROR_P) == (ERROR_RSVD | ERROR_P);
}

static bool calibrate_gib(void)
{
	const struct registers r = { .wp = true, .smap = true };
	const struct attempt t = plain_read();
	const struct entries e = { .upper_raw = P | W | U | PS };

	if (!is_long() || !machine.has.gib || !machine.has.smap)
		return true;
	chain_begin(3, false);
	case_registers(&r);
	case_entries(&e);
	make(&t);
	machine.gib_sets_a = chain_read(3) & A;
	return probe.vector == VECTOR_PF;
}

/* An upper entry that refers to a table where the page is absent. */
static bool calibrate_late(void)
{
	const struct attempt t = plain_read();
	const struct entries e = {
		.upper_raw = chain_refer(0, chain.upper) | P | W | U,
		.leaf_raw = 0,
	};

	case_entries(&e);
	make(&t);
	machine.a_is_late = !(chain_read(chain.upper) & A);
	return probe.vector == VECTOR_PF;
}

/* The processor's own read, from ring 3 with AC, of a page of ring 3's that was
 * read before: where software keeps tables for the processor, as a hypervisor's
 * shadow does, the first read of a page is not the processor's alone. */
static bool calibrate_own(void)
{
	const struct registers r = { .wp = true,
				     .pse = machine.has.pse,
				     .smap = true };
	const struct attempt before = attempt_of(3), t = attempt_of(13);
	const struct entries e = {
		.upper_raw = chain_refer(0, chain.upper) | P | W | U | A,
		.leaf_raw = chain_frame(0) | P | U | A,
	};

	if (!machine.has.smap)
		return true;
	case_registers(&r);
	case_entries(&e);
	make(&before);
	make(&t);
	machine.own_minds_ac = probe.vector == VECTOR_DONE;
	return probe.vector == VECTOR_DONE || probe.vector == VECTOR_PF;
}

bool case_calibrate(void)
{
	const struct registers r = { .wp = true, .pse = machine.has.pse };

	chain_begin(2, false);
	case_registers(&r);
	return calibrate_rsvd() && calibrate_late() && calibrate_own() &&
	       calibrate_gib();
}
