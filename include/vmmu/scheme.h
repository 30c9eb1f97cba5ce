/*
 * Seam 2, a scheme is one const table of events. Adding a scheme is adding a
 * file; the client of the library sees only vmmu_cpu_* in vm.h.
 */
#ifndef VMMU_SCHEME_H
#define VMMU_SCHEME_H

#include <stdbool.h>
#include <stdint.h>

#include <vmmu/access.h>
#include <vmmu/addr.h>

struct pt_table;
struct vmmu_vm;
struct vmmu_cpu;

/* What the engine must intercept for a scheme, as data. */
#define VMMU_NEEDS_PF	   0x01u /* #PF exits */
#define VMMU_NEEDS_CR3	   0x02u /* loads (and reads) of CR3 */
#define VMMU_NEEDS_CR_MODE 0x04u /* writes to CR0, CR4, EFER */
#define VMMU_NEEDS_INVLPG  0x08u /* INVLPG, INVPCID */
#define VMMU_NEEDS_SECOND  0x10u /* second-level translation: NPT or EPT */
/* A paravirtual guest, whose tables hold machine addresses: no other scheme
 * can run it, and this one no other guest. */
#define VMMU_NEEDS_MACHINE 0x20u

/* One fault, as the engine saw it. */
struct vmmu_fault {
	gva_t gva;	     /* of a #PF; under nested 0 when not known */
	gpa_t gpa;	     /* of a nested violation */
	unsigned access;     /* VMMU_R, W or X, with U, IMPLICIT, AC */
	uint32_t error_code; /* of a #PF, as hardware gave it */
	/* Nested: the access was the walker's own, to a guest table. */
	bool during_walk;
};

enum vmmu_verdict {
	VMMU_RESUME,  /* fixed: run the guest again */
	VMMU_INJECT,  /* the guest's own: inject #PF error_code with gva */
	VMMU_MMIO,    /* no memory at gpa, or a write to a read-only slot */
	VMMU_EMULATE, /* the instruction must be carried out by software */
	VMMU_RETRY,   /* backing not there now: run again later */
	VMMU_KILL,    /* the VM cannot go on: reason */
};

struct vmmu_answer {
	enum vmmu_verdict verdict;
	uint32_t error_code; /* INJECT */
	gva_t gva;	     /* INJECT: CR2 */
	gpa_t gpa;	     /* MMIO, EMULATE: the byte's gpa */
	/* EMULATE: the guest's tables let the write have it, A and D are set,
	 * so it need not be walked to again. */
	bool granted;
	const char *reason; /* KILL: a static sentence */
};

/* A change of the meaning of guest-physical memory. */
enum vmmu_gpa_change {
	VMMU_GPA_GONE,	    /* slot or backing withdrawn or replaced */
	VMMU_GPA_READ_ONLY, /* no more writes: read-only, or dirty logging */
	VMMU_GPA_RELAXED,   /* no longer logged: may be mapped large again */
};

/* Where a scheme's own audit reports: vmmu/audit.h. */
struct vmmu_audit_sink {
	void (*breach)(void *ctx, unsigned invariant, const char *sentence,
		       uint64_t addr, uint64_t entry);
	void (*entry)(void *ctx); /* one was looked at */
	void *ctx;
};

enum vmmu_flush {
	VMMU_FLUSH_NON_GLOBAL, /* CR3 load */
	VMMU_FLUSH_ALL,	       /* CR4.PGE toggled, INVPCID all */
};

/* Any event but vm_init, cpu_init and fault may be NULL: nothing to do. */
struct vmmu_scheme {
	const char *name;
	uint32_t needs;
	/* State of the scheme in this VM: made before its first vCPU uses the
	 * scheme, dropped after the last has left. False: no memory. */
	bool (*vm_init)(struct vmmu_vm *vm);
	void (*vm_fini)(struct vmmu_vm *vm);
	bool (*cpu_init)(struct vmmu_cpu *cpu); /* sets cpu->root */
	void (*cpu_fini)(struct vmmu_cpu *cpu);
	void (*set_mode)(struct vmmu_cpu *cpu); /* cpu->mode is new */
	/* cpu->mode has another root, and what is not global is flushed: both
	 * in one, where a scheme can do that faster than one by one. */
	void (*load_root)(struct vmmu_cpu *cpu);
	/* cpu->other becomes what the vCPU's root is now; NULL: cannot. */
	void (*pair)(struct vmmu_cpu *cpu);
	void (*fault)(struct vmmu_cpu *cpu, const struct vmmu_fault *f,
		      struct vmmu_answer *a);
	void (*invalidate)(struct vmmu_cpu *cpu, gva_t gva);
	void (*flush)(struct vmmu_cpu *cpu, enum vmmu_flush what);
	/* Drops or write-protects every derived entry for gfn .. gfn+count-1.
	 * Immediate, on every vCPU. All gfns GONE is also how a VM takes its
	 * table pages back from a scheme when they run out. */
	void (*gpa_changed)(struct vmmu_vm *vm, gfn_t gfn, uint64_t count,
			    enum vmmu_gpa_change change);
	/* The table this scheme keeps in the VM, for audit and statistics;
	 * NULL where there is none that every vCPU shares. */
	const struct pt_table *(*table)(const struct vmmu_vm *vm);
	/* The table of this vCPU alone, which translates gvas, in place of
	 * the one above; beside it the scheme keeps one page of state. */
	const struct pt_table *(*cpu_table)(const struct vmmu_cpu *cpu);
	/* Where the tables that the processor walks map a gva now. False: they
	 * do not. NULL: they do not map gvas. */
	bool (*translate)(const struct vmmu_cpu *cpu, gva_t gva, hpa_t *hpa);
	/* On hardware that filters faults: may those with P = 0 be the guest's,
	 * without coming here, in the mode that cpu->mode is? NULL: never. */
	bool (*direct_faults)(const struct vmmu_cpu *cpu);
	/* Software wrote to guest memory: tables may lie there. */
	void (*wrote)(struct vmmu_cpu *cpu, gpa_t gpa, unsigned size);
	/* An EMULATE that cannot be carried out: let the guest write. */
	bool (*unshadow)(struct vmmu_cpu *cpu, gpa_t gpa);
	/* For a scheme with many tables, in place of table and cpu_table:
	 * checks them all. Answers how many table pages it holds beside the
	 * page of state. */
	uint32_t (*audit)(struct vmmu_vm *vm,
			  const struct vmmu_audit_sink *sink);
	/* The same: present leaves by level, of all of them together. */
	void (*mapped)(const struct vmmu_cpu *cpu, uint64_t *leaves);
};

extern const struct vmmu_scheme vmmu_nested;
extern const struct vmmu_scheme vmmu_vtlb;
extern const struct vmmu_scheme vmmu_shadow;
extern const struct vmmu_scheme vmmu_direct;

#endif
