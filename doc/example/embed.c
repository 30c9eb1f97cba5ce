/* One slot, one guest table, one walk: gva -> gpa -> hva -> hpa. */
#include <stdio.h>
#include <vmmu/vmmu.h>

static uint32_t ram[16 * 1024]; /* host memory: hva and hpa 0 are ram[0] */

static void *ptr(void *cookie, hpa_t hpa)
{
	return (uint8_t *)cookie + hpa.v;
}

static enum vmmu_resolve resolve(void *cookie, hva_t hva, unsigned access,
				 struct vmmu_extent *run)
{
	(void)cookie, (void)hva, (void)access;
	*run = (struct vmmu_extent){ .size = sizeof(ram) };
	return VMMU_RESOLVE_OK;
}

int main(void)
{
	struct vmmu_host_ops ops = { .ptr = ptr, .resolve = resolve };
	struct vmmu_host host = { .ops = &ops, .cookie = ram };
	struct vmmu_slot slot = { .size = sizeof(ram) }, storage[1];
	struct vmmu_regs regs = { .cr0 = VMMU_CR0_PE | VMMU_CR0_PG,
				  .cr4 = VMMU_CR4_PSE,
				  .cr3 = 0x2000 };
	struct vmmu_slots slots;
	struct vmmu_gmem mem;
	struct vmmu_mode mode;
	struct vmmu_gwalk walk;

	vmmu_slots_init(&slots, storage, 1);
	if (vmmu_slots_set(&slots, &slot) != VMMU_SLOT_OK)
		return 1;
	vmmu_gmem_init(&mem, &slots, &host);
	vmmu_mode_set(&mode, &regs,
		      &(struct vmmu_features){ .maxphyaddr = 36 });
	ram[0x2000 / 4 + 0x300] = 0x83; /* 4 MiB at 0xc0000000: gpa 0 */
	if (vmmu_gwalk(&mem, &mode, mk_gva(0xc0005678), VMMU_R, 0, &walk))
		return 1;
	printf("gva 0xc0005678 -> gpa %#llx\n", (unsigned long long)walk.gpa.v);
	return 0;
}
