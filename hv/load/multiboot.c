/*
 * Multiboot 1 images (the Multiboot Specification 0.6.96): an ELF32 file with
 * the header in its first 8 KiB, or a flat one whose header says where it
 * goes. The guest finds the information structure in ebx.
 *
 *   0x9000 information   0x9100 modules   0x9200 memory map
 *   0xa000 command line
 *
 * or the same two pages further on, where the image itself lies there.
 */
#include "load/load.h"

#include <assert.h>
#include <string.h>

#define HEADER_MAGIC	0x1badb002u
#define BOOT_MAGIC	0x2badb002u
#define SEARCH		8192u
#define HAS_ADDRESSES	(1u << 16)
#define MUST_UNDERSTAND 0xffffu
#define UNDERSTOOD	0x0003u /* modules page-aligned, memory wanted */

#define WISH	0x9000u
#define MODULES 0x100u /* offsets in the two pages */
#define MMAP	0x200u

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

static_assert(MMAP + LOAD_RANGES * sizeof(struct mmap_entry) <= LOAD_ARGS,
	      "the memory map ends before the command line begins");

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

static const char broken[] = "the Multiboot header's addresses are broken";

/* The header's own addresses: a flat image. Bytes from load_addr up to
 * load_end (0: all there are), then zeros up to bss_end (0: none). */
static const char *load_flat(struct load_work *w, const struct header *h,
			     uint64_t offset)
{
	const struct load_file *f = &w->req->kernel;
	uint64_t before, start, given, size;

	if (f->size - offset < sizeof(*h) || h->header_addr < h->load_addr)
		return broken;
	before = h->header_addr - h->load_addr;
	if (before > offset)
		return broken;
	start = offset - before;
	given = f->size - start;
	if (h->load_end) {
		if (h->load_end < h->load_addr)
			return broken;
		if (h->load_end - h->load_addr > given)
			return "the Multiboot image is cut short";
		given = h->load_end - h->load_addr;
	}
	size = given;
	if (h->bss_end) {
		if (h->bss_end < h->load_addr + given)
			return broken;
		size = h->bss_end - h->load_addr;
	}
	w->entry = h->entry;
	return load_place(w, h->load_addr, size, f->data + start, given);
}

static const char *load_image(struct load_work *w, bool *mine)
{
	const struct load_file *file = &w->req->kernel;
	struct header header;
	uint64_t offset = 0;
	const char *wrong;

	*mine = find_header(file, &header, &offset);
	if (!*mine)
		return NULL;
	if (header.flags & MUST_UNDERSTAND & ~UNDERSTOOD)
		return "the Multiboot image asks for what is not offered";
	if (header.flags & HAS_ADDRESSES)
		wrong = load_flat(w, &header, offset);
	else if (load_is_elf(file))
		wrong = load_elf(w);
	else
		wrong = "the Multiboot image has no addresses and is no ELF";
	if (!wrong && !load_has(w, w->entry))
		wrong = "the Multiboot image's entry is not in what it loads";
	return wrong;
}

static bool put_map(struct load_work *w, uint32_t at, struct information *info)
{
	const struct load_request *req = w->req;

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

		if (!load_put(w, at + i * (uint32_t)sizeof(e), &e, sizeof(e)))
			return false;
	}
	info->mmap_addr = at;
	info->mmap_length =
		req->map_count * (uint32_t)sizeof(struct mmap_entry);
	return true;
}

static const char *put_module(struct load_work *w, uint32_t at,
			      struct information *info)
{
	struct module module = { 0 };
	const char *wrong;
	gpa_t where;

	if (!w->req->initrd.data)
		return NULL;
	wrong = load_module(w, w->req->low_ram_end, &where);
	if (wrong)
		return wrong;
	module.start = (uint32_t)where.v;
	module.end = (uint32_t)(where.v + w->req->initrd.size);
	info->flags |= INFO_MODULES;
	info->mods_count = 1;
	info->mods_addr = at;
	return load_put(w, at, &module, sizeof(module)) ? NULL
							: "no low memory";
}

static const char *put_info(struct load_work *w, uint32_t *at)
{
	struct information info = {
		.flags = INFO_MEMORY | INFO_COMMAND | INFO_MMAP,
		.mem_lower = 640,
		.mem_upper = (uint32_t)((w->req->low_ram_end >> 10) - 1024),
	};
	const char *wrong = load_info(w, WISH, at);

	if (wrong)
		return wrong;
	wrong = put_module(w, *at + MODULES, &info);
	if (wrong)
		return wrong;
	info.cmdline = *at + LOAD_ARGS;
	if (!put_map(w, *at + MMAP, &info) ||
	    !load_put(w, *at, &info, sizeof(info)))
		return "guest memory is too small for a Multiboot guest";
	return NULL;
}

const char *load_multiboot(struct load_work *w, struct load_entry *entry,
			   bool *mine)
{
	const char *wrong = load_image(w, mine);
	uint32_t info;

	if (!*mine || wrong)
		return wrong;
	wrong = put_info(w, &info);
	if (wrong)
		return wrong;
	*entry = (struct load_entry){
		.kind = "multiboot",
		.eip = (uint32_t)w->entry,
		.eax = BOOT_MAGIC,
		.ebx = info,
	};
	return NULL;
}
