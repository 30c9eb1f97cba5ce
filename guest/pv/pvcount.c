/*
 * A known number of everything that the hypervisor counts: test/boot/count.t
 * has the numbers. Nothing is printed and nothing checked here, which would be
 * counted too.
 */
#include "lib.h"

#define P_RW_U UINT64_C(0x67)
#define P_R_U  UINT64_C(0x65)
#define LEFT   UINT64_C(0x1000) /* nothing is mapped there */

static uint8_t user_stack[4096] __attribute__((aligned(16)));

/* 1. Entries: 7 by calls for one, 2 of those in a multicall; 5 + 2 by lists,
 * the second of which fails at its third; 1 call for another's. */
static void updates(void)
{
	uint64_t at, own = mfn_of(spare[0]) * PAGE;
	struct mmu_update u[5];
	struct multicall_entry m[3] = {
		{ .op = __HYPERVISOR_mmu_update,
		  .args = { (uintptr_t)u, 1, 0, DOMID_SELF } },
		{ .op = __HYPERVISOR_mmu_update,
		  .args = { (uintptr_t)u, 1, 0, DOMID_SELF } },
		{ .op = __HYPERVISOR_update_va_mapping,
		  .args = { (uintptr_t)spare[1],
			    mfn_of(spare[1]) * PAGE | P_RW_U } },
	};

	entry_at((uintptr_t)spare[0], 1, &at);
	for (unsigned i = 0; i < 5; i++)
		u[i] = (struct mmu_update){ at, own | P_RW_U };
	update(at, own | P_R_U);
	update(at, own | P_RW_U);
	update(at | MMU_PT_UPDATE_PRESERVE_AD, own | P_RW_U);
	update(own | MMU_MACHPHYS_UPDATE, gfn_of(spare[0]));
	update(mfn_of(spare[2]) * PAGE, 0x1234000); /* of data */
	call(multicall, m, 3);
	call(mmu_update, u, 5, 0, DOMID_SELF);
	u[2].ptr = 3; /* no operation */
	call(mmu_update, u, 4, 0, DOMID_SELF);
	call(mmu_update, u, 1, 0, 1);
	for (unsigned i = 0; i < 3; i++)
		call(update_va_mapping, spare[1],
		     mfn_of(spare[1]) * PAGE | P_RW_U, UVMF_INVLPG);
}

/* 2. Tables: three of level 1, each twice, one of level 2, one of level 3 that
 * leads there; 9 trapped writes. */
static void tables(void)
{
	volatile uint64_t *table = (void *)spare[3];
	uint64_t *l2 = (void *)spare[6], *l3 = (void *)spare[7];

	for (unsigned i = 0; i < 512; i++)
		l2[i] = l3[i] = 0;
	l3[5] = mfn_of(l2) * PAGE | P_RW_U;
	for (unsigned i = 3; i <= 7; i++) {
		if (i < 6)
			for (unsigned n = 0; n < 4096; n++)
				spare[i][n] = 0;
		call(update_va_mapping, spare[i],
		     mfn_of(spare[i]) * PAGE | P_R_U, UVMF_INVLPG);
	}
	for (unsigned n = 0; n < 2; n++)
		for (unsigned i = 3; i < 6; i++) {
			mmuext(MMUEXT_PIN_L1_TABLE, mfn_of(spare[i]));
			for (unsigned w = 0; i == 3 && w < 3; w++)
				table[w] = mfn_of(spare[8]) * PAGE | P_RW_U;
			mmuext(MMUEXT_UNPIN_TABLE, mfn_of(spare[i]));
		}
	mmuext(MMUEXT_PIN_L1_TABLE, mfn_of(spare[3]));
	for (unsigned w = 0; w < 3; w++)
		table[w] = 0;
	mmuext(MMUEXT_PIN_L3_TABLE, mfn_of(l3));
	mmuext(MMUEXT_INVLPG_LOCAL, (uint64_t)(uintptr_t)spare[3]);
	mmuext(MMUEXT_TLB_FLUSH_LOCAL, 0);
	mmuext(MMUEXT_TLB_FLUSH_LOCAL, 0);
	mmuext(31, 0);
	mmuext(4000, 0);
	mmuext(5000, 0);
}

/* 3. Exceptions of the kernel's: 3 #BP, 2 #UD, 4 #PF, 1 #DE, 2 INT n. */

static void breaks(uint64_t a, uint64_t b)
{
	(void)a, (void)b;
	__asm__ volatile("int3");
}

static void undefined(uint64_t a, uint64_t b)
{
	(void)a, (void)b;
	__asm__ volatile("ud2");
}

static void divides(uint64_t a, uint64_t b)
{
	__asm__ volatile("divl %1" : "+a"(a) : "r"((uint32_t)b) : "edx");
}

static void reads(uint64_t at, uint64_t b)
{
	(void)b;
	*(volatile uint8_t *)at;
}

static void int_80(uint64_t a, uint64_t b)
{
	(void)a, (void)b;
	__asm__ volatile("int $0x80");
}

static void exceptions(void)
{
	for (unsigned i = 0; i < 3; i++)
		attempt(breaks, 0, 0);
	for (unsigned i = 0; i < 2; i++)
		attempt(undefined, 0, 0);
	for (unsigned i = 0; i < 4; i++)
		attempt(reads, LEFT, 0);
	attempt(divides, 1, 0);
	for (unsigned i = 0; i < 2; i++)
		attempt(int_80, 0, 0);
}

/* 4. Users: 5 system calls, 6 page faults, and 11 returns to them. */

static void user_calls(void)
{
	__asm__ volatile("syscall" : : "a"(1ul) : "rcx", "r11");
}

static void user_faults(void)
{
	*(volatile uint8_t *)LEFT;
}

static void enter_user(uint64_t rip, uint64_t b)
{
	static struct iret_frame f;

	(void)b;
	f = (struct iret_frame){
		.rip = rip,
		.cs = FLAT_USER_CS,
		.rflags = 0x202,
		.rsp = (uintptr_t)user_stack + sizeof(user_stack) - 8,
		.ss = FLAT_USER_SS,
	};
	return_to(&f);
}

static void users(void)
{
	mmuext(MMUEXT_NEW_USER_BASEPTR, mfn_of((void *)start_info->pt_base));
	call(stack_switch, FLAT_KERNEL_SS, spare[10]);
	for (unsigned i = 0; i < 5; i++)
		attempt(enter_user, (uintptr_t)user_calls, 0);
	for (unsigned i = 0; i < 6; i++)
		attempt(enter_user, (uintptr_t)user_faults, 0);
}

/* 5. The rest: 4 of xen_version, 3 segment bases, 3 of vcpu_op, 2 ports. */
static void others(void)
{
	struct evtchn_bind_ipi ipi = { .vcpu = 0 };
	struct evtchn_send send;
	uint8_t text[1024];

	for (unsigned i = 0; i < 3; i++)
		call(xen_version, XENVER_version);
	call(xen_version, XENVER_extraversion, text);
	call(set_segment_base, SEGBASE_FS, 0);
	call(set_segment_base, SEGBASE_GS_USER, 0);
	call(set_segment_base, SEGBASE_GS_USER, 0);
	call(vcpu_op, VCPUOP_is_up, 0, 0);
	call(vcpu_op, VCPUOP_is_up, 1, 0);
	call(vcpu_op, 99, 0, 0);
	call(event_channel_op, EVTCHNOP_bind_ipi, &ipi);
	call(event_channel_op, EVTCHNOP_bind_ipi, &ipi);
	send.port = ipi.port;
	call(event_channel_op, EVTCHNOP_close, &send);
	call(sched_op, SCHEDOP_yield, 0);
	call(sched_op, SCHEDOP_yield, 0);
	__asm__ volatile("movq %%cr4, %%rax" : : : "rax");
	__asm__ volatile("rdmsr" : : "c"(0x10) : "rax", "rdx");
	__asm__ volatile("rdmsr" : : "c"(0xc0000102) : "rax", "rdx");
}

void guest_main(void)
{
	handlers_init();
	updates();
	tables();
	exceptions();
	users();
	others();
	finish();
}
