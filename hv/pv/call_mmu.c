/*
 * The hypercalls of paging: a request is read once from guest memory, put in
 * the library's words, and answered in the ABI's.
 *
 * mmu_update is the most frequent of all, nearly always with one entry, and
 * roots are changed for each patch of the kernel's code: these two are kept
 * short. Long operations get a budget; when it is used up the host takes its
 * interrupts and the operation goes on.
 */
#include "pv/pv.h"

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

/* By the low bits of the address. */
static inline bool read_how(struct vmmu_direct_update *u, unsigned command)
{
	switch (command) {
	case MMU_NORMAL_PT_UPDATE:
		u->how = VMMU_DIRECT_NORMAL;
		return true;
	case MMU_PT_UPDATE_PRESERVE_AD:
		u->how = VMMU_DIRECT_PRESERVE_AD;
		return true;
	case MMU_MACHPHYS_UPDATE:
		u->how = VMMU_DIRECT_MACHPHYS;
		return true;
	default:
		return false;
	}
}

static inline long update_one(struct pv_cpu *c, uint64_t at)
{
	struct vmmu_direct_update u;
	enum vmmu_direct_status status;
	uint32_t budget = PV_BUDGET;
	uint64_t req[2];

	if (!pv_get_pair(req, at))
		return -XEN_EFAULT;
	if (!read_how(&u, req[0] & 7))
		return -XEN_ENOSYS;
	u.at.v = req[0] & ~UINT64_C(7);
	u.value = req[1];
	status = vmmu_direct_update(&c->vcpu->mmu, &u, &budget);
	if (status == VMMU_DIRECT_OK)
		return 0;
	if (status == VMMU_DIRECT_AGAIN)
		status = update_slowly(c, &u);
	return status == VMMU_DIRECT_OK ? 0 : pv_errno(status);
}

static long tell_done(uint64_t at, uint64_t done, long result)
{
	uint32_t count = (uint32_t)done;

	if (at && !pv_put(at, &count, sizeof(count)))
		return -XEN_EFAULT;
	return result;
}

long pv_mmu_update(uint64_t list, uint64_t count, uint64_t done_at,
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
	while (done < count) {
		result = update_one(c, list + done * sizeof(struct mmu_update));
		if (result)
			break;
		if (++done % PV_CALLS_A_BREATH == 0)
			pv_breathe(c);
	}
	return done_at ? tell_done(done_at, done, result) : result;
}

/* 2. update_va_mapping. A mask of vCPUs in the flags says no more than
 * "local" as long as there is one. */

long pv_update_va_mapping(uint64_t va, uint64_t value, uint64_t flags,
			  uint64_t a4, uint64_t a5, struct pv_cpu *c)
{
	enum vmmu_direct_status status;

	(void)a4, (void)a5;
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
static long new_root(struct pv_cpu *c, uint64_t mfn)
{
	long result;

	if (is_root(c, mk_hfn(mfn)))
		write_cr3(hfn_hpa(mk_hfn(mfn)).v);
	else
		paging_use();
	result = do_long(c, ROOT, mfn, 4);
	if (result || read_cr3() != c->vcpu->mmu.root.v)
		write_cr3(c->vcpu->mmu.root.v);
	pv_quick(c);
	vmmu_direct_flushed(&c->vcpu->vm->mmu);
	return result;
}

static long new_user_root(struct pv_cpu *c, uint64_t mfn)
{
	long result = do_long(c, USER_ROOT, mfn, 4);

	pv_quick(c);
	return result;
}

/* A page of the guest's, by its own leave to write it: held as writable while
 * we do. */
static long write_page(struct pv_cpu *c, uint64_t mfn, const void *from)
{
	struct vmmu_vm *vm = &c->vcpu->vm->mmu;
	enum vmmu_direct_status status;
	uint32_t budget;

	do {
		budget = PV_BUDGET;
		status = vmmu_direct_hold(vm, mk_hfn(mfn), VMMU_FRAME_WRITABLE,
					  &budget);
	} while (status == VMMU_DIRECT_AGAIN);
	if (status != VMMU_DIRECT_OK)
		return pv_errno(status);
	if (from)
		__builtin_memcpy(vmmu_frame_ptr(&pv_frames, mk_hfn(mfn)), from,
				 VMMU_PAGE_SIZE);
	else
		__builtin_memset(vmmu_frame_ptr(&pv_frames, mk_hfn(mfn)), 0,
				 VMMU_PAGE_SIZE);
	vmmu_direct_drop(vm, mk_hfn(mfn), VMMU_FRAME_WRITABLE);
	return 0;
}

static long copy_page(struct pv_cpu *c, uint64_t to, uint64_t from)
{
	struct vmmu_vm *vm = &c->vcpu->vm->mmu;
	enum vmmu_direct_status status;
	long result;

	status = vmmu_direct_hold(vm, mk_hfn(from), VMMU_FRAME_NONE, NULL);
	if (status != VMMU_DIRECT_OK)
		return pv_errno(status);
	result = write_page(c, to, vmmu_frame_ptr(&pv_frames, mk_hfn(from)));
	vmmu_direct_drop(vm, mk_hfn(from), VMMU_FRAME_NONE);
	return result;
}

static long mmuext_one(struct pv_cpu *c, const struct mmuext_op *op)
{
	switch (op->cmd) {
	case MMUEXT_NEW_BASEPTR:
		return new_root(c, op->arg1.mfn);
	case MMUEXT_NEW_USER_BASEPTR:
		return new_user_root(c, op->arg1.mfn);
	case MMUEXT_PIN_L1_TABLE:
	case MMUEXT_PIN_L2_TABLE:
	case MMUEXT_PIN_L3_TABLE:
	case MMUEXT_PIN_L4_TABLE:
		return do_long(c, PIN, op->arg1.mfn, op->cmd + 1);
	case MMUEXT_UNPIN_TABLE:
		return do_long(c, UNPIN, op->arg1.mfn, 0);
	case MMUEXT_INVLPG_LOCAL:
	case MMUEXT_INVLPG_MULTI:
	case MMUEXT_INVLPG_ALL:
		invlpg(op->arg1.linear_addr);
		return 0;
	case MMUEXT_TLB_FLUSH_LOCAL:
	case MMUEXT_TLB_FLUSH_MULTI:
	case MMUEXT_TLB_FLUSH_ALL:
		flush_all(c);
		return 0;
	case MMUEXT_SET_LDT:
		return pv_set_ldt(c, op->arg1.linear_addr, op->arg2.nr_ents);
	case MMUEXT_CLEAR_PAGE:
		return write_page(c, op->arg1.mfn, NULL);
	case MMUEXT_COPY_PAGE:
		return copy_page(c, op->arg1.mfn, op->arg2.src_mfn);
	case MMUEXT_FLUSH_CACHE: /* memory is coherent without it */
	case MMUEXT_FLUSH_CACHE_GLOBAL:
		return 0;
	default:
		return -XEN_ENOSYS;
	}
}

long pv_mmuext_op(uint64_t list, uint64_t count, uint64_t done_at,
		  uint64_t domain, uint64_t a5, struct pv_cpu *c)
{
	struct mmuext_op op;
	uint64_t done = 0;
	long result = 0;

	(void)a5;
	count = (uint32_t)count;
	if ((uint32_t)domain != DOMID_SELF)
		return -XEN_EPERM;
	if (count & UPDATE_PREEMPTED)
		return -XEN_EINVAL;
	while (done < count) {
		if (!pv_get(&op, list + done * sizeof(op), sizeof(op))) {
			result = -XEN_EFAULT;
			break;
		}
		if (op.cmd < PV_MMUEXT_OPS)
			c->stats.mmuext[op.cmd]++;
		result = mmuext_one(c, &op);
		if (result)
			break;
		if (++done % PV_CALLS_A_BREATH == 0)
			pv_breathe(c);
	}
	return done_at ? tell_done(done_at, done, result) : result;
}
