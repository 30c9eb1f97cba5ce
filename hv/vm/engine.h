/*
 * How a vCPU executes: one const table an engine (svm, vmx; pv later).
 *
 * An engine turns what its hardware reports into a neutral `struct vm_exit`
 * and back; nothing outside its folder knows a VMCB or a VMCS. It keeps the
 * vCPU's general registers, rip, rflags and interrupt shadow in struct vcpu,
 * where every handler finds them.
 */
#ifndef HV_VM_ENGINE_H
#define HV_VM_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include <vmmu/vm.h>

struct vcpu;

enum exit_kind {
	EXIT_INTERRUPT, /* a physical interrupt or NMI waits for the host */
	EXIT_WINDOW,	/* the guest can take an interrupt now */
	EXIT_CPUID,
	EXIT_HLT,
	EXIT_IO,
	EXIT_RDMSR,
	EXIT_WRMSR,
	EXIT_VIOLATION,	 /* second-level translation: NPT, EPT */
	EXIT_PAGE_FAULT, /* under a scheme of software */
	EXIT_INVLPG,
	EXIT_CR,       /* MOV to or from a control register, CLTS, LMSW, SMSW */
	EXIT_IRET,     /* after an NMI: it is about to be over */
	EXIT_NMI_OVER, /* the same, where the processor waits for its end */
	EXIT_XSETBV,
	EXIT_HYPERCALL,
	EXIT_CACHE,	  /* INVD, WBINVD: nothing to do */
	EXIT_EXCEPTION,	  /* intercepted only to be given back */
	EXIT_UNDEFINED,	  /* an instruction that the guest is not offered */
	EXIT_TASK_SWITCH, /* under a scheme of software */
	EXIT_PMC,	  /* RDPMC: no counters are offered */
	EXIT_LOG_FULL,	  /* of writes, by hardware: it is drained */
	EXIT_INIT,	  /* INIT, SMI: the machine's own business */
	EXIT_SHUTDOWN,	  /* triple fault */
	EXIT_INVALID,	  /* the hardware refused the guest's state */
	EXIT_KINDS
};

struct exit_io {
	uint16_t port;
	uint8_t size; /* 1, 2, 4 */
	bool in;
	bool string; /* INS, OUTS: decode the instruction */
};

struct exit_violation {
	gpa_t gpa;
	unsigned access;  /* VMMU_R, W or X */
	bool during_walk; /* the access was to a guest table */
};

enum cr_access { CR_WRITE, CR_READ, CR_CLTS, CR_LMSW };

struct exit_cr {
	uint8_t number;
	bool write;
	/* The processor has decoded the instruction: what follows holds, and
	 * next_rip. Otherwise it is fetched and decoded. */
	bool told;
	enum cr_access access;
	uint8_t gpr;	 /* of a MOV */
	uint16_t source; /* of LMSW */
};

struct exit_invlpg {
	bool told; /* the processor has: gva holds, and next_rip */
	gva_t gva;
};

struct exit_page_fault {
	gva_t gva;
	uint32_t error;
	uint8_t cpl;
};

struct exit_exception {
	uint8_t vector;
	bool has_error;
	uint32_t error;
};

struct vm_exit {
	enum exit_kind kind;
	/* Where the guest goes on after the instruction; 0: the hardware did
	 * not say, so the instruction must be fetched and measured. */
	uint64_t next_rip;
	/* The instruction's bytes where the hardware gives them; count 0: it
	 * did not. */
	uint8_t insn_count;
	uint8_t insn[15];
	uint64_t code; /* the engine's own number, for messages */
	union {
		struct exit_io io;
		struct exit_violation violation;
		struct exit_cr cr;
		struct exit_invlpg invlpg;
		struct exit_page_fault page_fault;
		struct exit_exception exception;
	};
};

/* An event for the guest, delivered at the next entry. */
enum event_type {
	EVENT_NONE,
	EVENT_INTERRUPT,
	EVENT_NMI,
	EVENT_EXCEPTION,
};

struct event {
	enum event_type type;
	uint8_t vector;
	bool has_error;
	uint32_t error;
};

enum segment_name {
	SEG_ES,
	SEG_CS,
	SEG_SS,
	SEG_DS,
	SEG_FS,
	SEG_GS,
	SEG_LDTR,
	SEG_TR,
	SEGMENTS
};

struct segment {
	uint16_t selector;
	uint16_t attrib; /* descriptor bits 40-47, 52-55: APM 2 15.5.1 */
	uint32_t limit;	 /* in bytes */
	uint64_t base;
};

#define SEG_ATTRIB_L  (1u << 9)
#define SEG_ATTRIB_DB (1u << 10)

/* The system registers, for what happens seldom. */
struct sregs {
	struct segment seg[SEGMENTS];
	struct segment gdt, idt; /* base and limit only */
	uint64_t cr0, cr2, cr3, cr4, efer;
	uint64_t dr6, dr7;
	uint64_t pat;
	uint8_t cpl;
};

/* How the guest's present instruction sees memory. */
struct look {
	struct vmmu_regs regs; /* but for the keys, which the handler reads */
	uint64_t cs_base;
	uint8_t bits; /* 16, 32 or 64: the code segment's operand default */
	uint8_t cpl;
};

struct vm;
struct config;
struct fmt_sink;
struct load_request;

/* What an engine does its own way whose guests know that they are guests:
 * they have neither a board nor a second level of translation. */
struct engine_para {
	uint32_t hides; /* CPUID_HIDE_* */
	/* The VM's memory and slots. NULL, or why not. */
	const char *(*memory)(struct vm *vm, const struct config *config);
	/* After its vCPUs, and before vmmu_vm_fini; also after a failure. */
	void (*memory_free)(struct vm *vm);
	/* The guest is loaded and vCPU 0 can run. NULL, or why not. */
	const char *(*load)(struct vm *vm, struct load_request *req);
	void (*loop)(struct vm *vm);	    /* until the VM ends */
	void (*count)(const struct vm *vm); /* the vCPUs' exits, by kind */
	/* Members of the VM's statistics, each after a comma. */
	void (*report)(const struct vm *vm, const struct fmt_sink *sink);
};

struct engine {
	const char *name;
	/* NULL when this machine can run it, else why not: a sentence, which
	 * is engine_no_hardware when it simply lacks the extension. */
	const char *(*probe)(void);
	/* Turns it on for this physical processor. NULL, or why not. */
	const char *(*start)(void);
	/* NULL when it can run a scheme with these needs (VMMU_NEEDS_*) here,
	 * else why not. After start. */
	const char *(*cannot)(uint32_t needs);
	/* What it offers to the schemes. */
	void (*hardware)(struct vmmu_hw *hw);
	bool (*vcpu_init)(struct vcpu *v);
	void (*vcpu_fini)(struct vcpu *v);
	/* Runs the guest until its next exit; v->exit is filled in. Takes
	 * v->event; leaves there what was not delivered. */
	void (*run)(struct vcpu *v);
	/* Asks for, or no more for, EXIT_WINDOW. */
	void (*want_window)(struct vcpu *v, bool wanted);
	/* Asks for, or no more for, EXIT_IRET or EXIT_NMI_OVER. */
	void (*want_iret)(struct vcpu *v, bool wanted);
	/* Cached translations of this vCPU are not used after this. */
	void (*flush)(struct vcpu *v);
	/* ... those of this address, in leaves of ours. */
	void (*flush_gva)(struct vcpu *v, gva_t gva);
	/* vmmu_hw.logs_dirty: the host's log_writes and log_drain. NULL: it
	 * never says that it does. */
	void (*log_writes)(struct vcpu *v, bool on);
	void (*log_drain)(struct vcpu *v);
	void (*get_sregs)(struct vcpu *v, struct sregs *s);
	void (*set_sregs)(struct vcpu *v, const struct sregs *s);
	void (*get_segment)(struct vcpu *v, enum segment_name name,
			    struct segment *s);
	/* What nearly every handler asks, in one call. False: the paging
	 * registers are what *look had. */
	bool (*look)(struct vcpu *v, struct look *look);
	/* v->mmu is under another scheme: intercept what that needs. The
	 * guest's registers stay as they are. */
	void (*use_scheme)(struct vcpu *v);
	/* The guest's CR0, CR3, CR4, EFER become these; what the hardware
	 * runs with is the engine's to derive. For schemes of software. */
	void (*set_paging)(struct vcpu *v, const struct vmmu_regs *regs);
	/* ... CR3 alone, where it loads no PDPTEs; and then flush. */
	void (*set_cr3)(struct vcpu *v, uint64_t cr3);
	void (*set_cr2)(struct vcpu *v, uint64_t cr2);
	void (*set_efer)(struct vcpu *v, uint64_t efer);
	void (*set_pat)(struct vcpu *v, uint64_t pat);
	/* The guest reads the host's TSC + offset. */
	void (*set_tsc_offset)(struct vcpu *v, uint64_t offset);
	/* After EXIT_INVALID: what was wrong with the guest, in words. NULL:
	 * the processor does not say. */
	void (*explain)(struct vcpu *v, char *text, unsigned size);
	/* PAE: the PDPTEs are read at each walk, and loaded by no MOV to CR3,
	 * where the processor nests. */
	bool walks_pdptes;
	/* NULL: its guests are whole machines. With it, of what is above only
	 * probe to vcpu_fini, flush and use_scheme are there. */
	const struct engine_para *para;
};

extern const char engine_no_hardware[];
extern const struct engine engine_svm;
extern const struct engine engine_vmx;
extern const struct engine engine_pv;

#endif
