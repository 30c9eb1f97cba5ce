/*
 * What the tests of the table engine share: every format, a table over the
 * lab's host, and two looks at a whole table.
 */
#ifndef TEST_UNIT_TABLE_RIG_H
#define TEST_UNIT_TABLE_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <vmmu/table.h>

#include "format_madeup.h"
#include "lab/host.h"

static const struct pt_format *const rig_formats[] = {
	&pt_x86_32, &pt_x86_pae, &pt_x86_64, &pt_x86_la57,
	&pt_ept,    &pt_npt,	 &pt_madeup,
};

#define RIG_FORMATS (sizeof(rig_formats) / sizeof(rig_formats[0]))
#define RIG_LIMIT   1024u

struct rig {
	struct lab_host lab;
	struct vmmu_host host;
	struct pt_pool pool;
	struct pt_table t;
};

static inline void rig_setup(struct rig *r, const struct pt_format *f,
			     uint8_t max_leaf)
{
	const struct lab_host_config config = { .memory = VMMU_2M,
						.extent = VMMU_PAGE_SIZE,
						.table_pages = RIG_LIMIT };

	assert_true(lab_host_init(&r->lab, &config));
	r->host = lab_host_ops(&r->lab);
	pt_pool_init(&r->pool, &r->host, RIG_LIMIT);
	assert_int_equal(pt_table_init(&r->t, f, &r->pool, max_leaf), PT_OK);
}

static inline void rig_teardown(struct rig *r)
{
	pt_table_fini(&r->t);
	assert_int_equal(r->pool.used, 0);
	for (unsigned i = 0; i <= PT_LEVELS_MAX; i++)
		assert_int_equal(r->t.leaves[i], 0);
	pt_pool_fini(&r->pool);
	assert_int_equal(r->lab.count.tables_out, 0);
	lab_host_fini(&r->lab);
}

struct rig_census {
	uint64_t leaves[PT_LEVELS_MAX + 1];
	uint32_t tables;
};

static inline bool rig_count(void *ctx, const struct pt_visit *v)
{
	struct rig_census *c = ctx;

	if (v->when == PT_VISIT_LEAF)
		c->leaves[v->level]++;
	else
		c->tables++;
	return true;
}

/* The counters are true, and no page is lost or in two places. */
static inline void rig_check(struct rig *r)
{
	struct rig_census c = { .tables = 1 };

	assert_true(pt_visit(&r->t, 0, UINT64_MAX,
			     PT_VISIT_LEAF | PT_VISIT_POST, rig_count, &c));
	assert_memory_equal(c.leaves, r->t.leaves, sizeof(c.leaves));
	assert_int_equal(c.tables, r->pool.used);
	assert_int_equal(r->pool.used + r->pool.spare, r->lab.count.tables_out);
}

static inline uint64_t rig_span(const struct rig *r, unsigned level)
{
	return pt_span(&r->t.format->level[level]);
}

static inline unsigned rig_max_leaf(const struct pt_format *f)
{
	return f->levels >= 3 && f->level[3].leaf ? 3 : 2;
}

/* xorshift64*: the same sequence everywhere. */
static inline uint64_t rig_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * UINT64_C(0x2545f4914f6cdd1d);
}

/* A test in every format: name_in is given one. */
#define EACH(name)                                                             \
	static void name(void **state)                                         \
	{                                                                      \
		(void)state;                                                   \
		for (unsigned i = 0; i < RIG_FORMATS; i++)                     \
			name##_in(rig_formats[i]);                             \
	}

#endif
