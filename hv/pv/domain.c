/*
 * A paravirtual guest's memory: frames wherever the machine has them, known
 * to the guest by their machine numbers, in the order of its own. The loaders
 * reach it by gpa as in any VM; where the others have host-virtual memory
 * between gpa and hpa, here the P2M is what stands there.
 */
#include "pv/bystander.h"
#include "pv/shadow.h"

#include "cpu/cpu.h"
#include "mm/frames.h"
#include "mm/paging.h"
#include "vm/memory.h"
#include "vm/vm.h"

#define ORDER_MAX 14 /* 64 MiB at a time, where there are */

/* The machine's, but for what stands between gpa and hpa. */
static struct vmmu_host_ops host_ops;

/* The number of the last VM. */
static uint16_t owners;

struct pv_domain *pv_domain_of(const struct vm *vm)
{
	return vm->engine_vm;
}

/* hva is the gpa: there is one slot, from 0. */
static enum vmmu_resolve resolve(void *cookie, hva_t hva, unsigned access,
				 struct vmmu_extent *out)
{
	const struct hv_port *port = cookie;
	const struct vm *vm = port->ctx;
	hfn_t hfn;

	(void)access;
	if (!vmmu_direct_p2m(&vm->mmu, gpa_gfn(mk_gpa(hva.v)), &hfn))
		return VMMU_RESOLVE_NONE;
	*out = (struct vmmu_extent){
		.hva = mk_hva(hva.v & ~VMMU_PAGE_MASK),
		.hpa = hfn_hpa(hfn),
		.size = VMMU_PAGE_SIZE,
	};
	return VMMU_RESOLVE_OK;
}

static void flush(void *ctx)
{
	struct vm *vm = ctx;

	for (unsigned i = 0; i < vm->cpus; i++)
		vm->engine->flush(vm->vcpu[i]);
}

static const char *make_vm(struct vm *vm, const struct config *config)
{
	struct pv_domain *d = vm->engine_vm;
	struct vmmu_vm_config c = {
		.host = { &host_ops, &vm->port },
		.slot_storage = vm->slots,
		.slot_capacity = VM_SLOTS_MAX,
		.table_limit = config->table_pages,
	};
	struct vmmu_direct_config direct = {
		.frames = &pv_frames,
		.owner = ++owners,
		.p2m = d->p2m,
		.p2m_count = d->pages,
		.template = d->template,
		.slot_first = HV_SLOT_FIRST,
		.slot_count = HV_SLOTS,
		.maxphyaddr = (uint8_t)cpuid(0x80000008, 0).eax,
	};
	const struct vmmu_slot slot = { .size = config->memory };

	/* Linux inverts the address of what is not present, so all of it lies
	 * in the upper half; memory does not. */
	direct.absent_limit = UINT64_C(1) << (direct.maxphyaddr - 1);
	host_ops = hv_host_ops;
	host_ops.resolve = resolve;
	vm->port = (struct hv_port){ .flush = flush, .ctx = vm };
	vm->memory = config->memory;
	vm->engine->hardware(&c.hw);
	paging_template(d->template);
	if (!vmmu_vm_init(&vm->mmu, &c) ||
	    !vmmu_direct_vm_init(&d->direct, &vm->mmu, &direct))
		return "there is no memory for the VM's tables";
	vmmu_gmem_init(&vm->mem, &vm->mmu.slots, &vm->mmu.host);
	if (vmmu_vm_set_slot(&vm->mmu, &slot) != VMMU_SLOT_OK)
		return "the VM's memory slot does not fit";
	return NULL;
}

static bool give_run(struct pv_domain *d, hpa_t at, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++, d->owned++)
		if (vmmu_direct_give(&d->vm->mmu, mk_gfn(d->owned),
				     mk_hfn(hpa_hfn(at).v + i)) !=
		    VMMU_DIRECT_OK)
			return false;
	return true;
}

const char *pv_give_runs(struct pv_domain *d,
			 bool (*give)(struct pv_domain *d, hpa_t at,
				      uint64_t count))
{
	unsigned order = ORDER_MAX;
	hpa_t at;

	while (d->owned < d->pages) {
		while (order && d->pages - d->owned < UINT64_C(1) << order)
			order--;
		if (frame_alloc_run(order, &at)) {
			if (!give(d, at, UINT64_C(1) << order))
				return "the guest's frames cannot be given to "
				       "it";
		} else if (!order--) {
			return "this machine has not that much memory for a "
			       "guest";
		}
	}
	return NULL;
}

static const char *give_memory(struct pv_domain *d)
{
	const char *wrong = pv_give_runs(d, give_run);

	if (wrong)
		return wrong;
	if (!frame_alloc(&d->shared_page) ||
	    vmmu_direct_share(&d->vm->mmu, hpa_hfn(d->shared_page)) !=
		    VMMU_DIRECT_OK)
		return "there is no memory for the shared page";
	d->shared = pv_page(d->shared_page);
	return NULL;
}

const char *pv_domain_memory(struct vm *vm, const struct config *config)
{
	struct pv_domain *d = vm_alloc(sizeof(*d));
	const char *wrong;

	if (!d)
		return "there is no memory for a domain";
	vm->engine_vm = d;
	d->vm = vm;
	d->pages = config->memory / VMMU_PAGE_SIZE;
	d->p2m = vm_alloc((d->pages + 1) * sizeof(d->p2m[0]));
	if (!d->p2m)
		return "there is no memory for the guest's P2M";
	for (uint64_t i = 0; i <= d->pages; i++)
		d->p2m[i] = VMMU_M2P_INVALID;
	if (vm->scheme[0] != &vmmu_direct)
		return pv_shadow_memory(d, config);
	wrong = make_vm(vm, config);
	return wrong ? wrong : give_memory(d);
}

/* After its vCPU is gone. All frames that are still its own, wherever the
 * guest has put them in its P2M. */
void pv_domain_free(struct vm *vm)
{
	struct pv_domain *d = vm->engine_vm;

	if (!d)
		return;
	for (uint64_t i = 0; d->direct.vm && i < pv_frames.count; i++)
		if (pv_frames.frame[i].owner == d->direct.config.owner)
			frame_free(hfn_hpa(mk_hfn(i)), 0);
	if (d->direct.vm)
		vmmu_direct_vm_fini(&d->direct);
	else if (d->p2m)
		pv_shadow_free(d);
	if (d->p2m)
		vm_free(d->p2m, (d->pages + 1) * sizeof(d->p2m[0]));
	if (d->bystander)
		pv_bystander_free(d->bystander);
	vm_free(d, sizeof(*d));
	vm->engine_vm = NULL;
}
