/* Embedding libvmmu: one slot, one guest table, and the chain
 * gva -> gpa -> hva -> hpa. cc embed.c $(pkg-config --cflags --libs vmmu) */
#include <stdio.h>

#include <vmmu/vmmu.h>

static _Alignas(4096) uint8_t ram[16 * 4096]; /* the guest's memory */

/* In this process machine addresses are simply our own. */
static void *ptr(void *cookie, hpa_t hpa)
{
	(void)cookie;
	return (void *)(uintptr_t)hpa.v;
}

static enum vmmu_resolve resolve(void *cookie, hva_t hva, unsigned access,
				 struct vmmu_extent *out)
{
	(void)cookie, (void)access;
	out->hva = mk_hva(hva.v & ~VMMU_PAGE_MASK);
	out->hpa = mk_hpa(out->hva.v);
	out->size = VMMU_PAGE_SIZE;
	out->read_only = false;
	return VMMU_RESOLVE_OK;
}

int main(void)
{
	const struct vmmu_host_ops ops = { .ptr = ptr, .resolve = resolve };
	const struct vmmu_host host = { .ops = &ops };
	const struct vmmu_slot slot = { .size = sizeof(ram),
					.hva = mk_hva((uintptr_t)ram) };
	const struct vmmu_regs regs = { .cr0 = VMMU_CR0_PE | VMMU_CR0_PG,
					.cr4 = VMMU_CR4_PSE,
					.cr3 = 0x2000 };
	const struct vmmu_features features = { .maxphyaddr = 36 };
	struct vmmu_slot storage[1];
	struct vmmu_slots slots;
	struct vmmu_gmem mem;
	struct vmmu_mode mode;
	struct vmmu_gwalk walk;
	gva_t gva = mk_gva(0xc0005678);
	uint8_t *page;

	vmmu_slots_init(&slots, storage, 1);
	if (vmmu_slots_set(&slots, &slot) != VMMU_SLOT_OK)
		return 1;
	vmmu_gmem_init(&mem, &slots, &host);
	vmmu_mode_set(&mode, &regs, &features);

	/* The guest's page directory: 4 MiB at 0xc0000000 are gpa 0. */
	((uint32_t *)(ram + 0x2000))[gva.v >> 22] = 0x83;
	if (vmmu_gwalk(&mem, &mode, gva, VMMU_R, 0, &walk) != VMMU_GWALK_OK ||
	    vmmu_gmem_page(&mem, gpa_gfn(walk.gpa), VMMU_R, &page))
		return 1;
	printf("gva %#llx -> gpa %#llx -> byte %#zx of our memory\n",
	       (unsigned long long)gva.v, (unsigned long long)walk.gpa.v,
	       (size_t)(page - ram) + (walk.gpa.v & VMMU_PAGE_MASK));
	return 0;
}
