/*
 * The everyday of a small paravirtual guest: what it is told at its start,
 * the hypercall page, its user, events, its clock and timer.
 */
#include "lib.h"

#define P_RW_U	  UINT64_C(0x67)
#define FLAG_IF	  UINT64_C(0x200)
#define VECTOR_BP 3
#define VECTOR_UD 6
#define VECTOR_GP 13
#define SHARED	  ((volatile struct shared_info *)(void *)spare[0])

static void beginning(void)
{
	check("the magic",
	      start_info->magic[0] == 'x' && start_info->magic[5] == '.');
	check("all of the memory", start_info->nr_pages == 64 * 256);
	check("the P2M is in the kernel's part",
	      start_info->mfn_list - VIRT_BASE < start_info->nr_pages * PAGE);
	check("the console", start_info->console.domU.mfn != 0 &&
				     start_info->console.domU.evtchn == 1);
	check("the page tables are read-only",
	      (*entry_at(start_info->pt_base, 1, &(uint64_t){ 0 }) & 2) == 0);
	check("memory is one piece", call(memory_op, XENMEM_maximum_gpfn) ==
					     (long)start_info->nr_pages - 1);
}

/* Entry n of the page is hypercall n. */
static void the_page(void)
{
	extern uint8_t hypercall_page[];
	long result;

	__asm__ volatile("call *%1"
			 : "=a"(result)
			 : "r"(hypercall_page + 32 * __HYPERVISOR_xen_version),
			   "D"((uint64_t)XENVER_version), "S"(0ul)
			 : "memory");
	check("the hypercall page",
	      result == call(xen_version, XENVER_version));
}

static void share(void)
{
	check("the shared page is mapped",
	      call(update_va_mapping, spare[0],
		   start_info->shared_info | P_RW_U, UVMF_INVLPG) == 0);
	check("events are held off at the start",
	      SHARED->vcpu_info[0].evtchn_upcall_mask == 1);
	check("there is a clock", SHARED->vcpu_info[0].time.tsc_to_system_mul);
}

/* 1. A user: the same tables serve it. */

static uint8_t user_stack[4096] __attribute__((aligned(16)));

static void user_code(void)
{
	__asm__ volatile("syscall" : : "a"(0x1234ul) : "rcx", "r11");
}

static void user_breakpoint(void)
{
	__asm__ volatile("int3");
}

static void user_hypercall_number(void)
{
	__asm__ volatile("int $0x80");
}

static void user_privileged(void)
{
	__asm__ volatile("cli");
}

static void user_sysenter(void)
{
	__asm__ volatile("sysenter");
}

static void enter_user(uint64_t rip, uint64_t b)
{
	static struct iret_frame f;

	(void)b;
	f = (struct iret_frame){
		.rip = rip,
		.cs = FLAT_USER_CS,
		.rflags = FLAG_IF | 2,
		.rsp = (uintptr_t)user_stack + sizeof(user_stack) - 8,
		.ss = FLAT_USER_SS,
	};
	return_to(&f);
}

static bool user_does(void (*what)(void), uint64_t vector)
{
	return attempt(enter_user, (uintptr_t)what, 0) &&
	       arrival.vector == vector && (arrival.cs & 3) == 3;
}

static void user(void)
{
	const struct mmuext_op op = { .cmd = MMUEXT_NEW_USER_BASEPTR,
				      .arg1.mfn = mfn_of(
					      (void *)start_info->pt_base) };

	check("a table for the user",
	      call(mmuext_op, &op, 1, 0, DOMID_SELF) == 0);
	call(stack_switch, FLAT_KERNEL_SS, spare[2]);
	check("the user's system call",
	      user_does(user_code, ARRIVED_SYSCALL) &&
		      arrival.rcx == arrival.rip &&
		      arrival.r11 == arrival.rflags &&
		      arrival.rsp ==
			      (uintptr_t)user_stack + sizeof(user_stack) - 8);
	check("the user's breakpoint", user_does(user_breakpoint, VECTOR_BP));
	check("the user's INT 0x80", user_does(user_hypercall_number, 0x80));
	check("CLI of the user's", user_does(user_privileged, VECTOR_GP));
	/* It is the user's exception, and one (XSA-339); which, is the maker's
	 * of the processor to say. */
	check("SYSENTER of the user's",
	      user_does(user_sysenter, VECTOR_GP) ||
		      user_does(user_sysenter, VECTOR_UD));
	check("a selector of the user's",
	      call(set_segment_base, SEGBASE_GS_USER_SEL, 0) == 0);
}

/* 2. Events. */

static void wait_for_event(uint64_t a, uint64_t b)
{
	(void)a, (void)b;
	SHARED->vcpu_info[0].evtchn_upcall_mask = 0;
	call(sched_op, SCHEDOP_block, 0);
	for (int i = 0; i < 1000; i++)
		call(xen_version, XENVER_version);
}

static bool event_arrives(uint32_t port)
{
	bool came;

	came = attempt(wait_for_event, 0, 0) &&
	       arrival.vector == ARRIVED_EVENT &&
	       SHARED->vcpu_info[0].evtchn_upcall_mask == 1 &&
	       (SHARED->evtchn_pending[port / 64] >> (port % 64) & 1);
	SHARED->vcpu_info[0].evtchn_upcall_pending = 0;
	SHARED->vcpu_info[0].evtchn_pending_sel = 0;
	SHARED->evtchn_pending[port / 64] = 0;
	return came;
}

static long on_port(unsigned cmd, uint32_t port)
{
	const struct evtchn_bind_vcpu b = { .port = port };

	return call(event_channel_op, cmd, &b);
}

static void events(void)
{
	struct evtchn_bind_ipi ipi = { .vcpu = 0 };
	struct evtchn_bind_virq timer = { .virq = VIRQ_TIMER };
	struct vcpu_set_singleshot_timer shot = { .timeout_abs_ns = 1 };

	SHARED->vcpu_info[0].evtchn_upcall_mask = 1;
	SHARED->vcpu_info[0].evtchn_upcall_pending = 0;
	check("a port to itself",
	      call(event_channel_op, EVTCHNOP_bind_ipi, &ipi) == 0);
	check("it is sent to", on_port(EVTCHNOP_send, ipi.port) == 0);
	check("and the event arrives", event_arrives(ipi.port));
	SHARED->evtchn_mask[ipi.port / 64] |= UINT64_C(1) << (ipi.port % 64);
	on_port(EVTCHNOP_send, ipi.port);
	check("a masked one does not",
	      SHARED->vcpu_info[0].evtchn_upcall_pending == 0);
	check("until it is unmasked", on_port(EVTCHNOP_unmask, ipi.port) == 0 &&
					      event_arrives(ipi.port));
	check("the timer is bound",
	      call(event_channel_op, EVTCHNOP_bind_virq, &timer) == 0);
	check("twice", call(event_channel_op, EVTCHNOP_bind_virq, &timer) < 0);
	check("a timer that is over",
	      call(vcpu_op, VCPUOP_set_singleshot_timer, 0, &shot) == 0 &&
		      event_arrives(timer.port));
	shot.flags = VCPU_SSHOTTMR_future;
	check("is too late where it is asked",
	      call(vcpu_op, VCPUOP_set_singleshot_timer, 0, &shot) ==
		      -XEN_ETIME);
	check("ports that there are not",
	      on_port(EVTCHNOP_send, 0) < 0 &&
		      on_port(EVTCHNOP_send, 4095) < 0 &&
		      on_port(EVTCHNOP_send, 4096) < 0 &&
		      on_port(EVTCHNOP_close, 0xffffffff) < 0 &&
		      on_port(EVTCHNOP_unmask, 70000) < 0);
	check("a port is closed", on_port(EVTCHNOP_close, ipi.port) == 0 &&
					  on_port(EVTCHNOP_send, ipi.port) < 0);
	timer.virq = 99;
	check("a VIRQ that there is not",
	      call(event_channel_op, EVTCHNOP_bind_virq, &timer) < 0);
	ipi.vcpu = 1;
	check("another vCPU",
	      call(event_channel_op, EVTCHNOP_bind_ipi, &ipi) < 0 &&
		      call(vcpu_op, VCPUOP_is_up, 1, 0) == -XEN_ENOENT &&
		      call(vcpu_op, VCPUOP_is_up, 0, 0) == 1);
}

/* 3. The console's ring, with indices that make no sense. */

static void console(void)
{
	static const char text[] = "by the ring\n";
	volatile uint32_t *index = (void *)(spare[1] + 3072);
	struct evtchn_send port = { .port = 1 };
	unsigned i;

	check("the console's page is mapped",
	      call(update_va_mapping, spare[1],
		   start_info->console.domU.mfn * PAGE | P_RW_U,
		   UVMF_INVLPG) == 0);
	for (i = 0; text[i]; i++)
		spare[1][1024 + i] = (uint8_t)text[i];
	index[3] = i;
	call(event_channel_op, EVTCHNOP_send, &port);
	check("the ring is emptied", index[2] == i);
	index[3] = 0xfffffff0;
	call(event_channel_op, EVTCHNOP_send, &port);
	check("also when its indices are wild", index[2] == 0xfffffff0);
	index[0] = 0x80000000;
	index[1] = 7;
	call(sched_op, SCHEDOP_yield, 0);
	check("and on its way in", index[1] == 7);
}

void guest_main(void)
{
	handlers_init();
	beginning();
	the_page();
	share();
	user();
	events();
	console();
	finish();
}
