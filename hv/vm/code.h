/* The code at a vCPU's rip. */
#ifndef HV_VM_CODE_H
#define HV_VM_CODE_H

#include <stdbool.h>
#include <stdint.h>

struct vcpu;

/* One walk, remembered: see code.c. All zero: none. */
struct code_memo {
	uint64_t page; /* gva >> 12, and then 1 */
	uint64_t root;
	uint64_t generation;
	uint64_t entry[5];
	const uint64_t *slot[5];
	const uint8_t *code; /* the page's first byte */
	unsigned count;	     /* entries that count */
	uint8_t cpl;
};

/* The first four bytes at rip. NULL: they must be had by vcpu_fetch, because
 * they are not in one page or not readable as things are. */
const uint8_t *vcpu_code(struct vcpu *v);

#endif
