/*
 * hv/vm/loop.c: what goes into a guest and when, with a real board and an
 * engine that plays a script: one function an entry, which looks at the event
 * that goes in and says what comes out.
 */
#include "vcpu_rig.h"

#define APIC   UINT64_C(0xfee00000)
#define IF     (UINT64_C(1) << 9)
#define VECTOR 0x51
#define LOWER  0x41

static void (*const *script)(void);

/* Delivers what it was given, as hardware does. */
static void play(struct rig *r)
{
	if (!*script) {
		vm_stop(&r->vm, VM_POWEROFF, "the script is over");
		return;
	}
	(*script++)();
	r->v->event.type = EVENT_NONE;
}

static void apic(uint64_t reg, uint32_t value)
{
	assert_true(board_mmio_write(&rig.vm.board, 0, mk_gpa(APIC + reg), 4,
				     value));
}

static void self_ipi(uint8_t vector)
{
	apic(0x300, 0x40000u | vector);
}

static void send_nmi(void)
{
	apic(0x310, 0);
	apic(0x300, 0x4400);
}

static void plays(void (*const *steps)(void))
{
	script = steps;
	rig.run = play;
	apic(0xf0, 0x1ff); /* the local APIC is on */
	vm_run(&rig.vm);
	assert_int_equal(rig.vm.end, VM_POWEROFF);
	assert_null(*script);
	assert_true(rig.timer_stops > 0);
}

static void gets(enum event_type type, uint8_t vector)
{
	assert_int_equal(rig.v->event.type, type);
	if (type != EVENT_NONE)
		assert_int_equal(rig.v->event.vector, vector);
}

static void gets_nothing(void)
{
	gets(EVENT_NONE, 0);
}

static void gets_interrupt(void)
{
	gets(EVENT_INTERRUPT, VECTOR);
	assert_false(rig.v->event.has_error);
}

static void gets_nmi(void)
{
	gets(EVENT_NMI, 2);
	assert_true(rig.iret);
}

/* 1. Interrupts and their window. */

static void sends_itself_one(void)
{
	gets_nothing();
	assert_false(rig.window);
	self_ipi(VECTOR);
}

static void waits_with_window(void)
{
	gets_nothing();
	assert_true(rig.window);
}

static void opens_window(void)
{
	waits_with_window();
	rig.v->rflags |= IF;
	rig.v->exit.kind = EXIT_WINDOW;
}

static void gets_interrupt_without_window(void)
{
	gets_interrupt();
	assert_false(rig.window);
}

static void window_while_interrupts_are_off(void **state)
{
	static void (*const steps[])(void) = {
		sends_itself_one,
		waits_with_window,
		waits_with_window,
		opens_window,
		gets_interrupt_without_window,
		gets_nothing,
		NULL,
	};

	(void)state;
	plays(steps);
	assert_int_equal(rig.windows, 2); /* on once, off once */
}

static void at_once_when_they_are_on(void **state)
{
	static void (*const steps[])(void) = {
		sends_itself_one,
		gets_interrupt,
		gets_nothing,
		NULL,
	};

	(void)state;
	rig.v->rflags |= IF;
	plays(steps);
	assert_int_equal(rig.windows, 0);
}

static void sends_behind_sti(void)
{
	self_ipi(VECTOR);
	rig.v->shadow = true;
}

static void leaves_shadow(void)
{
	waits_with_window();
	rig.v->shadow = false;
}

static void not_in_a_shadow(void **state)
{
	static void (*const steps[])(void) = {
		sends_behind_sti,
		leaves_shadow,
		gets_interrupt,
		NULL,
	};

	(void)state;
	rig.v->rflags |= IF;
	plays(steps);
}

/* The higher first; the lower when that one's handler has ended. */
static void sends_two(void)
{
	self_ipi(LOWER);
	self_ipi(VECTOR);
}

static void ends_interrupt(void)
{
	gets_nothing();
	apic(0xb0, 0);
}

static void gets_lower(void)
{
	gets(EVENT_INTERRUPT, LOWER);
}

static void by_priority(void **state)
{
	static void (*const steps[])(void) = {
		sends_two,	gets_interrupt_without_window,
		ends_interrupt, gets_lower,
		NULL,
	};

	(void)state;
	rig.v->rflags |= IF;
	plays(steps);
}

/* One that the guest no longer wants needs no window. */
static void raises_tpr(void)
{
	waits_with_window();
	board_set_cr8(&rig.vm.board, 0, 15);
}

static void no_window_left(void)
{
	gets_nothing();
	assert_false(rig.window);
}

static void masked_by_priority(void **state)
{
	static void (*const steps[])(void) = {
		sends_itself_one,
		raises_tpr,
		no_window_left,
		NULL,
	};

	(void)state;
	plays(steps);
}

/* What an exit in the middle of delivery left goes in first. */
static void raises_ud(void)
{
	self_ipi(VECTOR);
	rig.v->exit.kind = EXIT_UNDEFINED;
}

static void gets_ud(void)
{
	gets(EVENT_EXCEPTION, 6);
	assert_true(rig.window);
}

static void an_exception_first(void **state)
{
	static void (*const steps[])(void) = {
		raises_ud,
		gets_ud,
		gets_interrupt,
		NULL,
	};

	(void)state;
	rig.v->rflags |= IF;
	plays(steps);
}

/* 2. NMIs. */

static void gets_nmi_sends_another(void)
{
	gets_nmi();
	send_nmi();
	self_ipi(VECTOR);
}

static void reaches_iret(void)
{
	gets_nothing();
	rig.v->rip = 0x1000;
	rig.v->exit.kind = EXIT_IRET;
}

static void iret_faults(void)
{
	gets_nothing();
	assert_false(rig.iret);
}

static void iret_ends(void)
{
	gets_nothing();
	rig.v->rip = 0x2000;
}

static void one_nmi_at_a_time(void **state)
{
	static void (*const steps[])(void) = {
		send_nmi,     gets_nmi_sends_another,
		gets_nothing, reaches_iret,
		iret_faults,  iret_ends,
		gets_nmi,     gets_nothing,
		NULL,
	};

	(void)state;
	plays(steps); /* interrupts are off all the time: NMIs do not care */
	assert_int_equal(rig.window, true);
}

/* In a shadow it waits, and an exit comes soon to look again. */
static void sends_nmi_behind_sti(void)
{
	send_nmi();
	rig.v->shadow = true;
}

static void has_an_exit_soon(void)
{
	gets_nothing();
	assert_true(rig.arms > 0);
	rig.v->shadow = false;
}

static void no_nmi_in_a_shadow(void **state)
{
	static void (*const steps[])(void) = {
		sends_nmi_behind_sti,
		has_an_exit_soon,
		gets_nmi,
		NULL,
	};

	(void)state;
	plays(steps);
}

static void nmi_before_interrupt(void)
{
	gets_nmi();
	assert_true(rig.window);
}

static void sends_both(void)
{
	self_ipi(VECTOR);
	send_nmi();
}

static void nmi_goes_first(void **state)
{
	static void (*const steps[])(void) = {
		sends_both,
		nmi_before_interrupt,
		gets_interrupt,
		NULL,
	};

	(void)state;
	rig.v->rflags |= IF;
	plays(steps);
}

/* 3. HLT. */

static void halts(void)
{
	rig.v->exit.kind = EXIT_HLT;
	rig.v->exit.next_rip = 0x3000;
}

static void idle_then_interrupt(struct rig *r)
{
	if (r->idles == 3)
		self_ipi(VECTOR);
}

static void halt_until_an_interrupt(void **state)
{
	static void (*const steps[])(void) = { halts, gets_interrupt, NULL };

	(void)state;
	rig.v->rflags |= IF;
	rig.idle = idle_then_interrupt;
	plays(steps);
	assert_int_equal(rig.idles, 3);
	assert_false(rig.v->halted);
}

static void idle_then_nmi(struct rig *r)
{
	(void)r;
	send_nmi();
}

static void sends_nmi_and_halts(void)
{
	send_nmi();
	halts();
}

static void nmi_wakes_with_interrupts_off(void **state)
{
	static void (*const steps[])(void) = {
		sends_nmi_and_halts,
		gets_nmi,
		NULL,
	};

	(void)state;
	rig.idle = idle_then_nmi;
	plays(steps);
}

static void halt_for_ever(void **state)
{
	static void (*const steps[])(void) = { halts, NULL };

	(void)state;
	script = steps;
	rig.run = play;
	vm_run(&rig.vm);
	assert_int_equal(rig.vm.end, VM_HALTED);
	assert_int_equal(rig.idles, 0);
}

/* 4. The host's interrupts. */

static void arms_its_timer(void)
{
	apic(0x3e0, 0xb);
	apic(0x320, VECTOR);
	apic(0x380, 1000);
}

static void timer_rings(void)
{
	assert_true(rig.arms == 1);
	assert_true(rig.armed ==
		    board_deadline(&rig.vm.board) - rig.vm.tsc_offset);
	rig.timer_fired = true;
}

static void the_timer(void **state)
{
	static void (*const steps[])(void) = {
		arms_its_timer,
		timer_rings,
		gets_interrupt,
		NULL,
	};

	(void)state;
	rig.vm.tsc_offset = 0 - UINT64_C(12345);
	rig.v->rflags |= IF;
	plays(steps);
	assert_int_equal(rig.takes, 4); /* and when the script is over */
}

static void asks_for_the_end_of_time(void)
{
	apic(0x320, 0x40000 | VECTOR); /* TSC deadline */
	assert_int_equal(board_wrmsr(&rig.vm.board, 0, 0x6e0, UINT64_MAX - 9),
			 BOARD_MSR_OK);
}

static void never_armed(void)
{
	assert_int_equal(rig.arms, 0);
}

static void a_deadline_that_never_comes(void **state)
{
	static void (*const steps[])(void) = { asks_for_the_end_of_time,
					       never_armed, NULL };

	(void)state;
	rig.vm.tsc_offset = 0 - UINT64_C(12345);
	plays(steps);
}

/* More than the UART holds: none is lost, none is out of order. */
static void reads_console(void)
{
	static const char *want = "0123456789abcdefghijklmnopqrstuvwxyz";

	while (*want) {
		uint32_t lsr = board_in(&rig.vm.board, 0, 0x3fd, 1);

		if (!(lsr & 1)) {
			assert_true(rig.vm.console_byte < 0);
			fail_msg("lost from %s", want);
		}
		assert_int_equal(board_in(&rig.vm.board, 0, 0x3f8, 1), *want++);
		vm_pump_console(&rig.vm);
	}
}

static void the_console(void **state)
{
	static void (*const steps[])(void) = { gets_nothing, reads_console,
					       NULL };

	(void)state;
	rig.typed = "0123456789abcdefghijklmnopqrstuvwxyz";
	plays(steps);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(window_while_interrupts_are_off),
		RIG_TEST(at_once_when_they_are_on),
		RIG_TEST(not_in_a_shadow),
		RIG_TEST(by_priority),
		RIG_TEST(masked_by_priority),
		RIG_TEST(an_exception_first),
		RIG_TEST(one_nmi_at_a_time),
		RIG_TEST(no_nmi_in_a_shadow),
		RIG_TEST(nmi_goes_first),
		RIG_TEST(halt_until_an_interrupt),
		RIG_TEST(nmi_wakes_with_interrupts_off),
		RIG_TEST(halt_for_ever),
		RIG_TEST(the_timer),
		RIG_TEST(a_deadline_that_never_comes),
		RIG_TEST(the_console),
	};

	return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
