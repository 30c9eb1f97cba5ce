/*
 * hv/pv/call.c and call_debug.c: each check of the short hypercalls from both
 * sides.
 */
#include "pv_rig.h"

#define NOT_CANONICAL (UINT64_C(1) << 47)
#define FLAG_VM	      UINT64_C(0x20000)
#define FLAG_IOPL     UINT64_C(0x3000)
#define FLAG_NT	      UINT64_C(0x4000)

/* A hypercall with each address that is none: an error, and no access. */
static void refuses_addresses(long (*take)(uint64_t at))
{
	for (size_t i = 0; i < RIG_BAD; i++)
		assert_true(take(rig_bad[i]) < 0);
	assert_int_equal(machine.trespass, 0);
}

/* 1. Traps and callbacks. */

static long trap_table(uint64_t at)
{
	return call(set_trap_table, at);
}

static void handlers_are_taken(void **state)
{
	struct trap_info *t = rig_spare(0);

	(void)state;
	t[0] = (struct trap_info){ 3, 3, 0, RIG_CODE };
	t[1] = (struct trap_info){ 14, 4, 0, ~UINT64_C(0) };
	t[2] = (struct trap_info){ 255, 7, 0, RIG_CODE + 1 };
	assert_int_equal(call(set_trap_table, t), 0);
	assert_int_equal(rig.c->trap[3].address, RIG_CODE);
	assert_int_equal(rig.c->trap[3].dpl, 3);
	assert_false(rig.c->trap[3].masks);
	assert_true(rig.c->trap[14].masks && !rig.c->trap[14].dpl);
	assert_int_equal(rig.c->trap[255].dpl, 3);
	assert_int_equal(rig.c->trap[4].address, 0);
	assert_int_equal(call(set_trap_table, 0), 0);
	assert_int_equal(rig.c->trap[3].address, 0);
	refuses_addresses(trap_table);
}

/* The bad one is not taken; those before it were. */
static void a_handler_nowhere_is_refused(void **state)
{
	struct trap_info *t = rig_spare(0);

	(void)state;
	t[0] = (struct trap_info){ 5, 0, 0, RIG_CODE };
	t[1] = (struct trap_info){ 6, 0, 0, NOT_CANONICAL };
	assert_int_equal(call(set_trap_table, t), -XEN_EINVAL);
	assert_int_equal(rig.c->trap[5].address, RIG_CODE);
	assert_int_equal(rig.c->trap[6].address, 0);
	t[1].address = UINT64_C(0xffff7fffffffffff);
	assert_int_equal(call(set_trap_table, t), -XEN_EINVAL);
}

/* A list has its end, and a page may end before it. */
static void a_list_without_end_is_refused(void **state)
{
	struct trap_info *t = rig_spare(0);
	uint64_t behind = (uintptr_t)rig_spare(2);

	(void)state;
	for (unsigned i = 0; i < 300; i++)
		t[i] = (struct trap_info){ (uint8_t)i, 0, 0, RIG_CODE };
	assert_int_equal(call(set_trap_table, t), -XEN_EINVAL);
	assert_int_equal(call(update_va_mapping, behind, 0, 0), 0);
	rig_see(behind);
	t = (void *)(behind - sizeof(*t));
	*t = (struct trap_info){ 7, 0, 0, RIG_CODE + 7 };
	assert_int_equal(call(set_trap_table, t), -XEN_EFAULT);
	assert_int_equal(call(set_trap_table, behind - 8), -XEN_EFAULT);
	assert_int_equal(rig.c->trap[7].address, RIG_CODE + 7);
}

static long callback(uint64_t at)
{
	return call(callback_op, CALLBACKOP_register, at);
}

static long set_callback(unsigned type, unsigned flags, uint64_t address)
{
	struct callback_register *r = rig_spare(0);

	*r = (struct callback_register){ (uint16_t)type, (uint16_t)flags,
					 address };
	return callback((uintptr_t)r);
}

static long unset_callback(unsigned type)
{
	struct callback_unregister *u = rig_spare(0);

	*u = (struct callback_unregister){ .type = (uint16_t)type };
	return call(callback_op, CALLBACKOP_unregister, u);
}

static long unset_callback_at(uint64_t at)
{
	return call(callback_op, CALLBACKOP_unregister, at);
}

static void callbacks(void **state)
{
	const struct pv_callback *b = rig.c->callback;

	(void)state;
	assert_int_equal(set_callback(CALLBACKTYPE_event, 0, RIG_CODE), 0);
	assert_int_equal(b[CALLBACKTYPE_event].address, RIG_CODE);
	assert_false(b[CALLBACKTYPE_event].masks);
	assert_int_equal(set_callback(CALLBACKTYPE_syscall,
				      CALLBACKF_mask_events, RIG_CODE + 2),
			 0);
	assert_true(b[CALLBACKTYPE_syscall].masks);
	assert_int_equal(set_callback(CALLBACKTYPE_failsafe, 0, 1), 0);
	assert_int_equal(set_callback(CALLBACKTYPE_nmi, 0, 1), 0);
	assert_int_equal(set_callback(CALLBACKTYPE_event, 0, NOT_CANONICAL),
			 -XEN_EINVAL);
	assert_int_equal(b[CALLBACKTYPE_event].address, RIG_CODE);
	for (unsigned type = 0; type < 0x10000; type += type < 64 ? 1 : 777)
		if (type != CALLBACKTYPE_event &&
		    type != CALLBACKTYPE_failsafe &&
		    type != CALLBACKTYPE_syscall && type != CALLBACKTYPE_nmi)
			assert_int_equal(set_callback(type, 0, RIG_CODE),
					 -XEN_ENOSYS);
	refuses_addresses(callback);
	assert_int_equal(call(callback_op, 2, rig_spare(0)), -XEN_ENOSYS);
}

static void callbacks_are_taken_back(void **state)
{
	(void)state;
	set_callback(CALLBACKTYPE_syscall, 0, RIG_CODE);
	assert_int_equal(unset_callback(CALLBACKTYPE_syscall), 0);
	assert_int_equal(rig.c->callback[CALLBACKTYPE_syscall].address, 0);
	assert_int_equal(unset_callback(CALLBACKTYPE_event), -XEN_EINVAL);
	assert_int_equal(unset_callback(CALLBACKTYPE_failsafe), -XEN_EINVAL);
	assert_int_equal(unset_callback(PV_CALLBACKS - 1), 0);
	assert_int_equal(unset_callback(PV_CALLBACKS), -XEN_EINVAL);
	assert_int_equal(unset_callback(0xffff), -XEN_EINVAL);
	refuses_addresses(unset_callback_at);
}

static void three_at_once(void **state)
{
	const struct pv_callback *b = rig.c->callback;

	(void)state;
	assert_int_equal(call(set_callbacks, 1, 2, 3), 0);
	assert_int_equal(b[CALLBACKTYPE_event].address, 1);
	assert_int_equal(b[CALLBACKTYPE_failsafe].address, 2);
	assert_int_equal(b[CALLBACKTYPE_syscall].address, 3);
	assert_true(call(set_callbacks, NOT_CANONICAL, 5, 6) < 0);
	assert_true(call(set_callbacks, 4, NOT_CANONICAL, 6) < 0);
	assert_true(call(set_callbacks, 4, 5, NOT_CANONICAL) < 0);
	assert_int_equal(b[CALLBACKTYPE_event].address, 1);
}

/* 2. The way back. */

static struct iret_context *frame_at(void *at)
{
	struct iret_context *i = at;

	*i = (struct iret_context){
		.rax = 0x11,
		.r11 = 0x22,
		.rcx = 0x33,
		.rip = RIG_CODE + 5,
		.cs = FLAT_KERNEL_CS & ~3u,
		.rflags = 0x202,
		.rsp = 0x4444,
		.ss = 0,
	};
	rig_frame.rsp = (uintptr_t)at;
	return i;
}

static void to_the_kernel(void **state)
{
	(void)state;
	frame_at(rig_spare(0));
	assert_int_equal(pv_iret(rig.c), 0x11);
	assert_int_equal(rig_frame.rip, RIG_CODE + 5);
	assert_int_equal(rig_frame.cs, FLAT_KERNEL_CS);
	assert_int_equal(rig_frame.ss, 3);
	assert_int_equal(rig_frame.rsp, 0x4444);
	assert_int_equal(rig_frame.rcx, 0x33);
	assert_int_equal(rig_frame.r11, 0x22);
	assert_true(rig.c->kernel);
	assert_int_equal(rig.c->info->evtchn_upcall_mask, 0);
}

/* What a guest may not have is not had, whatever its frame says. */
static void its_flags_are_cleaned(void **state)
{
	struct iret_context *i = frame_at(rig_spare(0));

	(void)state;
	i->rflags = ~UINT64_C(0) & ~PV_RFLAGS_IF;
	i->cs = 0xffffffffffff0000 | PV_OUR_CODE;
	i->ss = 0xffffffffffff0000 | PV_OUR_DATA;
	pv_iret(rig.c);
	assert_int_equal(rig_frame.rflags & (FLAG_VM | FLAG_IOPL), 0);
	assert_true(rig_frame.rflags & PV_RFLAGS_IF);
	assert_true(rig_frame.rflags & 2);
	assert_int_equal(rig_frame.rflags & ~UINT64_C(0x3fffff), 0);
	assert_int_equal(rig_frame.cs, PV_OUR_CODE | 3);
	assert_int_equal(rig_frame.ss, PV_OUR_DATA | 3);
	assert_int_equal(rig.c->info->evtchn_upcall_mask, 1);
}

static void from_a_system_call(void **state)
{
	(void)state;
	frame_at(rig_spare(0))->flags = VGCF_in_syscall;
	pv_iret(rig.c);
	assert_int_equal(rig_frame.rcx, rig_frame.rip);
	assert_int_equal(rig_frame.r11, rig_frame.rflags);
}

static long user_root(uint64_t mfn)
{
	struct mmuext_op *op = rig_spare(9);

	*op = (struct mmuext_op){ .cmd = MMUEXT_NEW_USER_BASEPTR,
				  .arg1.mfn = mfn };
	return call(mmuext_op, op, 1, 0, DOMID_SELF);
}

static void to_the_user(void **state)
{
	uint64_t root = rig.c->vcpu->mmu.root.v;

	(void)state;
	assert_int_equal(user_root(root >> 12), 0);
	*machine_msr(0xc0000101) = 0x1111;
	*machine_msr(0xc0000102) = 0x2222;
	frame_at(rig_spare(0))->cs = FLAT_USER_CS;
	pv_iret(rig.c);
	assert_false(rig.c->kernel);
	assert_int_equal(*machine_msr(0xc0000101), 0x2222);
	assert_int_equal(*machine_msr(0xc0000102), 0x1111);
	assert_int_equal(machine.cr[3], root);
	assert_int_equal(rig.vm.end, VM_RUNNING);
	pv_to_kernel(rig.c);
	assert_int_equal(*machine_msr(0xc0000101), 0x1111);
}

static void to_a_user_without_tables(void **state)
{
	(void)state;
	frame_at(rig_spare(0))->cs = FLAT_USER_CS;
	pv_iret(rig.c);
	assert_int_equal(rig.vm.end, VM_KILLED);
	assert_true(rig.c->leave);
	assert_non_null(strstr(rig.vm.sentence, "no page table"));
}

static void by_a_frame_that_is_not_there(void **state)
{
	(void)state;
	for (size_t i = 0; i < RIG_BAD; i++) {
		rig.vm.end = VM_RUNNING;
		rig.c->leave = false;
		rig_frame.rsp = rig_bad[i];
		pv_iret(rig.c);
		assert_int_equal(rig.vm.end, VM_KILLED);
		assert_true(rig.c->leave);
	}
}

/* 3. The processor's. */

static void the_fpu_is_switched(void **state)
{
	(void)state;
	assert_int_equal(call(fpu_taskswitch, 1), 0);
	assert_true(machine.cr[0] & CR0_TS);
	assert_true(rig.c->ts);
	assert_int_equal(call(fpu_taskswitch, 0), 0);
	assert_false(machine.cr[0] & CR0_TS);
	assert_false(rig.c->ts);
	assert_int_equal(machine.cr[0], CR0_PE | CR0_WP);
}

static void segment_bases(void **state)
{
	(void)state;
	assert_int_equal(call(set_segment_base, SEGBASE_FS, 0x1000), 0);
	assert_int_equal(*machine_msr(0xc0000100), 0x1000);
	assert_int_equal(call(set_segment_base, SEGBASE_GS_USER, 0x2000), 0);
	assert_int_equal(*machine_msr(0xc0000102), 0x2000);
	assert_int_equal(call(set_segment_base, SEGBASE_GS_KERNEL, 0x3000), 0);
	assert_int_equal(*machine_msr(0xc0000101), 0x3000);
	for (unsigned which = 0; which < 3; which++)
		assert_int_equal(call(set_segment_base, which, NOT_CANONICAL),
				 -XEN_EINVAL);
	assert_int_equal(call(set_segment_base, 4, 0), -XEN_EINVAL);
	assert_int_equal(call(set_segment_base, ~UINT64_C(0), 0), -XEN_EINVAL);
	assert_int_equal(*machine_msr(0xc0000101), 0x3000);
}

/* One that is none is as good as the null selector: the processor's fault is
 * the hypervisor's to take. */
static void a_users_selector(void **state)
{
	unsigned before = machine.faults;

	(void)state;
	*machine_msr(0xc0000101) = 0x5000;
	assert_int_equal(call(set_segment_base, SEGBASE_GS_USER_SEL, 0), 0);
	assert_int_equal(*machine_msr(0xc0000102), 0);
	assert_int_equal(machine.faults, before);
	assert_int_equal(call(set_segment_base, SEGBASE_GS_USER_SEL, 0xfff8),
			 0);
	assert_true(machine.faults > before);
	assert_int_equal(*machine_msr(0xc0000101), 0x5000);
}

static void debug_registers(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 4; n++) {
		assert_int_equal(call(set_debugreg, n, RIG_CODE + n), 0);
		assert_int_equal(machine.dr[n], RIG_CODE + n);
		assert_int_equal(call(get_debugreg, n), RIG_CODE + n);
		assert_int_equal(call(set_debugreg, n, HV_IMAGE_BASE),
				 -XEN_EPERM);
		assert_int_equal(call(set_debugreg, n, HV_END - 1), -XEN_EPERM);
		assert_int_equal(call(set_debugreg, n, HV_IMAGE_BASE - 1),
				 -XEN_EPERM);
		assert_int_equal(call(set_debugreg, n, HV_END), 0);
		assert_int_equal(machine.dr[n], HV_END);
	}
	for (unsigned n = 4; n < 10; n++) {
		if (n == 6 || n == 7)
			continue;
		assert_int_equal(call(set_debugreg, n, 0), -XEN_EINVAL);
		assert_int_equal(call(get_debugreg, n), -XEN_EINVAL);
	}
	assert_int_equal(call(set_debugreg, ~UINT64_C(0), 0), -XEN_EINVAL);
	assert_int_equal(call(set_debugreg, 6, ~UINT64_C(0)), 0);
	assert_int_equal(machine.dr[6], 0xffffeffe | 1);
	assert_int_equal(call(get_debugreg, 6), machine.dr[6]);
}

static void debug_control(void **state)
{
	static const uint64_t bad[] = {
		0x2000,	 /* general detect */
		0x20000, /* a breakpoint on I/O, of each */
		0x200000, 0x2000000, 0x20000000, UINT64_C(1) << 32,
		0x800,	  0x4000,
	};

	(void)state;
	assert_int_equal(call(set_debugreg, 7, 0x000d0003), 0);
	assert_int_equal(machine.dr[7], 0x000d0403);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(call(set_debugreg, 7, bad[i]), -XEN_EPERM);
	assert_int_equal(machine.dr[7], 0x000d0403);
	assert_int_equal(call(get_debugreg, 7), 0x000d0403);
	assert_int_equal(call(set_debugreg, 7, 0), 0);
	assert_int_equal(machine.dr[7], 0x400);
}

/* 4. What it is told. */

static long told(unsigned cmd, void *at)
{
	memset(rig_spare(0), 0x77, 4096);
	return call(xen_version, cmd, at);
}

static void versions(void **state)
{
	char *text = rig_spare(0);
	struct xen_feature_info *f = rig_spare(0);

	(void)state;
	assert_int_equal(call(xen_version, XENVER_version), 0x40011);
	assert_int_equal(told(XENVER_extraversion, text), 0);
	assert_string_equal(text, ".vmmu");
	assert_int_equal(text[sizeof(xen_extraversion_t)], 0x77);
	assert_int_equal(told(XENVER_capabilities, text), 0);
	assert_string_equal(text, "xen-3.0-x86_64 ");
	assert_int_equal(told(XENVER_changeset, text), 0);
	assert_int_equal(told(XENVER_compile_info, text), 0);
	assert_int_equal(told(XENVER_guest_handle, text), 0);
	assert_int_equal(told(XENVER_platform_parameters, text), 0);
	assert_int_equal(*(uint64_t *)rig_spare(0), HV_IMAGE_BASE);
	assert_int_equal(call(xen_version, XENVER_pagesize), 4096);
	f->submap_idx = 0;
	assert_int_equal(call(xen_version, XENVER_get_features, f), 0);
	assert_true(f->submap & 1u << XENFEAT_mmu_pt_update_preserve_ad);
	assert_true(f->submap & 1u << XENFEAT_gnttab_map_avail_bits);
	assert_false(f->submap & 1u << XENFEAT_writable_page_tables);
	f->submap_idx = XENFEAT_NR_SUBMAPS;
	assert_int_equal(call(xen_version, XENVER_get_features, f),
			 -XEN_EINVAL);
	assert_int_equal(call(xen_version, XENVER_commandline, text),
			 -XEN_ENOSYS);
	assert_int_equal(call(xen_version, 999, text), -XEN_ENOSYS);
}

static long version_cmd(unsigned cmd, uint64_t at)
{
	return call(xen_version, cmd, at);
}

static void answers_go_nowhere_else(void **state)
{
	static const unsigned cmds[] = {
		XENVER_extraversion, XENVER_compile_info,
		XENVER_capabilities, XENVER_changeset,
		XENVER_get_features, XENVER_platform_parameters,
		XENVER_guest_handle,
	};
	uint64_t *table = (void *)rig.si->pt_base, entry = table[0];

	(void)state;
	for (size_t i = 0; i < sizeof(cmds) / sizeof(cmds[0]); i++) {
		for (size_t n = 0; n < RIG_BAD; n++)
			assert_int_equal(version_cmd(cmds[i], rig_bad[n]),
					 -XEN_EFAULT);
		assert_int_equal(version_cmd(cmds[i], (uintptr_t)table),
				 -XEN_EFAULT);
		assert_int_equal(table[0], entry);
	}
}

static long console_at(uint64_t at)
{
	long result = call(console_io, CONSOLEIO_write, 16, at);

	return rig.console_size ? 0 : result ? result : -1;
}

static void the_console(void **state)
{
	char *text = rig_spare(0);

	(void)state;
	refuses_addresses(console_at);
	memset(text, 'x', 700);
	assert_int_equal(call(console_io, CONSOLEIO_write, 700, text), 0);
	assert_int_equal(rig.console_size, 700);
	assert_true(rig.console[0] == 'x' && rig.console[699] == 'x');
	assert_true(rig.takes >= 2); /* the host takes its interrupts */
	assert_int_equal(call(console_io, CONSOLEIO_write, 0, text), 0);
	assert_int_equal(call(console_io, CONSOLEIO_write,
			      (uint64_t)INT32_MAX + 1, text),
			 -XEN_EINVAL);
	assert_int_equal(call(console_io, CONSOLEIO_write, INT32_MAX,
			      ~UINT64_C(0) - 100),
			 -XEN_EINVAL);
	assert_int_equal(call(console_io, CONSOLEIO_read, 5, text), 0);
	assert_int_equal(call(console_io, 2, 5, text), -XEN_ENOSYS);
	assert_int_equal(rig.console_size, 700);
}

static void assists_and_devices(void **state)
{
	struct physdev_set_iopl *iopl = rig_spare(0);

	(void)state;
	for (unsigned type = 0; type < 8; type++) {
		long wanted =
			type == VMASST_TYPE_4gb_segments ||
					type == VMASST_TYPE_writable_pagetables ||
					type == VMASST_TYPE_pae_extended_cr3
				? 0
				: -XEN_EINVAL;

		assert_int_equal(call(vm_assist, VMASST_CMD_enable, type),
				 wanted);
		assert_int_equal(call(vm_assist, VMASST_CMD_disable, type),
				 wanted);
		assert_int_equal(call(vm_assist, 2, type), -XEN_ENOSYS);
	}
	for (iopl->iopl = 0; iopl->iopl < 6; iopl->iopl++)
		assert_int_equal(call(physdev_op, PHYSDEVOP_set_iopl, iopl),
				 iopl->iopl <= 3 ? 0 : -XEN_EINVAL);
	assert_int_equal(call(physdev_op, PHYSDEVOP_set_iopl, HV_IMAGE_BASE),
			 -XEN_EFAULT);
	assert_int_equal(call(physdev_op, PHYSDEVOP_set_iobitmap, iopl),
			 -XEN_ENOSYS);
}

static void what_there_is_not(void **state)
{
	(void)state;
	for (unsigned n = 0; n < PV_CALLS; n++)
		assert_non_null(pv_call_table[n]);
	assert_int_equal(call(iret, 0), -XEN_ENOSYS);
	assert_int_equal(call(grant_table_op, 0, rig_spare(0), 1), -XEN_ENOSYS);
	assert_int_equal(call(domctl, rig_spare(0)), -XEN_ENOSYS);
	assert_int_equal(call(update_va_mapping_otherdomain, 0, 0, 0, 1),
			 -XEN_ENOSYS);
	assert_int_equal(call(nmi_op, 0), -XEN_ENOSYS);
	assert_int_equal(call(xsm_op, 0), -XEN_ENOSYS);
}

/* 5. Several in one. */

static struct multicall_entry *entries(unsigned count)
{
	struct multicall_entry *m = rig_spare(0);

	for (unsigned i = 0; i < count; i++)
		m[i] = (struct multicall_entry){
			.op = __HYPERVISOR_xen_version
		};
	return m;
}

static void all_are_answered(void **state)
{
	struct multicall_entry *m = entries(5);

	(void)state;
	m[1].op = __HYPERVISOR_multicall;
	m[2].op = __HYPERVISOR_iret;
	m[3].op = PV_CALLS;
	assert_int_equal(call(multicall, m, 5), 0);
	assert_int_equal(m[0].result, 0x40011);
	assert_int_equal(m[1].result, -XEN_ENOSYS);
	assert_int_equal(m[2].result, -XEN_ENOSYS);
	assert_int_equal(m[3].result, -XEN_ENOSYS);
	assert_int_equal(m[4].result, 0x40011);
	assert_int_equal(rig.c->stats.multicall[__HYPERVISOR_xen_version], 2);
	m[0].op = ~UINT64_C(0);
	assert_int_equal(call(multicall, m, 1), 0);
	assert_int_equal(m[0].result, -XEN_ENOSYS);
	assert_int_equal(call(multicall, m, 0), 0);
}

static long multicall_at(uint64_t at)
{
	return call(multicall, at, 1);
}

static void lists_that_are_not_there(void **state)
{
	struct multicall_entry *m = entries(1);
	uint64_t behind = (uintptr_t)rig_spare(1);

	(void)state;
	refuses_addresses(multicall_at);
	assert_int_equal(call(multicall, m, (uint64_t)UINT32_MAX + 1),
			 -XEN_EFAULT);
	assert_int_equal(call(multicall, m, ~UINT64_C(0)), -XEN_EFAULT);
	assert_int_equal(call(multicall, ~UINT64_C(63), 2), -XEN_EFAULT);
	call(update_va_mapping, behind, 0, 0);
	rig_see(behind);
	/* The second half of an entry; the second entry. */
	assert_int_equal(call(multicall, behind - 32, 1), -XEN_EFAULT);
	m = (void *)(behind - sizeof(*m));
	*m = (struct multicall_entry){ .op = __HYPERVISOR_xen_version };
	assert_int_equal(call(multicall, m, 2), -XEN_EFAULT);
	assert_int_equal(m->result, 0x40011);
}

/* Its answers have to be written where it lies: not into a page table. */
static void a_list_that_cannot_be_answered(void **state)
{
	uint64_t *table = (void *)rig.si->pt_base, entry = table[1];
	unsigned calls = (unsigned)rig.c->stats.multicall[0];

	(void)state;
	table = &table[0];
	assert_int_equal(call(multicall, table + 8, 1), -XEN_EFAULT);
	assert_int_equal(table[1], entry);
	(void)calls;
}

static void a_call_that_leaves_ends_it(void **state)
{
	struct multicall_entry *m = entries(3);

	(void)state;
	rig.c->info->evtchn_upcall_pending = 0;
	m[1] = (struct multicall_entry){ .op = __HYPERVISOR_sched_op,
					 .args = { SCHEDOP_block } };
	m[2].result = 0x99;
	assert_int_equal(call(multicall, m, 3), 0);
	assert_int_equal(m[1].result, 0);
	assert_int_equal(m[2].result, 0x99);
	assert_true(rig.c->leave && rig.c->blocked);
}

static void long_lists_breathe(void **state)
{
	struct multicall_entry *m = rig_spare(0);

	(void)state;
	for (unsigned i = 0; i < 1024; i++)
		m[i] = (struct multicall_entry){
			.op = __HYPERVISOR_xen_version
		};
	assert_int_equal(call(multicall, m, 1024), 0);
	assert_int_equal(rig.takes, 1024 / PV_CALLS_A_BREATH);
	assert_int_equal(m[1023].result, 0x40011);
}

#define T(f) RIG_TEST(f, rig_setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(handlers_are_taken),
		T(a_handler_nowhere_is_refused),
		T(a_list_without_end_is_refused),
		T(callbacks),
		T(callbacks_are_taken_back),
		T(three_at_once),
		T(to_the_kernel),
		T(its_flags_are_cleaned),
		T(from_a_system_call),
		T(to_the_user),
		T(to_a_user_without_tables),
		T(by_a_frame_that_is_not_there),
		T(the_fpu_is_switched),
		T(segment_bases),
		T(a_users_selector),
		T(debug_registers),
		T(debug_control),
		T(versions),
		T(answers_go_nowhere_else),
		T(the_console),
		T(assists_and_devices),
		T(what_there_is_not),
		T(all_are_answered),
		T(lists_that_are_not_there),
		T(a_list_that_cannot_be_answered),
		T(a_call_that_leaves_ends_it),
		T(long_lists_breathe),
	};

	return cmocka_run_group_tests_name("pv_call", tests, NULL, NULL);
}
