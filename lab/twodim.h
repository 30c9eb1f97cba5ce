/*
 * The two-dimensional walk: guest tables of any mode over nested tables, with
 * a count of every memory reference.
 *
 * Each guest entry that is read costs one walk of the nested table and the
 * read itself; the final gpa costs one nested walk more:
 *
 *        n guest levels, m nested:  n (m + 1) + m = (n + 1)(m + 1) - 1
 *        4 over 4: 24    5 over 4: 29    paging off over 4: 4
 *
 * Large leaves in either dimension shorten it. Caches are not counted here:
 * this is the walk that they save.
 */
#ifndef LAB_TWODIM_H
#define LAB_TWODIM_H

#include "nest.h"
#include "smmu.h"

struct twodim {
	const struct smmu_regs *guest;
	struct nest nest;
};

enum twodim_outcome {
	TWODIM_OK,
	TWODIM_FAULT,	      /* the guest's own #PF: guest.error */
	TWODIM_NON_CANONICAL, /* #GP or #SS */
	TWODIM_VIOLATION,     /* at violation_gpa: an exit */
	TWODIM_MISCONFIG,     /* the nested table has a reserved bit set */
	TWODIM_LOST,	      /* the nested table points at nothing */
};

struct twodim_result {
	enum twodim_outcome outcome;
	struct smmu_result guest; /* the guest dimension */
	hpa_t hpa;		  /* of the byte, when OK */
	unsigned page_shift;	  /* the smaller of both dimensions' pages */
	unsigned nested_perms;	  /* of the final page */
	gpa_t violation_gpa;
	unsigned violation_access; /* VMMU_R, W or X */
	bool during_walk;	   /* of the guest's table, not of the byte */
	unsigned guest_refs, nested_refs;
	unsigned updates; /* guest entries whose A or D was set */
};

void twodim_access(const struct twodim *t, gva_t gva, unsigned access,
		   struct twodim_result *out);

#endif
