/*
 * A third opinion on page-level protection, for two entries of one walk: the
 * manual's prose as one chain of named conditions. It calls neither the
 * library nor the software MMU and never sees an entry's bits.
 */
#ifndef DIFF_PREDICT_H
#define DIFF_PREDICT_H

#include <stdbool.h>
#include <stdint.h>

struct predict_entry {
	bool present, write, user, no_execute, reserved;
	bool large; /* of the upper one: it maps the page itself */
};

struct predict_machine {
	bool is_32bit;	/* 32-bit paging: no bit 63 in an entry */
	bool is_pae;	/* CR4.PAE: PAE, 4-level or 5-level paging */
	bool long_mode; /* IA32_EFER.LMA */
	bool wp, smep, smap, pke, pks, nxe;
	bool user_key_ad, user_key_wd; /* PKRU, for the page's key */
	bool supervisor_key_ad, supervisor_key_wd; /* IA32_PKRS */
};

struct predict_access {
	bool write, fetch; /* neither: a read */
	bool cpl3, implicit, ac;
};

struct prediction {
	bool goes_on; /* from the upper entry to a leaf: sets its A */
	bool allowed;
	uint32_t error; /* of the #PF otherwise */
};

struct prediction predict(const struct predict_machine *m,
			  const struct predict_entry *upper,
			  const struct predict_entry *leaf,
			  const struct predict_access *a);

#endif
