/*
 * The rig of direct paging for tests that assert.
 */
#ifndef TEST_UNIT_DIRECT_TEST_H
#define TEST_UNIT_DIRECT_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "test/unit/direct_rig.h"

static inline void rig_audit(struct direct_rig *r)
{
	const char *wrong = rig_wrong(r);

	if (wrong)
		fail_msg("%s", wrong);
}

static inline struct direct_rig *direct_rig(void)
{
	struct direct_rig *r = malloc(sizeof(*r));

	assert_true(rig_start(r));
	rig_audit(r);
	return r;
}

static inline void direct_rig_free(struct direct_rig *r)
{
	rig_audit(r);
	rig_fini(r);
	for (unsigned i = 0; i < RIG_FRAMES; i++) {
		assert_int_equal(r->frame[i].owner, 0);
		assert_int_equal(r->m2p[i], VMMU_M2P_INVALID);
	}
	assert_int_equal(r->states_out, 0);
	free(r);
}

#endif
