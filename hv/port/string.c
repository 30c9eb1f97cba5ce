/* The functions that a freestanding compiler may call (and libvmmu does):
 * the processor's own string instructions, microcoded for any size. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
	void *start = to;

	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n)::"memory");
	return start;
}

void *memset(void *to, int value, size_t n)
{
	void *start = to;
	size_t words = 0;

	/* Eight bytes a turn where the size allows: emulators execute, and
	 * count, each turn of a string instruction. */
	if (n % 8 == 0) {
		words = n / 8;
		n = 0;
	}
	__asm__ volatile("rep stosq"
			 : "+D"(to), "+c"(words)
			 : "a"(UINT64_C(0x0101010101010101) * (uint8_t)value)
			 : "memory");
	__asm__ volatile("rep stosb"
			 : "+D"(to), "+c"(n)
			 : "a"(value)
			 : "memory");
	return start;
}

void *memmove(void *to, const void *from, size_t n)
{
	char *t = to;
	const char *f = from;

	if ((uintptr_t)to - (uintptr_t)from >= n)
		return memcpy(to, from, n);
	t += n - 1;
	f += n - 1;
	__asm__ volatile("std\n\trep movsb\n\tcld"
			 : "+D"(t), "+S"(f), "+c"(n)::"memory");
	return to;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const uint8_t *x = a, *y = b;
	size_t i;

	for (i = 0; i < n; i++) {
		if (x[i] != y[i])
			return x[i] < y[i] ? -1 : 1;
	}
	return 0;
}
