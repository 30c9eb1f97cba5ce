/* The nested dimension: which walker, and the count of entries read. */
#include "nest.h"

#include <string.h>

bool nest_load(const struct nest *n, hpa_t hpa, uint64_t *entry,
	       struct nest_result *out)
{
	out->refs++;
	if (!n->machine->load(n->machine->ctx, hpa, 8, entry)) {
		out->outcome = NEST_LOST;
		return false;
	}
	out->entry = *entry;
	return true;
}

void nest_walk(const struct nest *n, gpa_t gpa, unsigned access,
	       struct nest_result *out)
{
	memset(out, 0, sizeof(*out));
	out->perms = VMMU_RWX;
	if (n->kind == NEST_NPT)
		nest_walk_npt(n, gpa, access, out);
	else
		nest_walk_ept(n, gpa, access, out);
}
