/*
 * The monitor: commands that come in on the report channel while the guest
 * runs, and their answers, in the words of QEMU's monitor where it has them.
 *
 * A line is a command. Each line of the answer begins with "= ", and a line
 * with "=" alone ends it, so that the log beside it can be told apart.
 */
#ifndef HV_VM_MONITOR_H
#define HV_VM_MONITOR_H

#include <stdbool.h>
#include <stdint.h>

#include <vmmu/gwalk.h>
#include <vmmu/mode.h>

#include "cpu/fmt.h"

#define MONITOR_LINE 120

struct vm;

struct monitor {
	char line[MONITOR_LINE]; /* what has come of the next command */
	unsigned length;
	bool too_long;
	bool mid_line; /* of the answer */
};

/* Takes what has come in and carries out each whole line. At an exit. */
void monitor_poll(struct vm *vm);

/* For the commands' files. They look and change nothing of the guest's. */

/* The number at the beginning of `text`: 0x and hex digits, decimal, or a
 * register as $rip. False, and said why: there is none. */
bool monitor_number(struct vm *vm, const char *text, uint64_t *number,
		    const struct fmt_sink *out);
/* The first vCPU's mode with nothing that refuses a supervisor's read: SMAP
 * and the keys. */
void monitor_mode(struct vm *vm, struct vmmu_mode *mode);
/* A walk in that mode which sets neither A nor D. */
enum vmmu_gwalk_status monitor_walk(struct vm *vm, const struct vmmu_mode *mode,
				    uint64_t gva, struct vmmu_gwalk *walk);

/* monitor_info.c, monitor_pages.c, monitor_walk.c, dirty.c: `args` is what
 * follows the command's name, without blanks before it. */
typedef void monitor_command(struct vm *vm, const char *args,
			     const struct fmt_sink *out);
monitor_command monitor_info_mtree, monitor_info_registers;
monitor_command monitor_info_mem, monitor_info_tlb;
monitor_command monitor_gva2gpa, monitor_gpa2hva, monitor_gpa2hpa;
monitor_command monitor_walk_steps;
monitor_command monitor_dirty;

#endif
