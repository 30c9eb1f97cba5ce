/*
 * What the rows share: time, pseudo-random words, memory, files, children.
 */
#include "rows.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

uint64_t ticks(void)
{
	uint32_t low, high;

	/* LFENCE: RDTSC alone may run ahead (Intel SDM 2B, RDTSC). */
	__asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high)::"memory");
	return (uint64_t)high << 32 | low;
}

uint64_t noise(uint64_t n)
{
	uint64_t z = (n + 1) * 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

uint8_t *fresh_at(uintptr_t at, size_t size)
{
	void *memory = mmap((void *)at, size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		give_up("no memory");
	return memory;
}

uint8_t *fresh(size_t size)
{
	return fresh_at(0, size);
}

void release(uint8_t *memory, size_t size)
{
	munmap(memory, size);
}

bool child_good(int pid)
{
	int status;

	return pid > 0 && waitpid(pid, &status, 0) == pid &&
	       WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

uint64_t noise_file(const char *path, size_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	uint64_t words[512];
	uint64_t sum = 0;

	if (fd < 0)
		give_up("a file cannot be created");
	for (uint64_t n = 0; n < size / 8; n++) {
		words[n % 512] = noise(n);
		sum += words[n % 512];
		if (n % 512 == 511 &&
		    write(fd, words, sizeof(words)) != sizeof(words))
			give_up("a file cannot be written");
	}
	close(fd);
	return sum;
}
