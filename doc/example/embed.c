/* One slot, one guest table, one walk: gva -> gpa. */
#include <stdio.h>
#include <vmmu/vmmu.h>

static uint32_t ram[16 * 1024];

int main(void)
{
	struct vmmu_flat flat = { .memory = ram, .size = sizeof(ram) };
	struct vmmu_host host = { .ops = &vmmu_flat_ops, .cookie = &flat };
	struct vmmu_slot slot = { .size = sizeof(ram) }, storage[1];
	struct vmmu_features features = { .maxphyaddr = 36 };
	struct vmmu_regs regs = { .cr0 = VMMU_CR0_PE | VMMU_CR0_PG,
				  .cr3 = 0x2000 };
	struct vmmu_slots slots;
	struct vmmu_gmem mem;
	struct vmmu_mode mode;
	struct vmmu_gwalk walk;

	ram[0x2000 / 4] = 0x3003;     /* the table of the first 4 MiB */
	ram[0x3000 / 4 + 5] = 0x7003; /* the page at 0x5000 */
	vmmu_slots_init(&slots, storage, 1);
	if (vmmu_slots_set(&slots, &slot) != VMMU_SLOT_OK)
		return 1;
	vmmu_gmem_init(&mem, &slots, &host);
	vmmu_mode_set(&mode, &regs, &features);
	if (vmmu_gwalk(&mem, &mode, mk_gva(0x5678), VMMU_R, 0, &walk))
		return 1;
	return printf("gva 0x5678 -> gpa %#jx\n", (uintmax_t)walk.gpa.v) < 0;
}
