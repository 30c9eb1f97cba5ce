/*
 * A trace: the world it starts in and the operations done in it. It holds
 * every choice that was made, so that running it needs no random numbers and
 * any part of it can be left out; that is what the shrinker lives on.
 *
 * As text: `config key=value ...`, then one operation a line, its name and
 * hexadecimal operands. `#` begins a comment.
 */
#ifndef DIFF_TRACE_H
#define DIFF_TRACE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum guest_mode {
	MODE_OFF,
	MODE_32,
	MODE_PAE,
	MODE_4LEVEL,
	MODE_LA57,
	MODE_COUNT,
};

enum diff_scheme {
	SCHEME_NESTED,
	SCHEME_VTLB,
	SCHEME_SHADOW,
	SCHEME_COUNT,
};

/* Faults planted in the harness, to see that it would be noticed. */
enum plant {
	PLANT_NONE,
	PLANT_DROP_FLUSH,  /* the host changes backing and tells nobody */
	PLANT_DROP_TLB,	   /* hardware is not flushed when the library asks */
	PLANT_DROP_INVLPG, /* the guest's own flushes do nothing */
	PLANT_COUNT,
};

struct world_config {
	uint64_t mode;	 /* enum guest_mode */
	uint64_t scheme; /* enum diff_scheme */
	uint64_t nested; /* enum nest_kind */
	uint64_t leaf;	 /* highest level of leaves: 1..3 */
	uint64_t extent; /* the host's: bytes */
	uint64_t skew, shuffle;
	uint64_t tables; /* limit of the library's table pages */
	uint64_t around; /* fault_around */
	uint64_t maxphyaddr;
	uint64_t pse36, nx, gib, pdptes_in_memory;
	uint64_t roots;	 /* that shadow keeps */
	uint64_t filter; /* hardware takes faults with P = 0 to the guest */
	uint64_t moves;	 /* the host moves a page at each n-th question */
};

enum op_kind {
	OP_SLOT,     /* id gpa size hva flags: vmmu_vm_set_slot */
	OP_POKE,     /* gpa size value: by the host, past all slot flags */
	OP_WRITE,    /* gpa size value: vmmu_gmem_write */
	OP_ACCESS,   /* gva access value evict: by the guest, on hardware */
	OP_WALK,     /* gva access peek: vmmu_gwalk */
	OP_INVLPG,   /* gva */
	OP_CR3,	     /* cr3 */
	OP_REGS,     /* cr0 cr4 efer pkru pkrs: and all is flushed */
	OP_SHARE,    /* hva size: read-only until written */
	OP_WITHDRAW, /* hva size: contents lost */
	OP_MOVE,     /* hva size: other frames */
	OP_ABSENT,   /* hva size: not now */
	OP_LOG,
	/* id: vmmu_vm_get_dirty_log */ OP_VIOLATION, /* gpa access: from
							 nowhere, as when vCPUs
							 race */
	OP_AUDIT,
	OP_COUNT,
};

#define OP_OPERANDS 5

struct op {
	enum op_kind kind;
	uint64_t arg[OP_OPERANDS];
};

struct trace {
	struct world_config config;
	struct op *op;
	unsigned count, capacity;
};

extern const char *const mode_names[MODE_COUNT];
extern const char *const scheme_names[SCHEME_COUNT];
extern const char *const plant_names[PLANT_COUNT];
extern const char *const op_names[OP_COUNT];
extern const unsigned op_operands[OP_COUNT];

void trace_init(struct trace *t);
void trace_fini(struct trace *t);
void trace_add(struct trace *t, const struct op *op);
/* Each line begins with `prefix`. */
void trace_print(FILE *f, const struct trace *t, const char *prefix);
/* False, with a message on stderr, when the text is no trace. */
bool trace_parse(FILE *f, struct trace *t);

#endif
