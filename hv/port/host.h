/* The hypervisor as libvmmu's host: table pages from the frame allocator,
 * machine memory by the direct map, guest memory from space.c. */
#ifndef HV_PORT_HOST_H
#define HV_PORT_HOST_H

#include <vmmu/host.h>

/* The cookie of one VM. */
struct hv_port {
	/* Makes hardware forget what it has cached for this VM before any of
	 * its vCPUs runs again. */
	void (*flush)(void *ctx);
	void *ctx;
};

extern const struct vmmu_host_ops hv_host_ops;

#endif
