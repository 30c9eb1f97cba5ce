/*
 * One VM's memory and its vCPUs, as the client holds them. The client owns
 * all storage; the library allocates table pages only, through the host.
 */
#ifndef VMMU_VM_H
#define VMMU_VM_H

#include <stdbool.h>
#include <stdint.h>

#include <vmmu/gmem.h>
#include <vmmu/gwalk.h>
#include <vmmu/mode.h>
#include <vmmu/scheme.h>
#include <vmmu/slots.h>
#include <vmmu/table.h>

/* What the machine below offers; filled in by the engine. */
struct vmmu_hw {
	const struct pt_format *nested_format; /* &pt_npt or &pt_ept; NULL */
	uint8_t nested_max_leaf; /* 1: 4 KiB, 2: 2 MiB, 3: 1 GiB */
	/* The same of the processor's own paging, for schemes whose tables it
	 * walks without nesting; 0: no such scheme may be used. */
	uint8_t host_max_leaf;
	/* The engine can give a #PF with P = 0 in its error code to the guest
	 * and see all others; and bit 51 of a page-table entry is reserved. */
	bool filters_faults;
	/* It can put down which 4 KiB page a write sets D of, in a leaf of the
	 * nested table: the host's log_writes and log_drain are there. */
	bool logs_dirty;
	/* Entries that each root of 4 levels has for the client, which runs
	 * under the guest's roots, whatever the guest's have there: shadow.
	 * Their place in it; 0: none. A root that a processor is on may be
	 * given up by any load of another: leave it first. */
	const uint64_t *root_entries;
	uint16_t root_first, root_count;
};

/* Counters, with KVM's names where the event is the same. A fault that is not
 * the VM's last is counted once in violations or pf_taken, and once among the
 * seven that say what it was. */
struct vmmu_stats {
	uint64_t violations; /* nested faults that came to us */
	uint64_t pf_taken;   /* the same without nested paging: #PF */
	/* What they were: */
	uint64_t pf_guest;    /* true: injected */
	uint64_t pf_fixed;    /* hidden: answered by a new or wider entry */
	uint64_t pf_spurious; /* ... where the entry was there already */
	uint64_t pf_dirty;    /* ... for the first write to a logged page */
	uint64_t pf_mmio;
	uint64_t pf_emulate; /* no entry of ours could allow the access */
	uint64_t pf_retry;   /* backing, or the guest's tables, not there now */
	/* Without nested paging: */
	uint64_t pf_prefetched; /* entries made beside one that was asked for */
	uint64_t pf_prefetch_wasted; /* of them: dropped, and never used */
	uint64_t invlpg;
	uint64_t tlb_flush;    /* flushes asked of the hardware */
	uint64_t mmu_recycled; /* times table memory ran out and was reused */
	/* Of shadow pages: */
	/* True faults that hardware took to the guest, as far as is seen: the
	 * guest has filled an entry that was known to be absent. */
	uint64_t pf_direct;
	uint64_t mmu_pte_write;	    /* writes to guest tables, emulated */
	uint64_t mmu_unsync;	    /* leaf tables that the guest may write */
	uint64_t mmu_shadow_zapped; /* given up */
	uint64_t mmu_cache_miss;    /* made */
	uint64_t root_hits, root_misses;    /* loads of CR3 */
	uint64_t mapped[PT_LEVELS_MAX + 1]; /* entries ever made, by level */
};

/* Enough for any one address in any format, so that no fault ever fails for
 * lack of tables. But all that one guest instruction touches must be mapped
 * at a time: with 4 KiB leaves all over memory that may be 60 pages. */
#define VMMU_TABLE_LIMIT_MIN 16

struct vmmu_vm_config {
	struct vmmu_host host;
	struct vmmu_hw hw;
	struct vmmu_slot *slot_storage; /* slot_capacity of them */
	uint32_t slot_capacity;
	uint32_t table_limit; /* pages of table memory, at least ..._MIN */
	/* Bytes around a fault that may be mapped with it where the backing
	 * extends so far, a power of two; 0: only the page that faulted. */
	uint64_t fault_around;
	uint32_t roots; /* that shadow keeps: 1 .. 64; 0: 32 */
};

/* Memory that the host has answered lies together and may be written, while
 * the slots have this generation. */
struct vmmu_run {
	uint64_t hva, hpa, size;
	uint64_t generation;
};

#define VMMU_RUNS 8u

#define VMMU_SCHEMES_MAX 4

struct vmmu_direct_vm;

struct vmmu_scheme_use {
	const struct vmmu_scheme *scheme;
	uint32_t cpus; /* that run under it */
	void *state;   /* the scheme's, for this VM: one table page */
	hpa_t state_page;
};

struct vmmu_vm {
	struct vmmu_host host;
	struct vmmu_hw hw;
	struct vmmu_slots slots;
	struct vmmu_slot_listener listener;
	struct pt_pool pool;
	uint64_t fault_around;
	uint32_t roots;
	bool logging; /* the host was told to, by log_writes */
	struct vmmu_stats stats;
	struct vmmu_run run[VMMU_RUNS]; /* by address */
	struct vmmu_scheme_use use[VMMU_SCHEMES_MAX];
	struct vmmu_cpu *cpus;	       /* list through cpu->next */
	struct vmmu_direct_vm *direct; /* NULL: it cannot run under direct */
	const char *poisoned; /* first broken rule: sticky; NULL: none */
};

struct vmmu_cpu {
	struct vmmu_vm *vm;
	struct vmmu_cpu *next;
	const struct vmmu_scheme *scheme;
	struct vmmu_scheme_use *use;
	struct vmmu_mode mode;
	struct vmmu_gmem mem;
	hpa_t root;  /* what the hardware's CR3, nCR3 or EPTP points at */
	void *state; /* the scheme's, for this vCPU */
	/* gpa | 1 of pages that a supervisor may write although no entry can
	 * say so: vmmu_cpu_unshadow. No instruction writes to more. 0: none,
	 * and then none behind it. */
	uint64_t lent[2];
	/* The last fault whose entry was there already: its address, and how
	 * many faults, flushes and INVLPGs have been at the next one, when the
	 * guest does nothing else in between. */
	uint64_t spurious, spurious_at;
	/* What vmmu_cpu_swap exchanges with root, state and the guest's CR3;
	 * state NULL: vmmu_cpu_pair was not called. */
	struct vmmu_other_root {
		uint64_t cr3;
		hpa_t root;
		void *state;
	} other;
};

/* False: table_limit is too small, fault_around is no power of two, or roots
 * is more than 64. The
 * vm does not move afterwards: its parts know each other by address. */
bool vmmu_vm_init(struct vmmu_vm *vm, const struct vmmu_vm_config *config);
/* After the last vCPU's vmmu_cpu_fini. */
void vmmu_vm_fini(struct vmmu_vm *vm);

/* KVM_SET_USER_MEMORY_REGION; derived entries are dropped as needed. */
enum vmmu_slot_error vmmu_vm_set_slot(struct vmmu_vm *vm,
				      const struct vmmu_slot *slot);

/* The host withdraws or changes the backing of an hva range: every derived
 * entry is gone, on every vCPU, when this returns. Call before reuse; also
 * from within resolve, when it takes backing from elsewhere or breaks a sharing
 * to answer: but not while an audit asks. */
void vmmu_vm_backing_changed(struct vmmu_vm *vm, hva_t hva, uint64_t size);

/* KVM_GET_DIRTY_LOG: copies the slot's bitmap to `out` (one bit a page,
 * rounded up to 64), clears it and write-protects what was set, or has it
 * logged anew by hardware that can. False: no such slot, or it does not log. */
bool vmmu_vm_get_dirty_log(struct vmmu_vm *vm, uint32_t slot_id, uint64_t *out);

/* Hardware has logged a write to this page: from within log_drain, or at any
 * time between log_writes(true) and log_writes(false). Whatever gpa it is. */
void vmmu_vm_logged(struct vmmu_vm *vm, gpa_t gpa);

/* A vCPU under a scheme. False: no memory for its first table. */
bool vmmu_cpu_init(struct vmmu_cpu *cpu, struct vmmu_vm *vm,
		   const struct vmmu_scheme *scheme);
void vmmu_cpu_fini(struct vmmu_cpu *cpu);

/* Moves a vCPU to another scheme, at any exit. On false it stays. */
bool vmmu_cpu_switch(struct vmmu_cpu *cpu, const struct vmmu_scheme *scheme);

/* The guest's registers are now these. Cheap when only CR3 differs. */
void vmmu_cpu_set_regs(struct vmmu_cpu *cpu, const struct vmmu_regs *regs,
		       const struct vmmu_features *features);

/* MOV to CR3 where no PDPTEs are loaded with it: set_regs with that CR3, and
 * then the flush of what is not global, in one. Hardware's own translations of
 * this vCPU the client forgets unasked. */
void vmmu_cpu_load_root(struct vmmu_cpu *cpu, uint64_t cr3);

/* For a guest that has a root for each of two modes, as a paravirtual one for
 * its kernel and its users. From pair on the vCPU has two, at first the same;
 * swap makes the other one that of all calls here, at no more than their
 * exchange: nothing is looked up and nothing flushed. Both stay until they are
 * replaced, and flushes are of both. False: not under this scheme, which the
 * vCPU cannot leave once this is true. */
bool vmmu_cpu_pair(struct vmmu_cpu *cpu);
void vmmu_cpu_swap(struct vmmu_cpu *cpu);

/* What the processor's registers must hold while the guest runs: the guest's
 * own under nested paging, else those that make it walk cpu->root and report
 * every access that the guest's registers would treat otherwise. CR3 is the
 * root; PDPTEs and PAT are the engine's own matter, but a flush of the vCPU
 * asks it to read the PDPTEs anew. Changes with set_regs and switch alone. */
void vmmu_cpu_real_regs(const struct vmmu_cpu *cpu, struct vmmu_regs *real);

/* Faults with P = 0 need not come to vmmu_cpu_fault, as things are now: ask
 * again when vmmu_cpu_real_regs may have changed. */
static inline bool vmmu_cpu_direct_faults(const struct vmmu_cpu *cpu)
{
	return cpu->scheme->direct_faults && cpu->scheme->direct_faults(cpu);
}

/* A hidden or true fault, or a nested violation. */
void vmmu_cpu_fault(struct vmmu_cpu *cpu, const struct vmmu_fault *fault,
		    struct vmmu_answer *answer);
void vmmu_cpu_invalidate(struct vmmu_cpu *cpu, gva_t gva);
void vmmu_cpu_flush(struct vmmu_cpu *cpu, enum vmmu_flush what);

/* After each write to guest memory by software: an emulated instruction, a
 * device. Guest tables may lie there. */
void vmmu_cpu_wrote(struct vmmu_cpu *cpu, gpa_t gpa, unsigned size);
/* The instruction of an EMULATE, at the answer's gpa, cannot be emulated:
 * afterwards the guest may run it itself, until its next flush. Where that is
 * a write under WP=0 the page is lent to the supervisor until then: SMAP and
 * keys do not bind it there. False: the guest may not run it either. */
bool vmmu_cpu_unshadow(struct vmmu_cpu *cpu, gpa_t gpa);

/* Where the processor finds a gva while it walks tables of ours. False: it
 * does not, or the guest's own tables are walked. */
static inline bool vmmu_cpu_translate(const struct vmmu_cpu *cpu, gva_t gva,
				      hpa_t *hpa)
{
	return cpu->scheme->translate && cpu->scheme->translate(cpu, gva, hpa);
}

/* gva -> gpa by the guest's tables as they are now. */
static inline enum vmmu_gwalk_status vmmu_cpu_walk(struct vmmu_cpu *cpu,
						   gva_t gva, unsigned access,
						   unsigned flags,
						   struct vmmu_gwalk *walk)
{
	return vmmu_gwalk(&cpu->mem, &cpu->mode, gva, access, flags, walk);
}

#endif
