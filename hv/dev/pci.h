/*
 * PCI configuration space by mechanism 1 (PCI Local Bus Specification 3.0,
 * 3.2.2.3.2): one bus with a host bridge on it and nothing else. Kernels take
 * a bus without a host bridge for a broken mechanism.
 */
#ifndef HV_DEV_PCI_H
#define HV_DEV_PCI_H

#include <stdbool.h>
#include <stdint.h>

#define PCI_PORT_ADDRESS 0xcf8u
#define PCI_PORT_DATA	 0xcfcu /* and the three ports after it */

struct pci {
	uint32_t address;
};

/* `size` bytes from a data port; all ones where there is no device. */
uint32_t pci_data_in(const struct pci *pci, unsigned port, unsigned size);

/* Every register of the bridge is read-only; only the address is kept. */
void pci_address_out(struct pci *pci, uint32_t value);

#endif
