/*
 * Stacks of the hypervisor: mapped far from all else, each with an unmapped
 * guard page below, so that running out of one is a double fault with a
 * dump and not silent damage.
 */
#ifndef HV_CPU_STACK_H
#define HV_CPU_STACK_H

#include <stdbool.h>
#include <stdint.h>
#include <stdnoreturn.h>

#define STACK_SIZE UINT64_C(32768)

/* A new stack; its top in *top. False: no memory, or no room for more. */
bool stack_make(uint64_t *top);

/* True for an address in the guard page of a stack that exists. */
bool stack_is_guard(uint64_t address);

/* Goes to `fn` on the stack with this top, for good. */
noreturn void stack_call(uint64_t top, void (*fn)(void));

#endif
