/*
 * The allowed set: journal, odometer, and the test of times; see history.h.
 *
 * A path is a choice of one value for each read. Its times fit when, going
 * down, t = max(t, from) stays below each value's `until`, starting at the
 * last flush that covered the translation found: of everything, of non-global
 * translations, or of any address in its page.
 */
#include "history.h"

#include <string.h>

#define READS_MAX 6
#define FOREVER	  (~UINT64_C(0))

struct span {
	uint64_t from, until;
};

/* One path: the choice made at each read, and how many there were. */
struct path {
	struct history *h;
	const struct smmu_mem *mem;
	unsigned choice[READS_MAX], choices[READS_MAX];
	struct span span[READS_MAX];
	unsigned reads;
};

static void restart(struct history *h, const struct smmu_regs *regs)
{
	struct history_root *r = &h->root[0];

	r->cr3 = regs->cr3;
	memcpy(r->pdpte, regs->pdpte, sizeof(r->pdpte));
	r->from = h->now;
	r->until = FOREVER;
	h->root_count = 1;
	h->store_count = 0;
	h->flush_count = 0;
	h->flushed_all = h->flushed_non_global = h->now;
	h->overflowed = false;
}

void history_init(struct history *h, const struct smmu_regs *regs)
{
	memset(h, 0, sizeof(*h));
	restart(h, regs);
}

/* When the value that is at this word now was put there. */
static uint64_t current_since(const struct history *h, uint64_t gpa)
{
	uint64_t since = 0;

	for (unsigned i = 0; i < h->store_count; i++)
		if (h->store[i].gpa == gpa && h->store[i].until > since)
			since = h->store[i].until;
	return since;
}

void history_store(struct history *h, gpa_t gpa, uint64_t old)
{
	struct history_store *s;

	if (h->store_count == HISTORY_STORES) {
		h->overflowed = true;
		return;
	}
	s = &h->store[h->store_count];
	s->gpa = gpa.v;
	s->value = old;
	s->from = current_since(h, gpa.v);
	s->until = ++h->now;
	h->store_count++;
}

void history_forget(struct history *h, gpa_t gpa, uint64_t size)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < h->store_count; i++)
		if (h->store[i].gpa - gpa.v >= size)
			h->store[kept++] = h->store[i];
	h->store_count = kept;
}

void history_invlpg(struct history *h, gva_t gva)
{
	if (h->flush_count == HISTORY_FLUSHES) {
		h->overflowed = true;
		return;
	}
	h->flush[h->flush_count].gva = gva.v;
	h->flush[h->flush_count].time = ++h->now;
	h->flush_count++;
}

void history_load_cr3(struct history *h, const struct smmu_regs *regs)
{
	struct history_root *last = &h->root[h->root_count - 1];

	h->flushed_non_global = last->until = ++h->now;
	if (h->root_count == HISTORY_ROOTS) {
		h->overflowed = true;
		h->root_count--;
	}
	last = &h->root[h->root_count++];
	last->cr3 = regs->cr3;
	memcpy(last->pdpte, regs->pdpte, sizeof(last->pdpte));
	last->from = h->now;
	last->until = FOREVER;
}

void history_flush_all(struct history *h, const struct smmu_regs *regs)
{
	h->now++;
	restart(h, regs);
}

/* The n-th value that this word had since everything was flushed, oldest
 * first, the one in memory last. */
static enum smmu_mem_status nth_value(struct path *p, gpa_t word, unsigned n,
				      uint64_t *value, struct span *span)
{
	const struct history *h = p->h;
	unsigned seen = 0;

	for (unsigned i = 0; i < h->store_count; i++) {
		if (h->store[i].gpa != word.v || seen++ != n)
			continue;
		*value = h->store[i].value;
		span->from = h->store[i].from;
		span->until = h->store[i].until;
		return SMMU_MEM_OK;
	}
	span->from = current_since(h, word.v);
	span->until = FOREVER;
	return p->mem->load(p->mem->ctx, word, 8, value);
}

static unsigned count_values(const struct history *h, gpa_t word)
{
	unsigned count = 1;

	for (unsigned i = 0; i < h->store_count; i++)
		if (h->store[i].gpa == word.v)
			count++;
	return count;
}

static enum smmu_mem_status load(void *ctx, gpa_t gpa, unsigned size,
				 uint64_t *value)
{
	struct path *p = ctx;
	gpa_t word = mk_gpa(gpa.v & ~UINT64_C(7));
	unsigned i = p->reads++;
	enum smmu_mem_status status;

	p->choices[i] = count_values(p->h, word);
	status = nth_value(p, word, p->choice[i], value, &p->span[i]);
	if (size == 4)
		*value = *value >> (gpa.v & 4 ? 32 : 0) & 0xffffffff;
	return status;
}

/* The next choice: the deepest read that has another value takes it, and
 * what follows it starts afresh. False: all have been tried. */
static bool turn(struct path *p)
{
	for (unsigned i = p->reads; i-- > 0;) {
		if (p->choice[i] + 1 < p->choices[i]) {
			p->choice[i]++;
			memset(&p->choice[i + 1], 0,
			       (READS_MAX - 1 - i) * sizeof(p->choice[0]));
			return true;
		}
	}
	return false;
}

static uint64_t last_flush(const struct history *h, gva_t gva,
			   const struct smmu_result *r)
{
	unsigned shift = r->page_shift ? r->page_shift : 12;
	uint64_t time = r->global ? h->flushed_all : h->flushed_non_global;

	for (unsigned i = 0; i < h->flush_count; i++)
		if (h->flush[i].gva >> shift == gva.v >> shift &&
		    h->flush[i].time > time)
			time = h->flush[i].time;
	return time;
}

static bool times_fit(const struct path *p, const struct history_root *root,
		      uint64_t flushed)
{
	uint64_t t = root->from > flushed ? root->from : flushed;

	if (t >= root->until)
		return false;
	for (unsigned i = 0; i < p->reads; i++) {
		if (p->span[i].from > t)
			t = p->span[i].from;
		if (t >= p->span[i].until)
			return false;
	}
	return true;
}

static bool allows_from(struct history *h, const struct smmu_regs *regs,
			const struct history_root *root, struct path *p,
			gva_t gva, unsigned access, struct smmu_result *r)
{
	struct smmu_mem mem = { .load = load, .ctx = p };

	p->reads = 0;
	h->paths++;
	smmu_access(regs, &mem, gva, access, 0, r);
	return times_fit(p, root, last_flush(h, gva, r));
}

bool history_allows(struct history *h, const struct smmu_regs *regs,
		    const struct smmu_mem *mem, gva_t gva, unsigned access,
		    bool (*want)(void *ctx, const struct smmu_result *r),
		    void *ctx)
{
	struct smmu_regs then = *regs;
	struct smmu_result r;

	for (unsigned i = 0; i < h->root_count; i++) {
		struct path p = { .h = h, .mem = mem };

		then.cr3 = h->root[i].cr3;
		memcpy(then.pdpte, h->root[i].pdpte, sizeof(then.pdpte));
		do {
			if (allows_from(h, &then, &h->root[i], &p, gva, access,
					&r) &&
			    want(ctx, &r))
				return true;
		} while (turn(&p));
	}
	return h->overflowed;
}
