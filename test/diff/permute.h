/*
 * The small guest that permissions are permuted in, and the two machines that
 * run it at once: one whose hardware walks the table of `vtlb`, one whose
 * hardware walks those of `shadow`. Both have the same memory.
 */
#ifndef DIFF_PERMUTE_H
#define DIFF_PERMUTE_H

#include <vmmu/vmmu.h>

#include "lab/host.h"
#include "lab/rootwalk.h"
#include "lab/smmu.h"

#include "predict.h"
#include "trace.h"

#define PERMUTE_MACHINES 2

struct permute_machine {
	const char *name;
	struct vmmu_slot slot_storage[1];
	struct vmmu_vm vm;
	struct vmmu_cpu cpu;
	struct rootwalk root;
	uint64_t emulated;
};

/* The guest: tables at pages 1.. from the root down, data at page 8; all of
 * it with indices that make up `va`. */
struct bench {
	enum guest_mode mode;
	unsigned levels, entry_size, upper_level;
	uint64_t va;
	uint64_t slot_gpa[6]; /* the entry used, by level */
	uint8_t *memory;
	struct lab_host host;
	struct permute_machine on[PERMUTE_MACHINES];
	struct vmmu_features features;
	struct vmmu_regs regs;
	struct smmu_regs sregs;
	struct predict_machine machine;
	struct predict_entry upper, leaf;
	uint64_t upper_raw, leaf_raw;
	uint64_t cases, wrong;
};

/* Ends the test when there is no memory. */
void bench_init(struct bench *b, enum guest_mode mode);
void bench_fini(struct bench *b);

/* The memory that the software MMU walks the guest's tables in. */
struct smmu_mem bench_mem(struct bench *b);
/* The guest's entry at a level, read and written. A write is told, as one by
 * the guest would be seen, where it changes anything. */
uint64_t bench_entry(const struct bench *b, unsigned level);
void bench_set_entry(struct bench *b, unsigned level, uint64_t value);

/* bits: WP, SMEP, SMAP, NXE; keys: 0 .. 7, how protection keys are set. */
void bench_set_registers(struct bench *b, unsigned bits, unsigned keys);
/* b->upper and b->leaf into the tables, and all is flushed. */
void bench_set_entries(struct bench *b, uint64_t upper_flags,
		       uint64_t leaf_flags);
void bench_flush(struct bench *b);

#endif
