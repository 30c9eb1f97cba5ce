/*
 * Which kind of guest is it? And what both kinds need:
 *
 *   1. the parts of guest memory that are taken
 *   2. the image, the initrd and the information as such parts
 *   3. the choice
 */
#include "load/load.h"

#define LOW_END UINT64_C(0xa0000) /* where a PC's video window begins */

/* 1. Parts. */

static bool is_ram(const struct load_request *req, uint64_t gpa, uint64_t size)
{
	for (uint32_t i = 0; i < req->map_count; i++) {
		const struct load_range *r = &req->map[i];

		if (r->type == LOAD_RAM && gpa >= r->gpa.v &&
		    gpa - r->gpa.v <= r->size &&
		    size <= r->size - (gpa - r->gpa.v))
			return true;
	}
	return false;
}

/* The part that the range meets, or NULL. */
static const struct load_part *met(const struct load_work *w, uint64_t gpa,
				   uint64_t size)
{
	for (unsigned i = 0; i < w->count; i++)
		if (gpa < w->part[i].end && w->part[i].start < gpa + size)
			return &w->part[i];
	return NULL;
}

bool load_take(struct load_work *w, uint64_t gpa, uint64_t size)
{
	if (w->count == LOAD_PARTS || !is_ram(w->req, gpa, size) ||
	    met(w, gpa, size))
		return false;
	w->part[w->count++] = (struct load_part){ gpa, gpa + size };
	return true;
}

bool load_has(const struct load_work *w, uint64_t gpa)
{
	return gpa <= UINT32_MAX && met(w, gpa, 1) != NULL;
}

/* 2. What becomes a part. */

const char *load_place(struct load_work *w, uint64_t gpa, uint64_t size,
		       const uint8_t *data, uint64_t given)
{
	if (!is_ram(w->req, gpa, size))
		return "the kernel does not fit into guest memory";
	if (!load_take(w, gpa, size))
		return "the kernel's parts overlap";
	if (vmmu_gmem_write(w->mem, mk_gpa(gpa), data, given) != VMMU_GMEM_OK)
		return "the kernel does not fit into guest memory";
	return NULL;
}

/* Downwards past each part that is in the way. */
static bool room_below(const struct load_work *w, uint64_t limit, uint64_t size,
		       uint64_t *at)
{
	const struct load_part *part;

	for (;;) {
		if (size > limit)
			return false;
		*at = (limit - size) & ~VMMU_PAGE_MASK;
		part = met(w, *at, size);
		if (!part)
			return true;
		limit = part->start;
	}
}

const char *load_module(struct load_work *w, uint64_t limit, gpa_t *at)
{
	static const char no_room[] =
		"the initrd does not fit into guest memory";
	const struct load_file *file = &w->req->initrd;
	uint64_t where;

	if (!room_below(w, limit, file->size, &where) ||
	    !load_take(w, where, file->size))
		return no_room;
	*at = mk_gpa(where);
	if (vmmu_gmem_write(w->mem, *at, file->data, file->size) !=
	    VMMU_GMEM_OK)
		return no_room;
	return NULL;
}

bool load_put(struct load_work *w, uint32_t gpa, const void *what,
	      uint64_t size)
{
	return vmmu_gmem_write(w->mem, mk_gpa(gpa), what, size) == VMMU_GMEM_OK;
}

const char *load_info(struct load_work *w, uint32_t wish, uint32_t *at)
{
	const char *args = w->req->args;
	uint64_t size = 0;

	*at = wish;
	while (!load_take(w, *at, LOAD_INFO_SIZE)) {
		*at += (uint32_t)VMMU_PAGE_SIZE;
		if (*at + LOAD_INFO_SIZE > LOW_END)
			return "the kernel leaves no low memory to tell it "
			       "what it has";
	}
	while (args[size])
		size++;
	if (size >= LOAD_ARGS_MAX)
		return "the guest's command line is too long";
	return load_put(w, *at + LOAD_ARGS, args, size + 1)
		       ? NULL
		       : "guest memory is too small to boot a kernel";
}

/* 3. The choice. */

const char *load_guest(struct vmmu_gmem *mem, const struct load_request *req,
		       struct load_entry *entry)
{
	struct load_work work = { .mem = mem, .req = req };
	const char *wrong;
	bool mine = false;

	if (!req->kernel.data)
		return "no kernel was given: the first module is the kernel";
	wrong = load_multiboot(&work, entry, &mine);
	if (mine)
		return wrong;
	wrong = load_linux(&work, entry, &mine);
	if (mine)
		return wrong;
	return "the kernel is neither an ELF file with a PVH entry nor a "
	       "Multiboot image";
}
