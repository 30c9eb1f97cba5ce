/*
 * What the scenarios of nth.c share: one VM on a host that refuses table
 * pages, and the first thing that went wrong with it.
 */
#ifndef DIFF_NTH_H
#define DIFF_NTH_H

#include <vmmu/vmmu.h>

#include "lab/host.h"
#include "lab/nest.h"
#include "lab/rootwalk.h"

#include "trace.h"

#define NTH_SLOTS 4

/* What the host does at the n-th time. */
enum how { REFUSES, REFUSES_ALL, MOVES, HOWS };

#define MOVED 0x600000 /* bytes of host memory, from its beginning */

struct scene {
	struct lab_host host;
	struct vmmu_vm vm;
	struct vmmu_cpu cpu;
	struct vmmu_slot slot_storage[NTH_SLOTS];
	uint64_t dirty[8], log[8];
	bool live, quiet; /* quiet: memory stays */
	enum how how;
	uint64_t n;
	const char *wrong; /* the first thing that was */
	const struct scenario *scenario;

	/* Where hardware walks cpu.root, and the guest has tables. */
	struct rootwalk root;
	struct vmmu_regs regs;
	struct vmmu_features features;
	uint64_t free; /* guest memory for the next table */
};

struct scenario {
	const char *name;
	/* False: the host had no page for the VM or its vCPU. */
	bool (*begin)(struct scene *s);
	void (*go)(struct scene *s);
	enum nest_kind kind;		  /* of the nested ones */
	const struct vmmu_scheme *scheme; /* of the others, */
	enum guest_mode mode;
};

void scene_expect(struct scene *s, bool good, const char *sentence);
/* A slot that shows host memory from `offset` on. */
void scene_slot(struct scene *s, uint32_t id, uint64_t gpa, uint64_t size,
		uint64_t offset, uint32_t flags);
/* Is the page of host memory at `offset` at this machine address? */
void scene_reached(struct scene *s, uint64_t offset, hpa_t hpa);

extern const struct scenario nth_nested[], nth_root[];
extern const unsigned nth_nested_count, nth_root_count;

#endif
