/*
 * The schemes of a VM, and the way from one to the next.
 *
 * All that a scheme keeps is derived from guest tables and slots, so a vCPU
 * can change at any exit: the library enters the new one, the engine
 * intercepts what that needs, and the guest's registers, which have not
 * changed, are told to it. The guest sees nothing of it: what one scheme would
 * hide in CPUID is hidden in a VM that may ever come to it.
 */
#include "vm/vm.h"

static const struct vmmu_scheme *const schemes[] = {
	&vmmu_nested,
	&vmmu_vtlb,
	&vmmu_shadow,
	&vmmu_direct,
};

static bool equal(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

const struct vmmu_scheme *vm_find_scheme(const char *name)
{
	for (unsigned i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
		if (equal(schemes[i]->name, name))
			return schemes[i];
	return NULL;
}

bool vm_scheme_is_for(const struct engine *engine,
		      const struct vmmu_scheme *scheme)
{
	if (scheme == &vmmu_shadow)
		return true;
	return (engine->para != NULL) == (scheme == &vmmu_direct);
}

const char *vm_scheme_refused(const struct engine *engine,
			      const struct vmmu_scheme *scheme)
{
	if (!vm_scheme_is_for(engine, scheme))
		return "a guest under direct knows of it, and cannot move to "
		       "another scheme";
	return engine->cannot(scheme->needs);
}

bool vm_needs(const struct vm *vm, uint32_t need)
{
	for (unsigned i = 0; i < vm->scheme_count; i++)
		if (vm->scheme[i]->needs & need)
			return true;
	return false;
}

void vcpu_set_features(struct vcpu *v)
{
	v->features = v->vm->cpuid.paging;
	v->features.pdptes_in_memory =
		v->vm->engine->walks_pdptes &&
		(v->mmu.scheme->needs & VMMU_NEEDS_SECOND);
	v->vm->pdptes_walked |= v->features.pdptes_in_memory;
}

/* Without memory for its first table the vCPU stays where it is. */
static bool move(struct vcpu *v, const struct vmmu_scheme *scheme)
{
	if (!vmmu_cpu_switch(&v->mmu, scheme))
		return false;
	v->vm->engine->use_scheme(v);
	vcpu_set_features(v);
	if (!vcpu_tell_paging(v))
		vm_stop(v->vm, VM_KILLED,
			"the guest's PDPTEs are no longer what CR3 may be "
			"loaded with");
	return true;
}

void vm_switch_schemes(struct vm *vm, uint64_t now)
{
	const struct vmmu_scheme *next;

	if (now < vm->switch_at)
		return;
	vm->switch_at = now + vm->switch_ticks;
	vm->scheme_now = (vm->scheme_now + 1) % vm->scheme_count;
	next = vm->scheme[vm->scheme_now];
	/* No audit at the end would see the tables that are dropped here. */
	vm_audit(vm);
	for (unsigned i = 0; i < vm->cpus; i++)
		if (move(vm->vcpu[i], next))
			vm->switches++;
}

/* PCID is the one thing of paging that a scheme of software has not, and that
 * a guest may be using that was started under nested alone. */
const char *vm_use_scheme(struct vm *vm, const struct vmmu_scheme *scheme)
{
	const struct vmmu_scheme *before = vm->vcpu[0]->mmu.scheme;
	const char *wrong = vm_scheme_refused(vm->engine, scheme);
	unsigned i;

	if (wrong)
		return wrong;
	if (vm->engine->para)
		return scheme == before ? NULL
					: "a paravirtual guest cannot move to "
					  "another scheme";
	if (scheme->needs & VMMU_NEEDS_CR_MODE &&
	    vm->cpuid.cr4 & VMMU_CR4_PCIDE)
		return "the guest was offered PCID: name the scheme in --mmu "
		       "beside nested";
	for (i = 0; i < vm->cpus; i++)
		if (!move(vm->vcpu[i], scheme))
			break;
	vm->switches += i == vm->cpus && scheme != before;
	if (i == vm->cpus)
		return NULL;
	while (i--)
		move(vm->vcpu[i], before);
	return "there is no memory for its tables";
}
