/* Fuzz target: the loaders. The input is the kernel's file; its length says
 * which initrd comes with it. It must be refused or loaded right. The same file
 * is a paravirtual kernel too: what is believed of its notes must be true. */
#include "fuzz.h"

#include "test/unit/load_rig.h"

static const uint8_t initrd[RIG_MIB] = { 1, 2, 3 };

/* By the Xen entry, into memory that is new. */
static const char *check_xen(struct load_rig *r, const uint8_t *data,
			     size_t size)
{
	uint8_t *copy = malloc(size + 1);
	struct load_xen xen;
	const char *wrong;

	lab_host_withdraw(&r->lab, r->lab.hva_base, RIG_ALL);
	vmmu_gmem_init(&r->mem, &r->slots, &r->host);
	memcpy(copy, data, size);
	r->req.kernel = (struct load_file){ copy, size };
	wrong = load_xen(&r->mem, &r->req, &xen);
	free(copy);
	if (wrong)
		return NULL;
	if (xen.virt_base % VMMU_2M || xen.end % VMMU_PAGE_SIZE)
		return "addresses that are not aligned";
	if (xen.hypercall_page &&
	    !load_rig_is_ram(r, xen.hypercall_page, VMMU_PAGE_SIZE))
		return "a hypercall page that is no memory";
	return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct load_rig r;
	static const size_t sizes[] = { 0, 4097, sizeof(initrd) };
	const char *wrong;

	if (!r.lab.arena)
		load_rig_init(&r);
	r.req.initrd =
		(struct load_file){ size % 3 ? initrd : NULL, sizes[size % 3] };
	wrong = check_xen(&r, data, size);
	if (!wrong && !load_rig_load(&r, data, size))
		wrong = load_rig_check(&r);
	if (wrong) {
		fprintf(stderr, "loaded, but not right: %s\n", wrong);
		abort();
	}
	return 0;
}
