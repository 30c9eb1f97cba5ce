/*
 * See multiboot.h. Every structure is copied out through the reader before
 * it is looked at; lengths and sums are checked before use.
 */
#include "boot/multiboot.h"

#include <string.h>

#define MAGIC 0x2badb002

#define INFO_HAS_CMDLINE (1u << 2)
#define INFO_HAS_MODULES (1u << 3)
#define INFO_HAS_MMAP	 (1u << 6)

/* The fields that we read, at their offsets. */
struct info {
	uint32_t flags;
	uint32_t mem_lower, mem_upper;
	uint32_t boot_device;
	uint32_t cmdline;
	uint32_t mods_count, mods_addr;
	uint32_t syms[4];
	uint32_t mmap_length, mmap_addr;
};

struct module {
	uint32_t start, end, string, reserved;
};

struct mmap_entry {
	uint32_t size; /* of what follows: entries may grow */
	uint32_t base[2], length[2];
	uint32_t type;
};

#define MMAP_ENTRY_MIN 20 /* the size field's least value */
/* A map longer than this is garbage. */
#define MMAP_BYTES_MAX 65536

static bool copy(const struct boot_reader *r, uint64_t hpa, void *to,
		 uint64_t size)
{
	const void *from = r->at(r->ctx, hpa, size);

	if (from == NULL)
		return false;
	memcpy(to, from, size);
	return true;
}

static const char *take_cmdline(const struct boot_reader *r, uint32_t hpa,
				struct boot_info *out)
{
	size_t i;

	for (i = 0; i < BOOT_CMDLINE_MAX; i++) {
		if (!copy(r, (uint64_t)hpa + i, &out->cmdline[i], 1))
			return "the command line is not in memory";
		if (out->cmdline[i] == '\0')
			return NULL;
	}
	return "the command line is too long";
}

static const char *take_modules(const struct boot_reader *r,
				const struct info *info, struct boot_info *out)
{
	struct module m;
	unsigned i;

	if (info->mods_count > BOOT_MODULES_MAX)
		return "too many modules";
	for (i = 0; i < info->mods_count; i++) {
		if (!copy(r, info->mods_addr + (uint64_t)i * sizeof(m), &m,
			  sizeof(m)))
			return "the list of modules is not in memory";
		if (m.end < m.start)
			return "a module ends before it starts";
		out->module[i].start = mk_hpa(m.start);
		out->module[i].size = m.end - m.start;
	}
	out->module_count = info->mods_count;
	return NULL;
}

static uint64_t join(const uint32_t half[2])
{
	return (uint64_t)half[1] << 32 | half[0];
}

static const char *add_memory(const struct mmap_entry *e, struct boot_info *out)
{
	uint64_t base = join(e->base), length = join(e->length);

	if (length == 0)
		return NULL;
	if (base + (length - 1) < base)
		return "a line of the memory map wraps around";
	if (out->memory_count == BOOT_MEMORY_MAX)
		return "the memory map has too many lines";
	out->memory[out->memory_count++] = (struct boot_memory){
		.start = mk_hpa(base),
		.size = length,
		.type = e->type,
	};
	return NULL;
}

static const char *take_mmap(const struct boot_reader *r,
			     const struct info *info, struct boot_info *out)
{
	struct mmap_entry e;
	const char *wrong;
	uint64_t at = 0;

	if (info->mmap_length > MMAP_BYTES_MAX)
		return "the memory map is too long";
	while (at + sizeof(e) <= info->mmap_length) {
		if (!copy(r, info->mmap_addr + at, &e, sizeof(e)))
			return "the memory map is not in memory";
		if (e.size < MMAP_ENTRY_MIN)
			return "a line of the memory map is too short";
		wrong = add_memory(&e, out);
		if (wrong != NULL)
			return wrong;
		at += (uint64_t)e.size + sizeof(e.size);
	}
	return NULL;
}

const char *multiboot_parse(uint32_t magic, uint32_t info_hpa,
			    const struct boot_reader *r, struct boot_info *out)
{
	struct info info;
	const char *wrong = NULL;

	memset(out, 0, sizeof(*out));
	if (magic != MAGIC)
		return "not started by a Multiboot loader";
	if (!copy(r, info_hpa, &info, sizeof(info)))
		return "the Multiboot information is not in memory";
	if (!(info.flags & INFO_HAS_MMAP))
		return "the loader gives no memory map";
	if (info.flags & INFO_HAS_CMDLINE)
		wrong = take_cmdline(r, info.cmdline, out);
	if (wrong == NULL && (info.flags & INFO_HAS_MODULES))
		wrong = take_modules(r, &info, out);
	if (wrong == NULL)
		wrong = take_mmap(r, &info, out);
	return wrong;
}

/* The next word at or after *at; its length, 0 at the end. What follows the
 * word "--" is the guest's. */
static size_t next_word(const char **at)
{
	size_t n = 0;

	while (**at == ' ' || **at == '\t')
		(*at)++;
	while ((*at)[n] != '\0' && (*at)[n] != ' ' && (*at)[n] != '\t')
		n++;
	return n == 2 && memcmp(*at, "--", 2) == 0 ? 0 : n;
}

static size_t text_length(const char *s)
{
	size_t n = 0;

	while (s[n] != '\0')
		n++;
	return n;
}

bool boot_option(const struct boot_info *boot, const char *key, char *value,
		 size_t size)
{
	const char *word = boot->cmdline;
	size_t key_n = text_length(key);
	size_t n;

	for (; (n = next_word(&word)) != 0; word += n) {
		if (n <= key_n || word[key_n] != '=' ||
		    memcmp(word, key, key_n) != 0)
			continue;
		n -= key_n + 1;
		if (n >= size)
			return false;
		memcpy(value, word + key_n + 1, n);
		value[n] = '\0';
		return true;
	}
	return false;
}

bool boot_flag(const struct boot_info *boot, const char *want)
{
	const char *word = boot->cmdline;
	size_t want_n = text_length(want);
	size_t n;

	for (; (n = next_word(&word)) != 0; word += n) {
		if (n == want_n && memcmp(word, want, n) == 0)
			return true;
	}
	return false;
}
