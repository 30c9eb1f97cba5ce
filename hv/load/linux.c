/*
 * Linux by its PVH entry: the kernel's ELF segments at their addresses, the
 * initrd as high as it fits below 1 GiB (the kernel's first mapping), and
 * Xen's hvm_start_info in low memory, whose address the guest finds in ebx.
 *
 *   0x1000 start_info   0x1100 module list   0x1200 memory map
 *   0x2000 command line
 *
 * or the same two pages further on, where the kernel itself lies there.
 */
#include "load/load.h"

#include <assert.h>
#include <string.h>

#include <xen/arch-x86/hvm/start_info.h>
#include <xen/elfnote.h>

#define WISH	0x1000u
#define MODULES 0x100u /* offsets in the two pages */
#define MEMMAP	0x200u

static_assert(MEMMAP + LOAD_RANGES * sizeof(struct hvm_memmap_table_entry) <=
		      LOAD_ARGS,
	      "the memory map ends before the command line begins");

static const char no_room[] = "guest memory is too small to boot a kernel";

static bool put_map(struct load_work *w, uint32_t at)
{
	for (uint32_t i = 0; i < w->req->map_count; i++) {
		const struct load_range *r = &w->req->map[i];
		struct hvm_memmap_table_entry e = {
			.addr = r->gpa.v,
			.size = r->size,
			.type = r->type,
		};

		if (!load_put(w, at + i * (uint32_t)sizeof(e), &e, sizeof(e)))
			return false;
	}
	return true;
}

static const char *put_initrd(struct load_work *w, uint32_t at,
			      struct hvm_start_info *info)
{
	struct hvm_modlist_entry module = { .size = w->req->initrd.size };
	uint64_t limit = w->req->low_ram_end;
	const char *wrong;
	gpa_t where;

	if (!w->req->initrd.data)
		return NULL;
	if (limit > VMMU_1G)
		limit = VMMU_1G;
	wrong = load_module(w, limit, &where);
	if (wrong)
		return wrong;
	module.paddr = where.v;
	info->nr_modules = 1;
	info->modlist_paddr = at;
	return load_put(w, at, &module, sizeof(module)) ? NULL : no_room;
}

static const char *put_info(struct load_work *w, uint32_t *at)
{
	const struct load_request *req = w->req;
	struct hvm_start_info info = {
		.magic = XEN_HVM_START_MAGIC_VALUE,
		.version = 1,
		.rsdp_paddr = req->rsdp.v,
		.memmap_entries = req->map_count,
	};
	const char *wrong = load_info(w, WISH, at);

	if (wrong)
		return wrong;
	wrong = put_initrd(w, *at + MODULES, &info);
	if (wrong)
		return wrong;
	info.cmdline_paddr = *at + LOAD_ARGS;
	info.memmap_paddr = *at + MEMMAP;
	if (!put_map(w, *at + MEMMAP) || !load_put(w, *at, &info, sizeof(info)))
		return no_room;
	return NULL;
}

const char *load_linux(struct load_work *w, struct load_entry *entry,
		       bool *mine)
{
	const char *wrong;
	uint64_t pvh_entry;
	uint32_t info;

	*mine = load_is_elf(&w->req->kernel);
	if (!*mine)
		return NULL;
	wrong = load_elf(w);
	if (wrong)
		return wrong;
	pvh_entry = w->note[XEN_ELFNOTE_PHYS32_ENTRY];
	if (!pvh_entry)
		return "the kernel has no PVH entry (CONFIG_PVH)";
	if (!load_has(w, pvh_entry))
		return "the kernel's PVH entry is not in what it loads";
	wrong = put_info(w, &info);
	if (wrong)
		return wrong;
	*entry = (struct load_entry){
		.kind = "linux",
		.eip = (uint32_t)pvh_entry,
		.ebx = info,
	};
	return NULL;
}
