/*
 * lib/mem/flat.c: all memory in one array.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <vmmu/vmmu.h>

#define PAGES 4

/* The last bytes are no whole page. */
static uint8_t memory[PAGES * VMMU_PAGE_SIZE + 100];
static struct vmmu_flat flat = { memory, sizeof(memory) };
static const struct vmmu_host host = { &vmmu_flat_ops, &flat };

/* A slot at 1 MiB that claims two pages more than there are, from page 1 on. */
static void begin(struct vmmu_slots *slots, struct vmmu_slot storage[1],
		  struct vmmu_gmem *mem)
{
	const struct vmmu_slot slot = {
		.gpa = mk_gpa(0x100000),
		.size = (PAGES + 1) * VMMU_PAGE_SIZE,
		.hva = mk_hva(VMMU_PAGE_SIZE),
	};

	memset(memory, 0, sizeof(memory));
	vmmu_slots_init(slots, storage, 1);
	assert_int_equal(vmmu_slots_set(slots, &slot), VMMU_SLOT_OK);
	vmmu_gmem_init(mem, slots, &host);
}

static void slots_are_parts_of_the_array(void **state)
{
	struct vmmu_slots slots;
	struct vmmu_slot storage[1];
	struct vmmu_gmem mem;
	uint8_t byte = 0x5a;

	(void)state;
	begin(&slots, storage, &mem);
	assert_int_equal(vmmu_gmem_write(&mem, mk_gpa(0x100010), &byte, 1),
			 VMMU_GMEM_OK);
	assert_int_equal(memory[VMMU_PAGE_SIZE + 0x10], 0x5a);
	/* The last byte of the last page. */
	memory[PAGES * VMMU_PAGE_SIZE - 1] = 0xa5;
	assert_int_equal(vmmu_gmem_read(&mem, mk_gpa(0x102fff), &byte, 1),
			 VMMU_GMEM_OK);
	assert_int_equal(byte, 0xa5);
}

static void beyond_it_is_nothing(void **state)
{
	struct vmmu_slots slots;
	struct vmmu_slot storage[1];
	struct vmmu_gmem mem;
	uint8_t byte;

	(void)state;
	begin(&slots, storage, &mem);
	assert_int_equal(vmmu_gmem_read(&mem, mk_gpa(0x103000), &byte, 1),
			 VMMU_GMEM_NONE);
	assert_int_equal(vmmu_gmem_read(&mem, mk_gpa(0x104000), &byte, 1),
			 VMMU_GMEM_NONE);
}

/* Nothing to make tables of: no scheme, and no crash. */
static void no_scheme_runs_on_it(void **state)
{
	struct vmmu_slot storage[4];
	const struct vmmu_vm_config config = {
		.host = host,
		.hw = { .nested_format = &pt_ept, .nested_max_leaf = 1 },
		.slot_storage = storage,
		.slot_capacity = 4,
		.table_limit = VMMU_TABLE_LIMIT_MIN,
	};
	static struct vmmu_vm vm;
	static struct vmmu_cpu cpu;

	(void)state;
	assert_true(vmmu_vm_init(&vm, &config));
	assert_false(vmmu_cpu_init(&cpu, &vm, &vmmu_nested));
	vmmu_vm_fini(&vm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slots_are_parts_of_the_array),
		cmocka_unit_test(beyond_it_is_nothing),
		cmocka_unit_test(no_scheme_runs_on_it),
	};

	return cmocka_run_group_tests_name("flat", tests, NULL, NULL);
}
