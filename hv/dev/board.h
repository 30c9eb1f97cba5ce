/*
 * The board: every device that one VM sees, behind one object.
 *
 * Pure C: no hardware, no globals, no allocation, so that it is tested
 * hosted. Time is the guest's TSC. The VM loop calls in from one vCPU at a
 * time.
 */
#ifndef HV_DEV_BOARD_H
#define HV_DEV_BOARD_H

#include <stdbool.h>
#include <stdint.h>

#include <vmmu/addr.h>

#define BOARD_CPUS_MAX 8

/* What the devices ask of the VM that they are in. */
struct board_host {
	uint64_t (*now)(void *ctx); /* guest TSC */
	void (*console_out)(void *ctx, uint8_t byte);
	/* False when the guest has no memory there. */
	bool (*guest_write)(void *ctx, gpa_t gpa, const void *buf, size_t n);
	/* Seconds since 1970-01-01 UTC when guest TSC was 0, and the
	 * nanoseconds beyond: for the RTC and the kvmclock wall clock. */
	uint64_t epoch_sec;
	uint32_t epoch_nsec;
	void *ctx;
};

struct board_config {
	uint64_t tsc_khz;
	uint64_t ram_size; /* bytes, for the firmware-configuration ports */
	unsigned cpus;	   /* 1 .. BOARD_CPUS_MAX */
};

enum board_end {
	BOARD_RUNNING,
	BOARD_POWEROFF, /* ACPI S5 */
	BOARD_RESET,	/* keyboard controller, 0xcf9, ACPI reset register */
	BOARD_EXIT,	/* exit port: code is the value written */
};

enum board_msr {
	BOARD_MSR_OK,
	BOARD_MSR_GP,	/* ours, and this access is a #GP */
	BOARD_MSR_NOT_OURS,
};

#endif
