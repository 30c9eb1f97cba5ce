/*
 * The world that a trace runs in: a guest with memory, the library under it,
 * hardware that uses what the library made, and beside them the truth.
 *
 *   real       the host's arena (lab/host.h): what hardware and the library
 *              read and write
 *   the truth  the harness's own list of slots and its own copy of memory, by
 *              hva, which only the oracle (the software MMU) writes
 *
 * After each operation both must agree: the same outcome, the same memory,
 * the same dirty pages. The first disagreement is the world's failure.
 */
#ifndef DIFF_WORLD_H
#define DIFF_WORLD_H

#include <stdarg.h>

#include <vmmu/vmmu.h>

#include "lab/history.h"
#include "lab/host.h"
#include "lab/rootwalk.h"
#include "lab/smmu.h"
#include "lab/tlb.h"
#include "lab/twodim.h"

#include "trace.h"

#define WORLD_SLOTS	16
#define WORLD_LOG_PAGES 2048 /* in a slot that logs, at most */
#define WORLD_BITMAP	(WORLD_LOG_PAGES / 64)
#define WORLD_TOUCHED	512
#define WORLD_ABSENT	16

/* Where an access ends. */
enum where {
	AT_MEMORY,   /* hpa, gpa */
	AT_MMIO,     /* gpa: no slot, or a write to a read-only one */
	AT_FAULT,    /* error */
	AT_GP,	     /* not canonical */
	AT_NO_TABLE, /* gpa: the guest's table lies where no memory is */
	AT_RO_TABLE, /* gpa: its A or D cannot be set */
};

struct place {
	enum where where;
	gpa_t gpa;
	hpa_t hpa;
	uint32_t error;
};

/* A slot as the harness knows it, with the pages it knows to be dirty: `must`
 * were written, `may` were asked for by a violation for writing. */
struct truth_slot {
	bool used;
	struct vmmu_slot slot;
	uint64_t must[WORLD_BITMAP], may[WORLD_BITMAP];
	uint64_t dirty[WORLD_BITMAP]; /* the library's */
};

struct world_counts {
	uint64_t accesses, tlb_hits, stale, violations, mmio, faults;
	uint64_t walks, retries, emulated, direct, audits, refs;
};

struct world {
	struct world_config config;
	enum plant plant;
	struct lab_host host;
	struct vmmu_vm vm;
	struct vmmu_cpu cpu;
	struct vmmu_slot slot_storage[WORLD_SLOTS];
	bool vm_live, cpu_live;
	bool quiet; /* no page moves: an audit is going on */

	struct vmmu_regs regs;
	struct vmmu_features features;
	struct smmu_regs sregs; /* the same, as the oracle takes them */

	struct truth_slot slot[WORLD_SLOTS]; /* by id */
	uint8_t *copy;			     /* memory, by hva */
	uint64_t memory;		     /* bytes of it */
	uint64_t touched[WORLD_TOUCHED];     /* pages that may hold anything */
	unsigned touched_count;
	hva_t absent_hva[WORLD_ABSENT]; /* ranges that are "not now" */
	uint64_t absent_size[WORLD_ABSENT];
	unsigned absent_count;

	struct tlb tlb;
	struct rootwalk root;
	struct history history;
	struct world_counts count;
	unsigned step;
	char failure[240]; /* empty: none */
};

/* False: the process has no memory. */
bool world_init(struct world *w, const struct world_config *config,
		enum plant plant);
void world_fini(struct world *w);

/* Does one operation and compares. False: see w->failure. */
bool world_do(struct world *w, const struct op *op);
/* The checks at the end, with everything taken down. */
bool world_end(struct world *w);

/* Notes the first failure; always false. */
bool world_fail(struct world *w, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* world.c: the truth about memory. */
struct truth_slot *truth_find(struct world *w, gpa_t gpa);
/* The byte in the copy, or NULL where no slot is. */
uint8_t *truth_byte(struct world *w, gpa_t gpa);
/* A store of 1..8 bytes inside one aligned word, in the copy; every gpa that
 * shows it is journalled. */
void truth_store(struct world *w, hva_t hva, unsigned size, uint64_t value);
/* Dirty: it was written; it was asked for to be written. */
void truth_must(struct world *w, gpa_t gpa);
void truth_may(struct world *w, gpa_t gpa);
/* The memory that the oracle walks in. */
struct smmu_mem truth_mem(struct world *w);
void world_touch(struct world *w, hva_t hva);
/* hva as an offset into the copy. */
static inline uint64_t world_offset(const struct world *w, hva_t hva)
{
	return hva.v - w->host.hva_base.v;
}

/* oracle.c */
struct place oracle_access(struct world *w, gva_t gva, unsigned access,
			   unsigned flags, struct smmu_result *r);
const char *where_name(enum where where);

/* Hardware. */
bool hw_is_nested(const struct world *w);

/* One access on hardware, obeying the library. */
struct hw_done {
	struct place place;
	/* No walk of the guest's tables was made: from the TLB, or from a
	 * table that is one. */
	bool cached;
};
bool hw_access(struct world *w, gva_t gva, unsigned access, bool evict,
	       struct hw_done *done);

/* soft.c: the same by the library's own walker and accessors, as an engine
 * does that emulates an instruction. `walk` tells of the walk. */
bool soft_access(struct world *w, gva_t gva, unsigned access, unsigned flags,
		 struct vmmu_gwalk *walk, struct place *p);
/* The host said "not now": it is there now. */
void world_backing_arrives(struct world *w);

/* ops_memory.c: slots, backing, contents, the dirty log. */
bool op_slot(struct world *w, const struct op *op);
bool op_backing(struct world *w, const struct op *op);
bool op_poke(struct world *w, const struct op *op);
bool op_write(struct world *w, const struct op *op);
bool op_log(struct world *w, const struct op *op);
/* ops_guest.c: registers, flushes, accesses. */
bool op_registers(struct world *w, const struct op *op);
bool op_cr3(struct world *w, const struct op *op);
bool op_invlpg(struct world *w, const struct op *op);
bool op_access(struct world *w, const struct op *op);
bool op_walk(struct world *w, const struct op *op);
bool op_violation(struct world *w, const struct op *op);

/* check.c */
bool check_memory(struct world *w);
bool check_audit(struct world *w);

#endif
