/*
 * A string of bytes as a string of operations by the two VMs of the rig, which
 * mean no good: for the fuzzer, and for a test with random bytes. After each
 * operation audit, model and TLB of the VM that made it are asked, at the end
 * those of both.
 *
 *   one operation   | what, VM | frame | index | value: frame, bits | more |
 *
 * Frames and indices come from few, so that operations meet; bits mostly from
 * those that are allowed.
 */
#ifndef TEST_UNIT_DIRECT_PLAY_H
#define TEST_UNIT_DIRECT_PLAY_H

#include "test/unit/direct_rig.h"

#define PLAY_HOLDS 8u

struct play {
	struct direct_rig rig;
	const uint8_t *data;
	size_t size, at;
	unsigned vm;
	struct {
		uint64_t hfn;
		enum vmmu_frame_type type;
		unsigned vm;
		bool used;
	} hold[PLAY_HOLDS];
};

static inline uint8_t play_byte(struct play *p)
{
	return p->at < p->size ? p->data[p->at++] : 0;
}

/* Mostly a frame of the VM's own among its first 32. */
static inline uint64_t play_hfn(struct play *p)
{
	uint8_t b = play_byte(p);

	if (b < 224)
		return rig_hfn(p->vm, b % 32);
	if (b < 240)
		return rig_hfn(!p->vm, b % 16);
	if (b < 248)
		return rig_free_hfn(b % 8);
	return RIG_FIRST - 4 + b % 8;
}

static inline unsigned play_index(struct play *p)
{
	static const uint16_t few[16] = {
		0, 1, 2, 3, 4, 5, 20, 21, 254, 255, 256, 271, 272, 300, 510, 511
	};

	return few[play_byte(p) % 16];
}

static inline uint64_t play_value(struct play *p)
{
	static const uint64_t bits[16] = {
		P,	    P | W,    P | W,  P | W | U,
		P | U,	    RW,	      RO,     RO | NX,
		RW | U | A, 0,	      W,      P | W | PS,
		P | G,	    P | 0x10, P | NX, P | (UINT64_C(1) << 45),
	};
	uint64_t hfn = play_hfn(p);
	uint8_t b = play_byte(p);

	return b >= 240 ? 0 : rig_entry(hfn, bits[b % 16]);
}

static inline hpa_t play_at(struct play *p)
{
	uint64_t hfn = play_hfn(p);
	uint8_t b = p->at < p->size ? p->data[p->at] : 0;

	return mk_hpa(rig_entry(hfn, play_index(p) * 8 | (b == 255 ? 3 : 0)));
}

static inline uint32_t play_budget(struct play *p)
{
	uint8_t b = play_byte(p);

	return b < 128 ? 100000 : b < 192 ? 600 : 1u + b % 16;
}

static inline gva_t play_gva(struct play *p)
{
	uint64_t l4 = play_index(p), l1 = play_byte(p) % 64, l2 = 0;

	if (play_byte(p) > 200)
		l2 = play_index(p);
	if (play_byte(p) < 230)
		l4 = 0;
	return mk_gva((l4 >= 256 ? UINT64_C(0xffff) << 48 : 0) | l4 << 39 |
		      l2 << 21 | l1 << 12);
}

/* 1. Operations. */

static inline void play_update(struct play *p)
{
	struct vmmu_direct_update u = { .at = play_at(p) };
	uint32_t budget;

	u.value = play_value(p);
	u.how = play_byte(p) % 8 == 7 ? VMMU_DIRECT_PRESERVE_AD
				      : VMMU_DIRECT_NORMAL;
	budget = play_budget(p);
	if (play_byte(p) % 4 &&
	    vmmu_direct_update_quick(&p->rig.vm[p->vm].vm, u.at.v, u.value,
				     u.how == VMMU_DIRECT_PRESERVE_AD))
		return;
	vmmu_direct_update(&p->rig.vm[p->vm].cpu[0], &u, &budget);
}

static inline void play_batch(struct play *p)
{
	struct vmmu_direct_update u[8];
	unsigned count = play_byte(p) % 8 + 1;
	uint32_t done, budget;

	for (unsigned i = 0; i < count; i++) {
		u[i] = (struct vmmu_direct_update){ .at = play_at(p) };
		u[i].value = play_value(p);
		u[i].how = play_byte(p) % 3;
	}
	budget = play_budget(p);
	vmmu_direct_update_batch(&p->rig.vm[p->vm].cpu[0], u, count, &done,
				 &budget);
}

static inline void play_trap(struct play *p)
{
	struct vmmu_cpu *cpu = &p->rig.vm[p->vm].cpu[play_byte(p) % 2];
	gva_t gva = play_gva(p);
	uint64_t value, was;
	hpa_t at;

	gva.v |= play_index(p) * 8 | play_byte(p) % 8;
	value = play_value(p);
	if (play_byte(p) % 4 == 0 &&
	    (play_byte(p) % 2
		     ? vmmu_direct_trapped_and(
			       cpu, mk_gva(gva.v & ~UINT64_C(7)),
			       play_byte(p) % 2 ? UINT64_MAX << play_byte(p) % 8
						: value,
			       &was)
		     : vmmu_direct_trapped_quick(
			       cpu, mk_gva(gva.v & ~UINT64_C(7)),
			       play_byte(p) % 2 ? value : 0, &was)))
		return;
	if (!vmmu_direct_is_trapped(cpu, gva, &at))
		at = play_at(p);
	else if (play_byte(p) % 2)
		at.v &= ~UINT64_C(7);
	was = play_byte(p) % 4 ? value : 0;
	vmmu_direct_trapped_write(cpu, at, 1u << play_byte(p) % 5, value,
				  play_byte(p) % 2 ? &was : NULL);
}

/* The engine loads CR3 next; with two vCPUs it also makes the other forget. */
static inline void play_roots(struct play *p, struct vmmu_cpu *cpu, hfn_t hfn)
{
	if (vmmu_direct_set_roots_quick(cpu, hfn, mk_hfn(play_hfn(p))))
		rig_flushed(&p->rig, p->vm);
}

static inline void play_table(struct play *p, unsigned what)
{
	struct vmmu_cpu *cpu = &p->rig.vm[p->vm].cpu[play_byte(p) % 2];
	hfn_t hfn = mk_hfn(play_hfn(p));
	uint32_t budget = play_budget(p);

	if (what == 0)
		vmmu_direct_pin(cpu, hfn, 1 + play_byte(p) % 4, &budget);
	else if (what == 1)
		vmmu_direct_unpin(cpu, hfn, &budget);
	else if (play_byte(p) % 4 == 0)
		play_roots(p, cpu, hfn);
	else if (play_byte(p) % 2 &&
		 (what == 2 ? vmmu_direct_set_root_quick(cpu, hfn)
			    : vmmu_direct_set_user_root_quick(cpu, hfn)))
		return;
	else if (what == 2)
		vmmu_direct_set_root(cpu, hfn, &budget);
	else
		vmmu_direct_set_user_root(
			cpu, play_byte(p) % 4 ? hfn : mk_hfn(0), &budget);
}

static inline void play_balloon(struct play *p)
{
	struct vmmu_vm *vm = &p->rig.vm[p->vm].vm;
	hfn_t hfn = mk_hfn(play_hfn(p));
	uint8_t b = play_byte(p);
	uint32_t budget = play_budget(p);

	if (b < 128)
		vmmu_direct_release(vm, hfn, &budget);
	else if (b < 250 && hfn.v >= RIG_FIRST + RIG_OURS)
		vmmu_direct_give(vm, mk_gfn(RIG_GFNS + b % 9), hfn);
	else if (hfn.v >= RIG_FIRST + RIG_OURS)
		vmmu_direct_share(vm, hfn);
}

/* The uses of a frame end one after another, in any order, and so does the
 * frame: whichever was the last, nothing may remember it. */
static inline void play_farewell(struct play *p)
{
	struct direct_rig_vm *v = &p->rig.vm[p->vm];
	uint64_t gfn = 4 + play_byte(p) % 16;
	hfn_t hfn = mk_hfn(rig_hfn(p->vm, gfn));
	uint32_t budget = 100000;

	for (unsigned i = 0; i < 4; i++)
		switch (play_byte(p) % 4) {
		case 0:
			rig_va(&p->rig, p->vm, gfn, 0);
			break;
		case 1:
			vmmu_direct_unpin(&v->cpu[0], hfn, &budget);
			break;
		case 2:
			vmmu_direct_release(&v->vm, hfn, &budget);
			break;
		default:
			rig_va(&p->rig, p->vm, gfn,
			       rig_entry(hfn.v, i & 1 ? RO : RW));
		}
}

static inline void play_hold(struct play *p)
{
	static const enum vmmu_frame_type types[4] = { VMMU_FRAME_NONE,
						       VMMU_FRAME_WRITABLE,
						       VMMU_FRAME_SEGMENTS,
						       VMMU_FRAME_L1 };
	unsigned i = play_byte(p) % PLAY_HOLDS;
	uint32_t budget = play_budget(p);

	if (p->hold[i].used) {
		vmmu_direct_drop(&p->rig.vm[p->hold[i].vm].vm,
				 mk_hfn(p->hold[i].hfn), p->hold[i].type);
		p->hold[i].used = false;
		return;
	}
	p->hold[i].hfn = play_hfn(p);
	p->hold[i].type = types[play_byte(p) % 4];
	p->hold[i].vm = p->vm;
	p->hold[i].used =
		vmmu_direct_hold(&p->rig.vm[p->vm].vm, mk_hfn(p->hold[i].hfn),
				 p->hold[i].type, &budget) == VMMU_DIRECT_OK;
}

static inline void play_descriptor(struct play *p)
{
	hpa_t at = play_at(p);
	uint64_t value = (uint64_t)play_byte(p) << 40 | (uint64_t)play_byte(p)
								<< 52;

	vmmu_direct_descriptor(&p->rig.vm[p->vm].cpu[0], at, value);
}

static inline void play_one(struct play *p)
{
	uint8_t what = play_byte(p);

	p->vm = what >> 7;
	switch (what % 16) {
	case 0:
	case 1:
	case 2:
		play_update(p);
		break;
	case 3:
	case 4: {
		gva_t gva = play_gva(p);

		vmmu_direct_update_va(&p->rig.vm[p->vm].cpu[0], gva,
				      play_value(p));
		break;
	}
	case 5:
		play_trap(p);
		break;
	case 6:
	case 7:
	case 8:
		play_table(p, 0);
		break;
	case 9:
		play_table(p, 1 + play_byte(p) % 3);
		break;
	case 10:
		if (what & 16)
			play_farewell(p);
		else
			play_balloon(p);
		break;
	case 11:
		play_hold(p);
		break;
	case 12:
		play_descriptor(p);
		break;
	case 13: {
		uint64_t gfn = play_byte(p) % 64;
		unsigned index = play_index(p);

		rig_store(&p->rig, p->vm, gfn, index, play_value(p));
		break;
	}
	case 14:
		play_batch(p);
		break;
	default:
		rig_flushed(&p->rig, p->vm);
	}
}

/* 2. A whole play; NULL: nothing is wrong. */

/* Tables that are no tables yet, so that trees come and go at one stroke. */
static inline void play_plant(struct direct_rig *r, unsigned vm)
{
	for (unsigned l1 = 4; l1 < 8; l1++)
		for (unsigned i = 0; i < 8; i++)
			rig_page(r, rig_hfn(vm, l1))[i * 73] =
				rig_to(vm, 16 + l1 + i, i & 1 ? RW : RO);
	for (unsigned i = 0; i < 4; i++) {
		rig_page(r, rig_hfn(vm, 8))[i * 170] = rig_to(vm, 4 + i, RW);
		rig_page(r, rig_hfn(vm, 9))[i] = rig_to(vm, 5 + i % 2, RW);
	}
	rig_page(r, rig_hfn(vm, 10))[0] = rig_to(vm, 8, RW);
	rig_page(r, rig_hfn(vm, 10))[511] = rig_to(vm, 9, RW);
	rig_page(r, rig_hfn(vm, 11))[1] = rig_to(vm, 10, RW);
	rig_page(r, rig_hfn(vm, 11))[300] = rig_to(vm, 1, RW);
}

static inline const char *direct_play(const uint8_t *data, size_t size)
{
	struct play *p = calloc(1, sizeof(*p));
	const char *wrong = "the rig does not start";

	p->data = data;
	p->size = size;
	if (rig_start(&p->rig)) {
		play_plant(&p->rig, 0);
		play_plant(&p->rig, 1);
		if (size && data[0] & 1)
			for (unsigned n = 0; n < 2; n++)
				p->rig.vm[n].direct.table.count_limit = 9;
		wrong = rig_wrong(&p->rig);
	}
	while (!wrong && p->at < p->size) {
		play_one(p);
		wrong = rig_wrong_in(&p->rig, p->vm);
	}
	if (!wrong)
		wrong = rig_wrong(&p->rig);
	for (unsigned i = 0; i < PLAY_HOLDS; i++)
		if (p->hold[i].used)
			vmmu_direct_drop(&p->rig.vm[p->hold[i].vm].vm,
					 mk_hfn(p->hold[i].hfn),
					 p->hold[i].type);
	rig_fini(&p->rig);
	for (unsigned i = 0; i < RIG_FRAMES && !wrong; i++)
		if (p->rig.frame[i].owner)
			wrong = "a frame was not given back";
	free(p);
	return wrong;
}

#endif
