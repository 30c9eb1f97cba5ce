/*
 * See trap.h. Handlers of interrupts only set a flag or push a byte: the
 * hypervisor looks at them when it chooses. An exception that no fixup
 * expects ends the machine with all that is known about it.
 */
#include "cpu/trap.h"

#include "cpu/apic.h"
#include "cpu/backtrace.h"
#include "cpu/cpu.h"
#include "cpu/end.h"
#include "cpu/fixup.h"
#include "cpu/pic.h"
#include "cpu/print.h"
#include "cpu/stack.h"
#include "mm/image.h"

/* Intel SDM 3A table 6-1, AMD APM 2 table 8-1. */
static const char *const exception_names[32] = {
	[0] = "#DE divide error",
	[1] = "#DB debug",
	[2] = "NMI",
	[3] = "#BP breakpoint",
	[4] = "#OF overflow",
	[5] = "#BR bound range",
	[6] = "#UD invalid opcode",
	[7] = "#NM device not available",
	[8] = "#DF double fault",
	[10] = "#TS invalid TSS",
	[11] = "#NP segment not present",
	[12] = "#SS stack fault",
	[13] = "#GP general protection",
	[14] = "#PF page fault",
	[16] = "#MF x87 error",
	[17] = "#AC alignment check",
	[18] = "#MC machine check",
	[19] = "#XM SIMD error",
	[20] = "#VE virtualization",
	[21] = "#CP control protection",
	[28] = "#HV hypervisor injection",
	[29] = "#VC VMM communication",
	[30] = "#SX security",
};

static void print_registers(const struct trap_frame *f)
{
	report_print("  rip %016lx rsp %016lx rflags %08lx cs %04lx ss %04lx\n",
		     f->rip, f->rsp, f->rflags, f->cs, f->ss);
	report_print("  rax %016lx rbx %016lx rcx %016lx rdx %016lx\n", f->rax,
		     f->rbx, f->rcx, f->rdx);
	report_print("  rsi %016lx rdi %016lx rbp %016lx r8  %016lx\n", f->rsi,
		     f->rdi, f->rbp, f->r8);
	report_print("  r9  %016lx r10 %016lx r11 %016lx r12 %016lx\n", f->r9,
		     f->r10, f->r11, f->r12);
	report_print("  r13 %016lx r14 %016lx r15 %016lx\n", f->r13, f->r14,
		     f->r15);
	report_print("  cr0 %016lx cr2 %016lx cr3 %016lx cr4 %016lx\n",
		     read_cr0(), read_cr2(), read_cr3(), read_cr4());
}

/* A function that calls none may have no frame: then its return address is
 * on top of the stack. If it has one, this is a guess. */
static void print_leaf_caller(const struct trap_frame *f)
{
	uint64_t word;

	if (probe_read(f->rsp, &word) && image_is_text(word))
		backtrace_line("by?", word);
}

static _Noreturn void die(const struct trap_frame *f)
{
	const char *name = exception_names[f->vector];

	say("panic: %s, error code 0x%lx", name != NULL ? name : "exception",
	    f->error_code);
	print_registers(f);
	if (stack_is_guard(read_cr2()) || stack_is_guard(f->rsp - 8))
		report_print("  the stack has run into its guard page\n");
	backtrace_line("at ", f->rip);
	print_leaf_caller(f);
	backtrace_print(f->rbp);
	machine_end(MACHINE_END_CRASH);
}

bool (*trap_own_fault)(struct trap_frame *f);

static void take_exception(struct trap_frame *f)
{
	uintptr_t go_on = 0;

	if (f->vector >= TRAP_TS && f->vector <= TRAP_PF)
		go_on = fixup_find(f->rip);
	if (go_on != 0 && f->vector == TRAP_PF && trap_own_fault &&
	    trap_own_fault(f))
		return;
	if (go_on == 0)
		die(f);
	f->rip = go_on;
}

void trap_take(struct trap_frame *f)
{
	if (f->vector < 32) {
		take_exception(f);
	} else if (f->vector == VECTOR_TIMER) {
		timer_take();
		apic_eoi();
	} else if (f->vector == VECTOR_COM1) {
		serial_take_console();
		host_pic_eoi();
	} else if (f->vector == VECTOR_COM2) {
		serial_take_report();
		host_pic_eoi();
	}
	/* All else is spurious, from PIC or APIC: it wants no EOI. */
}

void host_idle(void)
{
	/* sti delays interrupts past the next instruction, so that none can
	 * slip in between and leave us halted: SDM 2B, STI. */
	__asm__ volatile("sti; hlt; cli" : : : "memory");
}

void host_take_interrupts(void)
{
	__asm__ volatile("sti; nop; cli" : : : "memory");
}
