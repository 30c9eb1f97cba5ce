/*
 * A bare-metal guest that permutes what decides of an access: bits of two
 * page-table entries, control registers, and the kind of access, with ring 3
 * really entered. Each outcome is predicted by test/diff/predict.c, the third
 * opinion of the hosted proofs, and compared with what the processor does:
 * the error code, CR2, the accessed and dirty bits, and the memory reached.
 *
 *   main.c    the command line and the sum
 *   enter.S   one access; exceptions; ring 3
 *   ring.c    GDT, LDT, TSS, IDT
 *   setup.c   what CPUID offers; tables for this program; control registers
 *   chain.c   the tables of the address under test
 *   case.c    one case: predict, access, compare
 *   sweep.c   all cases
 *   flush.c   entries that change, and each way to make it count
 *   odd.c     writes that no entry of a hypervisor's can simply allow
 *
 * One address is under test. The tables that lead to it are its own:
 *
 *   root -> ... -> upper entry -> ... -> leaf -> one of several frames
 */
#ifndef GUEST_PERMUTE_H
#define GUEST_PERMUTE_H

#include "multiboot/lib.h"
#include "test/diff/predict.h"

/* enter.S: one access. */

enum what {
	READ,
	WRITE,
	FETCH,
	IMPLICIT, /* the processor's own read of a descriptor table */
	WHATS,
};

#define PROBE_USER 4u /* added to enum what: made in ring 3 */

/* Where in the page under test the accesses go. */
#define AT_DATA	 0u
#define AT_CODE	 0x100u
#define AT_TABLE 0x300u

#define VECTOR_DONE 0x30u /* how code and ring 3 come back */
#define VECTOR_PF   14u

struct probe {
	uint32_t vector, error;
	uint64_t cr2;
	uint32_t value; /* read */
};
extern struct probe probe;

void probe_32(uint32_t what, uint32_t eflags, uint64_t address, uint32_t value);
void probe_64(uint32_t what, uint32_t eflags, uint64_t address, uint32_t value);
/* One page, the only one of this program that ring 3 may use. */
extern uint8_t user_page[4096];

/* ring.c: the processor's own tables; the local one is in the page at
 * `address`. */
void ring_begin(bool long_mode, uint64_t address);

/* setup.c */

struct offered {
	bool pse, pae, pge, nx, gib, smep, smap, pku, la57, lm;
	unsigned maxphyaddr;
};

struct registers {
	bool wp, pse, pge, smep, smap, pke, nxe;
};

struct machine {
	unsigned levels, entry_size;
	struct offered has;
	struct registers now;
	/* A reserved bit's error code has P set, as the manual says. */
	bool rsvd_with_p;
	/* A of an entry that maps 1 GiB is set also when the access is
	 * forbidden, or a bit below the address reserved. */
	bool gib_sets_a;
	/* Bochs 2.7: A of the upper entry is set only with an access that is
	 * allowed, not by a walk that comes to an absent page. */
	bool a_is_late;
	/* Bochs 2.7: EFLAGS.AC of ring 3 suspends SMAP for the processor's own
	 * accesses too, which it should not. Those cases are left out. */
	bool own_minds_ac;
};
extern struct machine machine;

/* Paging in so many levels, this program mapped to itself; false: the
 * processor does not offer it. */
bool paging_begin(unsigned levels);
/* The whole TLB is flushed with it. */
void set_registers(const struct registers *r);
void set_keys(uint32_t pkru);
void flush_page(uint64_t address);
void load_root(unsigned number); /* 0 or 1: see chain.c */
void toggle_global(void);

static inline bool is_long(void)
{
	return machine.levels >= 4;
}

/* chain.c: the address under test. */

#define P   0x001u
#define W   0x002u
#define U   0x004u
#define A   0x020u
#define D   0x040u
#define PS  0x080u
#define G   0x100u
#define NX  (UINT64_C(1) << 63)
#define KEY (UINT64_C(1) << 59) /* key 1 */

#define FRAMES 2 /* that a leaf may map; large pages have their own */

struct chain {
	uint64_t address;
	unsigned upper; /* the level of the entry that varies with the leaf */
};
extern struct chain chain;

/* All entries permissive and used. `high`: in the upper half of what is
 * canonical, where there is one. */
void chain_begin(unsigned upper, bool high);
/* The entry of root 0; of any root. */
uint64_t chain_read(unsigned level);
void chain_write(unsigned root, unsigned level, uint64_t entry);
/* The address in an entry of this level that refers to a table. */
uint64_t chain_refer(unsigned root, unsigned level);
/* The address in a leaf. */
uint32_t chain_frame(unsigned frame);
/* The memory that is reached when the entry of this level maps it, and what is
 * in it. */
volatile uint32_t *chain_memory(unsigned level, unsigned frame);
uint32_t chain_signature(unsigned level, unsigned frame);

/* case.c */

struct entries {
	struct predict_entry upper, leaf;
	uint64_t upper_raw, leaf_raw;
	unsigned frame;
};

#define ACCESSES 14

struct count {
	uint32_t cases, wrong;
};

/* The upper entry and the leaf are these from now on; flushed, or not. */
void case_entries(const struct entries *e);
void case_write(const struct entries *e);
void case_registers(const struct registers *r);
void case_keys(bool ad, bool wd);
void case_one(unsigned access, struct count *count);
/* What QEMU's own MMU does otherwise is found out; false: something else is
 * wrong. */
bool case_calibrate(void);

/* sweep.c, flush.c, odd.c */
void sweep_all(struct count *count);
void flush_all(struct count *count);
void odd_all(struct count *count);

#endif
