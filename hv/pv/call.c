/*
 * Hypercalls: the table, and those that are short. A number that is not
 * here, and an operation that is not offered, answers -ENOSYS, to which the
 * guest has an alternative.
 */
#include "pv/shadow.h"

#include <string.h>

#include "cpu/cpu.h"
#include "cpu/fixup.h"
#include "vm/vm.h"

#define XEN_VERSION 0x40011 /* 4.17 */

long pv_errno(enum vmmu_direct_status status)
{
	static const uint8_t errors[VMMU_DIRECT_STATUSES] = {
		[VMMU_DIRECT_AGAIN] = XEN_EAGAIN,
		[VMMU_DIRECT_CHANGED] = XEN_EAGAIN,
		[VMMU_DIRECT_FOREIGN] = XEN_EPERM,
		[VMMU_DIRECT_TYPE] = XEN_EINVAL,
		[VMMU_DIRECT_BITS] = XEN_EINVAL,
		[VMMU_DIRECT_SLOT] = XEN_EPERM,
		[VMMU_DIRECT_ADDRESS] = XEN_EINVAL,
		[VMMU_DIRECT_ABSENT] = XEN_EINVAL,
		[VMMU_DIRECT_COUNT] = XEN_ENOMEM,
		[VMMU_DIRECT_STATE] = XEN_EBUSY,
	};

	return -(long)errors[status];
}

/* 1. What runs in the guest. */

static long set_trap_table(uint64_t table, uint64_t a2, uint64_t a3,
			   uint64_t a4, uint64_t a5, struct pv_cpu *c)
{
	struct trap_info t;

	(void)a2, (void)a3, (void)a4, (void)a5;
	if (!table) {
		memset(c->trap, 0, sizeof(c->trap));
		pv_quick(c);
		return 0;
	}
	for (unsigned i = 0; i <= 256; i++, table += sizeof(t)) {
		if (!pv_get(&t, table, sizeof(t)))
			return -XEN_EFAULT;
		if (!t.address)
			return 0;
		if (!pv_canonical(t.address))
			return -XEN_EINVAL;
		c->trap[t.vector] = (struct pv_trap_entry){
			.address = t.address,
			.dpl = t.flags & 3,
			.masks = t.flags & 4,
		};
		pv_quick(c);
	}
	return -XEN_EINVAL;
}

/* The failsafe callback holds events off as an upcall does where its flag
 * says so. 32-bit entry points are not offered: the guest falls back to
 * INT 0x80. */
static long set_callback(struct pv_cpu *c, uint64_t arg)
{
	struct callback_register r;

	if (!pv_get(&r, arg, sizeof(r)))
		return -XEN_EFAULT;
	if (r.type != CALLBACKTYPE_event && r.type != CALLBACKTYPE_failsafe &&
	    r.type != CALLBACKTYPE_syscall && r.type != CALLBACKTYPE_nmi)
		return -XEN_ENOSYS;
	if (!pv_canonical(r.address))
		return -XEN_EINVAL;
	c->callback[r.type] = (struct pv_callback){
		.address = r.address,
		.masks = r.flags & CALLBACKF_mask_events,
	};
	pv_quick(c);
	return 0;
}

static long callback_op(uint64_t cmd, uint64_t arg, uint64_t a3, uint64_t a4,
			uint64_t a5, struct pv_cpu *c)
{
	struct callback_unregister u;

	(void)a3, (void)a4, (void)a5;
	pv_count_sub(c->stats.callback_op, cmd);
	if (cmd == CALLBACKOP_register)
		return set_callback(c, arg);
	if (cmd != CALLBACKOP_unregister)
		return -XEN_ENOSYS;
	if (!pv_get(&u, arg, sizeof(u)))
		return -XEN_EFAULT;
	if (u.type >= PV_CALLBACKS || u.type == CALLBACKTYPE_event ||
	    u.type == CALLBACKTYPE_failsafe)
		return -XEN_EINVAL;
	c->callback[u.type].address = 0;
	pv_quick(c);
	return 0;
}

static long set_callbacks(uint64_t event, uint64_t failsafe, uint64_t syscall,
			  uint64_t a4, uint64_t a5, struct pv_cpu *c)
{
	(void)a4, (void)a5;
	if (!pv_canonical(event) || !pv_canonical(failsafe) ||
	    !pv_canonical(syscall))
		return -XEN_EINVAL;
	c->callback[CALLBACKTYPE_event].address = event;
	c->callback[CALLBACKTYPE_failsafe].address = failsafe;
	c->callback[CALLBACKTYPE_syscall].address = syscall;
	pv_quick(c);
	return 0;
}

static long stack_switch(uint64_t ss, uint64_t sp, uint64_t a3, uint64_t a4,
			 uint64_t a5, struct pv_cpu *c)
{
	/* In 64-bit mode the stack segment is flat whatever it is called. */
	(void)ss, (void)a3, (void)a4, (void)a5;
	c->kernel_sp = sp;
	pv_quick(c);
	return 0;
}

/*
 * What the guest's kernel would do by IRETQ. rsp points at struct
 * iret_context; cs says which mode it returns to. rcx and r11 come from there
 * too, unless the guest returns from a system call, which destroys them.
 */
long pv_iret(struct pv_cpu *c)
{
	struct trap_frame *f = c->frame;
	struct iret_context i;

	if (!pv_get(&i, f->rsp, sizeof(i))) {
		vm_stop(c->vcpu->vm, VM_KILLED,
			"the guest returns by a frame at 0x%llx that cannot "
			"be read",
			(unsigned long long)f->rsp);
		c->leave = true;
		return 0;
	}
	if ((i.cs & 3) == 3) {
		if (!(pv_is_shadow(c)
			      ? c->user_root
			      : vmmu_direct_cpu(&c->vcpu->mmu)->user_root.v)) {
			vm_stop(c->vcpu->vm, VM_KILLED,
				"the guest returns to user mode and has no "
				"page table for it");
			c->leave = true;
			return 0;
		}
		pv_to_user(c);
	}
	f->rip = i.rip;
	f->cs = (i.cs & 0xffff) | 3;
	f->rflags = (i.rflags & PV_RFLAGS_USER) | PV_RFLAGS_IF | 2;
	f->rsp = i.rsp;
	f->ss = (i.ss & 0xffff) | 3;
	if (i.flags & VGCF_in_syscall) {
		f->rcx = f->rip;
		f->r11 = f->rflags;
	} else {
		f->rcx = i.rcx;
		f->r11 = i.r11;
	}
	c->info->evtchn_upcall_mask = !(i.rflags & PV_RFLAGS_IF);
	return (long)i.rax;
}

static long fpu_taskswitch(uint64_t set, uint64_t a2, uint64_t a3, uint64_t a4,
			   uint64_t a5, struct pv_cpu *c)
{
	(void)a2, (void)a3, (void)a4, (void)a5;
	c->ts = set != 0;
	write_cr0((read_cr0() & ~CR0_TS) | (c->ts ? CR0_TS : 0));
	return 0;
}

/* A selector is loaded as the guest's user will have it, and GS is the
 * kernel's again: what the processor says of the base is taken. */
static void set_user_selector(uint16_t selector)
{
	uint64_t kernel = pv_gs_base();

	__asm__ volatile("1: movw %w0, %%gs\n\t"
			 "jmp 3f\n"
			 "2: xorl %k0, %k0\n\t"
			 "movw %w0, %%gs\n"
			 "3:\n\t"
			 ".pushsection .fixup_table, \"a\"\n\t"
			 ".quad 1b, 2b\n\t"
			 ".popsection"
			 : "+r"(selector));
	pv_set_other_gs_base(selector & ~3 ? pv_gs_base() : 0);
	pv_set_gs_base(kernel);
}

static long set_segment_base(uint64_t which, uint64_t base, uint64_t a3,
			     uint64_t a4, uint64_t a5, struct pv_cpu *c)
{
	(void)a3, (void)a4, (void)a5;
	pv_count_sub(c->stats.segment_op, which);
	if (which == SEGBASE_GS_USER_SEL) {
		set_user_selector((uint16_t)(base | (base & ~3u ? 3 : 0)));
		return 0;
	}
	if (!pv_canonical(base))
		return -XEN_EINVAL;
	switch (which) {
	case SEGBASE_FS:
		pv_set_fs_base(base);
		return 0;
	case SEGBASE_GS_USER:
		pv_set_other_gs_base(base);
		return 0;
	case SEGBASE_GS_KERNEL:
		pv_set_gs_base(base);
		return 0;
	default:
		return -XEN_EINVAL;
	}
}

/* 2. What the hypervisor is. Each guest must see the two features that Linux
 * insists on: A and D bits survive an update, and the available bits of a
 * grant's entry are its own. */

static long get_features(uint64_t arg)
{
	struct xen_feature_info fi;

	if (!pv_get(&fi, arg, sizeof(fi)))
		return -XEN_EFAULT;
	if (fi.submap_idx >= XENFEAT_NR_SUBMAPS)
		return -XEN_EINVAL;
	fi.submap = 1u << XENFEAT_pae_pgdir_above_4gb |
		    1u << XENFEAT_mmu_pt_update_preserve_ad |
		    1u << XENFEAT_gnttab_map_avail_bits;
	return pv_put(arg, &fi, sizeof(fi)) ? 0 : -XEN_EFAULT;
}

static long put_text(uint64_t to, const char *text, size_t size)
{
	char out[1024] = { 0 };
	size_t n = 0;

	while (text[n] && n < size - 1) {
		out[n] = text[n];
		n++;
	}
	return pv_put(to, out, size) ? 0 : -XEN_EFAULT;
}

static long compile_info(uint64_t arg)
{
	static const struct xen_compile_info info = {
		.compiler = "C11",
		.compile_by = "vmmu",
		.compile_domain = "vmmu",
		.compile_date = "-",
	};

	return pv_put(arg, &info, sizeof(info)) ? 0 : -XEN_EFAULT;
}

static long xen_version(uint64_t cmd, uint64_t arg, uint64_t a3, uint64_t a4,
			uint64_t a5, struct pv_cpu *c)
{
	static const struct xen_platform_parameters platform = {
		.virt_start = HV_IMAGE_BASE,
	};
	static const xen_domain_handle_t handle = { 0 };

	(void)a3, (void)a4, (void)a5;
	pv_count_sub(c->stats.version_op, cmd);
	switch (cmd) {
	case XENVER_version: /* also how a guest asks for its events */
		return XEN_VERSION;
	case XENVER_extraversion:
		return put_text(arg, ".vmmu", sizeof(xen_extraversion_t));
	case XENVER_compile_info:
		return compile_info(arg);
	case XENVER_capabilities:
		return put_text(arg, "xen-3.0-x86_64 ",
				sizeof(xen_capabilities_info_t));
	case XENVER_changeset:
		return put_text(arg, "none", sizeof(xen_changeset_info_t));
	case XENVER_platform_parameters:
		return pv_put(arg, &platform, sizeof(platform)) ? 0
								: -XEN_EFAULT;
	case XENVER_get_features:
		return get_features(arg);
	case XENVER_pagesize:
		return (long)VMMU_PAGE_SIZE;
	case XENVER_guest_handle:
		return pv_put(arg, &handle, sizeof(handle)) ? 0 : -XEN_EFAULT;
	default:
		return -XEN_ENOSYS;
	}
}

static long console_io(uint64_t cmd, uint64_t count, uint64_t buffer,
		       uint64_t a4, uint64_t a5, struct pv_cpu *c)
{
	(void)a4, (void)a5;
	pv_count_sub(c->stats.console_op, cmd);
	if (cmd == CONSOLEIO_read)
		return 0;
	if (cmd != CONSOLEIO_write)
		return -XEN_ENOSYS;
	if (count > INT32_MAX || !pv_range_ok(buffer, count))
		return -XEN_EINVAL;
	pv_console_write(c, buffer, count);
	return 0;
}

/* Writable page tables are what trapped writes are; the others change nothing
 * for a 64-bit guest. */
static long vm_assist(uint64_t cmd, uint64_t type, uint64_t a3, uint64_t a4,
		      uint64_t a5, struct pv_cpu *c)
{
	(void)a3, (void)a4, (void)a5;
	pv_count_sub(c->stats.assist_op, type);
	if (cmd != VMASST_CMD_enable && cmd != VMASST_CMD_disable)
		return -XEN_ENOSYS;
	return type == VMASST_TYPE_4gb_segments ||
			       type == VMASST_TYPE_writable_pagetables ||
			       type == VMASST_TYPE_pae_extended_cr3
		       ? 0
		       : -XEN_EINVAL;
}

/* 3. Several in one. An entry is read once, and its answer is written where
 * it lies. A call that leaves the guest ends the batch there. */

static long multicall(uint64_t list, uint64_t count, uint64_t a3, uint64_t a4,
		      uint64_t a5, struct pv_cpu *c)
{
	struct multicall_entry e;

	(void)a3, (void)a4, (void)a5;
	if (count > UINT32_MAX || !pv_range_ok(list, count * sizeof(e)))
		return -XEN_EFAULT;
	for (; count; count--, list += sizeof(e)) {
		long result = -XEN_ENOSYS;

		if (count % PV_CALLS_A_BREATH == 0)
			pv_breathe(c);
		if (!pv_get(&e, list, sizeof(e)))
			return -XEN_EFAULT;
		if (e.op < PV_CALLS && e.op != __HYPERVISOR_multicall) {
			c->stats.multicall[e.op]++;
			result = pv_call_table[e.op](e.args[0], e.args[1],
						     e.args[2], e.args[3],
						     e.args[4], c);
		}
		if (!pv_put_word(
			    list + offsetof(struct multicall_entry, result),
			    (uint64_t)result))
			return -XEN_EFAULT;
		if (c->leave)
			break;
	}
	return 0;
}

/* There are no ports and no interrupts of devices, so the level at which the
 * guest may use them is of no matter. */
static long physdev_op(uint64_t cmd, uint64_t arg, uint64_t a3, uint64_t a4,
		       uint64_t a5, struct pv_cpu *c)
{
	struct physdev_set_iopl iopl;

	(void)a3, (void)a4, (void)a5;
	pv_count_sub(c->stats.physdev_op, cmd);
	if (cmd != PHYSDEVOP_set_iopl)
		return -XEN_ENOSYS;
	if (!pv_get(&iopl, arg, sizeof(iopl)))
		return -XEN_EFAULT;
	return iopl.iopl <= 3 ? 0 : -XEN_EINVAL;
}

static long none(uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4,
		 uint64_t a5, struct pv_cpu *c)
{
	(void)a1, (void)a2, (void)a3, (void)a4, (void)a5, (void)c;
	return -XEN_ENOSYS;
}

pv_call *const pv_call_table[PV_CALLS] = {
	[__HYPERVISOR_set_trap_table] = set_trap_table,
	[__HYPERVISOR_mmu_update] = pv_mmu_update,
	[__HYPERVISOR_set_gdt] = pv_set_gdt,
	[__HYPERVISOR_stack_switch] = stack_switch,
	[__HYPERVISOR_set_callbacks] = set_callbacks,
	[__HYPERVISOR_fpu_taskswitch] = fpu_taskswitch,
	[6] = none,
	[7] = none,
	[__HYPERVISOR_set_debugreg] = pv_set_debugreg,
	[__HYPERVISOR_get_debugreg] = pv_get_debugreg,
	[__HYPERVISOR_update_descriptor] = pv_update_descriptor,
	[11] = none,
	[__HYPERVISOR_memory_op] = pv_memory_op,
	[__HYPERVISOR_multicall] = multicall,
	[__HYPERVISOR_update_va_mapping] = pv_update_va_mapping,
	[__HYPERVISOR_set_timer_op] = pv_set_timer_op,
	[16] = none,
	[__HYPERVISOR_xen_version] = xen_version,
	[__HYPERVISOR_console_io] = console_io,
	[19 ... 20] = none,
	[__HYPERVISOR_vm_assist] = vm_assist,
	[22] = none,
	[__HYPERVISOR_iret] = none, /* but for the entry, which has it */
	[__HYPERVISOR_vcpu_op] = pv_vcpu_op,
	[__HYPERVISOR_set_segment_base] = set_segment_base,
	[__HYPERVISOR_mmuext_op] = pv_mmuext_op,
	[27 ... 28] = none,
	[__HYPERVISOR_sched_op] = pv_sched_op,
	[__HYPERVISOR_callback_op] = callback_op,
	[31] = none,
	[__HYPERVISOR_event_channel_op] = pv_event_op,
	[__HYPERVISOR_physdev_op] = physdev_op,
	[34 ... PV_CALLS - 1] = none,
};
