/*
 * The monitor's `info mem` and `info tlb`: what the guest's tables map.
 *
 *   info tlb   a line a page:    gva: gpa XGPDACTUW   (the leaf's bits)
 *   info mem   a line a range:   first-end size urw   (what may be done there)
 *
 * The address space is gone through by walks, each of which tells how far the
 * next one may leap: over the page that it found, or over all that the absent
 * entry would have mapped. A guest's tables may be a maze in which every road
 * leads round, so walks and lines are counted, and the last line says where to
 * go on.
 */
#include "vm/monitor.h"
#include "vm/vm.h"

#define WALKS_MAX (1u << 20)
#define LINES_MAX 8192u

typedef unsigned long long ull;

struct pages {
	struct vm *vm;
	struct vmmu_mode mode;
	struct vmmu_gwalk walk; /* of the page found */
	uint64_t gva, size;	/* of it, or of its part from there on */
	uint64_t next;
	bool over; /* there is nothing beyond */
	unsigned walks, lines;
};

static bool is_beyond(const struct pages *p)
{
	return p->mode.va_bits == 32 && p->next > UINT32_MAX;
}

static void leap(struct pages *p, uint64_t size)
{
	p->next = (p->next | (size - 1)) + 1;
	p->over = !p->next || is_beyond(p);
}

/* True: there is something to go through. */
static bool begin(struct pages *p, struct vm *vm, const char *args,
		  const struct fmt_sink *out)
{
	*p = (struct pages){ .vm = vm };
	if (*args && !monitor_number(vm, args, &p->next, out))
		return false;
	monitor_mode(vm, &p->mode);
	if (!p->mode.format)
		fmt_print(out, "PG disabled\n");
	p->next &= ~VMMU_PAGE_MASK;
	p->over = is_beyond(p);
	return p->mode.format != NULL;
}

/* The next page; false: there is none, or enough was walked. */
static bool next(struct pages *p)
{
	while (!p->over && p->walks < WALKS_MAX) {
		enum vmmu_gwalk_status status =
			monitor_walk(p->vm, &p->mode, p->next, &p->walk);

		p->walks++;
		p->gva = p->next;
		if (status == VMMU_GWALK_OK) {
			leap(p, UINT64_C(1) << p->walk.page_shift);
			p->size = p->next - p->gva;
			return true;
		}
		if (status == VMMU_GWALK_NON_CANONICAL)
			p->next = 0 - (UINT64_C(1) << (p->mode.va_bits - 1));
		else
			leap(p, UINT64_C(1)
					<< p->mode.level[p->walk.level].shift);
	}
	return false;
}

/* Asked before another line is put. True: this page is the next one's. */
static bool enough(struct pages *p)
{
	if (p->lines++ < LINES_MAX)
		return false;
	p->next = p->gva;
	p->over = false;
	return true;
}

static void say_more(const struct pages *p, const char *command,
		     const struct fmt_sink *out)
{
	if (!p->over)
		fmt_print(out, "there is more: %s 0x%llx\n", command,
			  (ull)p->next);
}

/* X: no execute, P: a large page, C: no caching, T: write-through. */
static void put_flags(const struct pages *p, const struct fmt_sink *out)
{
	static const struct {
		char letter;
		uint8_t bit;
	} flag[] = {
		{ 'X', 63 }, { 'G', 8 }, { 'P', 7 }, { 'D', 6 }, { 'A', 5 },
		{ 'C', 4 },  { 'T', 3 }, { 'U', 2 }, { 'W', 1 },
	};
	uint64_t entry = p->walk.entry;

	if (p->walk.level == 1) /* there bit 7 is PAT */
		entry &= ~(UINT64_C(1) << 7);
	for (unsigned i = 0; i < sizeof(flag) / sizeof(flag[0]); i++)
		fmt_print(out, "%c",
			  entry >> flag[i].bit & 1 ? flag[i].letter : '-');
	fmt_print(out, "\n");
}

void monitor_info_tlb(struct vm *vm, const char *args,
		      const struct fmt_sink *out)
{
	struct pages p;

	if (!begin(&p, vm, args, out))
		return;
	while (next(&p)) {
		if (enough(&p))
			break;
		fmt_print(out, "%016llx: %016llx ", (ull)p.gva,
			  (ull)p.walk.gpa.v);
		put_flags(&p, out);
	}
	say_more(&p, "info tlb", out);
}

struct range {
	uint64_t first, size;
	unsigned perms; /* VMMU_U, VMMU_W */
};

static void put_range(const struct range *r, const struct fmt_sink *out)
{
	if (r->size)
		fmt_print(out, "%016llx-%016llx %016llx %cr%c\n", (ull)r->first,
			  (ull)(r->first + r->size), (ull)r->size,
			  r->perms & VMMU_U ? 'u' : '-',
			  r->perms & VMMU_W ? 'w' : '-');
}

void monitor_info_mem(struct vm *vm, const char *args,
		      const struct fmt_sink *out)
{
	struct range r = { .size = 0 };
	struct pages p;

	if (!begin(&p, vm, args, out))
		return;
	while (next(&p)) {
		unsigned perms = p.walk.perms & (VMMU_U | VMMU_W);

		if (r.size && r.first + r.size == p.gva && r.perms == perms) {
			r.size += p.size;
			continue;
		}
		put_range(&r, out);
		r.size = 0;
		if (enough(&p))
			break;
		r = (struct range){ p.gva, p.size, perms };
	}
	put_range(&r, out);
	say_more(&p, "info mem", out);
}
