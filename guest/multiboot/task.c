/*
 * Switches tasks by hardware: a far jump to another TSS, and the way back by
 * IRET from a nested one (Intel SDM 3A, 7.3). Expected: both tasks have run,
 * exit code 0; where the hypervisor cannot, an end that says so.
 */
#include "lib.h"

#define FIRST_SELECTOR	0x20
#define SECOND_SELECTOR 0x28
#define DATA_SELECTOR	0x10
#define CODE_SELECTOR	0x08
#define TSS_AVAILABLE	0x89u
#define FLAGS_FIXED	0x2u

/* The 32-bit TSS: SDM 3A, figure 7-2. */
struct tss {
	uint32_t link, esp0, ss0, esp1, ss1, esp2, ss2, cr3, eip, eflags, eax,
		ecx, edx, ebx, esp, ebp, esi, edi, es, cs, ss, ds, fs, gs, ldt,
		trap_iobase;
};

static struct tss first, second;
static uint64_t descriptors[6];
static uint8_t stack[4096];
static volatile uint32_t seen;

struct table_pointer {
	uint16_t limit;
	uint32_t base;
} __attribute__((packed));

static uint64_t tss_descriptor(const struct tss *tss)
{
	uint64_t base = (uint32_t)(uintptr_t)tss;

	return (sizeof(*tss) - 1) | (base & 0xffffff) << 16 |
	       (uint64_t)TSS_AVAILABLE << 40 | (base >> 24) << 56;
}

/* CALL made it nested; the next CALL goes on behind the IRET. */
static void second_task(void)
{
	for (;;) {
		seen++;
		__asm__ volatile("iret");
	}
}

static void make_tables(void)
{
	extern const uint64_t gdt[];
	struct table_pointer pointer = { sizeof(descriptors) - 1,
					 (uint32_t)(uintptr_t)descriptors };

	for (unsigned i = 0; i < 4; i++)
		descriptors[i] = gdt[i];
	descriptors[FIRST_SELECTOR / 8] = tss_descriptor(&first);
	descriptors[SECOND_SELECTOR / 8] = tss_descriptor(&second);
	second = (struct tss){
		.eip = (uint32_t)(uintptr_t)second_task,
		.eflags = FLAGS_FIXED,
		.esp = (uint32_t)(uintptr_t)(stack + sizeof(stack)),
		.es = DATA_SELECTOR,
		.cs = CODE_SELECTOR,
		.ss = DATA_SELECTOR,
		.ds = DATA_SELECTOR,
		.fs = DATA_SELECTOR,
		.gs = DATA_SELECTOR,
		.trap_iobase = sizeof(struct tss) << 16,
	};
	first.trap_iobase = sizeof(struct tss) << 16;
	__asm__ volatile("lgdt %0" ::"m"(pointer));
	__asm__ volatile("ltr %w0" ::"r"(FIRST_SELECTOR));
}

static void call_second(void)
{
	__asm__ volatile("lcall %0, $0" ::"i"(SECOND_SELECTOR) : "memory");
}

uint32_t test_main(const struct multiboot_info *info)
{
	uint32_t failed = 0;

	(void)info;
	make_tables();
	call_second();
	failed += expect("a nested task runs and returns", seen == 1);
	failed += expect("its caller is linked", second.link == FIRST_SELECTOR);
	call_second();
	failed += expect("it goes on where it left", seen == 2);
	return failed;
}
