/*
 * A bystander: a second VM beside the guest, with which an attack that the
 * checks let through is seen for what it is. The same builder makes it from
 * the same image: memory, slots, P2M, its entries in the M2P, page tables, a
 * pinned root. It never runs, so not a bit of it may ever change.
 *
 *   1. made, beside the guest; pages that are still empty get a pattern
 *   2. each frame is written down: its contents, its owner and counts, where
 *      P2M and M2P have it
 *   3. compared, when the guest has ended and once more when it is gone
 *
 * So that it can be seen that this sees anything there is one flaw to plant:
 * the frame table says of one of its pages that it is the guest's.
 */
#include "pv/bystander.h"

#include <vmmu/audit.h>

#include "cpu/print.h"
#include "vm/memory.h"

typedef unsigned long long ull;

#define SAID_MAX 4 /* frames that are named; all are counted */

/* 1. What is written down. */

static uint64_t mix(uint64_t sum, uint64_t word)
{
	sum = (sum ^ word) * UINT64_C(0x9e3779b97f4a7c15);
	return sum ^ sum >> 29;
}

static uint64_t sum_page(hfn_t hfn)
{
	const uint64_t *word = vmmu_frame_ptr(&pv_frames, hfn);
	uint64_t sum = 0;

	for (unsigned i = 0; i < VMMU_PAGE_SIZE / 8; i++)
		sum = mix(sum, word[i]);
	return sum;
}

/* All that is kept of a frame elsewhere. Frame i is gfn i; the last is the
 * shared page, which has none. Under shadow nobody but P2M knows of it. */
static uint64_t sum_record(const struct pv_domain *d, uint64_t i, hfn_t hfn)
{
	const struct vmmu_frame *f = vmmu_frame_of(&pv_frames, hfn);
	uint64_t sum = mix(0, d->p2m[i]);

	if (!d->direct.vm)
		return sum;
	sum = mix(sum, (uint64_t)f->total_count << 32 | f->type_count);
	sum = mix(sum, (uint64_t)f->mark << 32 | (uint64_t)f->owner << 16 |
			       (uint64_t)f->type << 8 | f->flags);
	return mix(sum, pv_frames.m2p[hfn.v - pv_frames.first]);
}

static void write_down(struct pv_bystander *b)
{
	const struct pv_domain *d = pv_domain_of(&b->vm);

	for (uint64_t i = 0; i < b->count; i++) {
		struct pv_witness *w = &b->witness[i];

		w->hfn = i < d->pages ? mk_hfn(d->p2m[i])
				      : hpa_hfn(d->shared_page);
		w->page = sum_page(w->hfn);
		w->record = sum_record(d, i, w->hfn);
	}
}

/* 2. Made. */

static bool is_table(const struct pv_domain *d, uint64_t gfn)
{
	const struct vmmu_frame *f;

	if (!d->direct.vm)
		return d->table_level[gfn];
	f = vmmu_frame_of(&pv_frames, mk_hfn(d->p2m[gfn]));
	return f->type >= VMMU_FRAME_L1 && f->type <= VMMU_FRAME_L4;
}

/* Of a page that is all zero, and no table. */
static void fill(const struct pv_domain *d, uint64_t gfn)
{
	uint64_t *word = vmmu_frame_ptr(&pv_frames, mk_hfn(d->p2m[gfn]));
	const unsigned count = VMMU_PAGE_SIZE / 8;

	if (is_table(d, gfn))
		return;
	for (unsigned i = 0; i < count; i++)
		if (word[i])
			return;
	for (unsigned i = 0; i < count; i++)
		word[i] = mix(gfn, i);
}

/* Its last page is data. */
static const char *plant(const struct pv_bystander *b,
			 const struct pv_domain *guest)
{
	hfn_t hfn = b->witness[b->count - 2].hfn;

	if (!guest->direct.vm)
		return "bystander-flaw= needs mmu=direct";
	vmmu_frame_of(&pv_frames, hfn)->owner = guest->direct.config.owner;
	return NULL;
}

static const char *make(struct pv_bystander *b, const struct vm *guest,
			struct load_request *req)
{
	const struct pv_domain *d;
	const char *wrong;

	b->config = *guest->config;
	b->config.memory = guest->config->bystander;
	b->vm.config = &b->config;
	b->vm.scheme[0] = guest->scheme[0];
	b->vm.scheme_count = 1;
	wrong = vm_create(&b->vm, &b->config, guest->engine);
	if (wrong)
		return wrong;
	d = pv_domain_of(&b->vm);
	d->cpu->frame = &b->frame;
	wrong = pv_build(&b->vm, req);
	if (wrong)
		return wrong;
	b->witness = vm_alloc((d->pages + 1) * sizeof(b->witness[0]));
	if (!b->witness)
		return "there is no memory to write a bystander down";
	b->count = d->pages + 1;
	for (uint64_t gfn = 0; gfn < d->pages; gfn++)
		fill(d, gfn);
	write_down(b);
	return NULL;
}

const char *pv_bystander_make(struct vm *vm, struct load_request *req)
{
	struct pv_domain *d = pv_domain_of(vm);
	const char *wrong;

	d->bystander = vm_alloc(sizeof(*d->bystander));
	if (!d->bystander)
		return "there is no memory for a bystander";
	wrong = make(d->bystander, vm, req);
	if (!wrong && vm->config->bystander_flaw)
		wrong = plant(d->bystander, d);
	return wrong;
}

/* 3. Compared. Nothing is said while a report is put, which would be torn. */

static void said(const struct pv_witness *w, bool page, uint64_t before)
{
	if (before < SAID_MAX)
		say("bystander: the %s of its frame 0x%llx changed",
		    page ? "memory" : "record", (ull)w->hfn.v);
}

static uint64_t compare(const struct pv_bystander *b,
			void (*tell)(const struct pv_witness *w, bool page,
				     uint64_t before))
{
	const struct pv_domain *d = pv_domain_of(&b->vm);
	uint64_t changed = 0;

	for (uint64_t i = 0; i < b->count; i++) {
		const struct pv_witness *w = &b->witness[i];
		bool page = sum_page(w->hfn) != w->page;

		if (!page && sum_record(d, i, w->hfn) == w->record)
			continue;
		if (tell)
			tell(w, page, changed);
		changed++;
	}
	return changed;
}

uint64_t pv_bystander_changed(const struct pv_bystander *b)
{
	return compare(b, NULL);
}

static void counted(void *ctx, unsigned invariant, const char *sentence,
		    uint64_t addr, uint64_t entry)
{
	(void)ctx, (void)invariant, (void)sentence, (void)addr, (void)entry;
}

static uint64_t tables(const struct pv_domain *d)
{
	uint64_t n = 0;

	for (uint64_t gfn = 0; gfn < d->pages; gfn++)
		n += is_table(d, gfn);
	return n;
}

void pv_bystander_report(struct pv_bystander *b, const struct fmt_sink *sink)
{
	struct vmmu_audit audit = { .breach = counted };

	if (!b->count)
		return;
	vmmu_audit(&b->vm.mmu, &audit);
	fmt_print(sink,
		  ",\"bystander\":{\"pages\":%llu,\"tables\":%llu"
		  ",\"changed\":%llu,\"entries\":%llu,\"breaches\":%llu}",
		  (ull)b->count, (ull)tables(pv_domain_of(&b->vm)),
		  (ull)pv_bystander_changed(b), (ull)audit.entries,
		  (ull)audit.breaches);
}

static void breach(void *ctx, unsigned invariant, const char *sentence,
		   uint64_t addr, uint64_t entry)
{
	(void)ctx, (void)invariant;
	say("bystander: %s: address 0x%llx, entry 0x%llx", sentence, (ull)addr,
	    (ull)entry);
}

/* The guest's frames are the machine's again: none was a bystander's. */
void pv_bystander_free(struct pv_bystander *b)
{
	struct vmmu_audit audit = { .breach = breach };

	if (b->count) {
		compare(b, said);
		vmmu_audit(&b->vm.mmu, &audit);
	}
	if (b->witness)
		vm_free(b->witness, b->count * sizeof(b->witness[0]));
	if (b->vm.engine)
		vm_destroy(&b->vm);
	vm_free(b, sizeof(*b));
}
