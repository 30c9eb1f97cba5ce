/*
 * Does KVM work here? A /dev/kvm that opens proves nothing: on some machines
 * it exists and whoever runs a processor in it hangs. So a child process
 * makes a virtual machine of one page and lets it count to 1000 and write
 * the result to a port; if that has not happened within a second, KVM is
 * called unusable. The child is killed then, which ends a hung KVM_RUN.
 */
#include "host.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* 16-bit code at 0x1000: ax = 0; 1000 times ax++; out 0x10, ax; hlt. */
static const unsigned char code[] = {
	0x31, 0xc0,	  /* xor %ax, %ax */
	0xb9, 0xe8, 0x03, /* mov $1000, %cx */
	0x40,		  /* again: inc %ax */
	0xe2, 0xfd,	  /* loop again */
	0xe7, 0x10,	  /* out %ax, $0x10 */
	0xf4,		  /* hlt */
};

static int map_code(int vm)
{
	struct kvm_userspace_memory_region slot = {
		.guest_phys_addr = 0x1000,
		.memory_size = 0x1000,
	};
	void *page = mmap(NULL, 0x1000, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		return -1;
	memcpy(page, code, sizeof(code));
	slot.userspace_addr = (uintptr_t)page;
	return ioctl(vm, KVM_SET_USER_MEMORY_REGION, &slot);
}

static int set_start(int cpu)
{
	struct kvm_regs regs = { .rip = 0x1000, .rflags = 2 };
	struct kvm_sregs sregs;

	if (ioctl(cpu, KVM_GET_SREGS, &sregs) < 0)
		return -1;
	sregs.cs.base = 0;
	sregs.cs.selector = 0;
	if (ioctl(cpu, KVM_SET_SREGS, &sregs) < 0)
		return -1;
	return ioctl(cpu, KVM_SET_REGS, &regs);
}

/* True when the machine ran to its OUT and had counted right. */
static int runs(void)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	int vm = kvm < 0 ? -1 : ioctl(kvm, KVM_CREATE_VM, 0);
	int cpu = vm < 0 || map_code(vm) < 0 ? -1
					     : ioctl(vm, KVM_CREATE_VCPU, 0);
	int size = kvm < 0 ? -1 : ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	struct kvm_run *run;
	uint16_t value;

	if (cpu < 0 || size < (int)sizeof(*run) || set_start(cpu) < 0)
		return 0;
	run = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, cpu,
		   0);
	if (run == MAP_FAILED || ioctl(cpu, KVM_RUN, 0) < 0 ||
	    run->exit_reason != KVM_EXIT_IO || run->io.port != 0x10)
		return 0;
	memcpy(&value, (char *)run + run->io.data_offset, sizeof(value));
	return value == 1000;
}

/* True when the child's answer, one byte, comes within a second. */
static int answers(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	char byte = 0;
	int rc;

	do {
		rc = poll(&pfd, 1, 1000);
	} while (rc < 0 && errno == EINTR);
	return rc == 1 && read(fd, &byte, 1) == 1 && byte == 'y';
}

/* Ends the child; one that even SIGKILL does not end is left to init. */
static void reap(pid_t child)
{
	kill(child, SIGKILL);
	for (int i = 0; i < 50 && waitpid(child, NULL, WNOHANG) == 0; i++)
		usleep(10000);
}

static int probe(void)
{
	int fds[2];
	int good;
	pid_t child;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return 0;
	child = fork();
	if (child == 0) {
		if (runs() && write(fds[1], "y", 1) == 1)
			_exit(0);
		_exit(1);
	}
	close(fds[1]);
	good = child > 0 && answers(fds[0]);
	close(fds[0]);
	if (child > 0)
		reap(child);
	return good;
}

int host_probe_kvm(struct outcome *out)
{
	if (access("/dev/kvm", R_OK | W_OK) < 0)
		return outcome_set(out, OUTCOME_START,
				   "KVM is not usable: /dev/kvm %s; use "
				   "--machine tcg",
				   errno == ENOENT ? "does not exist"
						   : "may not be opened");
	if (probe())
		return OUTCOME_GOOD;
	return outcome_set(out, OUTCOME_START,
			   "KVM is not usable: a few instructions did not "
			   "run in it within a second; use --machine tcg");
}
