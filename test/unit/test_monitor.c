/*
 * hv/vm/monitor*.c: commands as they come over the report channel, and their
 * answers, on a vCPU whose tables a test has made. The rig's own tables are
 * nested: 64-bit mode, root at 0x4000.
 */
#include "vcpu_rig.h"

#define KERNEL UINT64_C(0xffffffff81000000)
#define DATA   UINT64_C(0x9000)

static void reset(void)
{
	rig.answer_size = 0;
	rig.answer[0] = 0;
}

static void type(const char *text)
{
	reset();
	rig.asked = text;
	monitor_poll(&rig.vm);
	assert_true(*rig.asked == 0);
}

/* A command, and its whole answer. */
static void says(const char *command, const char *answer)
{
	char line[256];

	snprintf(line, sizeof(line), "%s\n", command);
	type(line);
	assert_string_equal(rig.answer, answer);
}

static void has(const char *part)
{
	if (!strstr(rig.answer, part))
		fail_msg("no '%s' in:\n%s", part, rig.answer);
}

static void asks(const char *command, const char *part)
{
	char line[256];

	snprintf(line, sizeof(line), "%s\n", command);
	type(line);
	has(part);
}

static unsigned lines(void)
{
	unsigned count = 0;

	for (const char *s = rig.answer; *s; s++)
		count += *s == '\n';
	return count;
}

/* 1. Lines. */

static void answers_are_marked(void **state)
{
	(void)state;
	type("help scheme\n");
	assert_string_equal(rig.answer,
			    "= scheme [NAME] -- which scheme, or: move the "
			    "guest to that one\n=\n");
	type("help info\n");
	assert_int_equal(lines(), 5); /* four of them, and the end */
	type("help nothing\n");
	assert_string_equal(rig.answer, "= there is no command 'nothing'\n=\n");
	type("help\n");
	assert_int_equal(lines(), 14);
	for (const char *s = rig.answer; *s; s = strchr(s, '\n') + 1)
		assert_true(s[0] == '=' && (s[1] == ' ' || s[1] == '\n'));
}

static void lines_as_keyboards_make_them(void **state)
{
	(void)state;
	type("\n");
	assert_string_equal(rig.answer, "=\n");
	type("  scheme \r\n");
	assert_string_equal(rig.answer, "= nested\n=\n=\n");
	type("schex\b\x7f");
	type("eme\n\x01\x80");
	assert_string_equal(rig.answer, "= nested\n=\n");
	type("\b\b\bscheme\n");
	assert_string_equal(rig.answer, "= nested\n=\n");
	asks("schemes", "there is no command 'schemes'");
	asks("info", "there is no command 'info'");
	asks("SCHEME", "there is no command 'SCHEME'");
}

static void one_command_in_pieces(void **state)
{
	static const char command[] = "gpa2hva 0x1000";

	(void)state;
	for (unsigned i = 0; i < sizeof(command) - 1; i++) {
		const char piece[] = { command[i], 0 };

		type(piece);
		assert_int_equal(rig.answer_size, 0);
	}
	asks("", "Host virtual address for 0x1000 (slot 0) is 0x");
}

static void a_line_that_is_too_long(void **state)
{
	char line[4 * MONITOR_LINE];

	(void)state;
	memset(line, 'x', sizeof(line) - 2);
	line[sizeof(line) - 2] = '\n';
	line[sizeof(line) - 1] = 0;
	type(line);
	assert_string_equal(rig.answer, "= the line is too long\n=\n");
	says("scheme", "= nested\n=\n");
}

/* 2. Numbers. */

static void numbers(void **state)
{
	static const char *const bad[] = {
		"",	"x",	 "0x",
		"0xg",	"12a",	 "-1",
		"$rqx", "$",	 "18446744073709551616",
		"1.5",	"$raxx", "0x10000000000000000"
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char command[64];

		snprintf(command, sizeof(command), "gpa2hpa %s", bad[i]);
		asks(command, "is no address");
	}
	asks("gpa2hva 4096", "for 0x1000 (");
	asks("gpa2hva 0X1fFf ", "for 0x1fff (");
	asks("gpa2hva 18446744073709551615", "at address 0xffffffffffffffff");
	rig.v->gpr[GPR_RAX] = 0x1234;
	rig.v->gpr[9] = 0x5678;
	rig.v->rip = 0x20;
	rig.s.seg[SEG_CS].base = 0x300;
	rig.s.cr2 = 0x777;
	rig_exit();
	asks("gpa2hva $rax", "for 0x1234 (");
	asks("gpa2hva $r9", "for 0x5678 (");
	asks("gpa2hva $rip", "for 0x320 (");
	asks("gpa2hva $cr2", "for 0x777 (");
	asks("gpa2hva $cr3", "for 0x4000 (");
}

/* 3. Addresses. */

static uint64_t hex_after(const char *text)
{
	const char *at = strstr(rig.answer, text);

	assert_non_null(at);
	return strtoull(at + strlen(text), NULL, 16);
}

static void guest_to_host(void **state)
{
	hpa_t hpa;

	(void)state;
	*rig_memory(0x3210) = 1;
	asks("gpa2hva 0x3210", "virtual address for 0x3210 (slot 0) is ");
	assert_int_equal(hex_after("is 0x"), rig.lab.hva_base.v + 0x3210);
	asks("gpa2hpa 0x3210", "physical address for 0x3210 (slot 0) is ");
	assert_true(lab_host_peek(&rig.lab, mk_hva(rig.lab.hva_base.v + 0x3000),
				  &hpa));
	assert_int_equal(hex_after("is 0x"), hpa.v + 0x210);
	asks("gpa2hpa 0x180000", "No memory is mapped at address 0x180000");
	asks("gpa2hva 0x180000", "No memory is mapped at address 0x180000");
}

static void virtual_to_physical(void **state)
{
	(void)state;
	rig_map(KERNEL, DATA | P | W);
	says("gva2gpa 0xffffffff81000123", "= gpa: 0x9123\n=\n");
	says("gva2gpa 0xffffffff81001000", "= Unmapped\n=\n");
	says("gva2gpa 0x800000000000", "= Unmapped\n=\n");
	/* It has looked, and left no trace. */
	assert_int_equal(*rig_entry(0x1000, 0), DATA | P | W);
	assert_int_equal(rig.v->event.type, EVENT_NONE);
}

/* What refuses a supervisor's read is no obstacle. */
static void pages_that_refuse(void **state)
{
	(void)state;
	rig_map(KERNEL, DATA | P | U | UINT64_C(1) << 59);
	rig.s.cr4 |= VMMU_CR4_SMAP | VMMU_CR4_SMEP;
	rig_exit();
	says("gva2gpa 0xffffffff81000000", "= gpa: 0x9000\n=\n");
	asks("walk 0xffffffff81000000", "gpa 0x9000 r-xu");
}

static void walks_step_by_step(void **state)
{
	(void)state;
	rig.s.pat = UINT64_C(0x0007040600070406);
	rig_map(KERNEL, DATA | P | W | A | D);
	asks("walk 0xffffffff81000008",
	     "= gva 0xffffffff81000008, x86-64, CR3 0x4000\n"
	     "= guest   level 4 at 0x4ff8: 0x0000000000003007 rwxu table\n"
	     "= guest   level 3 at 0x3ff0: 0x0000000000002007 rwxu table\n"
	     "= guest   level 2 at 0x2040: 0x0000000000001007 rwxu table\n"
	     "= guest   level 1 at 0x1000: 0x0000000000009063 rwx- A D page of "
	     "4 KiB\n"
	     "= gpa 0x9008 rwx- write-back\n"
	     "= slot 0 at gpa 0x0\n"
	     "= hva 0x");
	has("npt     level 4 at 0x");
	has(" absent\n= npt     has no entry yet: the next access makes one");
}

static void walks_to_the_machine(void **state)
{
	const struct vmmu_fault f = { .gpa = mk_gpa(DATA), .access = VMMU_W };
	struct vmmu_answer a;
	uint64_t hpa;

	(void)state;
	rig_map(KERNEL, DATA | P | W);
	vmmu_cpu_fault(&rig.v->mmu, &f, &a);
	asks("walk 0xffffffff81000008", "npt     level 1 at 0x");
	rig_map(KERNEL + 0x1000, (DATA + 0x1000) | P | W);
	asks("walk 0xffffffff81001000", " absent\n= npt     has no entry yet");
	asks("walk 0xffffffff81000008", "npt     level 1 at 0x");
	hpa = hex_after("\n= hpa 0x");
	assert_int_equal(hpa & VMMU_PAGE_MASK, 8);
	assert_int_equal(hex_after("npt     maps hpa 0x"), hpa);
}

static void walks_that_end_early(void **state)
{
	(void)state;
	rig_map(KERNEL, DATA | P);
	asks("walk 0xffffffff81001000",
	     "level 1 at 0x1008: 0x0000000000000000 absent\n"
	     "= nothing is mapped there: #PF\n=\n");
	asks("walk 0x800000000000", "the address is not canonical: #GP");
	*rig_entry(0x1000, 1) = DATA | P | UINT64_C(1) << 51;
	asks("walk 0xffffffff81001000", "a reserved bit is set: #PF\n=\n");
	*rig_entry(0x2000, 8) = RIG_NONE | P;
	asks("walk 0xffffffff81000000",
	     "level 2 at 0x2040: 0x0000000000180001 r-x- table\n"
	     "= its table is where no memory is\n=\n");
	*rig_entry(0x2000, 8) = 0x1000 | P;
	*rig_entry(0x1000, 0) = RIG_NONE | P;
	asks("walk 0xffffffff81000000",
	     "= no slot has it: a device's, or nothing's\n");
	asks("walk 0xffffffff81000000", "npt     level 4 at");
}

static void walks_with_paging_off(void **state)
{
	(void)state;
	rig.s.cr0 = VMMU_CR0_PE;
	rig.s.efer = rig.s.cr4 = 0;
	rig_exit();
	asks("walk 0x9123", "= gva 0x9123, paging off, CR3 0x4000\n"
			    "= gpa 0x9123 rwxu\n= slot 0");
	says("info mem", "= PG disabled\n=\n");
	says("info tlb", "= PG disabled\n=\n");
}

/* 4. What is mapped. */

static void lists_pages(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 3; n++)
		*rig_entry(n ? 0x8000 - 0x1000 * n : 0x4000, 0) =
			(0x7000 - 0x1000 * n) | P | W | U;
	*rig_entry(0x5000, 7) = DATA | P | U;
	*rig_entry(0x5000, 8) = 0xa000 | P | U | A;
	*rig_entry(0x5000, 9) = 0xb000 | P | U | W | A | D | NX;
	rig_map(KERNEL, DATA | P | UINT64_C(1) << 7 | UINT64_C(1) << 8);
	*rig_entry(0x2000, 9) = 0x200000 | P | W | PS;
	says("info tlb", "= 0000000000007000: 0000000000009000 -------U-\n"
			 "= 0000000000008000: 000000000000a000 ----A--U-\n"
			 "= 0000000000009000: 000000000000b000 X--DA--UW\n"
			 "= ffffffff81000000: 0000000000009000 -G-------\n"
			 "= ffffffff81200000: 0000000000200000 --P-----W\n=\n");
	says("info mem", "= 0000000000007000-0000000000009000 "
			 "0000000000002000 ur-\n"
			 "= 0000000000009000-000000000000a000 "
			 "0000000000001000 urw\n"
			 "= ffffffff81000000-ffffffff81001000 "
			 "0000000000001000 -r-\n"
			 "= ffffffff81200000-ffffffff81400000 "
			 "0000000000200000 -rw\n=\n");
	/* From there on, also in the middle of a page, and of the hole. */
	says("info tlb 0xffffffff81345678",
	     "= ffffffff81345000: 0000000000345000 --P-----W\n=\n");
	says("info mem 0xffffffff81345678",
	     "= ffffffff81345000-ffffffff81400000 00000000000bb000 -rw\n=\n");
	asks("info tlb 0x900000000000", "= ffffffff81000000: ");
	assert_int_equal(lines(), 3);
}

/* The last page of the address space ends the list. */
static void the_last_page(void **state)
{
	(void)state;
	rig_map(UINT64_C(0xfffffffffffff000), DATA | P);
	says("info tlb", "= fffffffffffff000: 0000000000009000 ---------\n=\n");
	says("info mem", "= fffffffffffff000-0000000000000000 "
			 "0000000000001000 -r-\n=\n");
}

/* A root of which every entry is itself maps the whole address space. */
static void mazes_are_left(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 512; i++)
		*rig_entry(0x4000, i) = 0x4000 | P | W;
	type("info tlb\n");
	has("= there is more: info tlb 0x2000000\n=\n");
	assert_int_equal(lines(), 8192 + 2);
	asks("info tlb 0x2000000", "= 0000000002000000: ");
	/* One range, which no count of lines bounds. */
	type("info mem\n");
	has("= there is more: info mem 0x");
	assert_int_equal(lines(), 3);
	/* And one where nothing is at each end. */
	for (unsigned i = 0; i < 512; i++) {
		*rig_entry(0x4000, i) = 0x3000 | P;
		*rig_entry(0x3000, i) = 0x2000 | P;
		*rig_entry(0x2000, i) = 0x1000 | P;
		*rig_entry(0x1000, i) = 0;
	}
	type("info mem\n");
	has("= there is more: info mem 0x");
	assert_int_equal(lines(), 2);
}

/* 5. The rest. */

static void pictures(void **state)
{
	(void)state;
	asks("info mtree",
	     "= address-space: memory\n"
	     "=   0000000000000000-00000000000fffff (ram): slot 0, hva ");
	has("=   0000000000200000-000000000020ffff (rom): slot 1, hva ");
	has("(i/o): I/O APIC");
	has("=   00000000fee00000-00000000fee00fff (i/o): local APIC");
	rig.v->gpr[GPR_RBX] = 0xb0b;
	rig.v->rip = 0x1234;
	rig.s.seg[SEG_CS].selector = 0x10;
	rig.s.cr2 = 0xdead;
	asks("info registers", " RBX=0000000000000b0b ");
	has("= RIP=0000000000001234 RFL=00000002 CPL=0 HLT=0\n");
	has("= CS =0010 ");
	has("= CR0=80010001 CR2=000000000000dead CR3=0000000000004000 ");
}

static void statistics(void **state)
{
	(void)state;
	rig.v->exits[EXIT_CPUID] = 5;
	asks("stats", "= {\"vmmu\":1,\"mmu\":\"nested\",");
	has("\"cpuid\":5,");
	assert_int_equal(lines(), 2);
}

static void audits(void **state)
{
	const struct vmmu_fault f = { .gpa = mk_gpa(DATA), .access = VMMU_W };
	struct vmmu_answer a;
	struct pt_walk w;

	(void)state;
	vmmu_cpu_fault(&rig.v->mmu, &f, &a);
	asks("audit", " entries looked at, 0 breaches\n=\n");
	assert_true(pt_walk(vmmu_nested.table(&rig.vm.mmu), DATA, &w));
	*w.slot ^= 0x1000;
	asks("audit", "= I");
	has("address 0x9000, entry 0x");
	has(" entries looked at, 1 breaches\n=\n");
	*w.slot ^= 0x1000;
}

static void moves(void **state)
{
	struct vmmu_vm *vm = &rig.vm.mmu;

	(void)state;
	vm->hw.host_max_leaf = 2;
	rig_map(KERNEL, DATA | P);
	asks("scheme vtlb", "= scheme vtlb: the guest was offered PCID");
	has("= nested\n=\n");
	rig.vm.cpuid.cr4 &= ~VMMU_CR4_PCIDE;
	says("scheme vtlb", "= vtlb\n=\n");
	assert_ptr_equal(rig.v->mmu.scheme, &vmmu_vtlb);
	says("scheme vtlb", "= vtlb\n=\n");
	assert_int_equal(rig.vm.switches, 1);
	asks("walk 0xffffffff81000000", "x86-64  has no entry yet");
	/* shadow wants more table pages than there are. */
	asks("scheme shadow", "= scheme shadow: there is no memory for its "
			      "tables\n= vtlb\n=\n");
	assert_int_equal(rig.vm.switches, 1);
	vm->pool.limit = 64;
	says("scheme shadow", "= shadow\n=\n");
	asks("audit", " 0 breaches");
	says("scheme nested", "= nested\n=\n");
	asks("scheme magic", "= scheme magic: there is no such scheme\n");
	asks("scheme direct", "= scheme direct: a guest under direct knows");
	has("\n= nested\n=\n");
	rig.cannot = VMMU_NEEDS_PF;
	asks("scheme vtlb", "= scheme vtlb: the rig cannot\n= nested\n=\n");
	assert_int_equal(rig.vm.switches, 3);
	assert_int_equal(rig.vm.end, VM_RUNNING);
}

/* The registers of a paravirtual guest are kept elsewhere. */
static void of_a_paravirtual_guest(void **state)
{
	static const struct engine_para para = { .loop = NULL };
	struct engine engine = rig_engine;

	(void)state;
	engine.para = &para;
	rig.vm.engine = &engine;
	asks("info mem", "= not of a paravirtual guest\n=\n");
	asks("walk $rip", "'$rip' is no address");
	asks("gpa2hva 0x1000", "virtual address for 0x1000 (slot 0)");
	asks("info registers", "= not of a paravirtual guest\n=\n");
	asks("audit", "0 breaches");
	type("info mtree\n");
	assert_int_equal(lines(), 4);
	asks("scheme vtlb", "= scheme vtlb: a guest under direct");
}

/* PAE: the first step is in registers under a scheme of software. */
static void walks_pae(void **state)
{
	(void)state;
	rig.vm.mmu.hw.host_max_leaf = 2;
	rig.vm.cpuid.cr4 &= ~VMMU_CR4_PCIDE;
	rig.s.efer = 0;
	rig.bits = 32;
	*rig_entry(0x4000, 1) = 0x3000 | P |
				A; /* A: as QEMU's walks leave it */
	*rig_entry(0x3000, 2) = 0x200000 | P | W | PS;
	rig_exit();
	asks("walk 0x40412345", "x86-pae, CR3 0x4000\n"
				"= guest   level 3 at 0x4008: "
				"0x0000000000003021 rwxu table\n");
	has("gpa 0x212345 rwx-");
	says("scheme vtlb", "= vtlb\n=\n");
	assert_int_equal(rig.vm.end, VM_RUNNING);
	asks("walk 0x40412345", "x86-pae, CR3 0x4000\n"
				"= guest   level 3 at 0x4008: "
				"0x0000000000003001 rwxu table\n");
	has("gpa 0x212345 rwx-");
	has("x86-pae level 3 at 0x");
	asks("info tlb", "= 0000000040400000: 0000000000200000 --P-----W\n=\n");
	assert_int_equal(lines(), 2);
	says("info tlb 0x100000000", "=\n");
}

/* Of the rig's slots one is RAM; the other is read-only, and never logs. */
static void tells_what_is_dirty(void **state)
{
	uint8_t byte = 1;

	(void)state;
	says("dirty", "= dirty logging is off\n=\n");
	says("dirty count", "= nothing is logged: dirty on\n=\n");
	says("dirty on", "= there is no memory for the bitmaps\n"
			 "= dirty logging is off\n=\n");
	rig.allocs_left = 1;
	says("dirty on", "= dirty logging is on\n=\n");
	says("dirty on", "= dirty logging is on\n=\n");
	assert_int_equal(rig.allocs_out, 1);
	says("dirty list", "= slot 0: 0 of 256 pages dirtied\n=\n");
	for (uint64_t gpa = 0x3f000; gpa <= 0x41000; gpa += 0x1000)
		assert_int_equal(
			vmmu_gmem_write(&rig.vm.mem, mk_gpa(gpa), &byte, 1),
			VMMU_GMEM_OK);
	assert_int_equal(
		vmmu_gmem_write(&rig.vm.mem, mk_gpa(RIG_RAM - 1), &byte, 1),
		VMMU_GMEM_OK);
	says("dirty list", "= 000000000003f000-0000000000042000\n"
			   "= 00000000000ff000-0000000000100000\n"
			   "= slot 0: 4 of 256 pages dirtied\n=\n");
	says("dirty count", "= slot 0: 0 of 256 pages dirtied\n=\n");
	says("dirty no", "= 'no' is none of on, off, count, list\n"
			 "= dirty logging is on\n=\n");
	says("dirty off", "= dirty logging is off\n=\n");
	assert_int_equal(rig.allocs_out, 0);
	asks("audit", " 0 breaches");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(answers_are_marked),
		RIG_TEST(lines_as_keyboards_make_them),
		RIG_TEST(one_command_in_pieces),
		RIG_TEST(a_line_that_is_too_long),
		RIG_TEST(numbers),
		RIG_TEST(guest_to_host),
		RIG_TEST(virtual_to_physical),
		RIG_TEST(pages_that_refuse),
		RIG_TEST(walks_step_by_step),
		RIG_TEST(walks_to_the_machine),
		RIG_TEST(walks_that_end_early),
		RIG_TEST(walks_with_paging_off),
		RIG_TEST(lists_pages),
		RIG_TEST(the_last_page),
		RIG_TEST(mazes_are_left),
		RIG_TEST(pictures),
		RIG_TEST(statistics),
		RIG_TEST(audits),
		RIG_TEST(moves),
		RIG_TEST(tells_what_is_dirty),
		RIG_TEST(of_a_paravirtual_guest),
		RIG_TEST(walks_pae),
	};

	return cmocka_run_group_tests_name("monitor", tests, NULL, NULL);
}
