/*
 * hv/vmx/controls.c: from capability MSRs to controls. The capabilities are
 * those of Bochs's Skylake-X, which has everything, with parts taken away.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <string.h>

#include "vmx/controls.h"
#include "vmx/vmcs.h"

#define HIGH(bits) ((uint64_t)(bits) << 32)
#define ALL	   0xffffffffu

static struct vmx_caps whole(void)
{
	return (struct vmx_caps){
		.basic = UINT64_C(6) << 50 | UINT64_C(1) << 55,
		.pin = HIGH(ALL) | 0x16,
		.proc = HIGH(ALL) | 0x04006172,
		.proc2 = HIGH(ALL),
		.exit = HIGH(ALL) | 0x00036dfb,
		.entry = HIGH(ALL) | 0x000011fb,
		.misc = 1u << 5 | 5, /* EFER.LMA told; the timer's rate */
		/* 4 levels, WB, 2M, 1G, INVEPT, A/D; INVVPID: all kinds */
		.ept_vpid = UINT64_C(0x00000f0106734041),
		.cr0_fixed0 = 0x80000021,
		.cr0_fixed1 = 0xffffffff,
		.cr4_fixed0 = 0x2000,
		.cr4_fixed1 = 0x3767ff,
	};
}

static struct vmx_controls chosen(const struct vmx_caps *caps)
{
	struct vmx_controls c;

	assert_null(vmx_controls_choose(caps, &c));
	return c;
}

/* Whatever is chosen, each word has what must be 1 and only what may. */
static void fits(uint64_t cap, uint32_t word)
{
	assert_int_equal((uint32_t)cap & ~word, 0);
	assert_int_equal(word & ~(uint32_t)(cap >> 32), 0);
}

static void everything_is_used(void **state)
{
	const struct vmx_caps caps = whole();
	const struct vmx_controls c = chosen(&caps);

	(void)state;
	assert_null(c.no_nested);
	assert_int_equal(c.max_leaf, 3);
	assert_true(c.vpid && c.vpid_one && c.vpid_addr && c.ept_one && c.pml);
	assert_int_equal(c.eptp, 6 | 3 << 3 | 1 << 6);
	assert_true(c.timer);
	assert_int_equal(c.timer_shift, 5);
	assert_true(c.pin & VMX_PIN_TIMER);
	assert_true(c.exit & VMX_EXIT_SAVE_TIMER);
	fits(caps.pin, c.pin);
	fits(caps.exit, c.exit);
	fits(caps.entry, c.entry);
	fits(caps.proc, c.proc_nested);
	fits(caps.proc, c.proc_software);
	fits(caps.proc2, c.proc2_nested);
	fits(caps.proc2, c.proc2_software);
}

static void nested_guests_page_alone(void **state)
{
	const uint32_t paging = VMX_PROC_CR3_LOAD | VMX_PROC_CR3_STORE |
				VMX_PROC_INVLPG;
	const struct vmx_caps caps = whole();
	const struct vmx_controls c = chosen(&caps);

	(void)state;
	assert_int_equal(c.proc_nested & paging, 0);
	assert_int_equal(c.proc_software & paging, paging);
	assert_true(c.proc2_nested & VMX_PROC2_EPT);
	assert_true(c.proc2_nested & VMX_PROC2_UNRESTRICTED);
	assert_true(c.proc2_nested & VMX_PROC2_INVPCID);
	/* Without EPT the processor refuses the one and the guest is not
	 * shown the other. */
	assert_false(
		c.proc2_software &
		(VMX_PROC2_EPT | VMX_PROC2_UNRESTRICTED | VMX_PROC2_INVPCID));
	assert_true(c.proc2_software & c.proc2_nested & VMX_PROC2_ENCLS);
	/* The window is asked for when there is something to deliver. */
	assert_false((c.proc_nested | c.proc_software) & VMX_PROC_WINDOW);
	assert_false(c.entry & VMX_ENTRY_GUEST_64);
}

/* Takes one capability away: nothing is nested, for a reason that names it,
 * and the rest goes on. */
static void not_nested(struct vmx_caps caps, const char *word)
{
	const struct vmx_controls c = chosen(&caps);

	assert_non_null(c.no_nested);
	assert_non_null(strstr(c.no_nested, word));
	assert_int_not_equal(c.proc_software, 0);
}

static void what_nesting_needs(void **state)
{
	struct vmx_caps caps = whole();

	(void)state;
	caps.proc2 &= ~HIGH(VMX_PROC2_EPT);
	not_nested(caps, "EPT");
	caps = whole();
	caps.proc2 &= ~HIGH(VMX_PROC2_UNRESTRICTED);
	not_nested(caps, "unrestricted");
	caps = whole();
	caps.misc = 0; /* exits do not tell of EFER.LMA */
	not_nested(caps, "unrestricted");
	caps = whole();
	caps.ept_vpid &= ~(UINT64_C(1) << 6);
	not_nested(caps, "levels");
	caps = whole();
	caps.ept_vpid &= ~(UINT64_C(1) << 14);
	not_nested(caps, "write-back");
	caps = whole();
	caps.ept_vpid &= ~(UINT64_C(1) << 20);
	not_nested(caps, "INVEPT");
	caps = whole();
	caps.proc &= ~HIGH(VMX_PROC_SECONDARY);
	caps.proc2 = 0;
	not_nested(caps, "EPT");
}

static void what_is_only_used_where_offered(void **state)
{
	struct vmx_caps caps = whole();

	(void)state;
	caps.ept_vpid &= ~(UINT64_C(1) << 17);
	assert_int_equal(chosen(&caps).max_leaf, 2);
	caps.ept_vpid &= ~(UINT64_C(1) << 16);
	assert_int_equal(chosen(&caps).max_leaf, 1);
	caps.ept_vpid &= ~(UINT64_C(1) << 21);
	assert_int_equal(chosen(&caps).eptp, 6 | 3 << 3);
	assert_false(chosen(&caps).pml); /* it logs D, which is not there */
	caps = whole();
	caps.proc2 &= ~HIGH(VMX_PROC2_PML);
	assert_false(chosen(&caps).pml);
	caps = whole();
	caps.ept_vpid &= ~(UINT64_C(1) << 41);
	assert_true(chosen(&caps).vpid); /* all of them can be dropped */
	assert_false(chosen(&caps).vpid_one);
	caps.ept_vpid &= ~(UINT64_C(1) << 42);
	assert_false(chosen(&caps).vpid); /* they could not be dropped */
	assert_false(chosen(&caps).proc2_nested & VMX_PROC2_VPID);
	caps = whole();
	caps.proc2 &= ~HIGH(VMX_PROC2_VPID);
	assert_false(chosen(&caps).vpid_addr);
}

/* The timer is used whole, or not at all: SDM 3C 26.2.1.2. */
static void a_timer_needs_both(void **state)
{
	struct vmx_caps caps = whole();

	(void)state;
	caps.exit &= ~HIGH(VMX_EXIT_SAVE_TIMER);
	assert_false(chosen(&caps).timer);
	assert_false(chosen(&caps).pin & VMX_PIN_TIMER);
	caps = whole();
	caps.pin &= ~HIGH(VMX_PIN_TIMER);
	assert_false(chosen(&caps).timer);
	assert_false(chosen(&caps).exit & VMX_EXIT_SAVE_TIMER);
}

static void lacking(const struct vmx_caps *caps, const char *word)
{
	struct vmx_controls c;
	const char *wrong = vmx_controls_choose(caps, &c);

	assert_non_null(wrong);
	assert_non_null(strstr(wrong, word));
}

static void what_is_missing_is_named(void **state)
{
	struct vmx_caps caps = whole();

	(void)state;
	caps.pin &= ~HIGH(VMX_PIN_VIRTUAL_NMI);
	lacking(&caps, "virtual NMIs");
	caps = whole();
	caps.proc &= ~HIGH(VMX_PROC_MSR_BITMAP);
	lacking(&caps, "MSR bitmaps");
	caps = whole();
	caps.proc &= ~HIGH(VMX_PROC_CR3_LOAD);
	lacking(&caps, "CR3-load");
	caps = whole();
	caps.exit &= ~HIGH(VMX_EXIT_LOAD_EFER);
	lacking(&caps, "IA32_EFER");
	caps = whole();
	caps.entry &= ~HIGH(VMX_ENTRY_GUEST_64);
	lacking(&caps, "64-bit guests");
	caps = whole();
	caps.basic &= ~(UINT64_C(15) << 50); /* uncacheable */
	lacking(&caps, "write-back");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_is_used),
		cmocka_unit_test(nested_guests_page_alone),
		cmocka_unit_test(what_nesting_needs),
		cmocka_unit_test(what_is_only_used_where_offered),
		cmocka_unit_test(a_timer_needs_both),
		cmocka_unit_test(what_is_missing_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
