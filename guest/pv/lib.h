/*
 * What the small paravirtual guests share: hypercalls, exceptions that a test
 * expects, the console, and tables of their own to play with.
 */
#ifndef GUEST_PV_LIB_H
#define GUEST_PV_LIB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifndef __XEN_INTERFACE_VERSION__
#define __XEN_INTERFACE_VERSION__ __XEN_LATEST_INTERFACE_VERSION__
#endif
#include <xen/xen.h>

#include <xen/callback.h>
#include <xen/errno.h>
#include <xen/event_channel.h>
#include <xen/memory.h>
#include <xen/sched.h>
#include <xen/vcpu.h>
#include <xen/version.h>

#define VIRT_BASE UINT64_C(0xffffffff80000000)
#define PAGE	  UINT64_C(4096)

/* Places of the hypervisor's, and addresses that are none. */
#define HV_IMAGE  UINT64_C(0xffff800000100000)
#define HV_DIRECT UINT64_C(0xffff810000000000)
#define HV_LAST	  UINT64_C(0xffff87fffffffff8)

#define ARRIVED_EVENT	 0x100
#define ARRIVED_FAILSAFE 0x101
#define ARRIVED_SYSCALL	 0x102

/* The last exception or callback. */
struct arrival {
	uint64_t vector, rcx, r11, error;
	uint64_t rip, cs, rflags, rsp, ss;
};
extern volatile struct arrival arrival;
extern struct start_info *start_info;

struct iret_frame {
	uint64_t rax, r11, rcx, flags, rip, cs, rflags, rsp, ss;
};

void guest_main(void);
void unexpected(void); /* called by start.S */
/* 1 when something arrived before f was through. */
int attempt(void (*f)(uint64_t a, uint64_t b), uint64_t a, uint64_t b);
_Noreturn void return_to(const struct iret_frame *frame);

static inline long call5(unsigned n, uint64_t a1, uint64_t a2, uint64_t a3,
			 uint64_t a4, uint64_t a5)
{
	register uint64_t r10 __asm__("r10") = a4;
	register uint64_t r8 __asm__("r8") = a5;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result), "+D"(a1), "+S"(a2), "+d"(a3),
			   "+r"(r10), "+r"(r8)
			 : "0"((uint64_t)n)
			 : "rcx", "r11", "r9", "memory");
	return result;
}
#define call(n, ...) call_pick(n, __VA_ARGS__, 0, 0, 0, 0)
#define call_pick(n, a, b, c, d, e, ...)                                       \
	call5(__HYPERVISOR_##n, (uint64_t)(a), (uint64_t)(b), (uint64_t)(c),   \
	      (uint64_t)(d), (uint64_t)(e))

static inline uint64_t gfn_of(const volatile void *p)
{
	return ((uintptr_t)p - VIRT_BASE) / PAGE;
}

/* By the P2M that the hypervisor gave. */
uint64_t mfn_of(const volatile void *p);

void say(const char *text);
void say_number(uint64_t n);
/* One test: its name, and whether it went as it must. */
void check(const char *name, bool good);
/* The number of those that did not, through the exit port. */
_Noreturn void finish(void);
/* A word of the command line. */
bool told(const char *word);
/* Handlers for all vectors, and all callbacks. */
void handlers_init(void);

/* The entry for va at a level (1 .. 4) of the tables that the guest began
 * with, and its machine address. */
uint64_t *entry_at(uint64_t va, unsigned level, uint64_t *machine);
/* One entry of any table, by mmu_update; the leaf for va, and its flush; one
 * operation of mmuext_op, with one frame or two. */
long update(uint64_t machine, uint64_t value);
long map_at(const void *va, uint64_t entry);
long mmuext(unsigned cmd, uint64_t mfn);
long mmuext2(unsigned cmd, uint64_t mfn, uint64_t source);

/* Pages of the guest's own, mapped writable. */
#define SPARE_PAGES 16
extern uint8_t spare[SPARE_PAGES][4096];

#endif
