/*
 * What slot and host say of one guest page: the second half of every fill,
 * whichever scheme asks.
 *
 *   gpa --slot--> hva --host--> a run of hpa
 *
 * How far the answer goes on alike around the page is kept, in bytes, so that
 * one question may serve for a large leaf or for neighbours.
 */
#ifndef LIB_SCHEME_FINDING_H
#define LIB_SCHEME_FINDING_H

#include <stddef.h>

#include "pt/tree.h"
#include "scheme/vm_events.h"

struct finding {
	const struct vmmu_slot *slot;
	uint64_t gpa, hpa; /* of the page */
	/* Bytes that go on alike, in this slot and this run: before the
	 * page, and from its first byte to the last. */
	uint64_t before, after;
	bool writable;
	bool may_widen;
	bool logged; /* this write is the page's first: its bit was set */
};

/* The page lies in a slot that logs. Before it can be written, its bit is
 * set. Out of line, like all that is rare on the way to a fill: inlined it
 * costs the fill its registers. */
void finding_log(struct finding *f, bool writes);

static inline uint64_t finding_least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* The run that holds this address, if the host has told of it. */
static inline const struct vmmu_run *finding_run(const struct vmmu_vm *vm,
						 uint64_t hva)
{
	const struct vmmu_run *run = &vm->run[hva >> 26 & (VMMU_RUNS - 1)];

	if (hva - run->hva < run->size &&
	    run->generation == vm->slots.generation)
		return run;
	return NULL;
}

static inline void finding_keep_run(struct vmmu_vm *vm, uint64_t hva,
				    const struct vmmu_extent *run)
{
	if (run->read_only)
		return;
	vm->run[hva >> 26 & (VMMU_RUNS - 1)] =
		(struct vmmu_run){ run->hva.v, run->hpa.v, run->size,
				   vm->slots.generation };
}

/* f->slot and f->gpa are known; asks the host for the rest. Of the log, if the
 * slot has one, nothing: finding_log is the caller's. */
static inline enum vmmu_resolve finding_ask(struct vmmu_vm *vm,
					    struct finding *f, bool writes)
{
	const struct vmmu_slot *slot = f->slot;
	uint64_t offset = f->gpa - slot->gpa.v;
	hva_t hva = mk_hva(slot->hva.v + offset);
	struct vmmu_extent run;
	enum vmmu_resolve r;
	uint64_t into;

	r = vm->host.ops->resolve(vm->host.cookie, hva,
				  writes ? VMMU_W : VMMU_R, &run);
	if (r != VMMU_RESOLVE_OK)
		return r;
	into = hva.v - run.hva.v;
	f->hpa = run.hpa.v + into;
	f->before = 0;
	f->after = VMMU_PAGE_MASK;
	if (run.size != VMMU_PAGE_SIZE) {
		finding_keep_run(vm, hva.v, &run);
		f->before = finding_least(into, offset);
		f->after =
			finding_least(run.size - into, slot->size - offset) - 1;
	}
	f->may_widen = !run.read_only;
	f->logged = false;
	f->writable = !run.read_only && !(slot->flags & VMMU_SLOT_READ_ONLY);
	return r;
}

static inline enum vmmu_resolve finding_look_up(struct vmmu_vm *vm,
						struct finding *f, bool writes)
{
	enum vmmu_resolve r = finding_ask(vm, f, writes);

	if (r == VMMU_RESOLVE_OK && f->slot->flags & VMMU_SLOT_LOG_DIRTY)
		finding_log(f, writes);
	return r;
}

/* The largest leaf around the page, of `most` at most, that lies in slot and
 * run and has gpa and hpa congruent. */
static inline unsigned finding_level(const struct pt_table *t,
				     const struct finding *f, unsigned most)
{
	unsigned level = most;

	if (f->before + f->after < VMMU_PAGE_SIZE)
		return 1;
	for (; level > 1; level--) {
		uint64_t in = pt_span(&t->format->level[level]) - 1;
		uint64_t at = f->gpa & in;

		if (at == (f->hpa & in) && at <= f->before &&
		    in - at <= f->after && pt_may_be_leaf(t, level))
			break;
	}
	return level;
}

/* An entry was made. Each fault is counted once, whatever it was. */
static inline void finding_fixed(struct vmmu_stats *s, const struct finding *f)
{
	if (f->logged)
		s->pf_dirty++;
	else
		s->pf_fixed++;
}

/* The host did not answer with memory. */
void finding_no_backing(struct vmmu_vm *vm, enum vmmu_resolve r,
			struct vmmu_answer *a);

static inline void finding_kill(struct vmmu_answer *a, const char *reason)
{
	a->verdict = VMMU_KILL;
	a->reason = reason;
}

#endif
