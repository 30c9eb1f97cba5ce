/*
 * The nested dimension, gpa -> hpa, as hardware walks it: EPT from SDM 3C
 * 28.3, NPT from APM 2 15.25, each by its own function. It reads the tables
 * as raw machine memory and knows nothing of the library that wrote them.
 */
#ifndef LAB_NEST_H
#define LAB_NEST_H

#include <stdbool.h>
#include <stdint.h>

#include <vmmu/access.h>
#include <vmmu/addr.h>

enum nest_kind {
	NEST_NPT,
	NEST_EPT,
	NEST_EPT_AD, /* EPTP bit 6: accessed and dirty flags */
};

/* Machine memory. False: nothing there, which for a table is a bug. */
struct lab_machine {
	bool (*load)(void *ctx, hpa_t hpa, unsigned size, uint64_t *value);
	/* False also when the old value is not there any more. */
	bool (*swap)(void *ctx, hpa_t hpa, unsigned size, uint64_t old,
		     uint64_t now);
	void *ctx;
};

struct nest {
	enum nest_kind kind;
	hpa_t root;
	unsigned maxphyaddr;
	bool has_1g;
	const struct lab_machine *machine;
};

enum nest_outcome {
	NEST_OK,
	NEST_VIOLATION, /* absent, or the access is not granted */
	NEST_MISCONFIG, /* EPT misconfiguration; reserved bits in NPT */
	NEST_LOST,	/* a table where there is no machine memory */
};

struct nest_result {
	enum nest_outcome outcome;
	hpa_t hpa;
	unsigned page_shift;
	unsigned perms; /* VMMU_RWX granted by all levels together */
	unsigned refs;	/* entries read */
	unsigned level; /* where the walk ended */
	uint64_t entry; /* the last one read */
};

/* `access` is one of VMMU_R, W, X. */
void nest_walk(const struct nest *n, gpa_t gpa, unsigned access,
	       struct nest_result *out);

void nest_walk_ept(const struct nest *n, gpa_t gpa, unsigned access,
		   struct nest_result *out);
void nest_walk_npt(const struct nest *n, gpa_t gpa, unsigned access,
		   struct nest_result *out);

/* Reads one entry of the nested table; false: there is no such memory. */
bool nest_load(const struct nest *n, hpa_t hpa, uint64_t *entry,
	       struct nest_result *out);

#endif
