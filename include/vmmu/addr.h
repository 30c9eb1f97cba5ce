/*
 * The four address spaces and their frame numbers, as types that do not mix.
 *
 *   gva --guest's tables--> gpa --slots--> hva --host--> hpa
 *
 * Each is a struct of one field: handing a gpa to a function that wants an
 * hpa does not compile. The field `v` is in bytes for addresses and in units
 * of 4 KiB for frame numbers.
 */
#ifndef VMMU_ADDR_H
#define VMMU_ADDR_H

#include <stdint.h>

#define VMMU_PAGE_SHIFT 12
#define VMMU_PAGE_SIZE	(UINT64_C(1) << VMMU_PAGE_SHIFT)
#define VMMU_PAGE_MASK	(VMMU_PAGE_SIZE - 1)
#define VMMU_2M		(UINT64_C(1) << 21)
#define VMMU_1G		(UINT64_C(1) << 30)

typedef struct {
	uint64_t v;
} gva_t; /* guest virtual address */
typedef struct {
	uint64_t v;
} gpa_t; /* guest physical address */
typedef struct {
	uint64_t v;
} hva_t; /* host virtual address */
typedef struct {
	uint64_t v;
} hpa_t; /* host physical = machine address */
typedef struct {
	uint64_t v;
} gfn_t; /* guest frame number: gpa / 4 KiB */
typedef struct {
	uint64_t v;
} hfn_t; /* host frame number: hpa / 4 KiB */

static inline gva_t mk_gva(uint64_t v)
{
	return (gva_t){ v };
}

static inline gpa_t mk_gpa(uint64_t v)
{
	return (gpa_t){ v };
}

static inline hva_t mk_hva(uint64_t v)
{
	return (hva_t){ v };
}

static inline hpa_t mk_hpa(uint64_t v)
{
	return (hpa_t){ v };
}

static inline gfn_t mk_gfn(uint64_t v)
{
	return (gfn_t){ v };
}

static inline hfn_t mk_hfn(uint64_t v)
{
	return (hfn_t){ v };
}

static inline gfn_t gpa_gfn(gpa_t a)
{
	return mk_gfn(a.v >> VMMU_PAGE_SHIFT);
}

static inline gpa_t gfn_gpa(gfn_t f)
{
	return mk_gpa(f.v << VMMU_PAGE_SHIFT);
}

static inline hfn_t hpa_hfn(hpa_t a)
{
	return mk_hfn(a.v >> VMMU_PAGE_SHIFT);
}

static inline hpa_t hfn_hpa(hfn_t f)
{
	return mk_hpa(f.v << VMMU_PAGE_SHIFT);
}

#endif
