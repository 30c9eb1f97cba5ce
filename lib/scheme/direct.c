/*
 * The scheme `direct` (PVMMU): the processor walks the guest's own tables.
 *
 * What other schemes do when a fault comes in, this one does when the guest
 * asks for a change (direct_update.c, direct_root.c). The events that are
 * left:
 *
 *   fault       a write to an L1 table that is mapped read-only: EMULATE, with
 *               its hpa in place of a gpa; every other fault is the guest's
 *   invalidate, flush    hardware forgets; no table of ours is behind it
 *
 * Frames that a guest has in its tables cannot be withdrawn behind its back:
 * backing changes by release alone, so there is no gpa_changed, no dirty log
 * and no read-only slot.
 */
#include <stddef.h>

#include "scheme/direct.h"

/* 1. Names. */

const char *vmmu_direct_status_name(enum vmmu_direct_status status)
{
	static const char *const name[VMMU_DIRECT_STATUSES] = {
		[VMMU_DIRECT_OK] = "ok",
		[VMMU_DIRECT_AGAIN] = "again",
		[VMMU_DIRECT_CHANGED] = "changed",
		[VMMU_DIRECT_FOREIGN] = "foreign frame",
		[VMMU_DIRECT_TYPE] = "frame in use as something else",
		[VMMU_DIRECT_BITS] = "forbidden bits",
		[VMMU_DIRECT_SLOT] = "the hypervisor's slot",
		[VMMU_DIRECT_ADDRESS] = "bad address",
		[VMMU_DIRECT_ABSENT] = "no table there",
		[VMMU_DIRECT_COUNT] = "too many uses",
		[VMMU_DIRECT_STATE] = "wrong state",
	};

	return (unsigned)status < VMMU_DIRECT_STATUSES ? name[status] : "?";
}

/* 2. The VM. */

/* What hardware ignores in present entries: bits 9-11 and 52-58. */
#define SOFT (UINT64_C(0xe00) | UINT64_C(0x7f) << 52)

/* PWT, PCD and PAT stay clear: all memory is write-back, so that what the
 * hypervisor reads is what the guest's processor sees. */
static void set_masks(struct vmmu_direct_vm *d)
{
	uint64_t width = UINT64_C(1) << d->config.maxphyaddr;
	uint64_t both = ENTRY_P | ENTRY_W | ENTRY_U | ENTRY_A | ENTRY_D |
			ENTRY_NX | SOFT | (ENTRY_ADDR & (width - 1));

	d->link_bad = ~both;
	d->leaf_bad = ~(both | d->config.kernel_leaf | d->config.user_leaf);
}

bool vmmu_direct_vm_init(struct vmmu_direct_vm *d, struct vmmu_vm *vm,
			 const struct vmmu_direct_config *config)
{
	uint64_t leaf = config->kernel_leaf | config->user_leaf;

	if (!config->owner || config->maxphyaddr < 32 ||
	    config->maxphyaddr > 52 ||
	    config->slot_first + config->slot_count > (int)ENTRIES ||
	    leaf & ~(SOFT | ENTRY_G))
		return false;
	*d = (struct vmmu_direct_vm){ .vm = vm, .epoch = 1 };
	d->config = *config;
	d->table = *config->frames;
	d->bias = (uintptr_t)d->table.map -
		  (uintptr_t)(d->table.first << VMMU_PAGE_SHIFT);
	set_masks(d);
	for (uint64_t i = 0; i < config->p2m_count; i++)
		config->p2m[i] = VMMU_M2P_INVALID;
	vm->direct = d;
	return true;
}

/* The scheme's page of state: its vCPUs. */
struct seats {
	struct vmmu_direct_cpu
		seat[VMMU_PAGE_SIZE / sizeof(struct vmmu_direct_cpu)];
};

_Static_assert(sizeof(struct seats) <= VMMU_PAGE_SIZE,
	       "a scheme's state is one table page");

static bool begin_vm(struct vmmu_vm *vm)
{
	return vm->direct;
}

/* 3. vCPUs. */

static bool begin_cpu(struct vmmu_cpu *cpu)
{
	struct seats *s = cpu->use->state;
	const size_t count = sizeof(s->seat) / sizeof(s->seat[0]);

	for (size_t i = 0; i < count; i++) {
		if (s->seat[i].cpu)
			continue;
		s->seat[i] = (struct vmmu_direct_cpu){ .cpu = cpu };
		s->seat[i].way.page = UINT64_MAX;
		cpu->state = &s->seat[i];
		return true;
	}
	return false;
}

static void give_up(struct vmmu_direct_vm *d, hpa_t *root)
{
	if (root->v)
		direct_put_type(d, direct_frame(d, hpa_hfn(*root).v), NULL);
	*root = mk_hpa(0);
}

static void end_cpu(struct vmmu_cpu *cpu)
{
	struct vmmu_direct_cpu *seat = cpu->state;

	direct_settle(cpu->vm->direct, NULL);
	give_up(cpu->vm->direct, &cpu->root);
	give_up(cpu->vm->direct, &seat->user_root);
	seat->cpu = NULL;
}

/* 4. Events. */

static void fault(struct vmmu_cpu *cpu, const struct vmmu_fault *f,
		  struct vmmu_answer *a)
{
	hpa_t at;

	cpu->vm->stats.pf_taken++;
	if (f->access & VMMU_W && f->error_code & VMMU_PF_P &&
	    vmmu_direct_is_trapped(cpu, f->gva, &at)) {
		cpu->vm->stats.pf_emulate++;
		a->verdict = VMMU_EMULATE;
		a->gpa = mk_gpa(at.v);
		return;
	}
	cpu->vm->stats.pf_guest++;
	a->verdict = VMMU_INJECT;
	a->error_code = f->error_code;
	a->gva = f->gva;
}

static void invalidate(struct vmmu_cpu *cpu, gva_t gva)
{
	cpu->vm->stats.invlpg++;
	vm_flush_gva(cpu, gva);
}

static void flush(struct vmmu_cpu *cpu, enum vmmu_flush what)
{
	(void)what;
	vm_flush_cpu(cpu);
}

const struct vmmu_scheme vmmu_direct = {
	.name = "direct",
	.needs = VMMU_NEEDS_PF | VMMU_NEEDS_CR3 | VMMU_NEEDS_CR_MODE |
		 VMMU_NEEDS_INVLPG | VMMU_NEEDS_MACHINE,
	.vm_init = begin_vm,
	.cpu_init = begin_cpu,
	.cpu_fini = end_cpu,
	.fault = fault,
	.invalidate = invalidate,
	.flush = flush,
	.audit = direct_audit,
};
