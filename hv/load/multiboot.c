/*
 * Multiboot 1 images (the Multiboot Specification 0.6.96): an ELF32 file with
 * the header in its first 8 KiB, or a flat one whose header says where it
 * goes. The guest finds the information structure in ebx.
 *
 *   0x9000 information   0x9100 modules   0x9200 memory map
 *   0xa000 command line
 */
#include "load/load.h"

#include <string.h>

#define HEADER_MAGIC	0x1badb002u
#define BOOT_MAGIC	0x2badb002u
#define SEARCH		8192u
#define HAS_ADDRESSES	(1u << 16)
#define MUST_UNDERSTAND 0xffffu
#define UNDERSTOOD	0x0003u /* modules page-aligned, memory wanted */

#define INFO	0x9000u
#define MODULES 0x9100u
#define MMAP	0x9200u
#define COMMAND 0xa000u

#define INFO_MEMORY  (1u << 0)
#define INFO_COMMAND (1u << 2)
#define INFO_MODULES (1u << 3)
#define INFO_MMAP    (1u << 6)

struct header {
	uint32_t magic, flags, checksum;
	uint32_t header_addr, load_addr, load_end, bss_end, entry;
};

struct information {
	uint32_t flags, mem_lower, mem_upper, boot_device, cmdline;
	uint32_t mods_count, mods_addr, syms[4], mmap_length, mmap_addr;
};

struct module {
	uint32_t start, end, string, reserved;
};

struct mmap_entry {
	uint32_t size; /* of what follows */
	uint32_t base_low, base_high, length_low, length_high, type;
};

static bool find_header(const struct load_file *f, struct header *h,
			uint64_t *offset)
{
	uint64_t at;

	for (at = 0; at + 12 <= f->size && at + 12 <= SEARCH; at += 4) {
		memset(h, 0, sizeof(*h));
		memcpy(h, f->data + at, 12);
		if (h->magic != HEADER_MAGIC ||
		    h->magic + h->flags + h->checksum != 0)
			continue;
		if (at + sizeof(*h) <= f->size)
			memcpy(h, f->data + at, sizeof(*h));
		*offset = at;
		return true;
	}
	return false;
}

/* The header's own addresses: a flat image. */
static const char *load_flat(struct vmmu_gmem *mem, const struct load_file *f,
			     const struct header *h, uint64_t offset,
			     struct load_elf *out)
{
	uint64_t before, start, size;

	if (h->header_addr < h->load_addr)
		return "the Multiboot header's addresses are broken";
	before = h->header_addr - h->load_addr;
	if (before > offset)
		return "the Multiboot header's addresses are broken";
	start = offset - before;
	size = f->size - start;
	if (h->load_end) {
		if (h->load_end < h->load_addr ||
		    h->load_end - h->load_addr > size)
			return "the Multiboot image is cut short";
		size = h->load_end - h->load_addr;
	}
	if (vmmu_gmem_write(mem, mk_gpa(h->load_addr), f->data + start, size) !=
	    VMMU_GMEM_OK)
		return "the image does not fit into guest memory";
	out->entry = h->entry;
	out->end = h->load_addr + size;
	if (h->bss_end > out->end)
		out->end = h->bss_end;
	return NULL;
}

static bool put_map(struct vmmu_gmem *mem, const struct load_request *req,
		    struct information *info)
{
	for (uint32_t i = 0; i < req->map_count; i++) {
		const struct load_range *r = &req->map[i];
		struct mmap_entry e = {
			.size = sizeof(e) - 4,
			.base_low = (uint32_t)r->gpa.v,
			.base_high = (uint32_t)(r->gpa.v >> 32),
			.length_low = (uint32_t)r->size,
			.length_high = (uint32_t)(r->size >> 32),
			.type = r->type,
		};

		if (!load_put(mem, MMAP + i * (uint32_t)sizeof(e), &e,
			      sizeof(e)))
			return false;
	}
	info->mmap_addr = MMAP;
	info->mmap_length =
		req->map_count * (uint32_t)sizeof(struct mmap_entry);
	return true;
}

static const char *put_module(struct vmmu_gmem *mem,
			      const struct load_request *req, uint64_t floor,
			      struct information *info)
{
	struct module module = { 0 };
	const char *wrong;
	gpa_t at;

	if (!req->initrd.data)
		return NULL;
	wrong = load_module(mem, &req->initrd, floor, req->low_ram_end, &at);
	if (wrong)
		return wrong;
	module.start = (uint32_t)at.v;
	module.end = (uint32_t)(at.v + req->initrd.size);
	info->flags |= INFO_MODULES;
	info->mods_count = 1;
	info->mods_addr = MODULES;
	return load_put(mem, MODULES, &module, sizeof(module))
		       ? NULL
		       : "no low memory";
}

const char *load_multiboot(struct vmmu_gmem *mem,
			   const struct load_request *req,
			   struct load_entry *entry, bool *mine)
{
	const struct load_file *file = &req->kernel;
	struct information info = {
		.flags = INFO_MEMORY | INFO_COMMAND | INFO_MMAP,
		.mem_lower = 640,
		.mem_upper = (uint32_t)((req->low_ram_end >> 10) - 1024),
		.cmdline = COMMAND,
	};
	struct header header;
	struct load_elf image = { 0 };
	uint64_t offset = 0;
	const char *wrong;

	*mine = find_header(file, &header, &offset);
	if (!*mine)
		return NULL;
	if (header.flags & MUST_UNDERSTAND & ~UNDERSTOOD)
		return "the Multiboot image asks for what is not offered";
	if (header.flags & HAS_ADDRESSES)
		wrong = load_flat(mem, file, &header, offset, &image);
	else if (load_is_elf(file))
		wrong = load_elf(mem, file, &image);
	else
		wrong = "the Multiboot image has no addresses and is no ELF";
	if (wrong)
		return wrong;
	wrong = put_module(mem, req, image.end, &info);
	if (wrong)
		return wrong;
	if (!put_map(mem, req, &info) ||
	    !load_put_args(mem, COMMAND, req->args) ||
	    !load_put(mem, INFO, &info, sizeof(info)))
		return "guest memory is too small for a Multiboot guest";
	*entry = (struct load_entry){
		.kind = "multiboot",
		.eip = (uint32_t)image.entry,
		.eax = BOOT_MAGIC,
		.ebx = INFO,
	};
	return NULL;
}
