/*
 * ELF files, 32 and 64 bits: program headers, loadable segments and Xen's
 * notes. Every offset is checked against the file before it is used; both
 * classes are read into the wider one's header so that one loop serves both.
 *
 * Segments go to their physical addresses. The entry point is an address of
 * the same kind as p_vaddr where a segment has it there, so it moves with
 * that segment; else it is physical already.
 */
#include "load/load.h"

#include <elf.h>
#include <string.h>

bool load_is_elf(const struct load_file *file)
{
	return file->size >= sizeof(Elf32_Ehdr) &&
	       memcmp(file->data, ELFMAG, SELFMAG) == 0;
}

static bool in_file(const struct load_file *file, uint64_t at, uint64_t size)
{
	return at <= file->size && size <= file->size - at;
}

struct headers {
	bool wide;
	uint16_t type, machine;
	uint64_t entry, offset;
	unsigned count, entry_size;
};

static bool read_wide(const struct load_file *file, struct headers *h)
{
	Elf64_Ehdr e;

	if (file->size < sizeof(e))
		return false;
	memcpy(&e, file->data, sizeof(e));
	*h = (struct headers){ true,	  e.e_type,  e.e_machine,  e.e_entry,
			       e.e_phoff, e.e_phnum, e.e_phentsize };
	return h->entry_size >= sizeof(Elf64_Phdr);
}

static bool read_headers(const struct load_file *file, struct headers *h)
{
	Elf32_Ehdr e;

	if (file->data[EI_CLASS] == ELFCLASS64)
		return read_wide(file, h);
	memcpy(&e, file->data, sizeof(e));
	*h = (struct headers){ false,	  e.e_type,  e.e_machine,  e.e_entry,
			       e.e_phoff, e.e_phnum, e.e_phentsize };
	return file->data[EI_CLASS] == ELFCLASS32 &&
	       h->entry_size >= sizeof(Elf32_Phdr);
}

/* A program for this processor, and no object file or core dump. */
static bool can_run(const struct load_file *file, const struct headers *h)
{
	return file->data[EI_DATA] == ELFDATA2LSB &&
	       (h->machine == EM_386 || h->machine == EM_X86_64) &&
	       (h->type == ET_EXEC || h->type == ET_DYN);
}

static bool read_segment(const struct load_file *file, const struct headers *h,
			 unsigned i, Elf64_Phdr *p)
{
	uint64_t at = h->offset + (uint64_t)i * h->entry_size;
	Elf32_Phdr p32;

	if (h->offset > file->size || !in_file(file, at, h->entry_size))
		return false;
	if (h->wide) {
		memcpy(p, file->data + at, sizeof(*p));
	} else {
		memcpy(&p32, file->data + at, sizeof(p32));
		p->p_type = p32.p_type;
		p->p_offset = p32.p_offset;
		p->p_vaddr = p32.p_vaddr;
		p->p_paddr = p32.p_paddr;
		p->p_filesz = p32.p_filesz;
		p->p_memsz = p32.p_memsz;
	}
	return (p->p_type != PT_LOAD && p->p_type != PT_NOTE) ||
	       in_file(file, p->p_offset, p->p_filesz);
}

static uint64_t align4(uint64_t n)
{
	return (n + 3) & ~UINT64_C(3);
}

/* Name and descriptor of each note are padded to four bytes. A number has the
 * size of the file's addresses; texts of that size are read as one, and not
 * looked at. */
static void read_notes(const uint8_t *data, uint64_t size, struct load_work *w)
{
	uint64_t at = 0;

	while (at <= size && size - at >= sizeof(Elf64_Nhdr)) {
		Elf64_Nhdr n;
		uint64_t name, desc;

		memcpy(&n, data + at, sizeof(n));
		name = at + sizeof(n);
		desc = name + align4(n.n_namesz);
		at = desc + align4(n.n_descsz);
		if (desc > size || n.n_descsz > size - desc)
			return;
		if (n.n_type < LOAD_NOTES && n.n_namesz == 4 &&
		    (n.n_descsz == 4 || n.n_descsz == 8) &&
		    memcmp(data + name, "Xen", 4) == 0) {
			w->note[n.n_type] = 0;
			memcpy(&w->note[n.n_type], data + desc, n.n_descsz);
			w->notes |= 1u << n.n_type;
		}
	}
}

static const char *place(struct load_work *w, const struct headers *h,
			 const Elf64_Phdr *p)
{
	if (p->p_memsz < p->p_filesz)
		return "the kernel's ELF segments are broken";
	if (!p->p_memsz)
		return NULL;
	if (h->entry >= p->p_vaddr && h->entry - p->p_vaddr < p->p_memsz)
		w->entry = h->entry - p->p_vaddr + p->p_paddr;
	return load_place(w, p->p_paddr, p->p_memsz,
			  w->req->kernel.data + p->p_offset, p->p_filesz);
}

const char *load_elf(struct load_work *w)
{
	const struct load_file *file = &w->req->kernel;
	const char *wrong = NULL;
	struct headers h;

	if (!read_headers(file, &h) || h.count > LOAD_SEGMENTS)
		return "the kernel's ELF header is broken";
	if (!can_run(file, &h))
		return "the kernel is an ELF file, but not a program for x86";
	w->entry = h.entry;
	for (unsigned i = 0; i < h.count && !wrong; i++) {
		Elf64_Phdr p;

		if (!read_segment(file, &h, i, &p))
			return "the kernel's ELF file is cut short";
		if (p.p_type == PT_NOTE)
			read_notes(file->data + p.p_offset, p.p_filesz, w);
		if (p.p_type == PT_LOAD)
			wrong = place(w, &h, &p);
	}
	return wrong;
}
