/*
 * Linux by its PVH entry: the kernel's ELF segments at their addresses, the
 * initrd as high as it fits below 1 GiB (the kernel's first mapping), and
 * Xen's hvm_start_info in low memory, whose address the guest finds in ebx.
 *
 *   0x1000 start_info   0x1100 module list   0x1200 memory map
 *   0x2000 command line
 */
#include "load/load.h"

#include <string.h>

#include <xen/arch-x86/hvm/start_info.h>

#define START_INFO 0x1000u
#define MODULES	   0x1100u
#define MEMMAP	   0x1200u
#define COMMAND	   0x2000u

static const char no_room[] = "guest memory is too small to boot a kernel";

static bool put_map(struct vmmu_gmem *mem, const struct load_request *req)
{
	for (uint32_t i = 0; i < req->map_count; i++) {
		const struct load_range *r = &req->map[i];
		struct hvm_memmap_table_entry e = {
			.addr = r->gpa.v,
			.size = r->size,
			.type = r->type,
		};

		if (!load_put(mem, MEMMAP + i * (uint32_t)sizeof(e), &e,
			      sizeof(e)))
			return false;
	}
	return true;
}

static const char *put_initrd(struct vmmu_gmem *mem,
			      const struct load_request *req, uint64_t floor,
			      struct hvm_start_info *info)
{
	struct hvm_modlist_entry module = { .size = req->initrd.size };
	uint64_t limit = req->low_ram_end;
	const char *wrong;
	gpa_t at;

	if (!req->initrd.data)
		return NULL;
	if (limit > VMMU_1G)
		limit = VMMU_1G;
	wrong = load_module(mem, &req->initrd, floor, limit, &at);
	if (wrong)
		return wrong;
	module.paddr = at.v;
	info->nr_modules = 1;
	info->modlist_paddr = MODULES;
	return load_put(mem, MODULES, &module, sizeof(module)) ? NULL : no_room;
}

const char *load_linux(struct vmmu_gmem *mem, const struct load_request *req,
		       struct load_entry *entry, bool *mine)
{
	struct hvm_start_info info = {
		.magic = XEN_HVM_START_MAGIC_VALUE,
		.version = 1,
		.cmdline_paddr = COMMAND,
		.rsdp_paddr = req->rsdp.v,
		.memmap_paddr = MEMMAP,
		.memmap_entries = req->map_count,
	};
	struct load_elf elf;
	const char *wrong;

	*mine = load_is_elf(&req->kernel);
	if (!*mine)
		return NULL;
	wrong = load_elf(mem, &req->kernel, &elf);
	if (wrong)
		return wrong;
	if (!elf.pvh_entry)
		return "the kernel has no PVH entry (CONFIG_PVH)";
	wrong = put_initrd(mem, req, elf.end, &info);
	if (wrong)
		return wrong;
	if (!put_map(mem, req) || !load_put_args(mem, COMMAND, req->args) ||
	    !load_put(mem, START_INFO, &info, sizeof(info)))
		return no_room;
	*entry = (struct load_entry){
		.kind = "linux",
		.eip = elf.pvh_entry,
		.ebx = START_INFO,
	};
	return NULL;
}
