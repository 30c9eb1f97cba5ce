/* hv/vm/access.c: operands in guest-virtual memory, over page ends, in
 * devices, where nothing is; and faults that leave nothing half done. */
#include "vcpu_rig.h"

#define FIRST  UINT64_C(0x400000) /* two pages of gva, not adjoining as gpa */
#define SECOND (FIRST + 4096)
#define APIC   UINT64_C(0xfee00000)

static const unsigned sizes[] = { 1, 2, 4, 8 };

static void map(uint64_t first, uint64_t second)
{
	rig_map(FIRST, first);
	*rig_entry(0x1000, rig_index(SECOND, 1)) = second;
	rig_exit();
}

static uint64_t reads(uint64_t gva, unsigned size)
{
	uint64_t value = 0x5a5a5a5a5a5a5a5a;

	rig_exit();
	assert_int_equal(vcpu_read(rig.v, mk_gva(gva), size, VMMU_R, &value),
			 GUEST_OK);
	return value;
}

static enum guest_access writes(uint64_t gva, unsigned size, uint64_t value)
{
	rig_exit();
	return vcpu_write(rig.v, mk_gva(gva), size, value);
}

static uint64_t cut(uint64_t value, unsigned size)
{
	return size == 8 ? value : value & ((UINT64_C(1) << (8 * size)) - 1);
}

static void over_the_end(void **state)
{
	uint8_t *low = rig_memory(0x8000), *high = rig_memory(0xc000);

	(void)state;
	map(0x8000 | P | W, 0xc000 | P | W);
	for (unsigned i = 0; i < 4; i++)
		for (unsigned at = 4096 - 9; at < 4096 + 2; at++) {
			const uint64_t value = 0x8877665544332211;
			unsigned n = sizes[i];

			memset(low + 4080, 0xee, 16);
			memset(high, 0xee, 16);
			assert_int_equal(writes(FIRST + at, n, value),
					 GUEST_OK);
			for (unsigned b = 4080; b < 4112; b++) {
				uint8_t got = b < 4096 ? low[b]
						       : high[b - 4096];
				bool in = b >= at && b < at + n;

				assert_int_equal(
					got, in ? (uint8_t)(0x11 * (b - at + 1))
						: 0xee);
			}
			assert_true(reads(FIRST + at, n) == cut(value, n));
		}
	assert_int_equal(rig.v->event.type, EVENT_NONE);
}

/* The second page faults: the first is as it was, CR2 names the second. */
static void nothing_half_done(void **state)
{
	static const struct {
		uint64_t entry;
		uint32_t error;
	} bad[] = {
		{ 0, VMMU_PF_W },
		{ 0xc000 | P, VMMU_PF_W | VMMU_PF_P },
		{ 0xc000 | P | W | UINT64_C(1) << 45,
		  VMMU_PF_W | VMMU_PF_P | VMMU_PF_RSVD },
	};
	uint8_t *low = rig_memory(0x8000);

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		map(0x8000 | P | W, bad[i].entry);
		memset(low + 4088, 0xee, 8);
		assert_int_equal(writes(FIRST + 4092, 8, 0), GUEST_FAULTED);
		rig_raised(14, true, bad[i].error);
		assert_true(rig.s.cr2 == SECOND);
		for (unsigned b = 4088; b < 4096; b++)
			assert_int_equal(low[b], 0xee);
	}
	/* and the first one's fault comes first */
	map(0x8000 | P, 0);
	assert_int_equal(writes(FIRST + 4092, 8, 0), GUEST_FAULTED);
	rig_raised(14, true, VMMU_PF_W | VMMU_PF_P);
	assert_true(rig.s.cr2 == FIRST + 4092);
}

/* An instruction that writes what it reads has one fault: a write. */
static void read_to_write(void **state)
{
	uint64_t value;

	(void)state;
	map(0x8000 | P, 0);
	assert_int_equal(vcpu_read(rig.v, mk_gva(FIRST), 4, VMMU_W, &value),
			 GUEST_FAULTED);
	rig_raised(14, true, VMMU_PF_W | VMMU_PF_P);
	assert_int_equal(rig.s.cr2, FIRST);
	assert_true(reads(FIRST, 4) == 0);
}

static void privilege(void **state)
{
	(void)state;
	map(0x8000 | P | W, 0);
	rig.s.cpl = 3;
	assert_int_equal(writes(FIRST, 1, 1), GUEST_FAULTED);
	rig_raised(14, true, VMMU_PF_U | VMMU_PF_W | VMMU_PF_P);
	rig.s.cpl = 0;
	map(0x8000 | P | W | U, 0);
	assert_int_equal(writes(FIRST, 1, 1), GUEST_OK);
	rig.s.cr4 |= VMMU_CR4_SMAP;
	assert_int_equal(writes(FIRST, 1, 1), GUEST_FAULTED);
	rig.v->rflags |= UINT64_C(1) << 18; /* AC */
	assert_int_equal(writes(FIRST, 1, 1), GUEST_OK);
}

static void non_canonical(void **state)
{
	(void)state;
	map(0x8000 | P | W, 0);
	assert_int_equal(writes(UINT64_C(1) << 47, 1, 0), GUEST_FAULTED);
	rig_raised(13, true, 0);
	/* the last canonical byte is mapped, the next is none */
	rig_map((UINT64_C(1) << 47) - 4096, 0x8000 | P | W);
	*rig_memory(0x8fff) = 0xee;
	assert_int_equal(writes((UINT64_C(1) << 47) - 1, 2, 0), GUEST_FAULTED);
	rig_raised(13, true, 0);
	assert_int_equal(*rig_memory(0x8fff), 0xee);
}

static void nothing_there(void **state)
{
	(void)state;
	map(RIG_NONE | P | W, 0);
	for (unsigned i = 0; i < 4; i++) {
		assert_true(reads(FIRST + 8, sizes[i]) ==
			    cut(UINT64_MAX, sizes[i]));
		assert_int_equal(writes(FIRST + 8, sizes[i], 0), GUEST_OK);
		assert_true(reads(FIRST + 8, sizes[i]) ==
			    cut(UINT64_MAX, sizes[i]));
	}
	map(0x8000 | P | W, RIG_NONE | P | W); /* half memory */
	memset(rig_memory(0x8ffc), 0x11, 4);
	assert_true(reads(FIRST + 4092, 8) == 0xffffffff11111111);
	assert_int_equal(writes(FIRST + 4094, 4, 0x44332211), GUEST_OK);
	assert_true(reads(FIRST + 4092, 4) == 0x22111111);
	assert_int_equal(rig.vm.end, VM_RUNNING);
}

static void read_only_slot(void **state)
{
	uint64_t value;

	(void)state;
	map(RIG_ROM | P | W, 0x8000 | P | W);
	*rig_memory(RIG_ROM + 5) = 0x77; /* as the host may */
	assert_true(reads(FIRST + 5, 1) == 0x77);
	assert_int_equal(writes(FIRST + 5, 1, 1), GUEST_OK);
	assert_int_equal(vcpu_read(rig.v, mk_gva(FIRST + 5), 1, VMMU_W, &value),
			 GUEST_OK);
	assert_int_equal(value, 0x77);
	/* the half in memory is written all the same */
	assert_int_equal(writes(FIRST + 4094, 4, 0x44332211), GUEST_OK);
	assert_true(reads(FIRST + 4094, 4) == 0x44330000);
	assert_int_equal(rig.v->event.type, EVENT_NONE);
}

static void device(void **state)
{
	(void)state;
	map(APIC | P | W, 0);
	assert_int_equal(writes(FIRST + 0x80, 4, 0x50), GUEST_OK); /* TPR */
	assert_true(reads(FIRST + 0x80, 4) == 0x50);
	assert_int_equal(board_cr8(&rig.vm.board, 0), 5);
}

/* The host asks to retry: no fault for the guest. It has none: the end. */
static void host_answers(void **state)
{
	uint64_t value;

	(void)state;
	map(0x8000 | P | W, 0);
	lab_host_answer(&rig.lab, mk_hva(rig.lab.hva_base.v + 0x8000), 4096,
			VMMU_RESOLVE_NOT_NOW);
	vmmu_vm_backing_changed(&rig.vm.mmu, rig.lab.hva_base, RIG_RAM);
	assert_int_equal(vcpu_read(rig.v, mk_gva(FIRST), 4, VMMU_R, &value),
			 GUEST_FAULTED);
	assert_int_equal(writes(FIRST, 4, 1), GUEST_FAULTED);
	assert_int_equal(rig.v->event.type, EVENT_NONE);
	assert_int_equal(rig.vm.end, VM_RUNNING);
	lab_host_answer(&rig.lab, mk_hva(rig.lab.hva_base.v + 0x8000), 4096,
			VMMU_RESOLVE_OK);
	assert_int_equal(writes(FIRST, 4, 1), GUEST_OK);
	lab_host_answer(&rig.lab, mk_hva(rig.lab.hva_base.v + 0x8000), 4096,
			VMMU_RESOLVE_NONE);
	vmmu_vm_backing_changed(&rig.vm.mmu, rig.lab.hva_base, RIG_RAM);
	assert_int_equal(writes(FIRST, 4, 1), GUEST_STOPPED);
	assert_int_equal(rig.vm.end, VM_KILLED);
}

static void answer_for(uint64_t gpa, enum vmmu_resolve answer)
{
	lab_host_answer(&rig.lab, mk_hva(rig.lab.hva_base.v + gpa), 4096,
			answer);
	vmmu_vm_backing_changed(&rig.vm.mmu, rig.lab.hva_base, RIG_RAM);
}

static void all_are(const uint8_t *at, unsigned count, uint8_t what)
{
	for (unsigned i = 0; i < count; i++)
		assert_int_equal(at[i], what);
}

/* The host has no answer for one page of two: the other is as it was. */
static void host_asks_to_retry_half(void **state)
{
	static const uint64_t late[] = { 0xc000, 0x8000 };
	uint8_t *low = rig_memory(0x8000), *high = rig_memory(0xc000);
	uint64_t value = 1;

	(void)state;
	map(0x8000 | P | W, 0xc000 | P | W);
	memset(low + 4088, 0xee, 8);
	memset(high, 0xee, 8);
	for (unsigned i = 0; i < 2; i++) {
		answer_for(late[i], VMMU_RESOLVE_NOT_NOW);
		assert_int_equal(writes(FIRST + 4092, 8, 0), GUEST_FAULTED);
		assert_int_equal(vcpu_read(rig.v, mk_gva(FIRST + 4092), 8,
					   VMMU_R, &value),
				 GUEST_FAULTED);
		assert_true(value == 0);
		all_are(low + 4088, 8, 0xee);
		all_are(high, 8, 0xee);
		answer_for(late[i], VMMU_RESOLVE_OK);
	}
	assert_int_equal(rig.v->event.type, EVENT_NONE);
	answer_for(0xc000, VMMU_RESOLVE_NONE);
	assert_int_equal(writes(FIRST + 4092, 8, 0), GUEST_STOPPED);
	all_are(low + 4088, 8, 0xee);
	assert_int_equal(rig.vm.end, VM_KILLED);
}

static void share(uint64_t gpa)
{
	lab_host_share(&rig.lab, mk_hva(rig.lab.hva_base.v + gpa), 4096);
}

/* To answer for the second page the host moves memory, the first page
 * perhaps: the instruction is run again. Where the first is what moves, that
 * is over by the time it is written. */
static void host_moves_memory(void **state)
{
	const uint64_t at = FIRST + 4092, value = 0x8877665544332211;

	(void)state;
	map(0x8000 | P | W, 0xc000 | P | W);
	memset(rig_memory(0x8ff8), 0xee, 8);
	memset(rig_memory(0xc000), 0xee, 8);
	share(0xc000);
	assert_int_equal(writes(at, 8, value), GUEST_FAULTED);
	all_are(rig_memory(0x8ff8), 8, 0xee);
	all_are(rig_memory(0xc000), 8, 0xee);
	assert_int_equal(rig.v->event.type, EVENT_NONE);
	assert_int_equal(writes(at, 8, value), GUEST_OK);
	assert_true(reads(at, 8) == value);
	share(0x8000);
	assert_int_equal(writes(at, 8, ~value), GUEST_OK);
	assert_true(reads(at, 8) == ~value);
	assert_int_equal(rig.lab.count.shares_broken, 2);
}

static void tables_without_memory(void **state)
{
	uint64_t value;

	(void)state;
	map(0x8000 | P | W, 0);
	*rig_entry(0x2000, rig_index(FIRST, 2)) = RIG_NONE | P | W;
	assert_int_equal(vcpu_read(rig.v, mk_gva(FIRST), 4, VMMU_R, &value),
			 GUEST_STOPPED);
	assert_int_equal(rig.vm.end, VM_KILLED);
	assert_non_null(strstr(rig.vm.sentence, "page table"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(over_the_end),	     RIG_TEST(nothing_half_done),
		RIG_TEST(read_to_write),     RIG_TEST(privilege),
		RIG_TEST(non_canonical),     RIG_TEST(nothing_there),
		RIG_TEST(read_only_slot),    RIG_TEST(device),
		RIG_TEST(host_answers),	     RIG_TEST(host_asks_to_retry_half),
		RIG_TEST(host_moves_memory), RIG_TEST(tables_without_memory),
	};

	return cmocka_run_group_tests_name("access", tests, NULL, NULL);
}
