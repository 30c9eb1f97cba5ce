/*
 * The prediction. Error code bits by number: 0 P, 1 W/R, 2 U/S, 3 RSVD, 4 I/D,
 * 5 PK. The sections quoted are of SDM 3A.
 */
#include "predict.h"

/* 4.7: bits that describe the access alone. */
static uint32_t about_access(const struct predict_machine *m,
			     const struct predict_access *a)
{
	bool user_mode = a->cpl3 && !a->implicit;
	bool reports_fetches = m->smep || (m->is_pae && m->nxe);

	return (a->write ? 2u : 0u) | (user_mode ? 4u : 0u) |
	       (a->fetch && reports_fetches ? 16u : 0u);
}

/* 4.4.2, 4.5: bit 63 is reserved too where it does not mean no-execute. */
static bool is_reserved(const struct predict_machine *m,
			const struct predict_entry *e)
{
	return e->reserved || (e->no_execute && !m->is_32bit && !m->nxe);
}

/* 4.6.1, "every paging-structure entry controlling the translation". */
struct page {
	bool writable, executable, user_mode;
};

static bool data_is_forbidden(const struct predict_machine *m,
			      const struct page *p,
			      const struct predict_access *a, bool user_mode)
{
	if (user_mode)
		return !p->user_mode || (a->write && !p->writable);
	if (p->user_mode && m->smap && (a->implicit || !a->ac))
		return true;
	return a->write && !p->writable && m->wp;
}

static bool fetch_is_forbidden(const struct predict_machine *m,
			       const struct page *p, bool user_mode)
{
	if (!p->executable)
		return true;
	if (user_mode)
		return !p->user_mode;
	return p->user_mode && m->smep;
}

/* 4.6.2: the page's key is looked up in the register for its kind of
 * address; "write-disable" binds supervisors only when CR0.WP is set. */
static bool key_forbids(const struct predict_machine *m, const struct page *p,
			const struct predict_access *a, bool user_mode)
{
	bool looked_at = m->long_mode && !a->fetch &&
			 (p->user_mode ? m->pke : m->pks);
	bool ad = p->user_mode ? m->user_key_ad : m->supervisor_key_ad;
	bool wd = p->user_mode ? m->user_key_wd : m->supervisor_key_wd;

	return looked_at && (ad || (wd && a->write && (user_mode || m->wp)));
}

struct prediction predict(const struct predict_machine *m,
			  const struct predict_entry *upper,
			  const struct predict_entry *leaf,
			  const struct predict_access *a)
{
	uint32_t access = about_access(m, a);
	bool user_mode = access & 4;
	bool both = !upper->large;
	struct page p = {
		.writable = upper->write && (!both || leaf->write),
		.user_mode = upper->user && (!both || leaf->user),
		.executable = m->is_32bit || !(upper->no_execute ||
					       (both && leaf->no_execute)),
	};
	bool rights, key;

	if (!upper->present)
		return (struct prediction){ false, false, access };
	if (is_reserved(m, upper))
		return (struct prediction){ false, false, access | 1u | 8u };
	if (both && !leaf->present)
		return (struct prediction){ both, false, access };
	if (both && is_reserved(m, leaf))
		return (struct prediction){ both, false, access | 1u | 8u };
	rights = a->fetch ? fetch_is_forbidden(m, &p, user_mode)
			  : data_is_forbidden(m, &p, a, user_mode);
	key = key_forbids(m, &p, a, user_mode);
	if (!rights && !key)
		return (struct prediction){ both, true, 0 };
	return (struct prediction){ both, false,
				    access | 1u | (key ? 32u : 0u) };
}
