/*
 * Trapped writes: the guest's kernel writes an entry of a leaf table that it
 * has mapped read-only, as it must. The instruction is decoded and carried
 * out on the entry, and the library checks what comes of it as it checks an
 * update by hypercall.
 *
 * The kernel writes them in three ways, with XCHG, MOV and LOCK AND, which are
 * known by their first bytes; all others take the long way. The address needs
 * no computing: the fault has told it.
 *
 * The instruction computes the new entry from the old: if the processor sets
 * A or D meanwhile, the write is not made and the guest executes it again.
 * All it may touch beside the entry is guest memory, to read.
 */
#include "pv/shadow.h"

#include <string.h>

#include "cpu/cpu.h"
#include "insn/emulate.h"
#include "vm/vm.h"

/* 1. The emulator's memory. */

struct trapped {
	struct pv_cpu *c;
	uint64_t gva;	   /* of the entry */
	hpa_t entry;	   /* the same; under shadow, its gpa */
	uint64_t expected; /* what it held when it was first looked at */
};

static enum vmmu_direct_status store(const struct trapped *t, hpa_t at,
				     unsigned size, uint64_t value,
				     uint64_t *expected)
{
	if (pv_is_shadow(t->c))
		return pv_shadow_store(t->c, at.v, size, value, expected);
	return vmmu_direct_trapped_write(&t->c->vcpu->mmu, at, size, value,
					 expected);
}

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
	status = store(t, at, size, value, expected);
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

static void registers(struct trap_frame *f, struct insn_regs *r)
{
	memset(r, 0, sizeof(*r));
	for (unsigned i = 0; i < 16; i++)
		r->gpr[i] = *pv_register(f, i);
	r->rip = f->rip;
	r->rflags = f->rflags;
	r->segment_base[INSN_FS] = pv_fs_base();
	r->segment_base[INSN_GS] = pv_gs_base();
	r->stack_bytes = 8;
}

/* Of rflags only what arithmetic changes; rsp and IF are not the operand's. */
#define ARITHMETIC UINT64_C(0x8d5)
#define RFLAGS_PF  UINT64_C(0x004)
#define RFLAGS_ZF  UINT64_C(0x040)

static void commit(struct trap_frame *f, const struct insn_regs *r)
{
	for (unsigned i = 0; i < 16; i++)
		*pv_register(f, i) = r->gpr[i];
	f->rip = r->rip;
	f->rflags = (f->rflags & ~(ARITHMETIC | PV_RFLAGS_RF)) |
		    (r->rflags & ARITHMETIC);
}

/* 2. The usual three. */

/* Bytes of ModRM, SIB and displacement, by ModRM without its register: SDM 2A
 * 2.1.5. 0: no memory, or the SIB says how many. */
#define MODRM_REST 0xc7u

static const uint8_t operand_bytes[MODRM_REST + 1] = {
	[0x00 ... 0x03] = 1, [0x05] = 5, [0x06 ... 0x07] = 1,
	[0x40 ... 0x43] = 2, [0x44] = 3, [0x45 ... 0x47] = 2,
	[0x80 ... 0x83] = 5, [0x84] = 6, [0x85 ... 0x87] = 5,
};

static inline unsigned operand_length(unsigned modrm, unsigned sib)
{
	unsigned length = operand_bytes[modrm & MODRM_REST];

	if (length || (modrm & MODRM_REST) != 4)
		return length;
	return (sib & 7) == 5 ? 6 : 2;
}

/* The flags that AND leaves: of a byte, where those of an entry are that
 * matter. */
static void set_flags(struct trap_frame *f, uint8_t value)
{
	f->rflags &= ~(ARITHMETIC | PV_RFLAGS_RF);
	f->rflags |= (value ? 0 : RFLAGS_ZF) | (value & 0x80) |
		     (__builtin_parity(value) ? 0 : RFLAGS_PF);
}

static inline bool set_entry(struct pv_cpu *c, bool shadow, uint64_t gva,
			     uint64_t value, uint64_t *old)
{
	if (shadow)
		return pv_shadow_trapped(c, gva, 0, value, old);
	return vmmu_direct_trapped_quick(&c->vcpu->mmu, mk_gva(gva), value,
					 old);
}

static inline bool and_entry(struct pv_cpu *c, uint64_t gva, uint64_t keep,
			     uint64_t *old)
{
	if (pv_is_shadow(c))
		return pv_shadow_trapped(c, gva, keep, 0, old);
	return vmmu_direct_trapped_and(&c->vcpu->mmu, mk_gva(gva), keep, old);
}

/* LOCK, perhaps a REX, 80 /4 ib. A kernel on one processor has DS in place of
 * its LOCKs. */
static __attribute__((noinline)) bool and_shortly(struct pv_cpu *c,
						  uint64_t gva)
{
	uint64_t words[2], keep, old;
	const uint8_t *code = (const uint8_t *)words;
	unsigned at, length;

	if (!pv_get_pair(words, c->frame->rip))
		return false;
	at = (code[1] & 0xf0) == 0x40 ? 2 : 1;
	length = operand_length(code[at + 1], code[at + 2]);
	if ((code[0] != 0xf0 && code[0] != 0x3e) || code[at] != 0x80 ||
	    !length || (code[at + 1] & 0x38) != 0x20)
		return false;
	keep = ~UINT64_C(0xff) | code[at + 1 + length];
	if (!and_entry(c, gva, keep, &old))
		return false;
	set_flags(c->frame, (uint8_t)(old & keep));
	c->frame->rip += at + 2 + length;
	c->stats.trapped++;
	return true;
}

/* REX.W and whatever else of it, XCHG or MOV. */
#define OPCODE	    0xfff8u
#define OPCODE_XCHG 0x8748u
#define OPCODE_MOV  0x8948u

/* A fault at a page's first byte may be of a store that began in the page
 * before: not where the operand is a register's address, and that is here. */
static inline bool begins_at(struct trap_frame *f, uint64_t code, uint64_t gva)
{
	unsigned rm = code >> 16 & 7;

	if (gva & VMMU_PAGE_MASK)
		return true;
	return !(code >> 22 & 3) && rm != 4 && rm != 5 &&
	       *pv_register(f, (unsigned)(rm | (code & 1) << 3)) == gva;
}

/* The entry begins at the address of the fault, or the library says no. False:
 * another instruction, or a refusal, which the long way makes again. */
static inline bool write_shortly(struct pv_cpu *c, bool shadow, uint64_t gva)
{
	struct trap_frame *f = c->frame;
	uint64_t code, *reg, unused;
	unsigned length, modrm;

	if (!pv_get_word(&code, f->rip))
		return false;
	if ((code & OPCODE) != OPCODE_XCHG && (code & OPCODE) != OPCODE_MOV)
		return and_shortly(c, gva);
	modrm = code >> 16 & 0xff;
	length = operand_length(modrm, code >> 24 & 0xff);
	reg = pv_register(
		f, (unsigned)((modrm >> 3 & 7) | (code & INSN_REX_R) << 1));
	if (!length || !begins_at(f, code, gva) ||
	    !set_entry(c, shadow, gva, *reg,
		       (code & OPCODE) == OPCODE_XCHG ? reg : &unused))
		return false;
	f->rip += 2 + length;
	c->stats.trapped++;
	return true;
}

/* 3. All others. */

static bool write_by_emulation(struct trapped *t)
{
	struct trap_frame *f = t->c->frame;
	struct insn_regs regs;
	struct insn in;
	uint8_t bytes[15];
	unsigned count = pv_fetch(t->c, bytes);
	enum insn_done done;

	if (!count || insn_decode(&in, bytes, count, INSN_64) != INSN_OK)
		return false;
	registers(f, &regs);
	done = insn_emulate(&in, &regs, &ptwr_ops, t);
	/* A string instruction comes here for each entry that it writes. */
	if (done == INSN_UNSUPPORTED ||
	    (done == INSN_FAULT && regs.gpr[INSN_RCX] == f->rcx))
		return false;
	commit(f, &regs);
	return true;
}

/* What table's entry it is, if any, and what it holds. */
static bool find_entry(struct trapped *t, uint64_t gva)
{
	const struct pv_cpu *c = t->c;
	const uint64_t *page;
	uint64_t gpa;

	if (!pv_is_shadow(c)) {
		if (!vmmu_direct_is_trapped(&c->vcpu->mmu, mk_gva(gva),
					    &t->entry))
			return false;
		t->entry.v &= ~UINT64_C(7);
		t->expected = vmmu_direct_entry(&c->vcpu->mmu, t->entry);
		return true;
	}
	if (!pv_shadow_is_trapped(t->c, gva, &gpa))
		return false;
	t->entry = mk_hpa(gpa & ~UINT64_C(7));
	page = pv_shadow_page(c->domain, gpa >> VMMU_PAGE_SHIFT);
	t->expected = page[(gpa & VMMU_PAGE_MASK) / 8];
	return true;
}

static bool write_at_length(struct pv_cpu *c, uint64_t gva)
{
	struct trapped t = { .c = c, .gva = gva & ~UINT64_C(7) };

	if (!find_entry(&t, gva) || !write_by_emulation(&t))
		return false;
	c->stats.trapped++;
	return true;
}

static inline bool is_refused_write(uint64_t error)
{
	return (error & (VMMU_PF_P | VMMU_PF_W | VMMU_PF_RSVD)) ==
	       (VMMU_PF_P | VMMU_PF_W);
}

/* Most of those that are neither the guest's own nor answered by a walk. */
static bool shadow_took(struct pv_cpu *c, uint64_t gva, uint32_t *error)
{
	return (is_refused_write(*error) && write_shortly(c, true, gva)) ||
	       pv_shadow_fault(c, gva, error);
}

static __attribute__((noinline)) void other_fault(struct pv_cpu *c,
						  uint64_t gva)
{
	uint32_t error = (uint32_t)c->frame->error_code;

	if (pv_is_shadow(c) && shadow_took(c, gva, &error))
		return;
	if (is_refused_write(error) && write_at_length(c, gva))
		return;
	c->info->arch.cr2 = gva;
	pv_bounce_exception(c, TRAP_PF, error & ~VMMU_PF_U);
}

/* The error code says "user" for all of ring 3; the guest's kernel wants to
 * see itself as the supervisor. */
void pv_kernel_fault(struct pv_cpu *c)
{
	uint64_t gva = read_cr2();

	if (pv_is_shadow(c) || !is_refused_write(c->frame->error_code) ||
	    !write_shortly(c, false, gva))
		other_fault(c, gva);
}
