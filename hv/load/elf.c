/*
 * ELF files, 32 and 64 bits: program headers, loadable segments and Xen's
 * notes. Every offset is checked against the file before it is used; both
 * classes are read into the wider one's header so that one loop serves both.
 */
#include "load/load.h"

#include <elf.h>
#include <string.h>

#include <xen/elfnote.h>

#define SEGMENTS_MAX 64

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
	uint64_t entry, offset;
	unsigned count, entry_size;
};

static bool read_headers(const struct load_file *file, struct headers *h)
{
	Elf32_Ehdr e32;
	Elf64_Ehdr e64;

	h->wide = file->data[EI_CLASS] == ELFCLASS64;
	if (h->wide) {
		if (file->size < sizeof(e64))
			return false;
		memcpy(&e64, file->data, sizeof(e64));
		h->entry = e64.e_entry;
		h->offset = e64.e_phoff;
		h->count = e64.e_phnum;
		h->entry_size = e64.e_phentsize;
		return h->entry_size >= sizeof(Elf64_Phdr);
	}
	memcpy(&e32, file->data, sizeof(e32));
	h->entry = e32.e_entry;
	h->offset = e32.e_phoff;
	h->count = e32.e_phnum;
	h->entry_size = e32.e_phentsize;
	return h->entry_size >= sizeof(Elf32_Phdr);
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
		p->p_paddr = p32.p_paddr;
		p->p_filesz = p32.p_filesz;
		p->p_memsz = p32.p_memsz;
	}
	return in_file(file, p->p_offset, p->p_filesz);
}

static uint64_t align4(uint64_t n)
{
	return (n + 3) & ~UINT64_C(3);
}

/* Name and descriptor of each note are padded to four bytes. */
static void read_notes(const uint8_t *data, uint64_t size, struct load_elf *out)
{
	uint64_t at = 0;

	while (size - at >= sizeof(Elf64_Nhdr)) {
		Elf64_Nhdr n;
		uint64_t name, desc;

		memcpy(&n, data + at, sizeof(n));
		name = at + sizeof(n);
		desc = name + align4(n.n_namesz);
		at = desc + align4(n.n_descsz);
		if (at > size)
			return;
		if (n.n_type == XEN_ELFNOTE_PHYS32_ENTRY && n.n_namesz == 4 &&
		    n.n_descsz >= 4 && memcmp(data + name, "Xen", 4) == 0)
			memcpy(&out->pvh_entry, data + desc, 4);
	}
}

const char *load_elf(struct vmmu_gmem *mem, const struct load_file *file,
		     struct load_elf *out)
{
	struct headers h;

	memset(out, 0, sizeof(*out));
	if (!read_headers(file, &h) || h.count > SEGMENTS_MAX)
		return "the kernel's ELF header is broken";
	out->entry = h.entry;
	for (unsigned i = 0; i < h.count; i++) {
		Elf64_Phdr p;

		if (!read_segment(file, &h, i, &p))
			return "the kernel's ELF file is cut short";
		if (p.p_type == PT_NOTE)
			read_notes(file->data + p.p_offset, p.p_filesz, out);
		if (p.p_type != PT_LOAD || !p.p_memsz)
			continue;
		if (p.p_memsz < p.p_filesz || p.p_paddr + p.p_memsz < p.p_paddr)
			return "the kernel's ELF segments are broken";
		if (vmmu_gmem_write(mem, mk_gpa(p.p_paddr),
				    file->data + p.p_offset,
				    p.p_filesz) != VMMU_GMEM_OK)
			return "the kernel does not fit into guest memory";
		if (p.p_paddr + p.p_memsz > out->end)
			out->end = p.p_paddr + p.p_memsz;
	}
	return NULL;
}
