/*
 * See fmt.h. One directive at a time: parse it into a struct, turn its
 * argument into text (numbers from the right into a small buffer), pad.
 */
#include "cpu/fmt.h"

#include <stdbool.h>
#include <stdint.h>

struct directive {
	bool left, zero;
	size_t width;
	size_t precision; /* SIZE_MAX: none given */
	uint8_t longs;	  /* 0: int, 1: long, size_t, 2: long long */
	char kind;
};

static void put(const struct fmt_sink *sink, const char *text, size_t n)
{
	if (n != 0)
		sink->put(sink->ctx, text, n);
}

static void pad(const struct fmt_sink *sink, char c, size_t n)
{
	while (n-- > 0)
		put(sink, &c, 1);
}

/* Digits, or '*' for the next argument. */
static const char *parse_int(const char *p, int *number, va_list *ap)
{
	int n = 0;

	if (*p == '*') {
		*number = va_arg(*ap, int);
		return p + 1;
	}
	while (*p >= '0' && *p <= '9' && n < 10000)
		n = n * 10 + (*p++ - '0');
	*number = n;
	return p;
}

static const char *parse(const char *p, struct directive *d, va_list *ap)
{
	int n;

	*d = (struct directive){ .precision = SIZE_MAX };
	for (; *p == '-' || *p == '0'; p++) {
		if (*p == '-')
			d->left = true;
		else
			d->zero = true;
	}
	p = parse_int(p, &n, ap);
	d->left |= n < 0;
	d->width = n < 0 ? (size_t) - (int64_t)n : (size_t)n;
	if (*p == '.') {
		p = parse_int(p + 1, &n, ap);
		d->precision = n < 0 ? SIZE_MAX : (size_t)n;
	}
	for (; *p == 'l' || *p == 'z' || *p == 'h'; p++) {
		if (*p == 'l')
			d->longs++;
		else if (*p == 'z')
			d->longs = 1;
	}
	d->kind = *p;
	return *p != '\0' ? p + 1 : p;
}

/* A sign or prefix goes before the zeros, but after the spaces. */
static void put_field(const struct fmt_sink *sink, const struct directive *d,
		      const char *prefix, size_t prefix_n, const char *text,
		      size_t n)
{
	size_t blank = d->width > prefix_n + n ? d->width - prefix_n - n : 0;
	bool zeros = d->zero && !d->left;

	if (!d->left && !zeros)
		pad(sink, ' ', blank);
	put(sink, prefix, prefix_n);
	if (zeros)
		pad(sink, '0', blank);
	put(sink, text, n);
	if (d->left)
		pad(sink, ' ', blank);
}

static void put_number(const struct fmt_sink *sink, const struct directive *d,
		       const char *prefix, size_t prefix_n, uint64_t value,
		       unsigned base)
{
	const char *digit = d->kind == 'X' ? "0123456789ABCDEF"
					   : "0123456789abcdef";
	char text[20]; /* 2^64 has 20 decimal digits */
	size_t at = sizeof(text);

	do {
		text[--at] = digit[value % base];
		value /= base;
	} while (value != 0);
	put_field(sink, d, prefix, prefix_n, text + at, sizeof(text) - at);
}

static void put_string(const struct fmt_sink *sink, const struct directive *d,
		       const char *s)
{
	struct directive plain = *d;
	size_t n = 0;

	if (s == NULL)
		s = "(null)";
	while (n < d->precision && s[n] != '\0')
		n++;
	plain.zero = false;
	put_field(sink, &plain, "", 0, s, n);
}

static void put_signed(const struct fmt_sink *sink, const struct directive *d,
		       int64_t value)
{
	bool negative = value < 0;
	/* Negated as unsigned: the most negative value has no positive. */
	uint64_t magnitude = negative ? -(uint64_t)value : (uint64_t)value;

	put_number(sink, d, "-", negative ? 1 : 0, magnitude, 10);
}

static uint64_t take_unsigned(const struct directive *d, va_list *ap)
{
	if (d->longs >= 2)
		return va_arg(*ap, unsigned long long);
	if (d->longs == 1)
		return va_arg(*ap, unsigned long);
	return va_arg(*ap, unsigned int);
}

static int64_t take_signed(const struct directive *d, va_list *ap)
{
	if (d->longs >= 2)
		return va_arg(*ap, long long);
	if (d->longs == 1)
		return va_arg(*ap, long);
	return va_arg(*ap, int);
}

static void put_argument(const struct fmt_sink *sink, const struct directive *d,
			 va_list *ap)
{
	char c;

	switch (d->kind) {
	case 's':
		put_string(sink, d, va_arg(*ap, const char *));
		break;
	case 'c':
		c = (char)va_arg(*ap, int);
		put_field(sink, d, "", 0, &c, 1);
		break;
	case 'd':
	case 'i':
		put_signed(sink, d, take_signed(d, ap));
		break;
	case 'u':
		put_number(sink, d, "", 0, take_unsigned(d, ap), 10);
		break;
	case 'x':
	case 'X':
		put_number(sink, d, "", 0, take_unsigned(d, ap), 16);
		break;
	case 'p':
		put_number(sink, d, "0x", 2, (uintptr_t)va_arg(*ap, void *),
			   16);
		break;
	default: /* %%, and what we do not know shows as itself */
		put(sink, &d->kind, 1);
		break;
	}
}

void fmt_vprint(const struct fmt_sink *sink, const char *format, va_list ap)
{
	struct directive d;
	const char *from;
	va_list args;

	va_copy(args, ap);
	while (*format != '\0') {
		for (from = format; *format != '\0' && *format != '%';)
			format++;
		put(sink, from, (size_t)(format - from));
		if (*format == '\0')
			break;
		format = parse(format + 1, &d, &args);
		if (d.kind != '\0')
			put_argument(sink, &d, &args);
	}
	va_end(args);
}

void fmt_print(const struct fmt_sink *sink, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	fmt_vprint(sink, format, ap);
	va_end(ap);
}

struct text {
	char *buf;
	size_t size, used;
};

static void text_put(void *ctx, const char *s, size_t n)
{
	struct text *t = ctx;
	size_t i;

	for (i = 0; i < n; i++, t->used++) {
		if (t->used + 1 < t->size)
			t->buf[t->used] = s[i];
	}
}

size_t fmt_vtext(char *buf, size_t size, const char *format, va_list ap)
{
	struct text t = { .buf = buf, .size = size };
	struct fmt_sink sink = { .put = text_put, .ctx = &t };

	fmt_vprint(&sink, format, ap);
	if (size != 0)
		buf[t.used < size ? t.used : size - 1] = '\0';
	return t.used;
}

size_t fmt_text(char *buf, size_t size, const char *format, ...)
{
	va_list ap;
	size_t used;

	va_start(ap, format);
	used = fmt_vtext(buf, size, format, ap);
	va_end(ap);
	return used;
}
