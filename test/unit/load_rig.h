/*
 * What the tests and the fuzzer of the loaders share: a small VM's memory
 * with a PC's holes, one load into it, and a check that what was loaded is
 * right, made from the file and from memory alone.
 *
 *   0 .. 640 KiB  RAM    640 .. 768  no memory    768 .. 1024  reserved
 *   1 MiB .. 3 MiB  RAM    4 GiB .. +64 KiB  RAM
 */
#ifndef TEST_UNIT_LOAD_RIG_H
#define TEST_UNIT_LOAD_RIG_H

#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xen/arch-x86/hvm/start_info.h>

#include "lab/host.h"
#include "load/load.h"

#define RIG_KIB	 UINT64_C(1024)
#define RIG_MIB	 (1024 * RIG_KIB)
#define RIG_LOW	 (3 * RIG_MIB)
#define RIG_HIGH (UINT64_C(1) << 32)
#define RIG_ALL	 (RIG_LOW + 64 * RIG_KIB) /* of host memory */

struct load_rig {
	struct lab_host lab;
	struct vmmu_host host;
	struct vmmu_slot storage[4];
	struct vmmu_slots slots;
	struct vmmu_gmem mem;
	struct load_request req;
	struct load_entry entry;
};

static inline void load_rig_slot(struct load_rig *r, uint32_t id, uint64_t gpa,
				 uint64_t size, uint64_t hva)
{
	const struct vmmu_slot slot = {
		.id = id,
		.gpa = mk_gpa(gpa),
		.size = size,
		.hva = mk_hva(r->lab.hva_base.v + hva),
	};

	if (vmmu_slots_set(&r->slots, &slot) != VMMU_SLOT_OK)
		abort();
}

static inline void load_rig_init(struct load_rig *r)
{
	const struct lab_host_config c = { .memory = 4 * RIG_MIB,
					   .extent = VMMU_PAGE_SIZE,
					   .table_pages = 1 };

	memset(r, 0, sizeof(*r));
	if (!lab_host_init(&r->lab, &c))
		abort();
	r->host = lab_host_ops(&r->lab);
	vmmu_slots_init(&r->slots, r->storage, 4);
	load_rig_slot(r, 0, 0, 640 * RIG_KIB, 0);
	load_rig_slot(r, 1, 768 * RIG_KIB, RIG_LOW - 768 * RIG_KIB,
		      768 * RIG_KIB);
	load_rig_slot(r, 2, RIG_HIGH, 64 * RIG_KIB, RIG_LOW);
	vmmu_gmem_init(&r->mem, &r->slots, &r->host);
	r->req = (struct load_request){
		.args = "console=ttyS0 quiet",
		.map = { { mk_gpa(0), 640 * RIG_KIB, LOAD_RAM },
			 { mk_gpa(768 * RIG_KIB), 256 * RIG_KIB,
			   LOAD_RESERVED },
			 { mk_gpa(RIG_MIB), RIG_LOW - RIG_MIB, LOAD_RAM },
			 { mk_gpa(RIG_HIGH), 64 * RIG_KIB, LOAD_RAM } },
		.map_count = 4,
		.low_ram_end = RIG_LOW,
		.rsdp = mk_gpa(0xe0000),
	};
}

static inline void load_rig_fini(struct load_rig *r)
{
	lab_host_fini(&r->lab);
}

/* One load into memory that is new. The file is copied to where a byte read
 * beyond its end is found out. */
static inline const char *load_rig_load(struct load_rig *r, const void *file,
					size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);
	const char *wrong;

	lab_host_withdraw(&r->lab, r->lab.hva_base, RIG_ALL);
	vmmu_gmem_init(&r->mem, &r->slots, &r->host);
	memset(&r->entry, 0, sizeof(r->entry));
	if (size)
		memcpy(copy, file, size);
	r->req.kernel = (struct load_file){ copy, size };
	wrong = load_guest(&r->mem, &r->req, &r->entry);
	free(copy);
	r->req.kernel = (struct load_file){ file, size };
	return wrong;
}

static inline bool load_rig_is_ram(const struct load_rig *r, uint64_t gpa,
				   uint64_t size)
{
	uint64_t end = gpa + size;

	(void)r;
	return end >= gpa &&
	       (end <= 640 * RIG_KIB || (gpa >= RIG_MIB && end <= RIG_LOW) ||
		(gpa >= RIG_HIGH && end <= RIG_HIGH + 64 * RIG_KIB));
}

/* Memory holds these bytes, and then zeros up to `whole`. */
static inline bool load_rig_holds(struct load_rig *r, uint64_t gpa,
				  const uint8_t *bytes, uint64_t size,
				  uint64_t whole)
{
	uint8_t *got = malloc(whole + 1);
	bool same = load_rig_is_ram(r, gpa, whole) &&
		    vmmu_gmem_read(&r->mem, mk_gpa(gpa), got, whole) ==
			    VMMU_GMEM_OK &&
		    (!size || memcmp(got, bytes, size) == 0);

	for (uint64_t i = size; same && i < whole; i++)
		same = got[i] == 0;
	free(got);
	return same;
}

static inline uint32_t load_rig_u32(struct load_rig *r, uint64_t gpa)
{
	uint32_t v = 0;

	if (vmmu_gmem_read(&r->mem, mk_gpa(gpa), &v, 4) != VMMU_GMEM_OK)
		return UINT32_MAX;
	return v;
}

static inline bool load_rig_args(struct load_rig *r, uint64_t gpa)
{
	return load_rig_holds(r, gpa, (const uint8_t *)r->req.args,
			      strlen(r->req.args) + 1, strlen(r->req.args) + 1);
}

static inline const char *load_rig_check_linux(struct load_rig *r)
{
	struct hvm_start_info info = { 0 };
	struct hvm_modlist_entry module = { 0 };

	vmmu_gmem_read(&r->mem, mk_gpa(r->entry.ebx), &info, sizeof(info));
	if (info.magic != XEN_HVM_START_MAGIC_VALUE || info.version != 1 ||
	    info.rsdp_paddr != r->req.rsdp.v)
		return "start_info";
	if (!load_rig_args(r, info.cmdline_paddr))
		return "command line";
	if (info.memmap_entries != r->req.map_count)
		return "memory map's length";
	for (uint32_t i = 0; i < info.memmap_entries; i++) {
		struct hvm_memmap_table_entry e;

		vmmu_gmem_read(&r->mem,
			       mk_gpa(info.memmap_paddr + i * sizeof(e)), &e,
			       sizeof(e));
		if (e.addr != r->req.map[i].gpa.v ||
		    e.size != r->req.map[i].size ||
		    e.type != r->req.map[i].type)
			return "memory map";
	}
	if (info.nr_modules != (r->req.initrd.data != NULL))
		return "number of modules";
	if (!info.nr_modules)
		return NULL;
	vmmu_gmem_read(&r->mem, mk_gpa(info.modlist_paddr), &module,
		       sizeof(module));
	if (module.size != r->req.initrd.size ||
	    !load_rig_holds(r, module.paddr, r->req.initrd.data, module.size,
			    module.size))
		return "initrd";
	return NULL;
}

static inline const char *load_rig_check_multiboot(struct load_rig *r)
{
	uint64_t info = r->entry.ebx, mods, map;

	if (r->entry.eax != 0x2badb002)
		return "eax";
	if (load_rig_u32(r, info) != (0x45u | (r->req.initrd.data ? 8u : 0u)))
		return "information's flags";
	if (load_rig_u32(r, info + 4) != 640 ||
	    load_rig_u32(r, info + 8) != (RIG_LOW - RIG_MIB) / 1024)
		return "memory's size";
	if (!load_rig_args(r, load_rig_u32(r, info + 16)))
		return "command line";
	map = load_rig_u32(r, info + 48);
	if (load_rig_u32(r, info + 44) != 24 * r->req.map_count)
		return "memory map's length";
	for (uint32_t i = 0; i < r->req.map_count; i++) {
		const struct load_range *m = &r->req.map[i];
		const uint64_t line[2] = { m->gpa.v, m->size };

		if (load_rig_u32(r, map + 24 * i) != 20 ||
		    !load_rig_holds(r, map + 24 * i + 4, (const uint8_t *)line,
				    16, 16) ||
		    load_rig_u32(r, map + 24 * i + 20) != m->type)
			return "memory map";
	}
	if (load_rig_u32(r, info + 20) != (r->req.initrd.data != NULL))
		return "number of modules";
	if (!r->req.initrd.data)
		return NULL;
	mods = load_rig_u32(r, info + 24);
	if (load_rig_u32(r, mods + 4) - load_rig_u32(r, mods) !=
		    r->req.initrd.size ||
	    !load_rig_holds(r, load_rig_u32(r, mods), r->req.initrd.data,
			    r->req.initrd.size, r->req.initrd.size))
		return "module";
	return NULL;
}

/* Every loadable segment is in memory as the file has it. */
static inline const char *load_rig_check_elf(struct load_rig *r)
{
	const uint8_t *file = r->req.kernel.data;
	bool wide = file[EI_CLASS] == ELFCLASS64;
	Elf64_Ehdr e;
	Elf32_Ehdr e32;

	memcpy(&e32, file, sizeof(e32));
	if (wide) {
		memcpy(&e, file, sizeof(e));
	} else {
		e.e_phnum = e32.e_phnum;
		e.e_phoff = e32.e_phoff;
		e.e_phentsize = e32.e_phentsize;
	}
	for (unsigned i = 0; i < e.e_phnum; i++) {
		const uint8_t *at = file + e.e_phoff + i * e.e_phentsize;
		Elf64_Phdr p;
		Elf32_Phdr p32;

		memcpy(&p32, at, sizeof(p32));
		p = (Elf64_Phdr){ .p_type = p32.p_type,
				  .p_offset = p32.p_offset,
				  .p_paddr = p32.p_paddr,
				  .p_filesz = p32.p_filesz,
				  .p_memsz = p32.p_memsz };
		if (wide)
			memcpy(&p, at, sizeof(p));
		if (p.p_type == PT_LOAD && p.p_memsz &&
		    !load_rig_holds(r, p.p_paddr, file + p.p_offset, p.p_filesz,
				    p.p_memsz))
			return "segment";
	}
	return NULL;
}

/* A Multiboot image that was loaded, though it need not be an ELF file: by
 * the flag in the first header whose sum is right. */
static inline bool load_rig_is_flat(const struct load_rig *r)
{
	const struct load_file *f = &r->req.kernel;
	uint32_t word[3];

	for (size_t at = 0; at + 12 <= f->size && at + 12 <= 8192; at += 4) {
		memcpy(word, f->data + at, 12);
		if (word[0] == 0x1badb002 && word[0] + word[1] + word[2] == 0)
			return word[1] & 0x10000;
	}
	return false;
}

/* NULL, or which part of a guest that was loaded is not right. */
static inline const char *load_rig_check(struct load_rig *r)
{
	const char *wrong = !load_rig_is_flat(r) ? load_rig_check_elf(r) : NULL;
	hpa_t hpa;

	if (!load_rig_is_ram(r, r->entry.eip, 1))
		return "eip";
	for (uint64_t at = 640 * RIG_KIB; at < RIG_MIB; at += VMMU_PAGE_SIZE)
		if (lab_host_peek(&r->lab, mk_hva(r->lab.hva_base.v + at),
				  &hpa))
			return "the hole: it was written to";
	if (wrong)
		return wrong;
	return strcmp(r->entry.kind, "linux") == 0
		       ? load_rig_check_linux(r)
		       : load_rig_check_multiboot(r);
}

#endif
