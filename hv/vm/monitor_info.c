/*
 * The monitor's pictures of what there is: guest-physical memory, registers.
 * Both look as QEMU's do.
 */
#include "vm/monitor.h"
#include "vm/vm.h"

typedef unsigned long long ull;

/* A frame of a device's registers. */
static void put_device(const struct fmt_sink *out, uint64_t gpa,
		       const char *name)
{
	fmt_print(out, "  %016llx-%016llx (i/o): %s\n", (ull)gpa,
		  (ull)(gpa | VMMU_PAGE_MASK), name);
}

static void put_slot(const struct fmt_sink *out, const struct vmmu_slot *slot)
{
	fmt_print(out, "  %016llx-%016llx (%s): slot %u, hva %016llx%s\n",
		  (ull)slot->gpa.v, (ull)(slot->gpa.v + slot->size - 1),
		  slot->flags & VMMU_SLOT_READ_ONLY ? "rom" : "ram", slot->id,
		  (ull)slot->hva.v,
		  slot->flags & VMMU_SLOT_LOG_DIRTY ? ", dirty logged" : "");
}

void monitor_info_mtree(struct vm *vm, const char *args,
			const struct fmt_sink *out)
{
	const struct vmmu_slots *slots = &vm->mmu.slots;
	const struct lapic *l = &vm->board.apic.cpu[0];

	(void)args;
	fmt_print(out, "address-space: memory\n");
	for (uint32_t i = 0; i < slots->count; i++)
		put_slot(out, &slots->slot[i]);
	if (vm->engine->para)
		return;
	fmt_print(out, "devices, where no slot is\n");
	put_device(out, IOAPIC_GPA, "I/O APIC");
	if (board_apic_enabled(&vm->board, 0))
		put_device(out, l->base & ~VMMU_PAGE_MASK, "local APIC");
}

/* Four to a line, in the order that people know. */
static void put_gprs(const struct vcpu *v, const struct fmt_sink *out)
{
	static const struct {
		char name[4];
		enum gpr gpr;
	} order[GPRS] = {
		{ "RAX", GPR_RAX }, { "RBX", GPR_RBX }, { "RCX", GPR_RCX },
		{ "RDX", GPR_RDX }, { "RSI", GPR_RSI }, { "RDI", GPR_RDI },
		{ "RBP", GPR_RBP }, { "RSP", GPR_RSP }, { "R8 ", 8 },
		{ "R9 ", 9 },	    { "R10", 10 },	{ "R11", 11 },
		{ "R12", 12 },	    { "R13", 13 },	{ "R14", 14 },
		{ "R15", 15 },
	};

	for (unsigned i = 0; i < GPRS; i++)
		fmt_print(out, "%s=%016llx%s", order[i].name,
			  (ull)v->gpr[order[i].gpr], i % 4 == 3 ? "\n" : " ");
}

static void put_segment(const struct fmt_sink *out, const char *name,
			const struct segment *s)
{
	fmt_print(out, "%s=%04x %016llx %08x %04x\n", name, s->selector,
		  (ull)s->base, s->limit, s->attrib);
}

void monitor_info_registers(struct vm *vm, const char *args,
			    const struct fmt_sink *out)
{
	static const char *const names[SEGMENTS] = {
		[SEG_ES] = "ES ", [SEG_CS] = "CS ",   [SEG_SS] = "SS ",
		[SEG_DS] = "DS ", [SEG_FS] = "FS ",   [SEG_GS] = "GS ",
		[SEG_TR] = "TR ", [SEG_LDTR] = "LDT",
	};
	const struct vcpu *v = vm->vcpu[0];
	struct sregs s;

	(void)args;
	vm->engine->get_sregs(vm->vcpu[0], &s);
	put_gprs(v, out);
	fmt_print(out, "RIP=%016llx RFL=%08llx CPL=%u HLT=%u\n", (ull)v->rip,
		  (ull)v->rflags, s.cpl, v->halted);
	for (unsigned i = 0; i < SEGMENTS; i++)
		put_segment(out, names[i], &s.seg[i]);
	fmt_print(out, "GDT=     %016llx %08x\nIDT=     %016llx %08x\n",
		  (ull)s.gdt.base, s.gdt.limit, (ull)s.idt.base, s.idt.limit);
	fmt_print(out, "CR0=%08llx CR2=%016llx CR3=%016llx CR4=%08llx\n",
		  (ull)s.cr0, (ull)s.cr2, (ull)s.cr3, (ull)s.cr4);
	fmt_print(out, "DR6=%016llx DR7=%016llx\nEFER=%016llx PAT=%016llx\n",
		  (ull)s.dr6, (ull)s.dr7, (ull)s.efer, (ull)s.pat);
}
