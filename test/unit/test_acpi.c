/*
 * hv/dev/acpi.c, dsdt.c, aml.c: the tables are found as a guest finds them,
 * from the RSDP on, and the AML is read by a small parser of its own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "dev/acpi.h"
#include "dev/aml.h"

#define BASE UINT64_C(0xe0000)
#define SIZE 4096

static uint8_t tables[SIZE + 64];
static size_t used;

static uint64_t get(const uint8_t *p, unsigned bytes)
{
	uint64_t v = 0;
	unsigned i;

	for (i = 0; i < bytes; i++)
		v |= (uint64_t)p[i] << 8 * i;
	return v;
}

static unsigned sum(const uint8_t *p, size_t n)
{
	uint8_t s = 0;

	while (n--)
		s = (uint8_t)(s + *p++);
	return s;
}

static const uint8_t *at(uint64_t gpa)
{
	assert_in_range(gpa, BASE, BASE + used - 1);
	return tables + (gpa - BASE);
}

static const uint8_t *checked(uint64_t gpa, const char *signature)
{
	const uint8_t *p = at(gpa);
	size_t n = get(p + 4, 4);

	assert_memory_equal(p, signature, 4);
	assert_true(gpa + n <= BASE + used);
	assert_int_equal(sum(p, n), 0);
	return p;
}

static void build(unsigned cpus)
{
	const struct acpi_config c = { .cpus = cpus };

	memset(tables, 0xa5, sizeof(tables));
	used = acpi_build(tables, SIZE, mk_gpa(BASE), &c);
	assert_in_range(used, 500, SIZE);
	assert_int_equal(tables[used], 0xa5);
}

static const uint8_t *table(unsigned i, const char *signature)
{
	const uint8_t *xsdt = checked(get(tables + 24, 8), "XSDT");

	assert_int_equal(get(xsdt + 4, 4), 36 + 2 * 8);
	return checked(get(xsdt + 36 + 8 * i, 8), signature);
}

static void root_pointer(void **state)
{
	(void)state;
	build(1);
	assert_memory_equal(tables, "RSD PTR ", 8);
	assert_int_equal(sum(tables, 20), 0);
	assert_int_equal(sum(tables, 36), 0);
	assert_int_equal(tables[15], 2);
	assert_int_equal(get(tables + 20, 4), 36);
}

static void fixed_description(void **state)
{
	const uint8_t *f, *facs;

	(void)state;
	build(2);
	f = table(0, "FACP");
	assert_int_equal(get(f + 4, 4), 276);
	assert_int_equal(get(f + 46, 2), 9);
	/* Old and new forms of an address agree. */
	assert_int_equal(get(f + 56, 4), get(f + 152, 8));
	assert_int_equal(get(f + 64, 4), get(f + 176, 8));
	assert_int_equal(get(f + 76, 4), get(f + 212, 8));
	assert_int_equal(get(f + 40, 4), get(f + 140, 8));
	assert_int_equal(get(f + 120, 8), 0xcf9);
	assert_int_equal(f[128], 6);
	facs = at(get(f + 36, 4));
	assert_memory_equal(facs, "FACS", 4);
	assert_int_equal(get(f + 36, 4) % 64, 0);
	assert_int_equal(get(facs + 4, 4), 64);
}

static void interrupt_controllers(void **state)
{
	const uint8_t *m, *p, *end;
	unsigned cpus, kind[5];

	(void)state;
	for (cpus = 1; cpus <= 8; cpus++) {
		memset(kind, 0, sizeof(kind));
		build(cpus);
		m = table(1, "APIC");
		assert_int_equal(get(m + 36, 4), 0xfee00000);
		end = m + get(m + 4, 4);
		for (p = m + 44; p < end; p += p[1]) {
			assert_in_range(p[0], 0, 4);
			assert_in_range(p[1], 6, 12);
			if (p[0] == 0)
				assert_int_equal(p[3], kind[0]);
			kind[p[0]]++;
		}
		assert_ptr_equal(p, end);
		assert_int_equal(kind[0], cpus);
		assert_int_equal(kind[1], 1);
		assert_int_equal(kind[2], 2);
		assert_int_equal(kind[4], 1);
	}
}

/* A term's length, and where its body begins. */
static size_t package_length(const uint8_t **p)
{
	size_t more = **p >> 6, n = **p & (more ? 0xf : 0x3f), i;

	for (i = 1; i <= more; i++)
		n |= (size_t)(*p)[i] << (4 + 8 * (i - 1));
	*p += 1 + more;
	return n;
}

/* Walks terms; counts devices. Every byte must belong to a known term. */
static unsigned walk(const uint8_t *p, const uint8_t *end)
{
	unsigned devices = 0;

	while (p < end) {
		const uint8_t *body;
		bool device = p[0] == 0x5b && p[1] == 0x82;
		size_t n;

		if (device || p[0] == 0x10) {
			p += device ? 2 : 1;
			body = p;
			n = package_length(&body);
			assert_true(p + n <= end);
			body += *body == '\\';
			devices += device + walk(body + 4, p + n);
			p += n;
			continue;
		}
		assert_int_equal(*p++, 0x08); /* Name */
		p += *p == '\\';
		p += 4;
		switch (*p++) {
		case 0x00:
		case 0x01:
			break;
		case 0x0a:
			p += 1;
			break;
		case 0x0c:
			p += 4;
			break;
		case 0x0d:
			p += strlen((const char *)p) + 1;
			break;
		case 0x11:
		case 0x12:
			body = p;
			n = package_length(&body);
			p += n;
			break;
		default:
			fail_msg("unknown term %02x", p[-1]);
		}
	}
	assert_ptr_equal(p, end);
	return devices;
}

static void definition_block(void **state)
{
	static const uint8_t s5[] = { 0x08, '\\', '_',	'S', '5',  '_',
				      0x12, 0x49, 0x00, 4,   0x0a, 5,
				      0x0a, 5,	  0,	0 };
	const uint8_t *d;
	unsigned cpus;

	(void)state;
	for (cpus = 1; cpus <= 8; cpus++) {
		build(cpus);
		d = checked(get(table(0, "FACP") + 140, 8), "DSDT");
		assert_memory_equal(d + 36, s5, sizeof(s5));
		assert_int_equal(walk(d + 36, d + get(d + 4, 4)), cpus + 3);
	}
}

/* Too small a buffer is refused whole, and not overrun. */
static void every_smaller_buffer_is_refused(void **state)
{
	const struct acpi_config c = { .cpus = 8 };
	size_t n, need;

	(void)state;
	build(8);
	need = used;
	for (n = 0; n < need; n++) {
		memset(tables, 0xa5, sizeof(tables));
		assert_int_equal(acpi_build(tables, n, mk_gpa(BASE), &c), 0);
		assert_int_equal(tables[n], 0xa5);
	}
	assert_int_equal(acpi_build(tables, need, mk_gpa(BASE), &c), need);
}

static void integers_and_ids(void **state)
{
	static const uint8_t want[] = { 0, 1, 0x0a, 2, 0x0a, 0xff, 0x0b, 0x00,
					0x01, 0x0c, 1, 2, 3, 4,
					/* EISAID of PNP0501 */
					0x08, '_', 'H', 'I', 'D', 0x0c, 0x41,
					0xd0, 0x05, 0x01 };
	uint8_t buf[64];
	struct aml a = { .buf = buf, .size = sizeof(buf) };

	(void)state;
	aml_integer(&a, 0);
	aml_integer(&a, 1);
	aml_integer(&a, 2);
	aml_integer(&a, 0xff);
	aml_integer(&a, 0x100);
	aml_integer(&a, 0x04030201);
	aml_define_eisa(&a, "_HID", "PNP0501");
	assert_int_equal(a.used, sizeof(want));
	assert_memory_equal(buf, want, sizeof(want));
	assert_false(a.full);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(root_pointer),
		cmocka_unit_test(fixed_description),
		cmocka_unit_test(interrupt_controllers),
		cmocka_unit_test(definition_block),
		cmocka_unit_test(every_smaller_buffer_is_refused),
		cmocka_unit_test(integers_and_ids),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
