/*
 * Reads and writes MSRs and ports that do not exist. Expected: a general
 * protection fault for each MSR, ones from each port, and the guest goes on.
 */
#include "lib.h"

static uint32_t msr;

static void read_msr(void)
{
	uint32_t low, high;

	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
}

static void write_msr(void)
{
	__asm__ volatile("wrmsr" ::"a"(1), "d"(0), "c"(msr));
}

static uint32_t try_msr(uint32_t number)
{
	msr = number;
	print("msrports: MSR %x\n", number);
	return expect("a read is #GP", guarded(read_msr) == 13) +
	       expect("a write is #GP", guarded(write_msr) == 13);
}

static uint32_t try_port(uint16_t port)
{
	bool ones = in8(port) == 0xff && in16(port) == 0xffff &&
		    in32(port) == 0xffffffff;

	print("msrports: port %x\n", port);
	out8(port, 0x55);
	out32(port, 0x55aa55aa);
	return expect("reads ones", ones && in8(port) == 0xff);
}

uint32_t test_main(const struct multiboot_info *info)
{
	static const uint32_t msrs[] = { 0x12345678, 0x00000fff, 0x4b564dff,
					 0xc0007777, 0xffffffff };
	static const uint16_t ports[] = { 0x1234, 0x0280, 0x5658, 0xfff0 };
	uint32_t failures = 0;

	(void)info;
	for (size_t i = 0; i < sizeof(msrs) / sizeof(msrs[0]); i++)
		failures += try_msr(msrs[i]);
	for (size_t i = 0; i < sizeof(ports) / sizeof(ports[0]); i++)
		failures += try_port(ports[i]);
	return failures;
}
