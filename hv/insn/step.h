/*
 * One instruction on its way: what the emulator's handlers share.
 *
 * A handler reads its operands, computes into locals, writes memory, and only
 * then changes registers and flags: when an access fails it returns at once
 * and nothing has happened.
 */
#ifndef HV_INSN_STEP_H
#define HV_INSN_STEP_H

#include "insn/emulate.h"

struct step {
	const struct insn *in;
	struct insn_regs *regs;
	const struct insn_ops *ops;
	void *ctx;
	unsigned size;	       /* of the ModRM operand */
	bool write_follows;    /* it is read and written */
	uint64_t address;      /* linear, when has_mem */
	enum insn_done failed; /* why an access below returned false */
};

/* The ModRM operand, register or memory. False: s->failed. */
bool step_read(struct step *s, uint64_t *value);
bool step_write(struct step *s, uint64_t value);
/* Writes back what step_read has read; one access if it is locked. */
bool step_update(struct step *s, uint64_t old, uint64_t value);

/* Memory at any linear address. */
bool step_load(struct step *s, uint64_t linear, unsigned size, uint64_t *value);
bool step_store(struct step *s, uint64_t linear, unsigned size, uint64_t value);

/* The ModRM.reg operand, of the same size; the immediate, cut to it. */
uint64_t step_reg(const struct step *s);
void step_set_reg(struct step *s, uint64_t v);
uint64_t step_imm(const struct step *s);

/* The handlers: move.c, exchange.c, arith.c, bits.c, stack.c, string.c. */
enum insn_done move_store(struct step *s);
enum insn_done move_load(struct step *s);
enum insn_done move_imm(struct step *s);
enum insn_done move_from_moffs(struct step *s);
enum insn_done move_to_moffs(struct step *s);
enum insn_done move_zero_extend(struct step *s);
enum insn_done move_sign_extend(struct step *s);
enum insn_done move_swapped(struct step *s);
enum insn_done move_around_cache(struct step *s);
enum insn_done move_if(struct step *s);
enum insn_done move_condition(struct step *s);
enum insn_done stack_push(struct step *s);
enum insn_done stack_pop(struct step *s);
enum insn_done exchange(struct step *s);
enum insn_done exchange_add(struct step *s);
enum insn_done exchange_compare(struct step *s);
enum insn_done exchange_compare_8(struct step *s);
enum insn_done arith_rm_reg(struct step *s);
enum insn_done arith_reg_rm(struct step *s);
enum insn_done arith_rm_imm(struct step *s);
enum insn_done arith_acc_imm(struct step *s);
enum insn_done arith_test_reg(struct step *s);
enum insn_done arith_test_imm(struct step *s);
enum insn_done arith_test_acc(struct step *s);
enum insn_done arith_not(struct step *s);
enum insn_done arith_neg(struct step *s);
enum insn_done arith_inc_dec(struct step *s);
enum insn_done arith_shift(struct step *s);
enum insn_done bits_reg(struct step *s);
enum insn_done bits_imm(struct step *s);
enum insn_done string_run(struct step *s);

#endif
