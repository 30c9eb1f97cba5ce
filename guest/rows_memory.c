/*
 * Rows about one address space: mapping, touching, protecting, computing.
 *
 * Every page gets a word that depends on its number, and what was written is
 * read back after the clock has stopped, so that two pages that share a frame
 * or a write that went astray turn the row into a failure.
 */
#include "rows.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void put_word(uint8_t *page, uint64_t word)
{
	memcpy(page + (word % (PAGE / 8)) * 8, &word, sizeof(word));
}

static bool has_word(const uint8_t *page, uint64_t word)
{
	return memcmp(page + (word % (PAGE / 8)) * 8, &word, sizeof(word)) == 0;
}

static void put_words(uint8_t *memory, size_t pages, uint64_t seed)
{
	for (size_t i = 0; i < pages; i++)
		put_word(memory + i * PAGE, noise(seed + i));
}

static bool has_words(const uint8_t *memory, size_t pages, uint64_t seed)
{
	for (size_t i = 0; i < pages; i++)
		if (!has_word(memory + i * PAGE, noise(seed + i)))
			return false;
	return true;
}

/* Fresh memory, one write a page. */
static struct result row_touch(void)
{
	const size_t pages = 16 * MIB / PAGE;
	struct result result = { .ops = pages };
	uint8_t *memory = fresh(pages * PAGE);
	uint64_t start = ticks();

	put_words(memory, pages, 1);
	result.ticks = ticks() - start;
	result.ok = has_words(memory, pages, 1);
	release(memory, pages * PAGE);
	return result;
}

/* mmap at `at`, write every page, munmap; rounds times. */
static struct result map_and_touch(uintptr_t at, size_t pages, size_t rounds)
{
	struct result result = { .ops = pages * rounds, .ok = true };

	for (size_t round = 0; round < rounds; round++) {
		uint64_t start = ticks();
		uint8_t *memory = fresh_at(at, pages * PAGE);
		bool zero = memory[8] == 0;

		put_words(memory, pages, round);
		result.ticks += ticks() - start;
		result.ok &= zero && has_words(memory, pages, round);
		start = ticks();
		release(memory, pages * PAGE);
		result.ticks += ticks() - start;
	}
	return result;
}

static struct result row_mmap1m(void)
{
	return map_and_touch(0, MIB / PAGE, 16);
}

/* Far from all else, so that page tables come and go with the page wherever a
 * kernel puts a process's areas. */
static struct result row_mmap1(void)
{
	return map_and_touch(UINT64_C(0x200000000000), 1, 2000);
}

/* Read-only, then writable again, then a write to every page. */
static struct result protect(size_t pages, size_t rounds)
{
	struct result result = { .ops = pages * rounds, .ok = true };
	uint8_t *memory = fresh(pages * PAGE);

	put_words(memory, pages, 0);
	for (size_t round = 1; round <= rounds; round++) {
		uint64_t start = ticks();
		int rc = mprotect(memory, pages * PAGE, PROT_READ);

		rc |= mprotect(memory, pages * PAGE, PROT_READ | PROT_WRITE);
		put_words(memory, pages, round);
		result.ticks += ticks() - start;
		result.ok &= rc == 0 && has_words(memory, pages, round);
	}
	release(memory, pages * PAGE);
	return result;
}

static struct result row_mprotect1(void)
{
	return protect(1, 4000);
}

static struct result row_mprotect1m(void)
{
	return protect(MIB / PAGE, 16);
}

/* Reads one word of every page of a mapped file, rounds times anew. */
static struct result row_filemap(void)
{
	const size_t size = 4 * MIB, rounds = 4;
	struct result result = { .ops = size / PAGE * rounds, .ok = true };
	int fd;

	noise_file("/filemap", size);
	fd = open("/filemap", O_RDONLY);
	for (size_t round = 0; round < rounds; round++) {
		uint64_t start = ticks();
		uint64_t *words =
			mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);

		if (words == MAP_FAILED)
			give_up("a file cannot be mapped");
		for (size_t i = 0; i < size / PAGE; i++)
			result.ok &= words[i * 512 + round] ==
				     noise(i * 512 + round);
		munmap(words, size);
		result.ticks += ticks() - start;
	}
	close(fd);
	unlink("/filemap");
	return result;
}

/*
 * Pseudo-random additions over 32 MiB, then the same ones undone in the same
 * order: memory that kept every one of them is zero again.
 */
static struct result row_compute(void)
{
	const size_t words = 32 * MIB / 8, steps = 2000000;
	struct result result = { .ops = 2 * steps, .ok = true };
	uint64_t *memory = (uint64_t *)fresh(words * 8);
	uint64_t start = ticks();
	uint64_t sum = 0;

	for (size_t n = 0; n < steps; n++)
		memory[noise(n) % words] += noise(n) >> 7;
	for (size_t n = 0; n < steps; n++)
		memory[noise(n) % words] -= noise(n) >> 7;
	result.ticks = ticks() - start;
	for (size_t i = 0; i < words; i++)
		sum |= memory[i];
	result.ok = sum == 0;
	release((uint8_t *)memory, words * 8);
	return result;
}

const struct row rows_memory[] = {
	{ "touch", row_touch },		  { "mmap1m", row_mmap1m },
	{ "mmap1", row_mmap1 },		  { "mprotect1", row_mprotect1 },
	{ "mprotect1m", row_mprotect1m }, { "filemap", row_filemap },
	{ "compute", row_compute },	  { NULL, NULL },
};
