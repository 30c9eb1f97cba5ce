/*
 * What is compared after each operation, and every few of them: memory in
 * every byte, the count of faults, and the library's own audit of its
 * invariants.
 */
#include "world.h"

#include <stdio.h>
#include <string.h>

#define AUDIT_EVERY 8

bool check_memory(struct world *w)
{
	for (unsigned i = 0; i < w->touched_count; i++) {
		uint64_t offset = w->touched[i] << VMMU_PAGE_SHIFT;
		const uint8_t *copy = w->copy + offset, *real;
		unsigned at = 0;
		hpa_t hpa;

		if (!lab_host_peek(&w->host,
				   mk_hva(w->host.hva_base.v + offset), &hpa))
			continue;
		real = lab_host_ptr(&w->host, hpa);
		if (!memcmp(real, copy, VMMU_PAGE_SIZE))
			continue;
		while (real[at] == copy[at])
			at++;
		return world_fail(w,
				  "memory at hva +%llx is %02x, should be "
				  "%02x",
				  (unsigned long long)offset + at, real[at],
				  copy[at]);
	}
	return true;
}

static void breach(void *ctx, unsigned invariant, const char *sentence,
		   uint64_t addr, uint64_t entry)
{
	world_fail(ctx, "audit: I%u: %s: addr %llx entry %llx", invariant,
		   sentence, (unsigned long long)addr,
		   (unsigned long long)entry);
}

bool check_audit(struct world *w)
{
	struct vmmu_audit audit = { .breach = breach, .ctx = w };
	bool clean;

	w->quiet = true;
	clean = vmmu_audit(&w->vm, &audit);
	w->quiet = false;

	w->count.audits++;
	if (!clean && !w->failure[0])
		return world_fail(w, "audit: not clean, and no reason given");
	return !w->failure[0];
}

/* Each fault that came is one of the kinds, and only one. */
static bool check_counts(struct world *w)
{
	const struct vmmu_stats *s = &w->vm.stats;
	uint64_t came = s->violations + s->pf_taken;
	uint64_t kinds = s->pf_guest + s->pf_fixed + s->pf_spurious +
			 s->pf_dirty + s->pf_mmio + s->pf_emulate + s->pf_retry;

	if (came == kinds)
		return true;
	return world_fail(w, "%llu faults came, and %llu are accounted for",
			  (unsigned long long)came, (unsigned long long)kinds);
}

typedef bool (*op_fn)(struct world *w, const struct op *op);

static bool op_audit(struct world *w, const struct op *op)
{
	(void)op;
	return check_audit(w);
}

static const op_fn ops[OP_COUNT] = {
	[OP_SLOT] = op_slot,	 [OP_POKE] = op_poke,
	[OP_WRITE] = op_write,	 [OP_ACCESS] = op_access,
	[OP_WALK] = op_walk,	 [OP_INVLPG] = op_invlpg,
	[OP_CR3] = op_cr3,	 [OP_REGS] = op_registers,
	[OP_SHARE] = op_backing, [OP_WITHDRAW] = op_backing,
	[OP_MOVE] = op_backing,	 [OP_ABSENT] = op_backing,
	[OP_LOG] = op_log,	 [OP_VIOLATION] = op_violation,
	[OP_AUDIT] = op_audit,
};

bool world_do(struct world *w, const struct op *op)
{
	if (w->failure[0])
		return false;
	w->step++;
	if (!ops[op->kind](w, op))
		return false;
	if (!check_memory(w) || !check_counts(w))
		return false;
	return w->step % AUDIT_EVERY || check_audit(w);
}
