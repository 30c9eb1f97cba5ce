/*
 * The engine `pv`: a guest kernel and its users in ring 3, the hypervisor in
 * ring 0 at its place in every address space of the guest, and no hardware
 * virtualization. The ABI is Xen's for x86-64 paravirtual guests.
 *
 *   entry.S     in and out           quick.S     the same, in short
 *   quick_call.S  hypercalls, too    switch.c    GDT, IDT, MSRs of our own
 *   trap.c      exceptions           bounce.c    frames on the guest's stack
 *   call*.c     hypercalls           emulate.c   privileged instructions
 *   domain.c    memory, start        ptwr.c      writes to leaf tables
 *   event.c     event channels       time.c      clock and timer
 *
 * What a guest says is checked where it is read, and read once. Addresses of
 * the guest are reached by pv_get and pv_put alone.
 */
#ifndef HV_PV_PV_H
#define HV_PV_PV_H

#include <stdbool.h>
#include <stdint.h>

#include <vmmu/direct.h>

#include "cpu/cpu.h"
#include "cpu/trap.h"
#include "mm/layout.h"
#include "pv/abi.h"
#include "pv/offsets.h"

struct vcpu;
struct vm;
struct load_request;
struct config;
struct fmt_sink;

#define PV_RFLAGS_IF   (UINT64_C(1) << 9)
#define PV_RFLAGS_TF   (UINT64_C(1) << 8)
#define PV_RFLAGS_DF   (UINT64_C(1) << 10)
#define PV_RFLAGS_IOPL (UINT64_C(3) << 12)
#define PV_RFLAGS_NT   (UINT64_C(1) << 14)
#define PV_RFLAGS_RF   (UINT64_C(1) << 16)
#define PV_RFLAGS_VM   (UINT64_C(1) << 17)
#define PV_RFLAGS_AC   (UINT64_C(1) << 18)

/* What Xen loads, and Linux adapts to: WB WT UC- UC WC WP UC UC. Its first
 * four are those after reset, which is all that the hypervisor uses. */
#define PV_PAT UINT64_C(0x050100070406)

/* One entry of the guest's trap table. */
struct pv_trap_entry {
	uint64_t address; /* canonical; 0: none */
	uint8_t dpl;
	bool masks; /* events are held off in the handler */
};

struct pv_callback {
	uint64_t address; /* canonical; 0: none */
	bool masks;
};

#define PV_CALLBACKS 8
#define PV_GDT_PAGES FIRST_RESERVED_GDT_PAGE
#define PV_LDT_PAGES 16
#define PV_CALL_SUBS 32 /* sub-operations, and one for all beyond */

struct pv_stats {
	uint64_t syscalls;	      /* of users, to the guest's kernel */
	uint64_t bounced[32];	      /* exceptions to the guest's handlers */
	uint64_t multicall[PV_CALLS]; /* calls inside multicalls, by number */
	uint64_t mmuext[PV_CALL_SUBS + 1];
	uint64_t vcpu_op[PV_CALL_SUBS + 1], event_op[PV_CALL_SUBS + 1];
	uint64_t memory_op[PV_CALL_SUBS + 1], sched_op[PV_CALL_SUBS + 1];
	uint64_t version_op[PV_CALL_SUBS + 1], callback_op[PV_CALL_SUBS + 1];
	uint64_t segment_op[PV_CALL_SUBS + 1], console_op[PV_CALL_SUBS + 1];
	uint64_t physdev_op[PV_CALL_SUBS + 1], assist_op[PV_CALL_SUBS + 1];
	/* Calls of mmu_update for other than one entry, and the entries that
	 * were changed by them; calls that nothing was looked at for. */
	uint64_t update_lists, update_batched, update_refused;
	uint64_t events;  /* upcalls */
	uint64_t trapped; /* writes to leaf tables, carried out */
	uint64_t iret_failed;
	uint64_t cpuid, rdmsr, wrmsr, cr, io, other; /* emulated */
	uint64_t soft; /* INT n to the guest's handlers */
	uint64_t interrupts;
};

/* One more of a sub-operation. */
static inline void pv_count_sub(uint64_t *of, uint64_t cmd)
{
	of[cmd < PV_CALL_SUBS ? cmd : PV_CALL_SUBS]++;
}

struct pv_cpu {
	/* The assembly counts on what comes before `frame`: offsets.h. */
	struct vcpu_info *info; /* in the guest's memory */
	bool kernel;		/* it runs its kernel, not a user */
	bool leave;		/* go back to the loop instead of the guest */
	uint64_t calls[PV_CALLS];
	/* For quick.S, by pv_quick: what CR3 holds in the guest's two modes,
	 * the stack below which a frame for its kernel goes, and where that is
	 * entered. cr3_user or quick_sp 0: not the quick way. */
	uint64_t cr3_kernel, cr3_user;
	uint64_t quick_sp, quick_syscall, quick_fault;
	/* For quick_call.S: the stack as the guest has set it; the VM, under
	 * direct; whether quick_sp follows from the stack alone. */
	uint64_t kernel_sp;
	struct vmmu_vm *quick_vm;
	uint64_t quick_ready;
	struct pv_stats stats;

	struct trap_frame *frame;
	struct vcpu *vcpu;
	struct pv_domain *domain;
	bool blocked; /* until an event is pending */
	bool ts;      /* the guest has set CR0.TS */
	uint64_t cr4; /* as the guest has written it */
	uint64_t debug[8];
	uint64_t timer;	  /* ns; UINT64_MAX: off */
	hfn_t info_frame; /* held; 0: the info is in the shared page */
	hfn_t gdt_frame[PV_GDT_PAGES], ldt_frame[PV_LDT_PAGES];
	unsigned gdt_frames, ldt_frames;
	/* Under shadow: what the processor has of them; the roots' gfns. */
	hpa_t gdt_copy[PV_GDT_PAGES], ldt_copy[PV_LDT_PAGES];
	bool shadow;
	uint64_t root, user_root;
	/* Where our own access met its last fault, and how often in a row. */
	uint64_t own_fault, own_done;
	unsigned own_faults;
	uint64_t ldt_base;
	struct pv_trap_entry trap[256];
	struct pv_callback callback[PV_CALLBACKS];
};

enum pv_port_state {
	PV_PORT_FREE,
	PV_PORT_CONSOLE,
	PV_PORT_UNBOUND,
	PV_PORT_VIRQ,
	PV_PORT_IPI,
};

struct pv_port {
	uint8_t state; /* enum pv_port_state */
	uint8_t virq;
};

#define PV_PORTS     4096 /* 2-level ABI; port 0 is none */
#define PV_PORT_NONE 0

/* Under shadow: memory in one piece, from this gfn. */
struct pv_run {
	uint64_t gfn, count;
};

#define PV_RUNS	 256
#define PV_ROOTS 4 /* that shadow keeps unless told otherwise */

struct pv_domain {
	struct vm *vm;
	struct pv_cpu *cpu;		/* one so far */
	struct pv_bystander *bystander; /* or NULL */
	struct vmmu_direct_vm direct;	/* direct.vm NULL: under shadow */
	uint64_t *p2m;			/* the machine's, by gfn */
	/* Under shadow: by gfn, what level of table it is, or 0. */
	uint8_t *table_level;
	struct pv_run run[PV_RUNS];
	unsigned runs;
	uint64_t console_gfn;
	uint64_t pages; /* the guest was promised */
	uint64_t owned; /* and has */
	struct shared_info *shared;
	hpa_t shared_page;
	struct xencons_interface *console; /* in the guest's memory; NULL */
	uint32_t console_port;
	uint32_t timer_port; /* bound to VIRQ_TIMER; 0: none */
	uint64_t started;    /* host TSC at system time 0 */
	uint64_t template[HV_SLOTS];
	struct pv_port port[PV_PORTS];
};

/* The guest that this processor runs: entry.S. */
extern struct pv_cpu *pv_current;
extern uint64_t pv_stack_top;
extern struct trap_frame *pv_frame;
extern const uint8_t pv_stubs[];
void pv_debug_stub(void);
void pv_syscall(void);
void pv_syscall32(void);
void pv_fault_stub(void);
void pv_shadow_fault_stub(void);
void pv_enter(void);
void pv_load_gdt(const void *pseudo_descriptor);

/* 1. Guest memory by guest-virtual addresses, through the tables in force.
 * None of [va, va + size) is the hypervisor's, and all of it is canonical. */
static inline bool pv_range_ok(uint64_t va, uint64_t size)
{
	uint64_t last = va + size - 1;

	if (last < va && size)
		return false;
	return last < UINT64_C(1) << 47 || va >= HV_END;
}

static inline bool pv_canonical(uint64_t va)
{
	return (uint64_t)((int64_t)(va << 16) >> 16) == va;
}

/* False: not there, not the guest's, or not writable. */
uint64_t pv_copy(void *to, const void *from, uint64_t size);
static inline bool pv_get(void *to, uint64_t va, uint64_t size)
{
	return pv_range_ok(va, size) &&
	       pv_copy(to, (const void *)va, size) == 0;
}

/* The same for two words, which is what most lists are made of, in a range
 * that is the guest's. */
static inline bool pv_load_pair(uint64_t pair[2], uint64_t va)
{
	const uint64_t *from = (const void *)va;
	uint64_t first, second;

	__asm__ goto("1: movq %2, %0\n\t"
		     "2: movq %3, %1\n\t"
		     ".pushsection .fixup_table, \"a\"\n\t"
		     ".quad 1b, %l[failed], 2b, %l[failed]\n\t"
		     ".popsection"
		     : "=&r"(first), "=&r"(second)
		     : "m"(from[0]), "m"(from[1])
		     :
		     : failed);
	pair[0] = first;
	pair[1] = second;
	return true;
failed:
	return false;
}

/* One word of a kernel's, which is in the upper half. */
static inline bool pv_get_word(uint64_t *word, uint64_t va)
{
	const uint64_t *from = (const void *)va;
	uint64_t value;

	if (va < HV_END || va > UINT64_MAX - 7)
		return false;
	__asm__ goto("1: movq %1, %0\n\t"
		     ".pushsection .fixup_table, \"a\"\n\t"
		     ".quad 1b, %l[failed]\n\t"
		     ".popsection"
		     : "=r"(value)
		     : "m"(*from)
		     :
		     : failed);
	*word = value;
	return true;
failed:
	return false;
}

static inline bool pv_put_word(uint64_t va, uint64_t word)
{
	uint64_t *to = (void *)va;

	if (!pv_range_ok(va, 8))
		return false;
	__asm__ goto("1: movq %0, %1\n\t"
		     ".pushsection .fixup_table, \"a\"\n\t"
		     ".quad 1b, %l[failed]\n\t"
		     ".popsection"
		     :
		     : "r"(word), "m"(*to)
		     : "memory"
		     : failed);
	return true;
failed:
	return false;
}

static inline bool pv_get_pair(uint64_t pair[2], uint64_t va)
{
	return pv_range_ok(va, 16) && pv_load_pair(pair, va);
}

static inline bool pv_put(uint64_t va, const void *from, uint64_t size)
{
	return pv_range_ok(va, size) && pv_copy((void *)va, from, size) == 0;
}

/* 2. The processor: switch.c. */
bool pv_switch_init(void);
void pv_switch_on(struct pv_cpu *c);
void pv_switch_off(void);
/* The page of GDT or LDT slot `page` is this frame, or a page of zeros. */
bool pv_gdt_map(unsigned page, hfn_t frame);
void pv_gdt_unmap(unsigned page);
bool pv_ldt_map(unsigned page, hfn_t frame);
void pv_ldt_load(unsigned entries);
uint64_t pv_fs_base(void);
uint64_t pv_gs_base(void);
void pv_set_fs_base(uint64_t base);
void pv_set_gs_base(uint64_t base);
/* Of the guest's other mode: its user's, while its kernel runs. */
uint64_t pv_other_gs_base(void);
void pv_set_other_gs_base(uint64_t base);
/* What of CR4 is the guest's to say: it is of use in ring 3. */
#define PV_CR4_RING_3 (CR4_FSGSBASE | CR4_PKE)
void pv_follow_cr4(const struct pv_cpu *c);
/* After each change of the kernel's stack or its handlers, and of roots. */
void pv_quick(struct pv_cpu *c);
void pv_quick_roots(struct pv_cpu *c);
void pv_to_kernel(struct pv_cpu *c);
void pv_to_user(struct pv_cpu *c);

/* 3. Into the guest: bounce.c. Each replaces what the frame returns to. */
void pv_bounce_exception(struct pv_cpu *c, unsigned vector, uint32_t error);
void pv_bounce_soft(struct pv_cpu *c, unsigned vector);
void pv_user_syscall(struct pv_cpu *c);
void pv_deliver_events(struct pv_cpu *c);
void pv_iret_failed(struct pv_cpu *c);
void pv_stack_lost(struct pv_cpu *c);
void pv_debug_lost(struct pv_cpu *c);

/* 4. Out of it: trap.c, emulate.c, ptwr.c. */
void pv_trap(struct trap_frame *f);
bool pv_emulate_privileged(struct pv_cpu *c);
bool pv_emulate_forced(struct pv_cpu *c);
void pv_kernel_fault(struct pv_cpu *c); /* #PF in the guest's kernel */
/* General registers by the numbers that instructions have for them. */
static inline uint64_t *pv_register(struct trap_frame *f, unsigned n)
{
	static const uint8_t at[16] = { 14, 13, 12, 11, 20, 10, 9, 8,
					7,  6,	5,  4,	3,  2,	1, 0 };

	return (uint64_t *)f + at[n & 15];
}

/* Bytes at the guest's rip, as many as can be read, up to 15. */
unsigned pv_fetch(const struct pv_cpu *c, uint8_t bytes[15]);

/* 5. Events and time: event.c, time.c, console.c. */
long pv_event_op(uint64_t cmd, uint64_t arg, uint64_t a3, uint64_t a4,
		 uint64_t a5, struct pv_cpu *c);
void pv_port_raise(struct pv_domain *d, uint32_t port);
bool pv_event_pending(const struct pv_cpu *c);
void pv_time_init(struct pv_cpu *c);
void pv_time_tell(struct pv_cpu *c);
uint64_t pv_time_now(const struct pv_domain *d);
void pv_timer_set(struct pv_cpu *c, uint64_t ns);
void pv_timer_check(struct pv_cpu *c);
void pv_console_init(struct pv_domain *d, void *page);
void pv_console_drain(struct pv_domain *d);
void pv_console_fill(struct pv_domain *d);
void pv_console_write(struct pv_cpu *c, uint64_t va, uint64_t size);

/* What interrupts have brought: the timer, console input. */
void pv_host_events(struct pv_cpu *c);
/* In the middle of a long operation: the host takes its interrupts. */
void pv_breathe(struct pv_cpu *c);

/* 6. Hypercalls: call.c has the table. Arguments as in the guest's registers
 * rdi, rsi, rdx, r10, r8; the answer is its rax. */
typedef long pv_call(uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4,
		     uint64_t a5, struct pv_cpu *c);
extern pv_call *const pv_call_table[PV_CALLS];
pv_call pv_mmu_update, pv_update_va_mapping, pv_mmuext_op, pv_memory_op;
pv_call pv_set_gdt, pv_update_descriptor, pv_vcpu_op, pv_set_timer_op;
pv_call pv_sched_op, pv_set_debugreg, pv_get_debugreg;
/* Not in the table: entry.S knows it. */
long pv_iret(struct pv_cpu *c);
long pv_set_ldt(struct pv_cpu *c, uint64_t base, uint64_t entries);
/* Both roots, for quick_call.S; false: nothing has changed. */
bool pv_quick_new_roots(struct pv_cpu *c, uint64_t kernel, uint64_t user);
/* vmmu_direct_hold, however long it takes. */
enum vmmu_direct_status pv_hold(struct pv_cpu *c, hfn_t hfn,
				enum vmmu_frame_type type);
/* The library's answer as this ABI's error. */
long pv_errno(enum vmmu_direct_status status);
/* Entries of tables that one operation looks at between two breaths. */
#define PV_BUDGET 4096
/* Entries of a batch between two breaths. */
#define PV_CALLS_A_BREATH 256

/* 7. A domain: domain.c, frames.c. */
bool pv_frames_init(void);
/* Memory for all of d's pages that it does not own yet, in runs as long as
 * there are. What is wrong; NULL: nothing. */
const char *pv_give_runs(struct pv_domain *d,
			 bool (*give)(struct pv_domain *d, hpa_t at,
				      uint64_t count));
extern struct vmmu_frames pv_frames;
/* Of any frame of the machine's. */
static inline void *pv_page(hpa_t hpa)
{
	return vmmu_frame_ptr(&pv_frames, hpa_hfn(hpa));
}
const char *pv_domain_memory(struct vm *vm, const struct config *config);
void pv_domain_free(struct vm *vm);
struct pv_domain *pv_domain_of(const struct vm *vm);
/* build.c: NULL, or why the guest cannot be loaded; its vCPU can run. */
const char *pv_build(struct vm *vm, struct load_request *req);
void pv_report(const struct vm *vm, const struct fmt_sink *sink);

#endif
