/*
 * kvmclock: time for a paravirtual guest, by a page that it shares with us.
 * Linux, Documentation/virt/kvm/x86/msr.rst and arch/x86 pvclock-abi.h.
 *
 * The guest computes ns = ((tsc << shift) * mul) >> 32 by itself; nothing
 * exits. All vCPUs get the same origin, the board's time 0, so that they agree
 * to the nanosecond; PVCLOCK_TSC_STABLE is told while their TSCs agree too.
 */
#ifndef HV_DEV_KVMCLOCK_H
#define HV_DEV_KVMCLOCK_H

#include <stdbool.h>
#include <stdint.h>

#define KVMCLOCK_MSR_WALL_OLD	0x11u
#define KVMCLOCK_MSR_SYSTEM_OLD 0x12u
#define KVMCLOCK_MSR_WALL	0x4b564d00u
#define KVMCLOCK_MSR_SYSTEM	0x4b564d01u

/* Shared with the guest: struct pvclock_vcpu_time_info. */
struct kvmclock_time {
	uint32_t version; /* odd: being written */
	uint32_t pad0;
	uint64_t tsc_timestamp;
	uint64_t system_time; /* ns at tsc_timestamp */
	uint32_t mul;
	int8_t shift;
	uint8_t flags;
	uint8_t pad[2];
};
_Static_assert(sizeof(struct kvmclock_time) == 32, "the guest's ABI");

/* Shared with the guest: struct pvclock_wall_clock. */
struct kvmclock_wall {
	uint32_t version;
	uint32_t sec; /* since 1970, when system time was 0 */
	uint32_t nsec;
};
_Static_assert(sizeof(struct kvmclock_wall) == 12, "the guest's ABI");

#define KVMCLOCK_TSC_STABLE 0x01u

/* How the guest turns TSC into nanoseconds: mul is at least 2^31, so that
 * the rate is right to one part in 2^32. */
struct kvmclock_rate {
	uint32_t mul;
	int8_t shift;
};

struct kvmclock_rate kvmclock_rate(uint64_t tsc_khz);

/* What the guest computes; for tests, and for whoever wants its time. */
uint64_t kvmclock_ns(const struct kvmclock_rate *rate, uint64_t tsc);

#endif
