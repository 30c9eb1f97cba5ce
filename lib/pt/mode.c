/*
 * The paging mode, computed once from the registers and the guest's CPUID.
 *
 *   CR0.PG  CR4.PAE  EFER.LMA  CR4.LA57
 *     0        -        -         -      no paging
 *     1        0        -         -      32-bit     2 levels   SDM 3A 4.3
 *     1        1        0         -      PAE        3 levels   SDM 3A 4.4
 *     1        1        1         0      4-level               SDM 3A 4.5
 *     1        1        1         1      5-level               SDM 3A 4.5
 *
 * Each level starts from the format's row; here is added what this processor
 * and these registers make of it:
 *
 *   reserved    address bits from MAXPHYADDR up, NX without EFER.NXE, PS where
 *               1 GiB pages are not offered, PSE-36's address bits where there
 *               is no PSE-36 or beyond MAXPHYADDR
 *   leaves      none in a 32-bit page directory without CR4.PSE: PS is ignored
 *   forbids[]   every access times every set of permissions: SDM 3A 4.6.1
 */
#include <stddef.h>

#include <vmmu/access.h>
#include <vmmu/mode.h>

/* The widest physical address of the architecture. */
#define PHYSADDR_MAX 52

/* Reserved in a PDPTE; but QEMU's emulation of SVM, which walks PDPTEs in
 * memory, takes it for A and sets it. Who walks after such hardware must not
 * find a fault where it found none. */
#define PDPTE_A UINT64_C(0x20)

#define LONG_MODE (VMMU_EFER_LME | VMMU_EFER_LMA)

/* All bits below n, which is less than 64. */
static uint64_t below(unsigned n)
{
	return (UINT64_C(1) << n) - 1;
}

static const struct pt_format *format_of(const struct vmmu_regs *r)
{
	if (!(r->cr0 & VMMU_CR0_PG))
		return NULL;
	if (!(r->cr4 & VMMU_CR4_PAE))
		return &pt_x86_32;
	if (!(r->efer & LONG_MODE))
		return &pt_x86_pae;
	return r->cr4 & VMMU_CR4_LA57 ? &pt_x86_la57 : &pt_x86_64;
}

static bool is_long(const struct vmmu_mode *m)
{
	return m->format == &pt_x86_64 || m->format == &pt_x86_la57;
}

/* SDM 3A table 4-4, note 2: of PSE-36, address bits up to MAXPHYADDR or 40. */
static uint64_t pse36_reserved(const struct vmmu_features *f,
			       const struct pt_level *row)
{
	unsigned usable = 0;

	if (f->pse36 && f->maxphyaddr > row->high_to)
		usable = f->maxphyaddr - row->high_to;
	if (usable > row->high_bits)
		usable = row->high_bits;
	return (below(row->high_bits) & ~below(usable)) << row->high_from;
}

/* Reserved in any entry of 8 bytes. */
static uint64_t reserved_always(const struct vmmu_mode *m)
{
	uint64_t reserved;

	if (m->entry_size == 4)
		return 0;
	reserved = below(PHYSADDR_MAX) & ~below(m->features.maxphyaddr);
	if (!(m->regs.efer & VMMU_EFER_NXE))
		reserved |= UINT64_C(1) << 63;
	return reserved;
}

static void set_level(struct vmmu_mode *m, unsigned n)
{
	const struct pt_level *row = &m->format->level[n];
	struct vmmu_mode_level *l = &m->level[n];
	bool leaf = row->leaf;
	uint64_t always = reserved_always(m);

	l->shift = row->shift;
	l->index_mask = (uint16_t)below(row->index_bits);
	l->reserved_table = row->reserved_table | always;
	l->reserved_leaf = row->reserved_leaf | always |
			   pse36_reserved(&m->features, row);
	l->table_addr = row->table_addr & below(m->features.maxphyaddr);
	l->leaf_addr = row->leaf_addr & below(m->features.maxphyaddr);
	if (n == 2 && m->entry_size == 4)
		leaf = m->regs.cr4 & VMMU_CR4_PSE;
	if (n == 3 && leaf && !m->features.gib_pages) {
		leaf = false;
		l->reserved_table |= row->leaf_mask;
	}
	l->rights = (row->allow[PT_W] | row->allow[PT_U] | row->deny[PT_X]) &
		    ~row->present;
	if (m->features.ring_3)
		l->rights &= ~row->allow[PT_U];
	if (n == 3 && m->format == &pt_x86_pae && m->features.pdptes_in_memory)
		l->reserved_table &= ~PDPTE_A;
	l->leaf_mask = leaf ? row->leaf_mask : 0;
	l->leaf_value = leaf ? row->leaf_value : 1;
}

/* Is `access` a fault where the entries together grant `perms`? The rules of
 * SDM 3A 4.6.1, without protection keys. */
static bool is_forbidden(const struct vmmu_regs *r, unsigned access,
			 unsigned perms)
{
	bool user = (access & VMMU_U) && !(access & VMMU_IMPLICIT);
	bool ac = (access & VMMU_AC) && !(access & VMMU_IMPLICIT);
	bool user_page = perms & VMMU_U;

	if (!(perms & VMMU_R) || (user && !user_page))
		return true;
	if ((access & VMMU_X) && !(perms & VMMU_X))
		return true;
	if ((access & VMMU_W) && !(perms & VMMU_W) &&
	    (user || (r->cr0 & VMMU_CR0_WP)))
		return true;
	if (user || !user_page)
		return false;
	if (access & VMMU_X)
		return r->cr4 & VMMU_CR4_SMEP;
	return (r->cr4 & VMMU_CR4_SMAP) && !ac;
}

static void set_forbids(struct vmmu_mode *m)
{
	for (unsigned a = 0; a < 32; a++) {
		uint16_t forbids = 0;

		for (unsigned perms = 0; perms <= VMMU_RWXU; perms++)
			if (is_forbidden(&m->regs, a << 1, perms))
				forbids |= (uint16_t)(1u << perms);
		m->forbids[a] = forbids;
	}
}

static void set_root(struct vmmu_mode *m)
{
	if (is_long(m))
		m->root_bits = below(m->features.maxphyaddr) & ~below(12);
	else if (m->format == &pt_x86_pae)
		m->root_bits = below(32) & ~below(5);
	else
		m->root_bits = below(32) & ~below(12);
	m->root = m->regs.cr3 & m->root_bits;
}

static void set_width(struct vmmu_mode *m)
{
	m->va_bits = 32;
	m->canonical_add = 0;
	m->canonical_mask = 0;
	if (!is_long(m))
		return;
	m->va_bits = m->levels == 5 ? 57 : 48;
	m->canonical_add = UINT64_C(1) << (m->va_bits - 1);
	m->canonical_mask = ~below(m->va_bits);
}

/* Key 0 is on nearly every page. While it restricts nothing, an entry with
 * key 0 is plain; else none is. */
static bool key_0_is_free(const struct vmmu_mode *m)
{
	return !(m->pku && (m->regs.pkru & 3)) &&
	       !(m->pks && (m->regs.pkrs & 3));
}

static void set_granted(struct vmmu_mode *m)
{
	for (unsigned i = 0; i < sizeof(m->granted); i++) {
		unsigned withheld = (i & 1 ? VMMU_X : 0) |
				    (i & 4 ? VMMU_W : 0) | (i & 8 ? VMMU_U : 0);
		unsigned perms = VMMU_RWXU & ~withheld;

		if (m->features.ring_3)
			perms |= VMMU_U;
		m->granted[i] =
			m->forbids[i >> 4] >> perms & 1 ? 0 : (uint8_t)perms;
	}
}

static void set_plain_leaf(struct vmmu_mode *m, unsigned n)
{
	const struct pt_level *row = &m->format->level[n];
	struct vmmu_mode_level *l = &m->level[n];
	uint64_t keys = m->pku || m->pks ? UINT64_C(15) << 59 : 0;

	l->plain_leaf[0] = row->present | row->accessed | keys |
			   l->reserved_leaf;
	l->plain_leaf[VMMU_W] = l->plain_leaf[0] | row->dirty;
}

/* Rows 2 and up of long mode differ only in who may be a leaf, and no leaf is
 * plain as an entry to a table: one mask serves them all. */
static void set_straight(struct vmmu_mode *m)
{
	const struct pt_level *row = m->format->level;

	m->straight = is_long(m) && key_0_is_free(m) ? m->levels : 0;
	m->flip = row[1].present | row[1].accessed | row[1].dirty |
		  row[1].allow[PT_W] | row[1].allow[PT_U];
	m->plain_table = row[2].present | row[2].accessed | row[2].leaf_mask |
			 m->level[2].reserved_table;
	for (unsigned n = 1; n <= m->levels; n++)
		set_plain_leaf(m, n);
	set_granted(m);
}

void vmmu_mode_set(struct vmmu_mode *mode, const struct vmmu_regs *regs,
		   const struct vmmu_features *features)
{
	const struct pt_format *format = format_of(regs);
	uint64_t cr4 = regs->cr4;

	*mode = (struct vmmu_mode){
		.format = format,
		.regs = *regs,
		.features = *features,
		.va_bits = 32,
	};
	if (features->maxphyaddr > PHYSADDR_MAX)
		mode->features.maxphyaddr = PHYSADDR_MAX;
	if (!format)
		return;
	mode->levels = format->levels;
	mode->entry_size = format->entry_size;
	mode->pdptes = format == &pt_x86_pae && !features->pdptes_in_memory;
	mode->pku = is_long(mode) && (cr4 & VMMU_CR4_PKE);
	mode->pks = is_long(mode) && (cr4 & VMMU_CR4_PKS);
	mode->error_i = (cr4 & VMMU_CR4_SMEP) ||
			((cr4 & VMMU_CR4_PAE) && (regs->efer & VMMU_EFER_NXE));
	mode->global = cr4 & VMMU_CR4_PGE ? format->level[1].global : 0;
	for (unsigned n = 1; n <= format->levels; n++)
		set_level(mode, n);
	set_root(mode);
	set_width(mode);
	set_forbids(mode);
	set_straight(mode);
}

void vmmu_mode_set_root(struct vmmu_mode *mode, uint64_t cr3,
			const uint64_t pdpte[4])
{
	vmmu_mode_set_cr3(mode, cr3);
	for (unsigned i = 0; i < 4; i++)
		mode->regs.pdpte[i] = pdpte[i];
}

bool vmmu_pdptes_valid(const struct vmmu_features *features,
		       const uint64_t pdpte[4])
{
	const struct pt_level *row = &pt_x86_pae.level[3];
	uint64_t reserved =
		row->reserved_table |
		(below(PHYSADDR_MAX) & ~below(features->maxphyaddr));

	for (unsigned i = 0; i < 4; i++)
		if ((pdpte[i] & row->present) && (pdpte[i] & reserved))
			return false;
	return true;
}
