/*
 * What ring 3 may not do: privileged instructions, the hypervisor's memory and
 * segments, descriptors that lead out of ring 3, breakpoints on the
 * hypervisor.
 */
#include "lib.h"

#define VECTOR_UD 6
#define VECTOR_GP 13
#define VECTOR_PF 14
#define P_W_U	  7u
#define HV_GDT	  UINT64_C(0xffff868000000000)
#define MSR_LSTAR 0xc0000082u
#define MSR_EFER  0xc0000080u
#define MSR_PAT	  0x277u

/* 1. Instructions. */

static void write_cr3(uint64_t a, uint64_t b)
{
	(void)b;
	__asm__ volatile("movq %0, %%cr3" : : "r"(a));
}

static void write_cr4(uint64_t a, uint64_t b)
{
	(void)b;
	__asm__ volatile("movq %0, %%cr4" : : "r"(a));
}

static void write_cr0(uint64_t a, uint64_t b)
{
	(void)b;
	__asm__ volatile("movq %0, %%cr0" : : "r"(a));
}

static void write_msr(uint64_t msr, uint64_t value)
{
	__asm__ volatile("wrmsr"
			 :
			 : "c"((uint32_t)msr), "a"((uint32_t)value),
			   "d"((uint32_t)(value >> 32)));
}

static void lgdt(uint64_t a, uint64_t b)
{
	(void)b;
	__asm__ volatile("lgdt (%0)" : : "r"(a));
}

static void lidt(uint64_t a, uint64_t b)
{
	(void)b;
	__asm__ volatile("lidt (%0)" : : "r"(a));
}

static void ltr(uint64_t a, uint64_t b)
{
	(void)b;
	__asm__ volatile("ltr %w0" : : "r"((uint32_t)a));
}

static void invlpg(uint64_t a, uint64_t b)
{
	(void)b;
	__asm__ volatile("invlpg (%0)" : : "r"(a));
}

static void swapgs(uint64_t a, uint64_t b)
{
	(void)a, (void)b;
	__asm__ volatile("swapgs");
}

static void sysret(uint64_t a, uint64_t b)
{
	(void)b;
	__asm__ volatile("sysretq" : : "c"(a), "S"(b) : "r11");
}

static void xsetbv(uint64_t a, uint64_t b)
{
	__asm__ volatile("xsetbv"
			 :
			 : "c"((uint32_t)a), "a"((uint32_t)b), "d"(0));
}

static void ins(uint64_t a, uint64_t b)
{
	__asm__ volatile("rep insb" : : "D"(a), "d"((uint32_t)b), "c"(4ul));
}

static void rdfsbase(uint64_t a, uint64_t b)
{
	(void)a, (void)b;
	__asm__ volatile("rdfsbase %%rax" : : : "rax");
}

static void wrgsbase(uint64_t a, uint64_t b)
{
	(void)b;
	__asm__ volatile("wrgsbase %0" : : "r"(a));
}

static void wrpkru(uint64_t a, uint64_t b)
{
	__asm__ volatile(".byte 0x0f, 0x01, 0xef"
			 :
			 : "a"((uint32_t)a), "c"((uint32_t)b), "d"(0)
			 : "memory");
}

static const struct {
	const char *name;
	void (*f)(uint64_t a, uint64_t b);
	uint64_t a, b;
} refused[] = {
	{ "MOV CR3", write_cr3, 0x1000, 0 },
	{ "MOV CR4, with SMAP", write_cr4, 1u << 21, 0 },
	{ "MOV CR4, with VMXE", write_cr4, 1u << 13, 0 },
	{ "MOV CR0, without WP", write_cr0, 0x80000033, 0 },
	{ "MOV CR0, without PG", write_cr0, 0x11, 0 },
	{ "WRMSR LSTAR", write_msr, MSR_LSTAR, VIRT_BASE },
	{ "WRMSR EFER", write_msr, MSR_EFER, 0x501 },
	{ "WRMSR PAT", write_msr, MSR_PAT, 0 },
	{ "WRMSR GS base that is no address", write_msr, 0xc0000101,
	  UINT64_C(1) << 63 },
	{ "WRMSR user's GS base that is no address", write_msr, 0xc0000102,
	  UINT64_C(1) << 62 },
	{ "LGDT", lgdt, (uintptr_t)spare, 0 },
	{ "LIDT", lidt, (uintptr_t)spare, 0 },
	{ "LTR", ltr, 0xe040, 0 },
	{ "INVLPG", invlpg, HV_IMAGE, 0 },
	{ "SWAPGS", swapgs, 0, 0 },
	{ "SYSRET", sysret, HV_IMAGE, 0 },
	{ "XSETBV of what there is not", xsetbv, 0, 0xffffffff },
	{ "XSETBV of another register", xsetbv, 1, 1 },
	{ "INS", ins, (uintptr_t)spare, 0x3f8 },
};

static void instructions(void)
{
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		check(refused[i].name,
		      attempt(refused[i].f, refused[i].a, refused[i].b) &&
			      arrival.vector == VECTOR_GP);
	/* Its kernel relies on its users not to have them (XSA-293). */
	check("RDFSBASE, which CPUID does not show",
	      attempt(rdfsbase, 0, 0) && arrival.vector == VECTOR_UD);
	check("nor WRGSBASE",
	      attempt(wrgsbase, 0, 0) && arrival.vector == VECTOR_UD);
	/* Keys bind kernels in ring 3, and the hypervisor's stores for them: a
	 * user must not have them either. All rights, as far as it goes. */
	check("nor WRPKRU",
	      attempt(wrpkru, 0, 0) && arrival.vector == VECTOR_UD);
	check("MOV CR4, with FSGSBASE",
	      attempt(write_cr4, 1u << 16, 0) && arrival.vector == VECTOR_GP);
}

/* 2. Memory and segments. */

static void load(uint64_t a, uint64_t b)
{
	(void)b;
	*(volatile uint64_t *)a;
}

static void store(uint64_t a, uint64_t b)
{
	*(volatile uint64_t *)a = b;
}

static void far_call(uint64_t a, uint64_t b)
{
	const struct {
		uint32_t offset;
		uint16_t selector;
	} __attribute__((packed)) to = { 0x100000, (uint16_t)a };

	(void)b;
	__asm__ volatile("lcall *%0" : : "m"(to));
}

static void load_segment(uint64_t a, uint64_t b)
{
	(void)b;
	__asm__ volatile("movw %w0, %%es" : : "r"((uint32_t)a));
}

static void memory(void)
{
	static const uint64_t places[] = { HV_IMAGE,
					   HV_DIRECT,
					   HV_DIRECT + 0x100000,
					   UINT64_C(0xffff820000000000),
					   UINT64_C(0xffff86000000f000),
					   UINT64_C(0xffff868000000000),
					   UINT64_C(0xffff870000000000) };
	struct xen_machphys_mapping map;

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		check("the hypervisor's memory",
		      attempt(load, places[i], 0) &&
			      arrival.vector == VECTOR_PF &&
			      attempt(store, places[i], 0) &&
			      arrival.vector == VECTOR_PF);
	call(memory_op, XENMEM_machphys_mapping, &map);
	check("the M2P is read", !attempt(load, map.v_start, 0));
	check("and not written",
	      attempt(store, map.v_start, 0) && arrival.vector == VECTOR_PF);
	check("the guest's own tables are read",
	      !attempt(load, start_info->pt_base, 0));
	check("and not written", attempt(store, start_info->pt_base, 0) &&
					 arrival.vector == VECTOR_PF &&
					 arrival.error == (P_W_U & ~4u));
}

static void segments(void)
{
	static const uint16_t selectors[] = { 0xe008, 0xe00b, 0xe010,
					      0xe013, 0xe040, 0xe043 };

	for (size_t i = 0; i < sizeof(selectors) / sizeof(selectors[0]); i++)
		check("the hypervisor's segments",
		      attempt(far_call, selectors[i], 0) &&
			      attempt(load_segment, selectors[i], 0) &&
			      arrival.vector == VECTOR_GP);
}

/* 3. Descriptors. A page of them, read-only, becomes the GDT. */

#define CALL_GATE UINT64_C(0x8000ec00e0080000) /* to cs e008, DPL 3 */
#define CODE_0	  UINT64_C(0x00af9b000000ffff)
#define CODE_3	  UINT64_C(0x00affb000000ffff)
#define LDT_HERE  UINT64_C(0x000082000000ffff)
#define TSS_HERE  UINT64_C(0x0000890000000067)
#define ABSENT	  UINT64_C(0x0000800000000000) /* what it takes from a segment */
#define DATA_3	  UINT64_C(0x00cff3000000ffff)

static uint64_t pte_of(const void *page, uint64_t flags)
{
	return mfn_of(page) * PAGE | flags;
}

static bool make_read_only(void *page)
{
	return call(update_va_mapping, page, pte_of(page, 0x65), UVMF_INVLPG) ==
	       0;
}

static void return_with(uint64_t cs, uint64_t ss)
{
	static struct iret_frame f;

	f = (struct iret_frame){ .rip = VIRT_BASE + 0x100000,
				 .cs = cs,
				 .rflags = 2,
				 .rsp = (uintptr_t)spare[15] + 4088,
				 .ss = ss };
	return_to(&f);
}

/* #NP and #SS, which the hypervisor meets in its IRET or its MOV to GS, and not
 * #GP. */
static void absent_segments(uint64_t machine)
{
	check("segments that are not there",
	      call(update_descriptor, machine + 8 * 5, CODE_3 & ~ABSENT) == 0 &&
		      call(update_descriptor, machine + 8 * 6,
			   DATA_3 & ~ABSENT) == 0);
	check("a return to one", attempt(return_with, 5 * 8, FLAT_KERNEL_SS) &&
					 arrival.vector == ARRIVED_FAILSAFE);
	check("a return on one",
	      attempt(return_with, FLAT_KERNEL_CS & ~3u, 6 * 8) &&
		      arrival.vector == ARRIVED_FAILSAFE);
	check("one for the user",
	      call(set_segment_base, SEGBASE_GS_USER_SEL, 6 * 8) == 0);
}

static void descriptors(void)
{
	uint64_t *page = (void *)spare[4], mfn = mfn_of(page);
	uint64_t machine = mfn * PAGE;

	check("a GDT that can be written", call(set_gdt, &mfn, 512) < 0);
	page[1] = CALL_GATE;
	page[2] = CODE_0;
	check("the page becomes read-only", make_read_only(page));
	check("a GDT with a call gate", call(set_gdt, &mfn, 512) < 0);
	check("what is no table yet can be written",
	      call(update_descriptor, machine + 8, CODE_3) == 0);
	check("a GDT", call(set_gdt, &mfn, 512) == 0);
	check("its ring 0 has become ring 3",
	      (page[2] >> 45 & 3) == 3 && !attempt(load_segment, 8, 0));
	check("a call gate in it",
	      call(update_descriptor, machine + 8, CALL_GATE) < 0);
	check("an LDT in it",
	      call(update_descriptor, machine + 8, LDT_HERE) < 0);
	check("a TSS in it",
	      call(update_descriptor, machine + 8, TSS_HERE) < 0);
	check("ring 0 code in it",
	      call(update_descriptor, machine + 8, CODE_0) < 0 ||
		      (page[1] >> 45 & 3) == 3);
	check("none beside one",
	      call(update_descriptor, machine + 4, CODE_3) < 0);
	check("none of the hypervisor's",
	      call(update_descriptor, 0x100000, CODE_3) < 0 &&
		      call(update_descriptor, UINT64_C(1) << 51, 0) < 0);
	check("it cannot be made writable again",
	      call(update_va_mapping, page, pte_of(page, 0x67), UVMF_INVLPG) <
		      0);
	absent_segments(machine);
	mfn = 0x100;
	check("a GDT of the hypervisor's", call(set_gdt, &mfn, 512) < 0);
	mfn = UINT64_C(1) << 40;
	check("a GDT that is no memory", call(set_gdt, &mfn, 512) < 0);
	check("a GDT over the hypervisor's entries",
	      call(set_gdt, &mfn, 8192) < 0);
}

/* 4. Breakpoints and bases. */

static void registers(void)
{
	check("a breakpoint on the hypervisor",
	      call(set_debugreg, 0, HV_IMAGE) < 0 &&
		      call(set_debugreg, 3, HV_LAST) < 0);
	/* The tables that the processor reads to deliver an exception: a
	 * breakpoint there would never end (XSA-444). */
	check("a breakpoint on the live GDT",
	      call(set_debugreg, 0, HV_GDT) < 0 &&
		      call(set_debugreg, 1, HV_GDT + 0xe040) < 0 &&
		      call(set_debugreg, 2, HV_GDT - 4) < 0);
	check("general detect", call(set_debugreg, 7, 0x2400) < 0);
	check("an I/O breakpoint", call(set_debugreg, 7, 0x20401) < 0);
	check("a debug register that there is not",
	      call(set_debugreg, 4, 0) < 0 && call(set_debugreg, 8, 0) < 0 &&
		      call(get_debugreg, 5) < 0);
	check("a base that is no address",
	      call(set_segment_base, SEGBASE_FS, UINT64_C(1) << 47) < 0 &&
		      call(set_segment_base, SEGBASE_GS_KERNEL,
			   UINT64_C(1) << 63) < 0 &&
		      call(set_segment_base, SEGBASE_GS_USER,
			   UINT64_C(1) << 62) < 0);
	check("a selector of the hypervisor's for the user",
	      call(set_segment_base, SEGBASE_GS_USER_SEL, 0xe008) == 0);
}

/* MOV SS holds #DB back for one instruction: taken at the first one of a
 * system call's, it is the hypervisor's (CVE-2018-8897). */
static void pop_ss(uint64_t at, uint64_t b)
{
	uint64_t number = __HYPERVISOR_xen_version, cmd = XENVER_version;

	(void)b;
	__asm__ volatile("movw (%2), %%ss\n\t"
			 "syscall"
			 : "+a"(number), "+D"(cmd)
			 : "r"(at)
			 : "rcx", "r11", "memory");
}

static void held_debug_trap(void)
{
	static volatile uint16_t ss = FLAT_KERNEL_SS;

	call(set_debugreg, 0, &ss);
	call(set_debugreg, 7, 0x400 | 1 | 3u << 16 | 1u << 18);
	attempt(pop_ss, (uintptr_t)&ss, 0);
	call(set_debugreg, 7, 0x400);
	check("a debug trap held back into a system call",
	      call(xen_version, XENVER_version) > 0);
}

/* Here it is the hypervisor that writes there, in ring 0. */
static void watched_answer(void)
{
	static struct xen_feature_info answer;

	call(set_debugreg, 0, &answer.submap);
	call(set_debugreg, 7, 0x400 | 1 | 1u << 16 | 3u << 18);
	check("an answer goes where a breakpoint is",
	      call(xen_version, XENVER_get_features, &answer) == 0 &&
		      answer.submap);
	call(set_debugreg, 7, 0x400);
}

void guest_main(void)
{
	handlers_init();
	instructions();
	memory();
	segments();
	descriptors();
	registers();
	held_debug_trap();
	watched_answer();
	finish();
}
