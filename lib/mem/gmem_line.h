/*
 * The hit in the cache of frames, inline for the guest walk: one compare.
 * gmem.c has the rest.
 */
#ifndef VMMU_MEM_GMEM_LINE_H
#define VMMU_MEM_GMEM_LINE_H

#include <vmmu/gmem.h>

static inline struct vmmu_gmem_line *gmem_line(struct vmmu_gmem *m,
					       uint64_t gpa)
{
	return &m->line[gpa >> VMMU_PAGE_SHIFT & (VMMU_GMEM_WAYS - 1)];
}

/* False: slots or backing changed, so no line may be used before
 * vmmu_gmem_page has been called once. Asked at the start of each use; in
 * between only vmmu_gmem_page itself can lead to a change, and it looks. */
static inline bool gmem_is_current(const struct vmmu_gmem *m)
{
	return m->generation == m->slots->generation;
}

/* The frame that begins at gpa (aligned), if it is cached. */
static inline bool gmem_hit(struct vmmu_gmem *m, uint64_t gpa,
			    const uint8_t **page)
{
	struct vmmu_gmem_line *line = gmem_line(m, gpa);

	*page = line->read;
	return line->tag == gpa;
}

/* The same, asking first for the frame that was last used for this purpose,
 * which needs no line to be found. */
static inline bool gmem_hit_again(struct vmmu_gmem *m, unsigned purpose,
				  uint64_t gpa, const uint8_t **page)
{
	struct vmmu_gmem_line *recent = &m->recent[purpose];

	if (__builtin_expect(recent->tag != gpa, 0)) {
		struct vmmu_gmem_line *line = gmem_line(m, gpa);

		if (line->tag != gpa)
			return false;
		recent->tag = gpa;
		recent->read = line->read;
	}
	*page = recent->read;
	return true;
}

#endif
