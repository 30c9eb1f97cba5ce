/*
 * The host bridge's configuration header, type 0, has no base addresses and
 * no interrupt: identification, class, and zeros.
 *
 *   0xcf8: | 1 | reserved | bus | device | function | register | 00 |
 */
#include "dev/pci.h"

#define ENABLE	     0x80000000u
#define REGISTER     0x000000fcu
#define FUNCTION     0x00ffff00u /* bus, device and function */
#define BRIDGE_ID    0x12378086u /* Intel 82441FX, as QEMU's pc machine has */
#define BRIDGE_CLASS 0x06000002u /* host bridge, revision 2 */

static uint32_t bridge(unsigned reg)
{
	switch (reg) {
	case 0x00:
		return BRIDGE_ID;
	case 0x08:
		return BRIDGE_CLASS;
	default:
		return 0;
	}
}

uint32_t pci_data_in(const struct pci *pci, unsigned port, unsigned size)
{
	uint32_t value = UINT32_MAX;

	if ((pci->address & ENABLE) && !(pci->address & FUNCTION))
		value = bridge(pci->address & REGISTER);
	value >>= 8 * (port & 3);
	return size >= 4 ? value : value & ((UINT32_C(1) << 8 * size) - 1);
}

void pci_address_out(struct pci *pci, uint32_t value)
{
	pci->address = value & (ENABLE | FUNCTION | REGISTER);
}
