/*
 * The allowed set: every outcome that the architecture lets an access have,
 * given what was written to the tables since the address was last flushed.
 *
 * SDM 3A 4.10.2 and 4.10.3: a processor may cache a translation at any
 * moment, and any of its upper entries by themselves, and may go on using
 * them until they are invalidated. So an outcome is allowed when there are
 * moments t1 <= t2 <= ... <= tn, none before the last flush of the address,
 * such that a walk which reads its first entry at t1, its second at t2 and so
 * on has that outcome.
 *
 * The history journals each value that was overwritten, with the time. To
 * judge, the software MMU walks again and again over a memory that answers
 * each read with one of the values which that word had: an odometer goes
 * through all the choices.
 *
 * One address space at a time: CR3 without PCIDs.
 */
#ifndef LAB_HISTORY_H
#define LAB_HISTORY_H

#include "smmu.h"

#define HISTORY_STORES	8192
#define HISTORY_ROOTS	64
#define HISTORY_FLUSHES 256

/* `value` was at gpa from `from` until just before `until`. */
struct history_store {
	uint64_t gpa; /* 8-byte aligned */
	uint64_t value;
	uint64_t from, until;
};

struct history_root {
	uint64_t cr3, pdpte[4];
	uint64_t from, until;
};

struct history_flush {
	uint64_t gva, time;
};

struct history {
	uint64_t now;
	uint64_t flushed_all, flushed_non_global;
	struct history_store store[HISTORY_STORES];
	unsigned store_count;
	struct history_root root[HISTORY_ROOTS];
	unsigned root_count;
	struct history_flush flush[HISTORY_FLUSHES];
	unsigned flush_count;
	uint64_t paths; /* tried, in all */
	/* The journal was full and something old was forgotten: outcomes that
	 * depend on it cannot be judged. */
	bool overflowed;
};

void history_init(struct history *h, const struct smmu_regs *regs);

/* A guest word (8-byte aligned) was `old` until now. */
void history_store(struct history *h, gpa_t gpa, uint64_t old);
/* What lay in this range is gone, and may not be used any more. */
void history_forget(struct history *h, gpa_t gpa, uint64_t size);

void history_invlpg(struct history *h, gva_t gva);
/* CR3 was loaded; regs has its value. */
void history_load_cr3(struct history *h, const struct smmu_regs *regs);
void history_flush_all(struct history *h, const struct smmu_regs *regs);

/* Calls `want` for each outcome of the allowed set until it answers true;
 * true then. `mem` is memory as it is now; nothing is written. */
bool history_allows(struct history *h, const struct smmu_regs *regs,
		    const struct smmu_mem *mem, gva_t gva, unsigned access,
		    bool (*want)(void *ctx, const struct smmu_result *r),
		    void *ctx);

#endif
