/*
 * Trapped writes: the guest's kernel writes an entry of a leaf table that it
 * has mapped read-only, as it must. The instruction is decoded and carried
 * out on the entry, and the library checks what comes of it as it checks an
 * update by hypercall.
 *
 * The instruction computes the new entry from the old: if the processor sets
 * A or D meanwhile, the write is not made and the guest executes it again.
 * All it may touch beside the entry is guest memory, to read.
 */
#include "pv/pv.h"

#include <string.h>

#include "insn/emulate.h"
#include "vm/vm.h"

struct trapped {
	struct pv_cpu *c;
	uint64_t gva;	   /* of the entry */
	hpa_t entry;	   /* the same */
	uint64_t expected; /* what it held when it was first looked at */
};

static bool is_entry(const struct trapped *t, uint64_t linear, unsigned size)
{
	return linear - t->gva < 8 && linear - t->gva + size <= 8;
}

static enum insn_access ptwr_read(void *ctx, uint64_t linear, unsigned size,
				  bool write_follows, uint64_t *value)
{
	struct trapped *t = ctx;
	uint64_t shift = (linear - t->gva) * 8;

	*value = 0;
	if (is_entry(t, linear, size)) {
		*value = t->expected >> shift;
		if (size < 8)
			*value &= (UINT64_C(1) << 8 * size) - 1;
		return INSN_ACCESS_OK;
	}
	if (write_follows || !pv_get(value, linear, size))
		return INSN_ACCESS_FAULT;
	return INSN_ACCESS_OK;
}

static enum insn_access put(struct trapped *t, uint64_t linear, unsigned size,
			    uint64_t value, uint64_t *expected)
{
	hpa_t at = mk_hpa(t->entry.v + (linear - t->gva));
	enum vmmu_direct_status status;

	if (!is_entry(t, linear, size))
		return INSN_ACCESS_FAULT;
	status = vmmu_direct_trapped_write(&t->c->vcpu->mmu, at, size, value,
					   expected);
	/* AGAIN: the guest executes it again, when more of an earlier
	 * operation is done. */
	if (status == VMMU_DIRECT_CHANGED || status == VMMU_DIRECT_AGAIN)
		return INSN_ACCESS_CHANGED;
	return status == VMMU_DIRECT_OK ? INSN_ACCESS_OK : INSN_ACCESS_FAULT;
}

static enum insn_access ptwr_write(void *ctx, uint64_t linear, unsigned size,
				   uint64_t value)
{
	return put(ctx, linear, size, value, NULL);
}

/* `expected` is a part of what was read, of which all is compared. */
static enum insn_access ptwr_exchange(void *ctx, uint64_t linear, unsigned size,
				      uint64_t expected, uint64_t value)
{
	struct trapped *t = ctx;

	(void)expected;
	return put(t, linear, size, value, &t->expected);
}

static const struct insn_ops ptwr_ops = {
	.read = ptwr_read,
	.write = ptwr_write,
	.exchange = ptwr_exchange,
};

static void registers(const struct trap_frame *f, struct insn_regs *r)
{
	const uint64_t gpr[16] = { f->rax, f->rcx, f->rdx, f->rbx,
				   f->rsp, f->rbp, f->rsi, f->rdi,
				   f->r8,  f->r9,  f->r10, f->r11,
				   f->r12, f->r13, f->r14, f->r15 };

	memcpy(r->gpr, gpr, sizeof(gpr));
	r->rip = f->rip;
	r->rflags = f->rflags;
	memset(r->segment_base, 0, sizeof(r->segment_base));
	r->segment_base[INSN_FS] = pv_fs_base();
	r->segment_base[INSN_GS] = pv_gs_base();
	r->stack_bytes = 8;
}

/* Of rflags only what arithmetic changes; rsp and IF are not the operand's. */
#define ARITHMETIC UINT64_C(0x8d5)

static void commit(struct trap_frame *f, const struct insn_regs *r)
{
	uint64_t *const at[16] = { &f->rax, &f->rcx, &f->rdx, &f->rbx,
				   &f->rsp, &f->rbp, &f->rsi, &f->rdi,
				   &f->r8,  &f->r9,  &f->r10, &f->r11,
				   &f->r12, &f->r13, &f->r14, &f->r15 };

	for (unsigned i = 0; i < 16; i++)
		*at[i] = r->gpr[i];
	f->rip = r->rip;
	f->rflags = (f->rflags & ~(ARITHMETIC | PV_RFLAGS_RF)) |
		    (r->rflags & ARITHMETIC);
}

bool pv_trapped_write(struct pv_cpu *c, uint64_t gva)
{
	struct trapped t = { .c = c, .gva = gva & ~UINT64_C(7) };
	struct insn_regs regs;
	struct insn in;
	uint8_t bytes[15];
	unsigned count;
	enum insn_done done;

	if (!vmmu_direct_is_trapped(&c->vcpu->mmu, mk_gva(gva), &t.entry))
		return false;
	t.entry.v &= ~UINT64_C(7);
	t.expected = vmmu_direct_entry(&c->vcpu->mmu, t.entry);
	count = pv_fetch(c, bytes);
	if (!count || insn_decode(&in, bytes, count, INSN_64) != INSN_OK)
		return false;
	registers(c->frame, &regs);
	done = insn_emulate(&in, &regs, &ptwr_ops, &t);
	/* A string instruction comes here for each entry that it writes. */
	if (done == INSN_UNSUPPORTED ||
	    (done == INSN_FAULT && regs.gpr[INSN_RCX] == c->frame->rcx))
		return false;
	commit(c->frame, &regs);
	c->stats.trapped++;
	return true;
}
