/* What the machine layer promises, tried on the machine that it runs on. */
#ifndef HV_BOOT_SELFTEST_H
#define HV_BOOT_SELFTEST_H

#include "boot/multiboot.h"

/* With the word `selftest` on the command line: runs all, prints "selftest:
 * N passed, N failed" and ends the machine. With `crash=ud`, `crash=pf` or
 * `crash=stack`: faults in that way. Else returns. */
void selftest_maybe(const struct boot_info *boot);

#endif
