/*
 * What hardware can reach from a root, worked out from the manual alone (SDM
 * 3A 4.5.4) and without any of the library's counts: each frame that is walked
 * as a table and at which level, each page that is mapped, each that can be
 * written from ring 3.
 *
 * Wrong is: a frame that is not the guest's; one that is a table at two levels;
 * one that is a table and can be written; a large page; a reserved bit; slots
 * of the hypervisor's that are not what they must be.
 */
#ifndef TEST_UNIT_DIRECT_MODEL_H
#define TEST_UNIT_DIRECT_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#define MODEL_FRAMES 512u

struct model {
	const uint8_t *memory; /* of frame `first` */
	uint64_t first, count;
	bool is_guests[MODEL_FRAMES];
	const uint64_t *ours;
	unsigned ours_first, ours_count;

	uint8_t level[MODEL_FRAMES]; /* as which it is walked; 0: not */
	uint8_t done[MODEL_FRAMES];  /* 1: walked to read, 2: also to write */
	bool writable[MODEL_FRAMES], mapped[MODEL_FRAMES];
	const char *wrong; /* the first */
};

static inline void model_expect(struct model *m, bool good, const char *what)
{
	if (!good && !m->wrong)
		m->wrong = what;
}

static inline void model_table(struct model *m, uint64_t hfn, unsigned level,
			       bool writable);

static inline void model_page(struct model *m, uint64_t i, bool writable)
{
	m->mapped[i] = true;
	m->writable[i] |= writable;
	model_expect(m, !(m->writable[i] && m->level[i]),
		     "model: a table can be written");
}

static inline void model_entry(struct model *m, uint64_t entry, unsigned level,
			       bool writable)
{
	uint64_t hfn = entry << 12 >> 24, i = hfn - m->first;

	if (!(entry & 1))
		return;
	model_expect(m, i < m->count && m->is_guests[i],
		     "model: a frame that is not the guest's");
	model_expect(m, level == 1 || !(entry & 0x80), "model: a large page");
	model_expect(m, !(entry & 0x98), "model: memory that is not cached");
	model_expect(m, entry & 4, "model: a page that ring 3 cannot reach");
	if (m->wrong)
		return;
	writable &= entry >> 1 & 1;
	if (level == 1)
		model_page(m, i, writable);
	else
		model_table(m, hfn, level - 1, writable);
}

static inline void model_table(struct model *m, uint64_t hfn, unsigned level,
			       bool writable)
{
	uint64_t i = hfn - m->first;
	const uint64_t *entry = (const void *)(m->memory + i * 4096);

	model_expect(m, !m->level[i] || m->level[i] == level,
		     "model: a table at two levels");
	m->level[i] = (uint8_t)level;
	if (m->done[i] >= 1 + writable)
		return;
	m->done[i] = (uint8_t)(1 + writable);
	model_expect(m, !m->writable[i], "model: a table can be written");
	for (unsigned n = 0; n < 512 && !m->wrong; n++) {
		unsigned slot = n - m->ours_first;

		if (level == 4 && slot < m->ours_count)
			model_expect(m, entry[n] == m->ours[slot],
				     "model: a slot of the hypervisor's");
		else
			model_entry(m, entry[n], level, writable);
	}
}

static inline void model_root(struct model *m, uint64_t root)
{
	uint64_t i = (root >> 12) - m->first;

	if (!root)
		return;
	model_expect(m, i < m->count && m->is_guests[i],
		     "model: a root that is not the guest's");
	if (!m->wrong)
		model_table(m, root >> 12, 4, true);
}

#endif
