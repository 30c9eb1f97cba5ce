/*
 * What the machine that vmmu runs on has: QEMU, memory, and the
 * hypervisor's image.
 */
#include "host.h"

#include "bochs.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int in_path(const char *program)
{
	const char *path = getenv("PATH");
	char name[4096];

	while (path && *path) {
		int length = (int)strcspn(path, ":");

		snprintf(name, sizeof(name), "%.*s/%s", length, path, program);
		if (access(name, X_OK) == 0)
			return 1;
		path += length;
		path += *path == ':';
	}
	return 0;
}

int host_find_qemu(const char *program, struct outcome *out)
{
	int found = strchr(program, '/') ? access(program, X_OK) == 0
					 : in_path(program);

	if (found)
		return OUTCOME_GOOD;
	return outcome_set(out, OUTCOME_START,
			   "%s is not installed: on Debian, apt-get install "
			   "qemu-system-x86",
			   program);
}

int host_find_bochs(struct outcome *out)
{
	if (in_path("bochs") && in_path("grub-mkrescue") &&
	    in_path("xorriso") && in_path("mformat") &&
	    access(GRUB_MODULES, R_OK) == 0 && access(BOCHS_BIOS, R_OK) == 0 &&
	    access(BOCHS_VGA_BIOS, R_OK) == 0)
		return OUTCOME_GOOD;
	return outcome_set(out, OUTCOME_START,
			   "Bochs is not all installed: on Debian, apt-get "
			   "install bochs bochsbios vgabios grub-pc-bin "
			   "grub-common xorriso mtools");
}

/* MemAvailable of /proc/meminfo in bytes; all there can be if unreadable. */
static uint64_t memory_available(void)
{
	FILE *file = fopen("/proc/meminfo", "r");
	uint64_t kib = UINT64_MAX >> 10;
	char line[128];

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "MemAvailable: %" SCNu64, &kib) == 1)
			break;
	if (file)
		fclose(file);
	return kib << 10;
}

int host_check_memory(uint64_t bytes, struct outcome *out)
{
	uint64_t available = memory_available();

	if (bytes <= available)
		return OUTCOME_GOOD;
	return outcome_set(out, OUTCOME_START,
			   "not enough memory: the guest needs %" PRIu64
			   " MiB with its hypervisor and this machine has "
			   "%" PRIu64 " MiB left",
			   bytes >> 20, available >> 20);
}

int host_find_hypervisor(char *path, unsigned int size, struct outcome *out)
{
	static const char *const places[] = { "vmmu.elf",
					      "../libexec/vmmu/vmmu.elf" };
	char self[3072];
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	self[length < 0 ? 0 : length] = '\0';
	slash = strrchr(self, '/');
	if (slash)
		*slash = '\0';
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		snprintf(path, size, "%s/%s", self, places[i]);
		if (access(path, R_OK) == 0)
			return OUTCOME_GOOD;
	}
	return outcome_set(out, OUTCOME_START,
			   "the hypervisor's image vmmu.elf is not beside "
			   "%s/vmmu: build it with make, or name it with "
			   "--hypervisor FILE",
			   self);
}
