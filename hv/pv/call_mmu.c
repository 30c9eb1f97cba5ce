/*
 * The hypercalls of paging: a request is read once from guest memory, put in
 * the library's words, and answered in the ABI's.
 *
 * mmu_update is the most frequent of all, nearly always with one entry, and
 * roots are changed for each patch of the kernel's code: these two are kept
 * short. Long operations get a budget; when it is used up the host takes its
 * interrupts and the operation goes on.
 */
#include "pv/shadow.h"

#include <assert.h>

#include "cpu/cpu.h"
#include "mm/paging.h"
#include "vm/vm.h"

#define UPDATE_PREEMPTED 0x80000000u /* MMU_UPDATE_PREEMPTED: not a count */

static inline void flush_all(struct pv_cpu *c)
{
	write_cr3(read_cr3());
	vmmu_direct_flushed(&c->vcpu->vm->mmu);
}

/* 1. mmu_update. */

static_assert(sizeof(struct mmu_update) == 16 &&
		      offsetof(struct mmu_update, val) == 8,
	      "two words");

static enum vmmu_direct_status update_slowly(struct pv_cpu *c,
					     const struct vmmu_direct_update *u)
{
	enum vmmu_direct_status status;
	uint32_t budget;

	do {
		pv_breathe(c);
		budget = PV_BUDGET;
		status = vmmu_direct_update(&c->vcpu->mmu, u, &budget);
	} while (status == VMMU_DIRECT_AGAIN);
	return status;
}

static_assert(MMU_NORMAL_PT_UPDATE == VMMU_DIRECT_NORMAL &&
		      MMU_MACHPHYS_UPDATE == VMMU_DIRECT_MACHPHYS &&
		      MMU_PT_UPDATE_PRESERVE_AD == VMMU_DIRECT_PRESERVE_AD,
	      "the low bits of the address");

static __attribute__((noinline)) long update_any(struct pv_cpu *c, uint64_t at,
						 uint64_t value)
{
	const struct vmmu_direct_update u = {
		.at.v = at & ~UINT64_C(7),
		.value = value,
		.how = at & 7,
	};
	enum vmmu_direct_status status;
	uint32_t budget = PV_BUDGET;

	if ((at & 7) > MMU_PT_UPDATE_PRESERVE_AD)
		return -XEN_ENOSYS;
	status = vmmu_direct_update(&c->vcpu->mmu, &u, &budget);
	if (status == VMMU_DIRECT_AGAIN)
		status = update_slowly(c, &u);
	return status == VMMU_DIRECT_OK ? 0 : pv_errno(status);
}

/* Of a request in the guest's half. */
static inline long update_one(struct pv_cpu *c, struct vmmu_vm *vm, uint64_t at)
{
	uint64_t req[2];

	if (!pv_load_pair(req, at))
		return -XEN_EFAULT;
	if (!(req[0] & 5) && vmmu_direct_update_quick(vm, req[0] & ~UINT64_C(2),
						      req[1], req[0] & 2))
		return 0;
	return update_any(c, req[0], req[1]);
}

static __attribute__((noinline)) long update_shadow(struct pv_cpu *c,
						    uint64_t list,
						    uint64_t count,
						    uint64_t *done)
{
	long result = 0;

	while (*done < count && !result) {
		result = pv_shadow_mmu_update(
			c, list + *done * sizeof(struct mmu_update));
		if (!result && ++*done % PV_CALLS_A_BREATH == 0)
			pv_breathe(c);
	}
	return result;
}

static long tell_done(uint64_t at, uint64_t done, long result)
{
	uint32_t count = (uint32_t)done;

	if (at && !pv_put(at, &count, sizeof(count)))
		return -XEN_EFAULT;
	return result;
}

static long update_direct(struct pv_cpu *c, uint64_t list, uint64_t count,
			  uint64_t *done)
{
	struct vmmu_vm *vm = &c->vcpu->vm->mmu;
	long result = 0;

	while (*done < count && !result) {
		result = update_one(c, vm,
				    list + *done * sizeof(struct mmu_update));
		if (!result && ++*done % PV_CALLS_A_BREATH == 0)
			pv_breathe(c);
	}
	return result;
}

static __attribute__((noinline)) long update_many(struct pv_cpu *c,
						  uint64_t list, uint64_t count,
						  uint64_t done_at)
{
	uint64_t done = 0;
	long result = pv_is_shadow(c) ? update_shadow(c, list, count, &done)
				      : update_direct(c, list, count, &done);

	if (count != 1) {
		c->stats.update_lists++;
		c->stats.update_batched += done;
	}
	return done_at ? tell_done(done_at, done, result) : result;
}

static __attribute__((noinline, cold)) long refuse_update(struct pv_cpu *c,
							  long error)
{
	c->stats.update_refused++;
	return error;
}

/* One is what a guest nearly always asks for. */
long pv_mmu_update(uint64_t list, uint64_t count, uint64_t done_at,
		   uint64_t domain, uint64_t a5, struct pv_cpu *c)
{
	(void)a5;
	count = (uint32_t)count;
	if ((uint32_t)domain != DOMID_SELF)
		return refuse_update(c, -XEN_EPERM);
	if (count & UPDATE_PREEMPTED)
		return refuse_update(c, -XEN_EINVAL);
	if (!pv_range_ok(list, count * sizeof(struct mmu_update)))
		return refuse_update(c, -XEN_EFAULT);
	if (count == 1 && !done_at)
		return pv_is_shadow(c) ? pv_shadow_mmu_update(c, list)
				       : update_one(c, &c->vcpu->vm->mmu, list);
	return update_many(c, list, count, done_at);
}

static long update_va_shadow(struct pv_cpu *c, uint64_t va, uint64_t value,
			     uint64_t flags)
{
	long result = pv_shadow_update_va(c, va, value);

	if (result)
		return result;
	switch (flags & UVMF_FLUSHTYPE_MASK) {
	case UVMF_TLB_FLUSH:
		pv_shadow_flush(c);
		break;
	case UVMF_INVLPG:
		vmmu_cpu_invalidate(&c->vcpu->mmu, mk_gva(va));
		break;
	}
	return 0;
}

/* 2. update_va_mapping. A mask of vCPUs in the flags says no more than
 * "local" as long as there is one. */

long pv_update_va_mapping(uint64_t va, uint64_t value, uint64_t flags,
			  uint64_t a4, uint64_t a5, struct pv_cpu *c)
{
	enum vmmu_direct_status status;

	(void)a4, (void)a5;
	if (pv_is_shadow(c))
		return update_va_shadow(c, va, value, flags);
	while ((status = vmmu_direct_update_va(&c->vcpu->mmu, mk_gva(va),
					       value)) == VMMU_DIRECT_AGAIN)
		pv_breathe(c);
	if (status != VMMU_DIRECT_OK)
		return pv_errno(status);
	switch (flags & UVMF_FLUSHTYPE_MASK) {
	case UVMF_TLB_FLUSH:
		flush_all(c);
		break;
	case UVMF_INVLPG:
		invlpg(va);
		break;
	}
	return 0;
}

/* 3. mmuext_op. */

enum long_op { PIN, UNPIN, ROOT, USER_ROOT };

static enum vmmu_direct_status try_long(struct vmmu_cpu *cpu, enum long_op what,
					hfn_t hfn, unsigned level)
{
	uint32_t budget = PV_BUDGET;

	switch (what) {
	case PIN:
		return vmmu_direct_pin(cpu, hfn, level, &budget);
	case UNPIN:
		return vmmu_direct_unpin(cpu, hfn, &budget);
	case ROOT:
		return vmmu_direct_set_root(cpu, hfn, &budget);
	case USER_ROOT:
		break;
	}
	return vmmu_direct_set_user_root(cpu, hfn, &budget);
}

static inline long do_long(struct pv_cpu *c, enum long_op what, uint64_t mfn,
			   unsigned level)
{
	enum vmmu_direct_status status;

	status = try_long(&c->vcpu->mmu, what, mk_hfn(mfn), level);
	if (status == VMMU_DIRECT_OK)
		return 0;
	while (status == VMMU_DIRECT_AGAIN) {
		pv_breathe(c);
		status = try_long(&c->vcpu->mmu, what, mk_hfn(mfn), level);
	}
	return status == VMMU_DIRECT_OK ? 0 : pv_errno(status);
}

/* A validated top-level table of this guest, as it is now. */
static bool is_root(const struct pv_cpu *c, hfn_t hfn)
{
	const struct vmmu_frame *f = vmmu_frame_of(&pv_frames, hfn);

	return f && f->owner == c->domain->direct.config.owner &&
	       f->type == VMMU_FRAME_L4 && f->type_count &&
	       (f->flags & VMMU_FRAME_VALIDATED);
}

/* The old root may be taken apart by this, our own entries with it: so the
 * processor leaves it first, for the new one or, where that is no table yet,
 * for our own. */
static __attribute__((noinline)) long new_root_slowly(struct pv_cpu *c,
						      uint64_t mfn)
{
	long result;

	if (is_root(c, mk_hfn(mfn)))
		write_cr3(hfn_hpa(mk_hfn(mfn)).v);
	else
		paging_use();
	result = do_long(c, ROOT, mfn, 4);
	if (result || read_cr3() != c->vcpu->mmu.root.v)
		write_cr3(c->vcpu->mmu.root.v);
	pv_quick_roots(c);
	vmmu_direct_flushed(&c->vcpu->vm->mmu);
	return result;
}

/* One table for another, of which neither is taken apart. */
static inline long new_root(struct pv_cpu *c, uint64_t mfn)
{
	if (!vmmu_direct_set_root_quick(&c->vcpu->mmu, mk_hfn(mfn)))
		return new_root_slowly(c, mfn);
	c->cr3_kernel = hfn_hpa(mk_hfn(mfn)).v;
	write_cr3(c->cr3_kernel);
	vmmu_direct_flushed(&c->vcpu->vm->mmu);
	return 0;
}

static inline long new_user_root(struct pv_cpu *c, uint64_t mfn)
{
	long result = 0;

	if (!vmmu_direct_set_user_root_quick(&c->vcpu->mmu, mk_hfn(mfn)))
		result = do_long(c, USER_ROOT, mfn, 4);
	pv_quick_roots(c);
	return result;
}

/* Without RDGSBASE the way to the user is not the quick one: its root stays
 * 0 for that. */
bool pv_quick_new_roots(struct pv_cpu *c, uint64_t kernel, uint64_t user)
{
	if (!vmmu_direct_set_roots_quick(&c->vcpu->mmu, mk_hfn(kernel),
					 mk_hfn(user)))
		return false;
	c->cr3_kernel = hfn_hpa(mk_hfn(kernel)).v;
	write_cr3(c->cr3_kernel);
	if (c->cr3_user)
		c->cr3_user = hfn_hpa(mk_hfn(user)).v;
	c->stats.mmuext[MMUEXT_NEW_BASEPTR]++;
	c->stats.mmuext[MMUEXT_NEW_USER_BASEPTR]++;
	return true;
}

static enum vmmu_direct_status try_hold(struct pv_cpu *c, hfn_t hfn,
					enum vmmu_frame_type type)
{
	uint32_t budget = PV_BUDGET;

	return vmmu_direct_hold(&c->vcpu->vm->mmu, hfn, type, &budget);
}

enum vmmu_direct_status pv_hold(struct pv_cpu *c, hfn_t hfn,
				enum vmmu_frame_type type)
{
	enum vmmu_direct_status status;

	while ((status = try_hold(c, hfn, type)) == VMMU_DIRECT_AGAIN)
		pv_breathe(c);
	return status;
}

/* A page of the guest's, by its own leave to write it: held as writable while
 * we do. */
static long write_page(struct pv_cpu *c, uint64_t mfn, const void *from)
{
	enum vmmu_direct_status status;

	status = pv_hold(c, mk_hfn(mfn), VMMU_FRAME_WRITABLE);
	if (status != VMMU_DIRECT_OK)
		return pv_errno(status);
	if (from)
		__builtin_memcpy(vmmu_frame_ptr(&pv_frames, mk_hfn(mfn)), from,
				 VMMU_PAGE_SIZE);
	else
		__builtin_memset(vmmu_frame_ptr(&pv_frames, mk_hfn(mfn)), 0,
				 VMMU_PAGE_SIZE);
	vmmu_direct_drop(&c->vcpu->vm->mmu, mk_hfn(mfn), VMMU_FRAME_WRITABLE);
	return 0;
}

static long copy_page(struct pv_cpu *c, uint64_t to, uint64_t from)
{
	enum vmmu_direct_status status;
	long result;

	status = pv_hold(c, mk_hfn(from), VMMU_FRAME_NONE);
	if (status != VMMU_DIRECT_OK)
		return pv_errno(status);
	result = write_page(c, to, vmmu_frame_ptr(&pv_frames, mk_hfn(from)));
	vmmu_direct_drop(&c->vcpu->vm->mmu, mk_hfn(from), VMMU_FRAME_NONE);
	return result;
}

/* What is asked for all day is done by pv_mmuext_op. */
static __attribute__((noinline)) long mmuext_other(struct pv_cpu *c,
						   uint64_t cmd, uint64_t arg1,
						   uint64_t arg2)
{
	switch (cmd) {
	case MMUEXT_PIN_L1_TABLE:
	case MMUEXT_PIN_L2_TABLE:
	case MMUEXT_PIN_L3_TABLE:
	case MMUEXT_PIN_L4_TABLE:
		return do_long(c, PIN, arg1, (unsigned)cmd + 1);
	case MMUEXT_UNPIN_TABLE:
		return do_long(c, UNPIN, arg1, 0);
	case MMUEXT_SET_LDT:
		return pv_set_ldt(c, arg1, (uint32_t)arg2);
	case MMUEXT_CLEAR_PAGE:
		return write_page(c, arg1, NULL);
	case MMUEXT_COPY_PAGE:
		return copy_page(c, arg1, arg2);
	case MMUEXT_FLUSH_CACHE: /* memory is coherent without it */
	case MMUEXT_FLUSH_CACHE_GLOBAL:
		return 0;
	default:
		return -XEN_ENOSYS;
	}
}

static_assert(sizeof(struct mmuext_op) == 24 &&
		      offsetof(struct mmuext_op, arg1) == 8 &&
		      offsetof(struct mmuext_op, arg2) == 16,
	      "three words");

static __attribute__((noinline)) long ext_shadow(struct pv_cpu *c, uint64_t at)
{
	struct mmuext_op op;

	return pv_get(&op, at, sizeof(op)) ? pv_shadow_ext(c, &op)
					   : -XEN_EFAULT;
}

/* Of a request in the guest's half. */
static inline long mmuext_one(struct pv_cpu *c, uint64_t at)
{
	uint64_t op[2], arg2, cmd;

	if (!pv_load_pair(op, at))
		return -XEN_EFAULT;
	cmd = (uint32_t)op[0];
	pv_count_sub(c->stats.mmuext, cmd);
	if (pv_is_shadow(c))
		return ext_shadow(c, at);
	switch (cmd) {
	case MMUEXT_NEW_BASEPTR:
		return new_root(c, op[1]);
	case MMUEXT_NEW_USER_BASEPTR:
		return new_user_root(c, op[1]);
	case MMUEXT_INVLPG_LOCAL:
	case MMUEXT_INVLPG_MULTI:
	case MMUEXT_INVLPG_ALL:
		invlpg(op[1]);
		return 0;
	case MMUEXT_TLB_FLUSH_LOCAL:
	case MMUEXT_TLB_FLUSH_MULTI:
	case MMUEXT_TLB_FLUSH_ALL:
		flush_all(c);
		return 0;
	default:
		if (!pv_get(&arg2, at + 16, sizeof(arg2)))
			return -XEN_EFAULT;
		return mmuext_other(c, cmd, op[1], arg2);
	}
}

long pv_mmuext_op(uint64_t list, uint64_t count, uint64_t done_at,
		  uint64_t domain, uint64_t a5, struct pv_cpu *c)
{
	uint64_t done = 0;
	long result = 0;

	(void)a5;
	count = (uint32_t)count;
	if ((uint32_t)domain != DOMID_SELF)
		return -XEN_EPERM;
	if (count & UPDATE_PREEMPTED)
		return -XEN_EINVAL;
	if (!pv_range_ok(list, count * sizeof(struct mmuext_op)))
		return -XEN_EFAULT;
	while (done < count) {
		result = mmuext_one(c, list + done * sizeof(struct mmuext_op));
		if (result)
			break;
		if (++done % PV_CALLS_A_BREATH == 0)
			pv_breathe(c);
	}
	return done_at ? tell_done(done_at, done, result) : result;
}
