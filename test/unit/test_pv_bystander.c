/*
 * hv/pv/bystander.c: a second VM shows whatever is changed about it, be it one
 * bit, and nothing else. Each change here is made as a flaw of the hypervisor
 * would make it.
 */
#include "pv_rig.h"

static struct pv_bystander *by;

static int setup(void **state)
{
	rig_setup_beside(state);
	by = rig.d->bystander;
	return 0;
}

static struct pv_domain *other(void)
{
	return pv_domain_of(&by->vm);
}

static hfn_t frame(uint64_t gfn)
{
	return mk_hfn(other()->p2m[gfn]);
}

static void put(void *ctx, const char *text, size_t n)
{
	strncat(ctx, text, n);
}

/* The number behind "key": in its report. */
static unsigned long long reported(const char *key)
{
	char text[512] = "", word[32];
	const struct fmt_sink sink = { .put = put, .ctx = text };
	const char *at;

	pv_bystander_report(by, &sink);
	snprintf(word, sizeof(word), "\"%s\":", key);
	at = strstr(text, word);
	assert_non_null(at);
	return strtoull(at + strlen(word), NULL, 10);
}

static void it_is_a_vm_of_its_own(void **state)
{
	struct vmmu_audit audit = { .breach = rig_breach };

	(void)state;
	assert_int_equal(by->count, RIG_BYSTANDER / 4096 + 1);
	assert_int_not_equal(other()->direct.config.owner,
			     rig.d->direct.config.owner);
	for (uint64_t gfn = 0; gfn < RIG_BYSTANDER / 4096; gfn++) {
		assert_int_equal(vmmu_frame_of(&pv_frames, frame(gfn))->owner,
				 other()->direct.config.owner);
		assert_int_equal(pv_frames.m2p[frame(gfn).v], gfn);
	}
	assert_true(by->vm.vcpu[0]->mmu.root.v != 0);
	assert_true(other()->cpu->frame == &by->frame);
	assert_int_equal(by->frame.rip, RIG_CODE);
	assert_true(vmmu_audit(&by->vm.mmu, &audit));
	assert_int_equal(reported("pages"), by->count);
	assert_true(reported("tables") >= 5);
	assert_int_equal(reported("entries"), audit.entries);
}

/* None of its pages is all zero, which a page that is lost would be. */
static void its_pages_have_a_pattern(void **state)
{
	const uint64_t *a = pv_page(hfn_hpa(frame(RIG_BYSTANDER / 4096 - 1)));
	const uint64_t *b = pv_page(hfn_hpa(frame(RIG_BYSTANDER / 4096 - 2)));

	(void)state;
	assert_true(a[0] && a[511] && a[0] != a[1] && a[0] != b[0]);
	for (uint64_t gfn = 0; gfn < RIG_BYSTANDER / 4096; gfn++) {
		const uint64_t *word = pv_page(hfn_hpa(frame(gfn)));
		unsigned n = 0;

		while (n < 512 && !word[n])
			n++;
		assert_true(n < 512);
	}
}

static void nothing_has_changed(void **state)
{
	(void)state;
	assert_int_equal(pv_bystander_changed(by), 0);
	/* Whatever the guest does with its own. */
	memset(rig_spare(0), 0x5a, 4096);
	assert_int_equal(call(update_va_mapping, rig_spare(1), 0, 0), 0);
	assert_int_equal(reported("changed"), 0);
	assert_int_equal(reported("breaches"), 0);
}

static void one_bit_of_any_page_shows(void **state)
{
	(void)state;
	for (uint64_t gfn = 0; gfn < RIG_BYSTANDER / 4096; gfn++) {
		uint8_t *page = pv_page(hfn_hpa(frame(gfn)));
		uint8_t *byte = &page[gfn * 37 % 4096];

		*byte ^= (uint8_t)(1u << gfn % 8);
		assert_int_equal(pv_bystander_changed(by), 1);
		*byte ^= (uint8_t)(1u << gfn % 8);
	}
	((uint8_t *)other()->shared)[100] ^= 1;
	assert_int_equal(reported("changed"), 1);
	((uint8_t *)other()->shared)[100] ^= 1;
	assert_int_equal(reported("changed"), 0);
}

static void each_record_shows(void **state)
{
	struct vmmu_frame *f = vmmu_frame_of(&pv_frames, frame(700));
	const struct vmmu_frame was = *f;
	uint64_t *m2p = &pv_frames.m2p[frame(700).v];

	(void)state;
	f->total_count++;
	assert_int_equal(pv_bystander_changed(by), 1);
	assert_true(reported("breaches") > 0);
	*f = was;
	f->type_count++;
	assert_int_equal(pv_bystander_changed(by), 1);
	*f = was;
	f->owner = rig.d->direct.config.owner;
	assert_int_equal(pv_bystander_changed(by), 1);
	assert_true(reported("breaches") > 0);
	*f = was;
	f->type = VMMU_FRAME_L1;
	assert_int_equal(pv_bystander_changed(by), 1);
	*f = was;
	f->flags ^= VMMU_FRAME_PINNED;
	assert_int_equal(pv_bystander_changed(by), 1);
	*f = was;
	f->mark++;
	assert_int_equal(pv_bystander_changed(by), 1);
	*f = was;
	*m2p = 5;
	assert_int_equal(pv_bystander_changed(by), 1);
	assert_true(reported("breaches") > 0);
	*m2p = 700;
	other()->p2m[701] = 3;
	assert_int_equal(pv_bystander_changed(by), 1);
	assert_true(reported("breaches") > 0);
	other()->p2m[701] = by->witness[701].hfn.v;
	assert_int_equal(pv_bystander_changed(by), 0);
	assert_int_equal(reported("breaches"), 0);
}

/* A writable page and a table at once: its audit sees what no sum is of. */
static void a_table_that_becomes_data_shows(void **state)
{
	uint64_t root = by->vm.vcpu[0]->mmu.root.v;
	struct vmmu_frame *f = vmmu_frame_of(&pv_frames, hpa_hfn(mk_hpa(root)));

	(void)state;
	f->type = VMMU_FRAME_WRITABLE;
	assert_int_equal(reported("changed"), 1);
	assert_true(reported("breaches") > 0);
	f->type = VMMU_FRAME_L4;
	assert_int_equal(reported("breaches"), 0);
}

/* The flaw that can be asked for: with it a guest has one frame too many. */
static void the_planted_flaw(void **state)
{
	uint64_t mfn;

	(void)state;
	rig_machine();
	rig.config.bystander = RIG_BYSTANDER;
	rig.config.bystander_flaw = true;
	rig_image(rig_usual(), 3);
	assert_null(rig_load());
	by = rig.d->bystander;
	assert_int_equal(reported("changed"), 1);
	mfn = by->witness[by->count - 2].hfn.v;
	assert_int_equal(
		call(update_va_mapping, rig_spare(0), mfn << 12 | P_RW, 0), 0);
	rig_see((uintptr_t)rig_spare(0));
	*(uint64_t *)rig_spare(0) = 1;
	assert_int_equal(reported("changed"), 1);
	/* Put right, for the end's sake; its memory is not. */
	assert_int_equal(call(update_va_mapping, rig_spare(0), 0, 0), 0);
	vmmu_frame_of(&pv_frames, mk_hfn(mfn))->owner =
		other()->direct.config.owner;
	assert_int_equal(reported("changed"), 1);
}

/* With nothing of it, when it has no memory. */
static void no_memory_for_it(void **state)
{
	const char *wrong;

	(void)state;
	rig_machine();
	rig.config.bystander = RIG_BYSTANDER;
	rig.frames_left = (RIG_MEMORY + RIG_BYSTANDER) / 4096;
	rig_image(rig_usual(), 3);
	wrong = rig_load();
	assert_non_null(wrong);
	assert_non_null(strstr(wrong, "not that much memory"));
	pv_current = NULL;
	vm_destroy(&rig.vm);
	assert_int_equal(rig.frames_taken, 0);
	assert_int_equal(rig.allocs_out, 0);
}

/* At its end it says what has changed since: here, after the report. */
static void it_says_so_at_its_end(void **state)
{
	(void)state;
	assert_int_equal(reported("changed"), 0);
	((uint8_t *)pv_page(hfn_hpa(frame(900))))[9]++;
	rig_teardown(NULL);
	assert_non_null(strstr(rig.said, "bystander: the memory of its frame"));
}

#define T(f) RIG_TEST(f, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(it_is_a_vm_of_its_own),
		T(its_pages_have_a_pattern),
		T(nothing_has_changed),
		T(one_bit_of_any_page_shows),
		T(each_record_shows),
		T(a_table_that_becomes_data_shows),
		RIG_TEST(the_planted_flaw, NULL),
		cmocka_unit_test(no_memory_for_it),
		cmocka_unit_test_setup(it_says_so_at_its_end, setup),
	};

	return cmocka_run_group_tests_name("pv_bystander", tests, NULL, NULL);
}
