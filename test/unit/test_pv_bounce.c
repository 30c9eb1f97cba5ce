/*
 * hv/pv/bounce.c, trap.c, switch.c: what of the processor's exceptions reaches
 * the guest, by which frame on which stack, and who may not have one.
 */
#include "pv_rig.h"

#define HANDLER (RIG_CODE + 0x100)
#define TOP	((uintptr_t)rig_spare(8))

static void put_handler(unsigned vector, uint8_t dpl, bool masks)
{
	rig.c->trap[vector] =
		(struct pv_trap_entry){ HANDLER + vector, dpl, masks };
}

/* The guest's user, or its kernel, was there. */
static void running(bool kernel, uint64_t rip)
{
	rig_frame = (struct trap_frame){
		.rax = 0xa,
		.rcx = 0xc,
		.r11 = 0x11,
		.rip = rip,
		.cs = PV_GUEST_CS,
		.rflags = 0x40202 | PV_RFLAGS_TF | PV_RFLAGS_NT | PV_RFLAGS_DF,
		.rsp = kernel ? TOP - 5 : 0x7777,
		.ss = PV_GUEST_SS,
	};
	rig.c->kernel = kernel;
	rig.c->kernel_sp = TOP;
	rig.c->leave = false;
	rig.vm.end = VM_RUNNING;
	*machine_msr(0xc0000101) = 0x1000;
	*machine_msr(0xc0000102) = 0x2000;
}

static const uint64_t *frame(void)
{
	return (const void *)rig_frame.rsp;
}

static void trap(unsigned vector, uint64_t error)
{
	rig_frame.vector = vector;
	rig_frame.error_code = error;
	pv_trap(&rig_frame);
}

static void killed(const char *why)
{
	assert_int_equal(rig.vm.end, VM_KILLED);
	assert_true(rig.c->leave);
	assert_non_null(strstr(rig.vm.sentence, why));
	rig.vm.end = VM_RUNNING;
	rig.c->leave = false;
}

/* 1. Frames. */

static void of_the_kernels(void **state)
{
	(void)state;
	put_handler(3, 0, false);
	running(true, RIG_CODE);
	rig.c->info->evtchn_upcall_mask = 1;
	pv_bounce_exception(rig.c, 3, 0);
	assert_int_equal(rig_frame.rsp, ((TOP - 5) & ~UINT64_C(15)) - 56);
	assert_int_equal(frame()[0], 0xc);
	assert_int_equal(frame()[1], 0x11);
	assert_int_equal(frame()[2], RIG_CODE);
	assert_int_equal(frame()[3], (PV_GUEST_CS & ~3u) | UINT64_C(1) << 32);
	assert_int_equal(frame()[4] & PV_RFLAGS_IF, 0);
	assert_int_equal(frame()[5], TOP - 5);
	assert_int_equal(frame()[6], PV_GUEST_SS);
	assert_int_equal(rig_frame.rip, HANDLER + 3);
	assert_int_equal(rig_frame.rcx, rig_frame.rip);
	assert_int_equal(rig_frame.r11, rig_frame.rflags);
	assert_int_equal(rig_frame.cs, PV_GUEST_CS);
	assert_int_equal(rig_frame.ss, PV_GUEST_SS);
	assert_int_equal(rig_frame.rflags &
				 (PV_RFLAGS_TF | PV_RFLAGS_NT | PV_RFLAGS_AC |
				  PV_RFLAGS_VM | PV_RFLAGS_IOPL | PV_RFLAGS_DF),
			 0);
	assert_true(frame()[4] & PV_RFLAGS_DF);
	assert_true(rig_frame.rflags & PV_RFLAGS_IF);
	assert_int_equal(rig.c->stats.bounced[3], 1);
	assert_int_equal(rig.c->info->evtchn_upcall_mask, 1);
}

static void of_the_users(void **state)
{
	(void)state;
	put_handler(13, 0, true);
	running(false, 0x4000);
	rig.c->info->evtchn_upcall_mask = 0;
	pv_bounce_exception(rig.c, 13, 0x18);
	assert_int_equal(rig_frame.rsp, TOP - 64);
	assert_int_equal(frame()[2], 0x18);
	assert_int_equal(frame()[3], 0x4000);
	assert_int_equal(frame()[4], PV_GUEST_CS);
	assert_true(frame()[5] & PV_RFLAGS_IF);
	assert_int_equal(frame()[5] & PV_RFLAGS_IOPL, 0);
	assert_int_equal(frame()[6], 0x7777);
	assert_true(rig.c->kernel);
	assert_int_equal(*machine_msr(0xc0000101), 0x2000);
	assert_int_equal(*machine_msr(0xc0000102), 0x1000);
	assert_int_equal(machine.cr[3], rig.c->vcpu->mmu.root.v);
	assert_int_equal(rig.c->info->evtchn_upcall_mask, 1);
}

static void with_and_without_error_codes(void **state)
{
	(void)state;
	for (unsigned v = 0; v < 32; v++) {
		bool has = v == 8 || (v >= 10 && v <= 14) || v == 17 ||
			   v == 21 || v == 29 || v == 30;

		put_handler(v, 0, false);
		running(true, RIG_CODE);
		pv_bounce_exception(rig.c, v, 0x5a);
		assert_int_equal(frame()[2], has ? 0x5a : RIG_CODE);
		assert_int_equal(frame()[2 + has], RIG_CODE);
	}
}

/* Where the guest's kernel has no stack, it has no future. */
static void stacks_that_are_none(void **state)
{
	(void)state;
	put_handler(3, 0, false);
	for (size_t i = 0; i < RIG_BAD; i++) {
		running(true, RIG_CODE);
		rig_frame.rsp = rig_bad[i];
		pv_bounce_exception(rig.c, 3, 0);
		killed("stack at");
		running(false, RIG_CODE);
		rig.c->kernel_sp = rig_bad[i];
		pv_bounce_exception(rig.c, 3, 0);
		killed("stack at");
	}
	/* Ends that lie in the hypervisor, and that run around. */
	running(true, RIG_CODE);
	rig_frame.rsp = HV_END + 40;
	pv_bounce_exception(rig.c, 3, 0);
	killed("stack at");
	running(true, RIG_CODE);
	rig_frame.rsp = 16;
	pv_bounce_exception(rig.c, 3, 0);
	killed("stack at");
	/* A page table. */
	running(true, RIG_CODE);
	rig_frame.rsp = rig.si->pt_base + 1024;
	pv_bounce_exception(rig.c, 3, 0);
	killed("stack at");
	assert_int_equal(machine.trespass, 0);
}

static void no_handlers(void **state)
{
	(void)state;
	running(true, RIG_CODE);
	pv_bounce_exception(rig.c, 6, 0);
	killed("no handler for exception 6");
	pv_bounce_soft(rig.c, 0x80);
	killed("no handler for exception 128");
	pv_user_syscall(rig.c);
	killed("no callback");
	pv_iret_failed(rig.c);
	killed("where nobody can go");
	pv_deliver_events(rig.c); /* it waits until there is one */
	assert_int_equal(rig.vm.end, VM_RUNNING);
	assert_int_equal(rig_frame.rip, RIG_CODE);
}

static void callbacks(void **state)
{
	(void)state;
	rig.c->callback[CALLBACKTYPE_syscall] =
		(struct pv_callback){ HANDLER, true };
	rig.c->callback[CALLBACKTYPE_event] =
		(struct pv_callback){ HANDLER + 1, false };
	rig.c->callback[CALLBACKTYPE_failsafe] =
		(struct pv_callback){ HANDLER + 2, false };
	running(false, 0x4000);
	rig.c->info->evtchn_upcall_mask = 0;
	pv_user_syscall(rig.c);
	assert_int_equal(rig_frame.rip, HANDLER);
	assert_int_equal(rig_frame.rsp, TOP - 56);
	assert_int_equal(rig.c->info->evtchn_upcall_mask, 1);
	assert_int_equal(rig.c->stats.syscalls, 1);
	running(true, RIG_CODE);
	rig.c->info->evtchn_upcall_mask = 0;
	pv_deliver_events(rig.c);
	assert_int_equal(rig_frame.rip, HANDLER + 1);
	assert_int_equal(rig.c->info->evtchn_upcall_mask, 1);
	running(true, UINT64_C(1) << 47);
	pv_iret_failed(rig.c);
	assert_int_equal(rig_frame.rip, HANDLER + 2);
	/* ds es fs gs between r11 and rip */
	assert_int_equal(frame()[6], UINT64_C(1) << 47);
	assert_int_equal(rig.c->stats.iret_failed, 1);
}

/* 2. Who gets what. */

static void page_faults(void **state)
{
	(void)state;
	put_handler(14, 0, true);
	machine.cr[2] = 0x123456;
	running(false, 0x4000);
	trap(14, 6);
	assert_int_equal(rig.c->info->arch.cr2, 0x123456);
	assert_int_equal(frame()[2], 6);
	/* The kernel sees itself as the supervisor. */
	running(true, RIG_CODE);
	rig_frame.error_code = 4;
	machine.cr[2] = 0x999000;
	pv_kernel_fault(rig.c);
	assert_int_equal(frame()[2], 0);
	assert_int_equal(rig.c->info->arch.cr2, 0x999000);
}

static void put_code(const char *bytes, size_t n)
{
	memcpy(rig_spare(2), bytes, n);
}

static void software_interrupts(void **state)
{
	uint64_t at = (uintptr_t)rig_spare(2);

	(void)state;
	put_handler(13, 0, true);
	put_handler(0x30, 3, false);
	put_handler(0x31, 0, false);
	put_handler(0x32, 1, false);
	put_code("\xcd\x30", 2);
	running(false, at);
	trap(13, 0x999 | 2); /* whatever number it says */
	assert_int_equal(rig_frame.rip, HANDLER + 0x30);
	assert_int_equal(frame()[2], at + 2);
	put_code("\xcd\x31", 2);
	running(false, at);
	trap(13, 0x31 * 8 + 2);
	assert_int_equal(rig_frame.rip, HANDLER + 13);
	assert_int_equal(frame()[2], 0x31 * 8 + 2);
	assert_int_equal(frame()[3], at);
	put_code("\xcd\x32", 2); /* its kernel is in ring 1, as it says */
	running(true, at);
	trap(13, 0x32 * 8 + 2);
	assert_int_equal(rig_frame.rip, HANDLER + 0x32);
	running(false, at);
	trap(13, 0x32 * 8 + 2);
	assert_int_equal(rig_frame.rip, HANDLER + 13);
	put_code("\xcd\x33", 2); /* none there */
	running(true, at);
	trap(13, 0x33 * 8 + 2);
	assert_int_equal(rig_frame.rip, HANDLER + 13);
	put_code("\x90\x30", 2); /* changed since */
	running(true, at);
	trap(13, 0x30 * 8 + 2);
	assert_int_equal(rig_frame.rip, HANDLER + 13);
	assert_int_equal(frame()[2], 0x30 * 8 + 2);
	running(true, at); /* of no IDT entry */
	put_code("\xcd\x30", 2);
	trap(13, 0x30 * 8);
	assert_int_equal(rig_frame.rip, HANDLER + 13);
	for (size_t i = 0; i < RIG_BAD; i++) {
		running(true, rig_bad[i]);
		trap(13, 0x30 * 8 + 2);
		assert_int_equal(rig_frame.rip, HANDLER + 13);
	}
}

static void int_80(void **state)
{
	(void)state;
	put_handler(13, 0, true);
	running(false, 0x4002);
	trap(0x80, 0);
	assert_int_equal(rig_frame.rip, HANDLER + 13);
	assert_int_equal(frame()[2], 0x80 * 8 + 2);
	assert_int_equal(frame()[3], 0x4000); /* at the instruction */
	put_handler(0x80, 3, false);
	running(false, 0x4002);
	trap(0x80, 0);
	assert_int_equal(rig_frame.rip, HANDLER + 0x80);
	assert_int_equal(frame()[2], 0x4002);
	put_handler(0x80, 2, false);
	running(false, 0x4002);
	trap(0x80, 0);
	assert_int_equal(rig_frame.rip, HANDLER + 13);
	running(true, 0x4002);
	trap(0x80, 0);
	assert_int_equal(rig_frame.rip, HANDLER + 0x80);
}

static void a_users_privileged_instruction(void **state)
{
	(void)state;
	put_handler(13, 0, true);
	put_code("\x0f\x06", 2); /* CLTS */
	rig.c->ts = true;
	running(false, (uintptr_t)rig_spare(2));
	trap(13, 0);
	assert_int_equal(rig_frame.rip, HANDLER + 13);
	assert_true(rig.c->ts);
	running(true, (uintptr_t)rig_spare(2));
	trap(13, 0);
	assert_int_equal(rig_frame.rip, (uintptr_t)rig_spare(2) + 2);
	assert_false(rig.c->ts);
}

static void the_fpu(void **state)
{
	(void)state;
	put_handler(7, 0, true);
	rig.c->ts = true;
	machine.cr[0] |= CR0_TS;
	running(false, 0x4000);
	trap(7, 0);
	assert_false(rig.c->ts);
	assert_false(machine.cr[0] & CR0_TS);
	assert_int_equal(rig_frame.rip, HANDLER + 7);
}

static void all_others(void **state)
{
	static const uint8_t vectors[] = { 0,  1,  3,  4,  5,  9,
					   10, 11, 12, 16, 17, 19 };

	(void)state;
	for (size_t i = 0; i < sizeof(vectors); i++) {
		put_handler(vectors[i], 0, true);
		running(false, 0x4000);
		trap(vectors[i], 0x66);
		assert_int_equal(rig_frame.rip, HANDLER + vectors[i]);
	}
	running(false, 0x4000);
	trap(0x30, 0);
	assert_int_equal(rig_frame.rip, 0x4000);
	assert_int_equal(rig.c->stats.interrupts, 1);
}

/* 3. The short way: only when nothing is beside it. */

static void quick_conditions(void **state)
{
	struct pv_callback *syscall = &rig.c->callback[CALLBACKTYPE_syscall];

	(void)state;
	*syscall = (struct pv_callback){ HANDLER, true };
	put_handler(14, 0, true);
	call(stack_switch, 0, TOP + 5);
	assert_int_equal(rig.c->quick_sp, TOP);
	assert_int_equal(rig.c->quick_syscall, HANDLER);
	assert_int_equal(rig.c->quick_fault, HANDLER + 14);
	for (size_t i = 0; i < RIG_BAD; i++) {
		uint64_t sp = rig_bad[i] & ~UINT64_C(15);
		bool below = sp <= UINT64_C(1) << 47;

		call(stack_switch, 0, rig_bad[i]);
		assert_int_equal(rig.c->quick_sp,
				 below || sp >= HV_END + PV_FRAME_MOST ? sp
								       : 0);
	}
	call(stack_switch, 0, HV_END + PV_FRAME_MOST - 1);
	assert_int_equal(rig.c->quick_sp, 0);
	call(stack_switch, 0, HV_END + PV_FRAME_MOST);
	assert_int_equal(rig.c->quick_sp, HV_END + PV_FRAME_MOST);
	call(stack_switch, 0, TOP);
	syscall->masks = false;
	pv_quick(rig.c);
	assert_int_equal(rig.c->quick_sp, 0);
	*syscall = (struct pv_callback){ 0, true };
	pv_quick(rig.c);
	assert_int_equal(rig.c->quick_sp, 0);
	syscall->address = HANDLER;
	put_handler(14, 0, false);
	pv_quick(rig.c);
	assert_int_equal(rig.c->quick_sp, 0);
	put_handler(14, 0, true);
	pv_quick(rig.c);
	assert_int_equal(rig.c->quick_sp, TOP);
	rig.c->trap[14].address = 0;
	pv_quick(rig.c);
	assert_int_equal(rig.c->quick_sp, 0);
}

/* 4. The page of the GDT that is the hypervisor's. */
static void our_descriptors(void **state)
{
	const uint64_t *page = pv_page(rig.shown[PV_GDT_OUR_PAGE]);
	unsigned present = 0;

	(void)state;
	for (unsigned i = 0; i < 512; i++) {
		unsigned selector = PV_GDT_OUR_PAGE * 4096 + i * 8;
		unsigned dpl = (unsigned)(page[i] >> 45 & 3);
		bool guests = selector == (PV_GUEST_CS & ~7u) ||
			      selector == (PV_GUEST_CS32 & ~7u) ||
			      selector == (PV_GUEST_SS & ~7u);

		if (selector == PV_SEL_TSS + 8 || !(page[i] >> 47 & 1))
			continue;
		present++;
		assert_int_equal(dpl, guests ? 3 : 0);
		if (guests)
			assert_true(page[i] >> 44 & 1); /* no gate */
	}
	assert_int_equal(present, 6);
	for (unsigned i = 0; i < PV_GDT_PAGES; i++)
		assert_int_equal(rig.shown[i].v, rig.shown[0].v);
	for (unsigned i = 0; i < 512; i++)
		assert_int_equal(((uint64_t *)pv_page(rig.shown[0]))[i], 0);
}

#define T(f) RIG_TEST(f, rig_setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(of_the_kernels),
		T(of_the_users),
		T(with_and_without_error_codes),
		T(stacks_that_are_none),
		T(no_handlers),
		T(callbacks),
		T(page_faults),
		T(software_interrupts),
		T(int_80),
		T(a_users_privileged_instruction),
		T(the_fpu),
		T(all_others),
		T(quick_conditions),
		T(our_descriptors),
	};

	return cmocka_run_group_tests_name("pv_bounce", tests, NULL, NULL);
}
