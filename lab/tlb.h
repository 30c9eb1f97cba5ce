/*
 * A TLB as hardware may have it: it keeps translations until it is told to
 * drop them, or until its own replacement does.
 *
 *   INVLPG          the guest's page that holds the address, all of it, also
 *                   where it is cached in parts (4.10.2.3); of the current
 *                   PCID, and global ones                SDM 3A 4.10.4.1
 *   MOV to CR3      all but global, of the new PCID; none with bit 63 set
 *   CR4.PGE change, CR0.PG, ...   everything
 *
 * An entry joins both dimensions: gva to gpa to where the machine keeps it.
 * Whoever owns the second dimension (a hypervisor) flushes everything.
 */
#ifndef LAB_TLB_H
#define LAB_TLB_H

#include "smmu.h"

#define TLB_ENTRIES 64

struct tlb_entry {
	bool valid;
	uint16_t pcid;
	uint64_t page; /* first gva */
	unsigned page_shift;
	struct smmu_result rights; /* write, user, exec, key, global, dirty */
	bool nested_write, nested_exec;
	gpa_t gpa; /* of the page's first byte */
	hpa_t hpa;
};

struct tlb {
	struct tlb_entry entry[TLB_ENTRIES];
	unsigned next; /* replaced next */
	uint64_t hits, misses, filled;
};

void tlb_init(struct tlb *t);

/* The entry that translates this access: present, allowed, and dirty already
 * if it writes. NULL: walk. */
const struct tlb_entry *tlb_find(struct tlb *t, const struct smmu_regs *regs,
				 gva_t gva, unsigned access);

/* Caches what a walk found; the entry's `page` and addresses may be those of
 * any byte in the page. */
void tlb_fill(struct tlb *t, const struct smmu_regs *regs,
	      const struct tlb_entry *e);

void tlb_invlpg(struct tlb *t, const struct smmu_regs *regs, gva_t gva);
/* After a load of CR3 with the value now in regs; keep: bit 63 was set. */
void tlb_load_cr3(struct tlb *t, const struct smmu_regs *regs, bool keep);
void tlb_flush_all(struct tlb *t);

#endif
