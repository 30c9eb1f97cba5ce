/*
 * Something goes wrong at every n: a scenario of library calls, run again and
 * again while the host refuses the n-th table page it is asked for (then: the
 * n-th and all after it; then: moves all memory that the guest has to other
 * frames, before it answers the n-th question for backing), until a run asks
 * for fewer than n.
 *
 * Whatever n, in each nested format and in each of the guest's modes under the
 * schemes of software: nothing crashes; once a vCPU exists every fault is
 * answered and the page then reached is the right one (I4: it costs speed,
 * never correctness); the audit is clean; and at the end the host has every
 * table page back.
 */
#include "nth.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void scene_expect(struct scene *s, bool good, const char *sentence)
{
	if (!good && !s->wrong)
		s->wrong = sentence;
}

void scene_slot(struct scene *s, uint32_t id, uint64_t gpa, uint64_t size,
		uint64_t offset, uint32_t flags)
{
	struct vmmu_slot slot = {
		.id = id,
		.flags = flags,
		.gpa = mk_gpa(gpa),
		.size = size,
		.hva = mk_hva(s->host.hva_base.v + offset),
		.dirty = flags & VMMU_SLOT_LOG_DIRTY ? s->dirty : NULL,
	};

	scene_expect(s, vmmu_vm_set_slot(&s->vm, &slot) == VMMU_SLOT_OK,
		     "a slot was refused");
}

void scene_reached(struct scene *s, uint64_t offset, hpa_t hpa)
{
	hva_t hva = mk_hva(s->host.hva_base.v + offset);
	hpa_t now;

	scene_expect(s, lab_host_peek(&s->host, hva, &now) && now.v == hpa.v,
		     "the wrong page was reached");
}

static void end(struct scene *s)
{
	struct vmmu_audit audit = { .breach = NULL };

	s->quiet = true;
	scene_expect(s, vmmu_audit(&s->vm, &audit), "the audit is not clean");
	s->live = false;
	vmmu_cpu_fini(&s->cpu);
	vmmu_vm_fini(&s->vm);
}

static void backing_changed(void *ctx, hva_t hva, uint64_t size)
{
	struct scene *s = ctx;

	if (s->live)
		vmmu_vm_backing_changed(&s->vm, hva, size);
}

/* SDM 3A 4.4.1: the four entries of a PAE root are read with CR3. */
static void flushed(void *ctx, struct vmmu_cpu *cpu, const gva_t *gva)
{
	struct scene *s = ctx;

	(void)cpu;
	if (!gva)
		s->root.pdptes_loaded = false;
}

/* The host takes everything from the guest, and gives it other frames. */
static void resolving(void *ctx, hva_t hva)
{
	struct scene *s = ctx;

	(void)hva;
	if (s->how == MOVES && s->host.count.resolves == s->n && !s->quiet)
		lab_host_move(&s->host, s->host.hva_base, MOVED);
}

static void start_host(struct scene *s)
{
	struct lab_host_config config = { .memory = 0x1000000,
					  .spare = 0x100000,
					  .extent = 0x200000,
					  .table_pages = 256 };

	if (!lab_host_init(&s->host, &config)) {
		fprintf(stderr, "nth: no memory\n");
		exit(2);
	}
	s->host.hooks.backing_changed = backing_changed;
	s->host.hooks.flushed = flushed;
	s->host.hooks.resolving = resolving;
	s->host.hooks.ctx = s;
}

static bool is_over(const struct scene *s)
{
	const struct lab_host_counts *c = &s->host.count;

	return (s->how == MOVES ? c->resolves : c->table_allocs) < s->n;
}

/* One run. False: fewer than n were asked for, so all n have been tried. */
static bool run(struct scene *s, const struct scenario *scenario, uint64_t n,
		enum how how)
{
	bool over;

	memset(s, 0, sizeof(*s));
	s->scenario = scenario;
	s->how = how;
	s->n = n;
	start_host(s);
	s->host.fail_table_at = how == MOVES ? 0 : n;
	s->host.fail_all_after = how == REFUSES_ALL;
	s->live = scenario->begin(s);
	if (s->live) {
		scenario->go(s);
		end(s);
	}
	scene_expect(s, s->host.count.tables_out == 0,
		     "table pages were not given back");
	over = is_over(s);
	lab_host_fini(&s->host);
	return !over;
}

static const char *const names[HOWS] = {
	[REFUSES] = "allocation n refused",
	[REFUSES_ALL] = "allocation n and all later ones refused",
	[MOVES] = "all memory moved from within question n for it",
};

static bool test(unsigned number, const struct scenario *scenario, enum how how)
{
	static struct scene s;
	uint64_t n = 1;

	while (run(&s, scenario, n, how) && !s.wrong)
		n++;
	printf("%sok %u - %s: %s, n = 1 .. %llu%s%s\n", s.wrong ? "not " : "",
	       number, scenario->name, names[how], (unsigned long long)n,
	       s.wrong ? ": " : "", s.wrong ? s.wrong : "");
	fflush(stdout);
	return !s.wrong;
}

static bool test_each(unsigned *number, const struct scenario *scenario,
		      unsigned count)
{
	bool good = true;

	for (unsigned i = 0; i < count; i++)
		for (enum how how = REFUSES; how < HOWS; how++)
			good &= test(++*number, &scenario[i], how);
	return good;
}

int main(void)
{
	unsigned number = 0;
	bool good = test_each(&number, nth_nested, nth_nested_count);

	good &= test_each(&number, nth_root, nth_root_count);
	printf("1..%u\n", number);
	return !good;
}
