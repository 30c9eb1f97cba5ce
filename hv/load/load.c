/* Which kind of guest is it? And what both kinds need. */
#include "load/load.h"

const char *load_guest(struct vmmu_gmem *mem, const struct load_request *req,
		       struct load_entry *entry)
{
	const char *wrong;
	bool mine = false;

	if (!req->kernel.data)
		return "no kernel was given: the first module is the kernel";
	wrong = load_multiboot(mem, req, entry, &mine);
	if (mine)
		return wrong;
	wrong = load_linux(mem, req, entry, &mine);
	if (mine)
		return wrong;
	return "the kernel is neither an ELF file with a PVH entry nor a "
	       "Multiboot image";
}

const char *load_module(struct vmmu_gmem *mem, const struct load_file *file,
			uint64_t floor, uint64_t limit, gpa_t *at)
{
	uint64_t top;

	if (file->size > limit)
		return "the initrd does not fit into guest memory";
	top = (limit - file->size) & ~VMMU_PAGE_MASK;
	if (top < floor)
		return "the initrd does not fit into guest memory";
	*at = mk_gpa(top);
	if (vmmu_gmem_write(mem, *at, file->data, file->size) != VMMU_GMEM_OK)
		return "the initrd does not fit into guest memory";
	return NULL;
}

bool load_put(struct vmmu_gmem *mem, uint32_t gpa, const void *what,
	      uint64_t size)
{
	return vmmu_gmem_write(mem, mk_gpa(gpa), what, size) == VMMU_GMEM_OK;
}

bool load_put_args(struct vmmu_gmem *mem, uint32_t gpa, const char *args)
{
	uint64_t size = 0;

	while (args[size])
		size++;
	return size < LOAD_ARGS_MAX && load_put(mem, gpa, args, size + 1);
}
