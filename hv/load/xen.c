/*
 * A kernel for Xen's paravirtual entry: its ELF segments at their
 * pseudo-physical addresses, and what its notes say of the way it wants to be
 * started (xen/elfnote.h). The kernel finds gpa 0 at VIRT_BASE.
 */
#include "load/load.h"

#include <xen/elfnote.h>

#define NOTE(n) (w->note[XEN_ELFNOTE_##n])

static bool canonical(uint64_t va)
{
	return (uint64_t)((int64_t)(va << 16) >> 16) == va;
}

static uint64_t end_of(const struct load_work *w)
{
	uint64_t end = 0;

	for (unsigned i = 0; i < w->count; i++)
		if (w->part[i].end > end)
			end = w->part[i].end;
	return (end + VMMU_PAGE_MASK) & ~VMMU_PAGE_MASK;
}

/* One page of code, inside what was loaded. */
static bool page_of(const struct load_work *w, uint64_t va, uint64_t *gpa)
{
	*gpa = va - NOTE(VIRT_BASE);
	return !(*gpa & VMMU_PAGE_MASK) && load_has(w, *gpa) &&
	       load_has(w, *gpa + VMMU_PAGE_MASK);
}

static const char *read_notes(const struct load_work *w, struct load_xen *xen)
{
	if (!NOTE(ENTRY) || !NOTE(VIRT_BASE))
		return "the kernel has no entry for paravirtual guests "
		       "(CONFIG_XEN_PV)";
	if (NOTE(PADDR_OFFSET))
		return "the kernel's physical addresses do not begin at 0";
	if (!canonical(NOTE(ENTRY)) || !canonical(NOTE(INIT_P2M)) ||
	    !canonical(NOTE(VIRT_BASE)) || NOTE(VIRT_BASE) & (VMMU_2M - 1) ||
	    NOTE(INIT_P2M) & VMMU_PAGE_MASK)
		return "the kernel's notes hold addresses that there are not";
	*xen = (struct load_xen){
		.entry = NOTE(ENTRY),
		.virt_base = NOTE(VIRT_BASE),
		.init_p2m = NOTE(INIT_P2M),
		.end = end_of(w),
		.unmapped_initrd = NOTE(MOD_START_PFN) == 1,
	};
	if (w->notes & 1u << XEN_ELFNOTE_HYPERCALL_PAGE &&
	    !page_of(w, NOTE(HYPERCALL_PAGE), &xen->hypercall_page))
		return "the kernel's hypercall page is not in what it loads";
	return NULL;
}

const char *load_xen(struct vmmu_gmem *mem, const struct load_request *req,
		     struct load_xen *xen)
{
	struct load_work work = { .mem = mem, .req = req };
	const char *wrong;

	if (!req->kernel.data)
		return "no kernel was given: the first module is the kernel";
	if (!load_is_elf(&req->kernel))
		return "the kernel is not an ELF file";
	wrong = load_elf(&work);
	return wrong ? wrong : read_notes(&work, xen);
}
