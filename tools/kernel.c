/*
 * What a kernel file is, and the part of it that a hypervisor can load.
 *
 * bzImage (linux Documentation/x86/boot.rst): the setup header begins at
 * 0x1f1; "HdrS" stands at 0x202 and the protocol version at 0x206; from 2.08
 * on, payload_offset (0x248) and payload_length (0x24c) say where the packed
 * vmlinux lies, counted from the start of the protected-mode code, which
 * follows (setup_sects + 1) sectors of 512 bytes; setup_sects 0 means 4.
 *
 * PVH (xen include/public/arch-x86/hvm/start_info.h and elfnote.h): an ELF
 * note of owner "Xen" and type 18 holds the 32-bit entry address; type 1 holds
 * the paravirtual one, of 64 bits.
 *
 * Multiboot 1: magic 0x1badb002 at a multiple of 4 within the first 8 KiB,
 * then flags and a checksum that make the sum zero.
 */
#include "kernel.h"

#include <elf.h>
#include <string.h>

#include "unpack.h"

#define NOTE_PV_ENTRY  1
#define NOTE_PVH_ENTRY 18

static uint32_t get32(const struct bytes *image, size_t at)
{
	uint32_t value;

	memcpy(&value, image->data + at, sizeof(value));
	return value;
}

static int is_bzimage(const struct bytes *image)
{
	return image->size >= 0x250 && image->data[0x1fe] == 0x55 &&
	       image->data[0x1ff] == 0xaa &&
	       memcmp(image->data + 0x202, "HdrS", 4) == 0;
}

static int is_multiboot(const struct bytes *image)
{
	size_t end = image->size < 8192 ? image->size : 8192;

	if (image->size < sizeof(Elf32_Ehdr) ||
	    memcmp(image->data, ELFMAG, SELFMAG) != 0 ||
	    image->data[EI_CLASS] != ELFCLASS32)
		return 0;
	for (size_t at = 0; at + 12 <= end; at += 4)
		if (get32(image, at) == 0x1badb002 &&
		    get32(image, at) + get32(image, at + 4) +
				    get32(image, at + 8) ==
			    0)
			return 1;
	return 0;
}

static int within(const struct bytes *image, uint64_t at, uint64_t size)
{
	return at <= image->size && size <= image->size - at;
}

int kernel_is_elf64(const struct bytes *image)
{
	Elf64_Ehdr eh;

	if (image->size < sizeof(eh))
		return 0;
	memcpy(&eh, image->data, sizeof(eh));
	return memcmp(eh.e_ident, ELFMAG, SELFMAG) == 0 &&
	       eh.e_ident[EI_CLASS] == ELFCLASS64 &&
	       eh.e_ident[EI_DATA] == ELFDATA2LSB &&
	       eh.e_machine == EM_X86_64 &&
	       eh.e_phentsize == sizeof(Elf64_Phdr) && eh.e_phnum > 0 &&
	       within(image, eh.e_phoff,
		      (uint64_t)eh.e_phnum * sizeof(Elf64_Phdr));
}

static uint64_t round4(uint32_t size)
{
	return ((uint64_t)size + 3) & ~(uint64_t)3;
}

/* The number in the note of this type in one PT_NOTE segment that lies within
 * the image, or 0. */
static uint64_t find_note(const struct bytes *image, uint64_t at, uint64_t end,
			  uint32_t type)
{
	while (end - at >= sizeof(Elf64_Nhdr)) {
		uint64_t name = at + sizeof(Elf64_Nhdr);
		uint64_t desc, value = 0;
		Elf64_Nhdr nh;

		memcpy(&nh, image->data + at, sizeof(nh));
		desc = name + round4(nh.n_namesz);
		if (desc > end || round4(nh.n_descsz) > end - desc)
			return 0;
		if (nh.n_type == type && nh.n_namesz == 4 &&
		    (nh.n_descsz == 4 || nh.n_descsz == 8) &&
		    memcmp(image->data + name, "Xen", 4) == 0) {
			memcpy(&value, image->data + desc, nh.n_descsz);
			return value;
		}
		at = desc + round4(nh.n_descsz);
	}
	return 0;
}

static uint64_t xen_note(const struct bytes *image, uint32_t type)
{
	uint64_t value = 0;
	Elf64_Ehdr eh;

	memcpy(&eh, image->data, sizeof(eh));
	for (size_t i = 0; i < eh.e_phnum && !value; i++) {
		Elf64_Phdr ph;

		memcpy(&ph, image->data + eh.e_phoff + i * sizeof(ph),
		       sizeof(ph));
		if (ph.p_type == PT_NOTE &&
		    within(image, ph.p_offset, ph.p_filesz))
			value = find_note(image, ph.p_offset,
					  ph.p_offset + ph.p_filesz, type);
	}
	return value;
}

uint64_t kernel_pvh_entry(const struct bytes *image)
{
	return xen_note(image, NOTE_PVH_ENTRY);
}

uint64_t kernel_pv_entry(const struct bytes *image)
{
	return xen_note(image, NOTE_PV_ENTRY);
}

enum kernel_kind kernel_kind(const struct bytes *image)
{
	if (is_bzimage(image))
		return KERNEL_BZIMAGE;
	if (is_multiboot(image))
		return KERNEL_MULTIBOOT;
	if (kernel_is_elf64(image) &&
	    (kernel_pvh_entry(image) || kernel_pv_entry(image)))
		return KERNEL_VMLINUX;
	return KERNEL_NONE;
}

static const char *find_payload(const struct bytes *image, struct bytes *to)
{
	uint64_t sectors = image->data[0x1f1] ? image->data[0x1f1] : 4;
	uint64_t at = (sectors + 1) * 512 + get32(image, 0x248);
	uint32_t length = get32(image, 0x24c);
	unsigned int version = get32(image, 0x206) & 0xffff;

	if (version < 0x208)
		return "is too old to be found (boot protocol before 2.08)";
	if (length == 0 || !within(image, at, length))
		return "is cut short";
	to->data = image->data + at;
	to->size = length;
	return NULL;
}

int kernel_extract(const char *path, const struct bytes *image,
		   struct bytes *vmlinux, struct outcome *out)
{
	struct bytes payload;
	const char *wrong;

	if (!is_bzimage(image))
		return outcome_set(out, OUTCOME_START, "%s: not a bzImage",
				   path);
	wrong = find_payload(image, &payload);
	if (!wrong)
		wrong = unpack(&payload, KERNEL_SIZE_MAX, vmlinux);
	if (!wrong && !kernel_is_elf64(vmlinux)) {
		bytes_free(vmlinux);
		wrong = "is not an x86-64 ELF image";
	}
	if (wrong)
		return outcome_set(out, OUTCOME_START,
				   "%s: the kernel inside this bzImage %s",
				   path, wrong);
	return OUTCOME_GOOD;
}
