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
	/* ... for one of its vCPUs; what that one has cached of one address,
	 * not held in parts smaller or larger than a leaf. */
	void (*flush_cpu)(struct vmmu_cpu *cpu);
	void (*flush_gva)(struct vmmu_cpu *cpu, gva_t gva);
	/* Where the engine's hardware logs writes. */
	void (*log_writes)(void *ctx, bool on);
	void (*log_drain)(void *ctx);
	void *ctx;
};

extern const struct vmmu_host_ops hv_host_ops;

#endif
