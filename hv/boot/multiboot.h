/*
 * What the boot loader hands over (Multiboot 1, section 3.3), read once,
 * checked, and copied: afterwards nothing refers to the loader's memory but
 * the modules themselves.
 */
#ifndef HV_BOOT_MULTIBOOT_H
#define HV_BOOT_MULTIBOOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vmmu/addr.h>

#define BOOT_CMDLINE_MAX 4096
#define BOOT_MODULES_MAX 8
#define BOOT_MEMORY_MAX	 64

struct boot_module {
	hpa_t start;
	uint64_t size; /* bytes, not rounded */
};

/* One line of the firmware's memory map; type 1 is RAM. */
struct boot_memory {
	hpa_t start;
	uint64_t size;
	uint32_t type;
};

#define BOOT_MEMORY_RAM 1u

struct boot_info {
	char cmdline[BOOT_CMDLINE_MAX];
	unsigned module_count;
	struct boot_module module[BOOT_MODULES_MAX];
	unsigned memory_count;
	struct boot_memory memory[BOOT_MEMORY_MAX];
};

/* Machine memory as the parser may read it: a pointer to `size` bytes at
 * `hpa`, or NULL where they cannot be read. */
struct boot_reader {
	const void *(*at)(void *ctx, uint64_t hpa, uint64_t size);
	void *ctx;
};

/* `magic` and `info` are eax and ebx at entry. NULL when all is well, else a
 * sentence. What exceeds the bounds above is refused, not cut. */
const char *multiboot_parse(uint32_t magic, uint32_t info,
			    const struct boot_reader *reader,
			    struct boot_info *out);

/* The value of `key=` among the command line's words before "--", copied to
 * `value`; false when it is not there or does not fit. */
bool boot_option(const struct boot_info *boot, const char *key, char *value,
		 size_t size);

/* True when `word` stands by itself among them. */
bool boot_flag(const struct boot_info *boot, const char *word);

#endif
