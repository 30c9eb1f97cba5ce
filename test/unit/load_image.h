/*
 * Files for the loaders, made from parts: an ELF kernel of either class with
 * a PVH note, the same with a Multiboot header, and a flat Multiboot image.
 */
#ifndef TEST_UNIT_LOAD_IMAGE_H
#define TEST_UNIT_LOAD_IMAGE_H

#include <elf.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define IMAGE_MAX    16384u
#define IMAGE_NOTES  0x180u
#define IMAGE_HEADER 0x200u /* Multiboot's */
#define IMAGE_TEXT   0x240u
#define IMAGE_TEXT_N 0x333u
#define IMAGE_DATA   (IMAGE_TEXT + IMAGE_TEXT_N)
#define IMAGE_DATA_N 0x111u
#define IMAGE_END    (IMAGE_DATA + IMAGE_DATA_N)
#define IMAGE_TAIL   40u /* bytes that no loader needs */

#define IMAGE_BASE 0x100000u
#define IMAGE_BSS  0x1234u

#define MB_MAGIC     0x1badb002u
#define MB_ADDRESSES (1u << 16)

struct image {
	uint8_t byte[IMAGE_MAX];
	size_t size;
	bool wide;
};

static inline void image_put32(struct image *m, size_t at, uint32_t value)
{
	memcpy(m->byte + at, &value, 4);
}

static inline void image_fill(struct image *m)
{
	for (size_t i = 0; i < IMAGE_MAX; i++)
		m->byte[i] = (uint8_t)(i * 37 % 251 + 1);
}

static inline size_t image_note(struct image *m, size_t at, const char *name,
				uint32_t name_size, uint32_t type,
				uint64_t desc, uint32_t desc_size)
{
	image_put32(m, at, name_size);
	image_put32(m, at + 4, desc_size);
	image_put32(m, at + 8, type);
	memcpy(m->byte + at + 12, name, name_size);
	at += 12 + (name_size + 3) / 4 * 4;
	memcpy(m->byte + at, &desc, desc_size);
	return at + (desc_size + 3) / 4 * 4;
}

/* Program header i; vaddr is high, as a kernel's is. */
static inline void image_segment(struct image *m, unsigned i, uint32_t type,
				 uint64_t offset, uint64_t paddr,
				 uint64_t filesz, uint64_t memsz)
{
	const Elf64_Phdr p = { .p_type = type,
			       .p_offset = offset,
			       .p_vaddr = 0xc0000000 + paddr,
			       .p_paddr = paddr,
			       .p_filesz = filesz,
			       .p_memsz = memsz };
	const Elf32_Phdr p32 = { .p_type = type,
				 .p_offset = (uint32_t)offset,
				 .p_vaddr = (uint32_t)p.p_vaddr,
				 .p_paddr = (uint32_t)paddr,
				 .p_filesz = (uint32_t)filesz,
				 .p_memsz = (uint32_t)memsz };

	if (m->wide)
		memcpy(m->byte + sizeof(Elf64_Ehdr) + i * sizeof(p), &p,
		       sizeof(p));
	else
		memcpy(m->byte + sizeof(Elf32_Ehdr) + i * sizeof(p32), &p32,
		       sizeof(p32));
}

static inline void image_header(struct image *m, uint16_t segments,
				uint64_t entry)
{
	const Elf64_Ehdr e = { .e_type = ET_EXEC,
			       .e_machine = EM_X86_64,
			       .e_entry = entry,
			       .e_phoff = sizeof(e),
			       .e_phentsize = sizeof(Elf64_Phdr),
			       .e_phnum = segments };
	const Elf32_Ehdr e32 = { .e_type = ET_EXEC,
				 .e_machine = EM_386,
				 .e_entry = (uint32_t)entry,
				 .e_phoff = sizeof(e32),
				 .e_phentsize = sizeof(Elf32_Phdr),
				 .e_phnum = segments };

	memcpy(m->byte, m->wide ? (const void *)&e : (const void *)&e32,
	       m->wide ? sizeof(e) : sizeof(e32));
	memcpy(m->byte, ELFMAG, SELFMAG);
	m->byte[EI_CLASS] = m->wide ? ELFCLASS64 : ELFCLASS32;
	m->byte[EI_DATA] = ELFDATA2LSB;
}

/* Text with .bss behind it, data, and notes, one of them a stranger's. */
static inline void image_linux(struct image *m, bool wide)
{
	size_t notes;

	m->wide = wide;
	m->size = IMAGE_END + IMAGE_TAIL;
	image_fill(m);
	notes = image_note(m, IMAGE_NOTES, "GNUxyz", 7, 3, 0x1122334455, 5);
	notes = image_note(m, notes, "Xen", 4, 18, IMAGE_BASE + 0x50,
			   wide ? 8 : 4);
	image_header(m, 4, 0xc0000000 + IMAGE_BASE + 4);
	image_segment(m, 0, PT_LOAD, IMAGE_TEXT, IMAGE_BASE, IMAGE_TEXT_N,
		      IMAGE_TEXT_N + IMAGE_BSS);
	image_segment(m, 1, PT_LOAD, IMAGE_DATA, IMAGE_BASE + 0x8000,
		      IMAGE_DATA_N, IMAGE_DATA_N);
	image_segment(m, 2, PT_NOTE, IMAGE_NOTES, 0, notes - IMAGE_NOTES, 0);
	image_segment(m, 3, PT_GNU_STACK, 0, 0, 0, 0);
}

static inline void image_magic(struct image *m, size_t at, uint32_t flags)
{
	image_put32(m, at, MB_MAGIC);
	image_put32(m, at + 4, flags);
	image_put32(m, at + 8, 0u - MB_MAGIC - flags);
}

static inline void image_multiboot(struct image *m)
{
	image_linux(m, false);
	image_magic(m, IMAGE_HEADER, 3);
}

/* Header, load, end, .bss, entry: as the header's last five words. */
static inline void image_addresses(struct image *m, size_t at,
				   const uint32_t word[5])
{
	for (unsigned i = 0; i < 5; i++)
		image_put32(m, at + 12 + 4 * i, word[i]);
}

/* A flat image at IMAGE_BASE, the header `at` bytes into it. */
static inline void image_flat(struct image *m, size_t at, size_t size)
{
	const uint32_t word[5] = { IMAGE_BASE + (uint32_t)at, IMAGE_BASE,
				   IMAGE_BASE + (uint32_t)size,
				   IMAGE_BASE + (uint32_t)size + IMAGE_BSS,
				   IMAGE_BASE + 0x10 };

	m->wide = false;
	m->size = size;
	image_fill(m);
	image_magic(m, at, MB_ADDRESSES);
	image_addresses(m, at, word);
}

#endif
