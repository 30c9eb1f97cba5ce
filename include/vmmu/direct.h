/*
 * The scheme `direct` (PVMMU, direct paging): the guest's own tables hold
 * machine addresses, and the processor walks them as they are. So that this
 * is safe the guest cannot write them: it asks, and each change is decoded
 * (which may fail) and then performed (which cannot).
 *
 *   one frame table for the machine         one object a VM
 *   hfn -> { owner, type, counts }          p2m, what it may set, statistics
 *
 * A frame has one type at a time. As long as its type count is not zero it
 * is exclusively that: a table of one level, segment descriptors, or writable
 * data. Hence no frame is ever writable and a table at once (I5).
 *
 * Here the addresses in guest tables are hpas. Nothing in this header knows
 * the number of a hypercall: translating those is the engine's.
 *
 * Threads: as everywhere, the client serialises all calls on one VM. VMs that
 * share a frame table need no lock between them: a frame's entry is written
 * only by calls on the VM that owns it; another VM's calls read its owner and
 * refuse. Give, share, release and the VM's end change owners: the client
 * hands one frame to one VM at a time.
 */
#ifndef VMMU_DIRECT_H
#define VMMU_DIRECT_H

#include <stdbool.h>
#include <stdint.h>

#include <vmmu/vm.h>

/* 1. The frame table. */

enum vmmu_frame_type {
	VMMU_FRAME_NONE, /* never had a type */
	VMMU_FRAME_L1,	 /* a page table of this level */
	VMMU_FRAME_L2,
	VMMU_FRAME_L3,
	VMMU_FRAME_L4,
	VMMU_FRAME_SEGMENTS, /* a page of a GDT or LDT */
	VMMU_FRAME_WRITABLE, /* data that the guest may write */
	VMMU_FRAME_SHARED,   /* the hypervisor's own, which this VM may map
			      * writable; never anything else */
	VMMU_FRAME_TYPES
};

/* Of struct vmmu_frame. */
#define VMMU_FRAME_VALIDATED 0x01u /* all entries are checked and counted */
#define VMMU_FRAME_PARTIAL   0x02u /* the first `mark` of them are */
#define VMMU_FRAME_PINNED    0x04u /* the guest keeps it a table by a pin */

/* One frame of the machine. 16 bytes: found by a shift. */
struct vmmu_frame {
	uint32_t total_count; /* uses of any kind: mappings, links, pin, roots,
			       * holds. 0: may be released */
	uint32_t type_count;  /* those that need the type. 0: may change it */
	uint32_t mark;	      /* PARTIAL: entries done; else the VM's flush
			       * epoch when a use was last given up */
	uint16_t owner;	      /* the VM's number; 0: the hypervisor, nobody */
	uint8_t type;	      /* the last one it had, when type_count is 0 */
	uint8_t flags;
};

#define VMMU_FRAME_COUNT_MAX UINT32_C(0x7fffffff)

/* All frames that may belong to guests: hfn first .. first + count - 1. What
 * lies outside is refused as foreign. The client owns all the memory. */
struct vmmu_frames {
	struct vmmu_frame *frame; /* [hfn - first] */
	uint64_t *m2p; /* [hfn - first]: its gfn; guests may read it */
	uint8_t *map;  /* where the library reaches frame `first`; the others
			* follow, as in a direct map */
	uint64_t first, count;
	/* A count that would pass this is refused: VMMU_FRAME_COUNT_MAX, or
	 * less for tests. */
	uint32_t count_limit;
};

#define VMMU_M2P_INVALID UINT64_MAX

/* Nobody's frames, all of them; m2p is filled with VMMU_M2P_INVALID. */
void vmmu_frames_init(struct vmmu_frames *frames);

/* NULL: not a frame of the table. */
static inline struct vmmu_frame *vmmu_frame_of(const struct vmmu_frames *f,
					       hfn_t hfn)
{
	uint64_t i = hfn.v - f->first;

	return i < f->count ? &f->frame[i] : NULL;
}

static inline void *vmmu_frame_ptr(const struct vmmu_frames *f, hfn_t hfn)
{
	return f->map + ((hfn.v - f->first) << VMMU_PAGE_SHIFT);
}

/* 2. What an operation answers. */

enum vmmu_direct_status {
	VMMU_DIRECT_OK,
	/* The budget is used up before the end. Nothing that the guest can see
	 * is done, but work is saved: make the same call again. */
	VMMU_DIRECT_AGAIN,
	/* Only of trapped_write: the entry is no longer what was expected. */
	VMMU_DIRECT_CHANGED,
	/* The rest are refusals: nothing has changed, but that a frame that
	 * was to be a table may have U in its entries. */
	VMMU_DIRECT_FOREIGN, /* a frame that is not the VM's, or no frame */
	VMMU_DIRECT_TYPE,    /* a frame that is in use as something else */
	VMMU_DIRECT_BITS,    /* an entry with bits that it may not have */
	VMMU_DIRECT_SLOT,    /* an L4 entry that is the hypervisor's */
	VMMU_DIRECT_ADDRESS, /* misaligned, not canonical, or out of range */
	VMMU_DIRECT_ABSENT,  /* no L1 table covers that address */
	VMMU_DIRECT_COUNT,   /* a count is at its limit */
	VMMU_DIRECT_STATE,   /* pinned already, not pinned, in use */
	VMMU_DIRECT_STATUSES
};

const char *vmmu_direct_status_name(enum vmmu_direct_status status);

/* Long operations take a budget: about the number of table entries that may
 * still be looked at; it is counted down. NULL: no limit. A call may do up to
 * one table (512 entries) more than its budget. Taking a table apart may
 * outlive the operation that caused it: what is left is done by the VM's next
 * operations, each of which answers AGAIN until it is; so also those that take
 * no budget. */

/* 3. A VM under direct. */

struct vmmu_direct_config {
	struct vmmu_frames *frames;
	uint16_t owner; /* 1 ..; no two VMs of a frame table alike */
	/* p2m[gfn] = hfn, p2m_count entries; VMMU_M2P_INVALID: none. */
	uint64_t *p2m;
	uint64_t p2m_count;
	/* The hypervisor's L4 entries: slots slot_first .. slot_first +
	 * slot_count - 1 of every L4 of the guest are template[0 ..]. They
	 * stay the same as long as the VM lives. slot_count may be 0. */
	const uint64_t *template;
	uint16_t slot_first, slot_count;
	/* Set in present L1 entries: kernel_leaf where the guest gives no U,
	 * or gives a bit of kernel_leaf (so it is the mark by which its own
	 * entries are known again), user_leaf in the others. U itself is
	 * always added, at all levels, so that a kernel in ring 3 reaches its
	 * memory. Both may be 0; with user_leaf G (and then a software bit
	 * for kernel_leaf) users' pages stay in the TLB, and the host's flush
	 * must reach global entries. */
	uint64_t kernel_leaf, user_leaf;
	/* L1TF (XSA-273): the lowest machine address, other than page 0, that
	 * an absent entry may name. 0: the processor is not vulnerable. */
	uint64_t absent_limit;
	uint8_t maxphyaddr; /* of the processor: 32 .. 52 */
};

struct vmmu_direct_stats {
	uint64_t update_single, update_batched; /* entries of mmu_update */
	uint64_t update_level[5]; /* entries changed, by level; [0]: of frames
				   * that were no tables, written as data */
	uint64_t preserve_ad, machphys;
	uint64_t update_va;
	uint64_t trapped_writes;
	uint64_t pin[5], unpin; /* by level */
	uint64_t roots, user_roots;
	uint64_t descriptors;
	/* Tables whose 512 entries were checked, and taken apart. */
	uint64_t promoted[VMMU_FRAME_TYPES], demoted[VMMU_FRAME_TYPES];
	uint64_t type_flush;	  /* flushes because a frame changed its type */
	uint64_t given, released; /* frames, by balloon or builder */
	uint64_t status[VMMU_DIRECT_STATUSES]; /* answers but OK */
};

/* Tables on their way to being taken apart. */
#define VMMU_DIRECT_DOOMED 8

/* The client's storage; its fields are the library's, but for reading. */
struct vmmu_direct_vm {
	struct vmmu_direct_config config;
	struct vmmu_vm *vm;
	struct vmmu_frames table;    /* *config.frames, one load nearer */
	uintptr_t bias;		     /* an hpa + bias is its pointer */
	uint64_t leaf_bad, link_bad; /* bits that entries may not have */
	uint32_t epoch;		     /* flushes of the whole VM so far */
	uint32_t doomed_count;
	uint64_t links; /* changes of links, in tables of levels 2 to 4, so far
			 */
	uint64_t doomed[VMMU_DIRECT_DOOMED]; /* hfns */
	uint64_t holds[VMMU_FRAME_TYPES];    /* that were not dropped yet */
	struct vmmu_direct_stats stats;
};

/* Call after vmmu_vm_init and before the first vCPU; the VM can then run under
 * no other scheme. False: owner 0, a slot range beyond 512, maxphyaddr out of
 * range, or a bit of kernel_leaf or user_leaf that is neither G nor one that
 * hardware ignores. */
bool vmmu_direct_vm_init(struct vmmu_direct_vm *d, struct vmmu_vm *vm,
			 const struct vmmu_direct_config *config);
/* After the VM's last vCPU: all its frames are nobody's, m2p says so.
 * Clearing their contents is the client's. */
void vmmu_direct_vm_fini(struct vmmu_direct_vm *d);

/* A vCPU under vmmu_direct. cpu->root is the kernel's root, what CR3 holds in
 * kernel mode; 0 before the first set_root. */
struct vmmu_direct_cpu {
	struct vmmu_cpu *cpu;
	hpa_t user_root; /* what CR3 holds in user mode; 0: none */
	/* The page that a trapped write named last, and the hpa of the L1 entry
	 * that maps it: as long as root and links are what they were. */
	struct {
		uint64_t page, leaf, root, links;
	} way;
};

static inline struct vmmu_direct_cpu *vmmu_direct_cpu(struct vmmu_cpu *cpu)
{
	return cpu->state;
}

/* 4. Frames come and go: the client's builder and its balloon. */

/* A free frame becomes the VM's, at gfn in p2m and m2p. FOREIGN: no frame, or
 * not free. ADDRESS: gfn is past p2m. STATE: there is a frame at that gfn. */
enum vmmu_direct_status vmmu_direct_give(struct vmmu_vm *vm, gfn_t gfn,
					 hfn_t hfn);
/* A free frame of the hypervisor's becomes one that the VM may map writable;
 * it has no gfn and cannot be released. */
enum vmmu_direct_status vmmu_direct_share(struct vmmu_vm *vm, hfn_t hfn);
/* The guest gives a frame up (balloon down). STATE: it is in use: mapped,
 * linked, pinned or held. After OK no processor reaches it: it may be another
 * VM's at once (clear it first). */
enum vmmu_direct_status vmmu_direct_release(struct vmmu_vm *vm, hfn_t hfn,
					    uint32_t *budget);
/* False: no frame there. */
bool vmmu_direct_p2m(const struct vmmu_vm *vm, gfn_t gfn, hfn_t *hfn);
/* False: not a frame of this VM's that has a gfn. */
bool vmmu_direct_m2p(const struct vmmu_vm *vm, hfn_t hfn, gfn_t *gfn);

/* The engine keeps a frame as it is while it uses it: WRITABLE for a page that
 * the hypervisor writes for the guest (vcpu_info), SEGMENTS for a GDT's, NONE
 * for one that is only read. Each hold is dropped once, with the same type.
 * Segment descriptors with a DPL below 3 are given DPL 3; BITS: one that a
 * guest may not load. */
enum vmmu_direct_status vmmu_direct_hold(struct vmmu_vm *vm, hfn_t hfn,
					 enum vmmu_frame_type type,
					 uint32_t *budget);
void vmmu_direct_drop(struct vmmu_vm *vm, hfn_t hfn, enum vmmu_frame_type type);

/* 5. Entries. */

enum vmmu_direct_how {
	VMMU_DIRECT_NORMAL,
	VMMU_DIRECT_MACHPHYS,	 /* `at` is the frame's hpa, value its gfn */
	VMMU_DIRECT_PRESERVE_AD, /* A and D are kept as hardware set them */
};

struct vmmu_direct_update {
	hpa_t at; /* of the entry */
	uint64_t value;
	enum vmmu_direct_how how;
};

/* The 8-byte entry at `at` becomes value, with U as above. In a frame that is
 * no table at present it is written as data, if that is allowed. What is not
 * present may have any other bits. The TLB is the guest's to flush. */
enum vmmu_direct_status vmmu_direct_update(struct vmmu_cpu *cpu,
					   const struct vmmu_direct_update *u,
					   uint32_t *budget);
/* The same for many, up to the first that is not OK: *done of them are. */
enum vmmu_direct_status vmmu_direct_update_batch(
	struct vmmu_cpu *cpu, const struct vmmu_direct_update *u,
	uint32_t count, uint32_t *done, uint32_t *budget);

/* What nearly all updates are, as shortly as it can be done: the entry at the
 * hpa `at` is an L1 table's, or in a page of data. keep_ad as above. False:
 * nothing is changed or counted; vmmu_direct_update does it, or says why
 * not. */
bool vmmu_direct_update_quick(struct vmmu_vm *vm, uint64_t at, uint64_t value,
			      bool keep_ad);

/* The L1 entry for gva, in the kernel's root. ABSENT: there is no L1 table.
 * Flushing is a call of its own: vmmu_cpu_invalidate, vmmu_cpu_flush. */
enum vmmu_direct_status vmmu_direct_update_va(struct vmmu_cpu *cpu, gva_t gva,
					      uint64_t value);

/* Is a write to gva one to a validated L1 table that the guest has mapped
 * read-only? Then `at` is the hpa of the byte. No decoding of anything. */
bool vmmu_direct_is_trapped(struct vmmu_cpu *cpu, gva_t gva, hpa_t *at);
/* The entry that holds byte `at`, as it is now. */
uint64_t vmmu_direct_entry(const struct vmmu_cpu *cpu, hpa_t at);
/* The guest's instruction writes `size` bytes (1, 2, 4, 8, inside one entry)
 * of value at `at`, which is_trapped gave. expected (or NULL) is what
 * vmmu_direct_entry answered, from which the instruction computed value: if
 * the whole entry is something else by now (hardware sets A and D), nothing is
 * written, the answer is CHANGED and *expected is new. */
enum vmmu_direct_status vmmu_direct_trapped_write(struct vmmu_cpu *cpu,
						  hpa_t at, unsigned size,
						  uint64_t value,
						  uint64_t *expected);

/* All in one, for an instruction that writes the entry at gva in one atomic
 * step; old comes back. The entry becomes value, or old & keep. False: it is
 * not such a write, or is refused: nothing is changed or counted, and those
 * above say more. */
bool vmmu_direct_trapped_quick(struct vmmu_cpu *cpu, gva_t gva, uint64_t value,
			       uint64_t *old);
bool vmmu_direct_trapped_and(struct vmmu_cpu *cpu, gva_t gva, uint64_t keep,
			     uint64_t *old);

/* May a guest in ring 3 have this segment descriptor? *value is then what is
 * to be written. For an engine that keeps descriptors by itself. */
bool vmmu_direct_segment_ok(uint64_t *value);
/* A descriptor at `at` becomes value, checked where the frame is SEGMENTS. */
enum vmmu_direct_status vmmu_direct_descriptor(struct vmmu_cpu *cpu, hpa_t at,
					       uint64_t value);

/* 6. Tables. */

/* The frame becomes a table of level 1 .. 4, checked through and through, and
 * stays one until unpin. STATE: pinned already, at whichever level. A pin that
 * answered AGAIN and is not wanted any more is undone by unpin. */
enum vmmu_direct_status vmmu_direct_pin(struct vmmu_cpu *cpu, hfn_t hfn,
					unsigned level, uint32_t *budget);
enum vmmu_direct_status vmmu_direct_unpin(struct vmmu_cpu *cpu, hfn_t hfn,
					  uint32_t *budget);

/* The vCPU's kernel runs on this L4, promoted if need be. The engine loads CR3
 * from cpu->root before any other call on this VM: the old root may be given
 * up from now on. The user root may be hfn 0: none. */
enum vmmu_direct_status vmmu_direct_set_root(struct vmmu_cpu *cpu, hfn_t hfn,
					     uint32_t *budget);
enum vmmu_direct_status vmmu_direct_set_user_root(struct vmmu_cpu *cpu,
						  hfn_t hfn, uint32_t *budget);

/* The same where it is nothing but counting: both this L4 and the one that is
 * left are tables and stay some. False: nothing is changed. */
bool vmmu_direct_set_root_quick(struct vmmu_cpu *cpu, hfn_t hfn);
bool vmmu_direct_set_user_root_quick(struct vmmu_cpu *cpu, hfn_t hfn);
/* Both roots at once, as a guest changes them from process to process. The
 * engine loads CR3 next, which is counted as vmmu_direct_flushed here. */
bool vmmu_direct_set_roots_quick(struct vmmu_cpu *cpu, hfn_t kernel,
				 hfn_t user);

/* The engine has just emptied every TLB that this VM's vCPUs use of all but
 * global entries (with one vCPU: each load of CR3), and no leaf has G: spares
 * the flushes that a change of type would ask for. */
void vmmu_direct_flushed(struct vmmu_vm *vm);

/* 7. Looking. */

/* What the kernel's root says of gva, by the tables as they are now. */
struct vmmu_direct_walk {
	hpa_t at;	/* the last entry that was read */
	uint64_t entry; /* and what it holds */
	unsigned level; /* and its table's level: 1 for a mapped page */
	unsigned perms; /* VMMU_R, W, X, U of all levels together; 0: absent */
};
/* True: mapped; the page's frame is in the entry. False also for addresses
 * that are not canonical or in the hypervisor's slots. */
bool vmmu_direct_walk(const struct vmmu_cpu *cpu, gva_t gva,
		      struct vmmu_direct_walk *out);

#endif
