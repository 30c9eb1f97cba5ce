/*
 * One VM: its memory, its devices, its vCPUs, its statistics.
 */
#ifndef HV_VM_VM_H
#define HV_VM_VM_H

#include <stdbool.h>
#include <stdint.h>

#include <vmmu/vm.h>

#include "dev/board.h"
#include "load/load.h"
#include "port/host.h"
#include "vm/code.h"
#include "vm/config.h"
#include "vm/cpuid.h"
#include "vm/dirty.h"
#include "vm/engine.h"
#include "vm/monitor.h"
#include "vm/msr.h"

#define VM_SLOTS_MAX 32
#define VM_SCHEMES   VMMU_SCHEMES_MAX
#define VM_MIB	     (UINT64_C(1) << 20)
#define VM_ACPI	     UINT64_C(0xe0000) /* where the ACPI tables lie */
#define VM_ACPI_MAX  4096u

#define RFLAGS_TF (UINT64_C(1) << 8)
#define RFLAGS_RF (UINT64_C(1) << 16)

/* Register numbers as instructions encode them. */
enum gpr {
	GPR_RAX,
	GPR_RCX,
	GPR_RDX,
	GPR_RBX,
	GPR_RSP,
	GPR_RBP,
	GPR_RSI,
	GPR_RDI,
	GPRS = 16
};

struct vcpu {
	uint64_t gpr[GPRS]; /* first: the engines' assembly counts on it */
	uint64_t rip;
	uint64_t rflags;
	bool shadow; /* interrupts held off for one instruction: STI, MOV SS */
	bool halted;
	bool window;	 /* EXIT_WINDOW is asked for */
	bool nmi_masked; /* from an NMI's delivery to the end of its IRET */
	bool in_iret;	 /* that IRET is next, at iret_rip */
	uint64_t iret_rip;
	struct event event;
	struct event held; /* an interrupt that an exception has overtaken */
	bool raised;	   /* `event` is of this exit's own making */
	bool looked;	   /* `look` is of this exit */
	bool mode_stale;   /* mmu.mode is not of `look` yet */
	struct look look;
	struct code_memo memo;
	struct vm_exit exit;
	struct vm *vm;
	void *engine_state;
	unsigned id;
	struct vmmu_cpu mmu;
	struct vmmu_features features; /* of paging, under its scheme */
	struct guest_msrs msrs;
	uint64_t tsc_adjust; /* its TSC = board time + this */
	uint64_t deadline;   /* TSC deadline, in its TSC */
	uint64_t exits[EXIT_KINDS];
};

/* How a VM's life ended. */
enum vm_end {
	VM_RUNNING,
	VM_POWEROFF,
	VM_EXIT_PORT, /* code: what the guest wrote */
	VM_RESET,
	VM_TRIPLE_FAULT,
	VM_HALTED,  /* HLT with interrupts off: nothing can wake it */
	VM_KILLED,  /* by the hypervisor; sentence says why */
	VM_REFUSED, /* never started; sentence says why */
};

struct vm {
	const struct config *config;
	const struct engine *engine;
	void *engine_vm; /* the engine's, where it keeps any */
	struct vmmu_vm mmu;
	struct vmmu_gmem mem; /* for the loaders and the devices */
	struct hv_port port;
	struct board board;
	struct cpuid_table cpuid;
	struct vcpu *vcpu[BOARD_CPUS_MAX];
	unsigned cpus;
	uint64_t tsc_offset;  /* board time = host TSC + this */
	uint64_t timer_armed; /* board time at which the host's timer is set */
	int console_byte;     /* read, not yet in the UART; -1: none */
	struct monitor monitor;
	struct dirty_log dirty[VM_SLOTS_MAX];
	uint64_t memory;	/* bytes the guest was promised */
	uint64_t frames_before; /* in use before the VM was made */
	hva_t hva;		/* of gpa 0 */
	/* The vCPUs start under the first, and move on every switch_ticks. */
	const struct vmmu_scheme *scheme[VM_SCHEMES];
	unsigned scheme_count, scheme_now;
	uint64_t switch_ticks; /* board time; 0: they stay */
	uint64_t switch_at;    /* board time; UINT64_MAX: never */
	uint64_t switches;
	/* Of all audits that vm_audit made. */
	uint64_t audited_entries, audit_breaches;
	bool pdptes_walked; /* hardware has walked them, where they lie */
	enum vm_end end;
	uint32_t end_code;
	char sentence[160];
	struct vmmu_slot slots[VM_SLOTS_MAX];
};

static inline uint64_t vm_now(const struct vm *vm, uint64_t host_tsc)
{
	return host_tsc + vm->tsc_offset;
}

/* Makes the VM: memory, slots, devices, one vCPU; nothing is loaded yet.
 * NULL, or a sentence why not. */
const char *vm_create(struct vm *vm, const struct config *config,
		      const struct engine *engine);
void vm_destroy(struct vm *vm);

/* The memory map that the guest is told of; returns its length. */
uint32_t vm_memory_map(const struct vm *vm, struct load_range map[LOAD_RANGES]);
uint64_t vm_low_ram_end(const struct vm *vm);
/* The gpa of the root pointer, 0: no room for the tables. */
gpa_t vm_put_acpi(struct vm *vm);
/* The boot processor as it is when a guest starts. */
void vcpu_start(struct vcpu *v, const struct load_entry *entry);

/* Runs until the VM ends: vm->end, end_code and sentence tell how. */
void vm_run(struct vm *vm);

/* Ends the VM with a sentence (printf-like); the first one stays. */
void vm_stop(struct vm *vm, enum vm_end end, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* audit.c: the tables as they are now; a sentence a breach, on the report
 * channel. */
void vm_audit(struct vm *vm);

/* Audits what is left of the VM's life, and puts its statistics, one line, on
 * the report channel. */
void vm_report(struct vm *vm);

/* schemes.c: the vCPU's paging features under the scheme that it has. */
void vcpu_set_features(struct vcpu *v);
/* NULL: there is none of that name. */
const struct vmmu_scheme *vm_find_scheme(const char *name);
/* Is it for the guests that this engine runs? */
bool vm_scheme_is_for(const struct engine *engine,
		      const struct vmmu_scheme *scheme);
/* NULL, or a sentence why this engine, once started, cannot run a guest so. */
const char *vm_scheme_refused(const struct engine *engine,
			      const struct vmmu_scheme *scheme);
/* Moves all vCPUs to this scheme, at an exit. NULL, or a sentence why not. */
const char *vm_use_scheme(struct vm *vm, const struct vmmu_scheme *scheme);
/* The next scheme's turn, if it has come: for each vCPU, at an exit. */
void vm_switch_schemes(struct vm *vm, uint64_t now);
/* Any of the VM's schemes needs this of the engine. */
bool vm_needs(const struct vm *vm, uint32_t need);

/* Has a device ended the VM? */
void vm_check_board(struct vm *vm);
/* Console input goes to the UART as far as it has room. */
void vm_pump_console(struct vm *vm);

/* What the guest's present instruction sees; asked once an exit. */
static inline const struct look *vcpu_look(struct vcpu *v)
{
	if (!v->looked) {
		v->mode_stale |= v->vm->engine->look(v, &v->look);
		v->looked = true;
	}
	return &v->look;
}

/* tsc.c: the vCPU's TSC, and IA32_TSC_ADJUST. */
uint64_t vcpu_tsc(const struct vcpu *v);
void vcpu_set_tsc_adjust(struct vcpu *v, uint64_t adjust);
/* A deadline that the guest writes, as the board counts; and back. */
uint64_t vcpu_deadline_in(struct vcpu *v, uint64_t value);
uint64_t vcpu_deadline_out(const struct vcpu *v, uint64_t value);

/* A vCPU's handlers: exits.c, violation.c, string_io.c. */
extern void (*const vcpu_exit_handlers[EXIT_KINDS])(struct vcpu *v);
void vcpu_handle_violation(struct vcpu *v);
/* What the library said of a fault is done. */
void vcpu_obey(struct vcpu *v, const struct vmmu_answer *a);

/* paging_exits.c: under a scheme that NEEDS them. The writes answer false for
 * a value that is #GP. */
struct insn;
void vcpu_handle_page_fault(struct vcpu *v);
void vcpu_handle_invlpg(struct vcpu *v);
void vcpu_handle_cr(struct vcpu *v); /* cr_exits.c */
void vcpu_handle_msw(struct vcpu *v, const struct insn *in);
bool vcpu_write_cr(struct vcpu *v, unsigned number, uint64_t value);
bool vcpu_load_cr3(struct vcpu *v, uint64_t value);
uint64_t vcpu_read_cr(struct vcpu *v, unsigned number);
void vcpu_write_efer(struct vcpu *v, uint64_t value);
/* The guest's registers, for a scheme that has just been entered. */
bool vcpu_tell_paging(struct vcpu *v);
void vcpu_handle_string_io(struct vcpu *v);

/* Raises an exception in the guest, at its present rip. */
void vcpu_raise(struct vcpu *v, uint8_t vector);
void vcpu_raise_error(struct vcpu *v, uint8_t vector, uint32_t error);
/* #PF: also sets CR2. */
void vcpu_raise_pf(struct vcpu *v, gva_t gva, uint32_t error);

/* The instruction is done: rip goes on, the resume flag ends with it (SDM 3B
 * 17.3.1.1), a pending single step is raised. */
void vcpu_single_step(struct vcpu *v);
static inline void vcpu_advance(struct vcpu *v, uint64_t next_rip)
{
	v->rip = next_rip;
	v->rflags &= ~RFLAGS_RF;
	v->shadow = false;
	if (v->rflags & RFLAGS_TF)
		vcpu_single_step(v);
}

/* Behind an instruction, at the width of the code segment. */
static inline uint64_t vcpu_wrap(struct vcpu *v, uint64_t rip)
{
	if (rip <= UINT32_MAX || vcpu_look(v)->bits == 64)
		return rip;
	return (uint32_t)rip;
}

/* Guest-virtual memory as an instruction at this vCPU sees it. */
enum guest_access {
	GUEST_OK,
	GUEST_FAULTED, /* the exception is raised in the guest */
	GUEST_STOPPED, /* the VM has ended */
};

/* mmu.mode is of the registers that the guest has now. The keys change
 * without an exit, so they are read each time. */
void vcpu_set_mode(struct vcpu *v);
static inline void vcpu_sync_mode(struct vcpu *v)
{
	const struct look *look = vcpu_look(v);

	if (v->mode_stale || (look->regs.cr4 & VMMU_CR4_PKE))
		vcpu_set_mode(v);
}
/* The bytes of the instruction at rip, 15 or as many as its page holds. */
enum guest_access vcpu_fetch(struct vcpu *v, uint8_t bytes[15],
			     unsigned *count);
/* The bytes on the next page, for an instruction that reaches there. */
enum guest_access vcpu_fetch_rest(struct vcpu *v, uint8_t bytes[15],
				  unsigned *count);
/* A walk for an access of this vCPU at its CPL; faults are raised. */
enum guest_access vcpu_walk(struct vcpu *v, gva_t gva, unsigned access,
			    struct vmmu_gwalk *walk);
/* gva -> gpa for an access of this vCPU at its CPL; faults are raised. */
enum guest_access vcpu_translate(struct vcpu *v, gva_t gva, unsigned access,
				 gpa_t *gpa);
/* One operand of 1 to 8 bytes, in RAM or in a device. `access` is VMMU_R, or
 * VMMU_W when the instruction writes it next. */
enum guest_access vcpu_read(struct vcpu *v, gva_t gva, unsigned size,
			    unsigned access, uint64_t *value);
enum guest_access vcpu_write(struct vcpu *v, gva_t gva, unsigned size,
			     uint64_t value);
/* Eight bytes of RAM, where the guest may write. Not OK: nothing is done. */
enum guest_access vcpu_store(struct vcpu *v, gpa_t gpa, uint64_t value);

#endif
