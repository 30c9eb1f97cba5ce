/* hv/cpu/fmt.c against the C library's snprintf. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/fmt.h"

#define SAME(...)                                                              \
	do {                                                                   \
		char ours[256], theirs[256];                                   \
		int n = snprintf(theirs, sizeof(theirs), __VA_ARGS__);         \
		size_t m = fmt_text(ours, sizeof(ours), __VA_ARGS__);          \
		assert_string_equal(ours, theirs);                             \
		assert_int_equal(m, n);                                        \
	} while (0)

static void numbers(void **state)
{
	(void)state;
	SAME("%d %d %d %d", 0, 7, INT_MIN, INT_MAX);
	SAME("%i %u %x %X", -1, UINT_MAX, 0xdeadbeef, 0xdeadbeef);
	SAME("%ld %lu %lx", LONG_MIN, ULONG_MAX, ULONG_MAX);
	SAME("%lld %llu %llx", LLONG_MIN, ULLONG_MAX, ULLONG_MAX);
	SAME("%zu %zx", (size_t)1 << 40, SIZE_MAX);
	SAME("%hu %hhu", (unsigned short)65535, (unsigned char)255);
	SAME("%p", (void *)0x1234);
}

static void widths(void **state)
{
	(void)state;
	SAME("[%5d][%-5d][%05d]", 42, 42, 42);
	SAME("[%5d][%-5d][%05d]", -42, -42, -42);
	SAME("[%1d][%016lx][%8x]", 12345, 0xabcdUL, 0xffu);
	SAME("[%s][%8s][%-8s]", "abc", "abc", "abc");
	SAME("[%.2s][%5.2s][%.0s][%.9s]", "abc", "abc", "abc", "abc");
	SAME("[%*d][%.*s][%-*s]", 6, 42, 2, "abcdef", 8, "x");
	SAME("[%*d][%.*s]", -6, 42, -1, "abcdef");
	SAME("[%c%c][%3c]", 'a', 'b', 'c');
	SAME("100%%, %s", "done");
}

static void cuts(void **state)
{
	char buf[6] = "xxxxx";

	(void)state;
	assert_int_equal(fmt_text(buf, 4, "%s", "abcdef"), 6);
	assert_string_equal(buf, "abc");
	assert_int_equal(buf[4], 'x'); /* nothing beyond the size */
	assert_int_equal(fmt_text(buf, 1, "%d", 12345), 5);
	assert_string_equal(buf, "");
	buf[0] = 'x';
	assert_int_equal(fmt_text(buf, 0, "abc"), 3);
	assert_int_equal(buf[0], 'x');
	assert_int_equal(fmt_text(buf, sizeof(buf), "%s", ""), 0);
	assert_string_equal(buf, "");
}

static void append(void *ctx, const char *text, size_t n)
{
	strncat(ctx, text, n);
}

/* What the compiler would refuse is handed over as data. */
static void unchecked(char *buf, size_t size, const char *format, ...)
{
	struct fmt_sink sink = { .put = append, .ctx = buf };
	va_list ap;

	memset(buf, 0, size);
	va_start(ap, format);
	fmt_vprint(&sink, format, ap);
	va_end(ap);
}

static void odd_formats(void **state)
{
	char buf[32];

	(void)state;
	unchecked(buf, sizeof(buf), "a%");
	assert_string_equal(buf, "a");
	unchecked(buf, sizeof(buf), "a%5");
	assert_string_equal(buf, "a");
	unchecked(buf, sizeof(buf), "a%yb");
	assert_string_equal(buf, "ayb");
	unchecked(buf, sizeof(buf), "[%s]", (const char *)NULL);
	assert_string_equal(buf, "[(null)]");
	unchecked(buf, sizeof(buf), "[%-05d]", 42);
	assert_string_equal(buf, "[42   ]");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers),
		cmocka_unit_test(widths),
		cmocka_unit_test(cuts),
		cmocka_unit_test(odd_formats),
	};

	return cmocka_run_group_tests_name("fmt", tests, NULL, NULL);
}
