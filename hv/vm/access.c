/*
 * One operand of up to eight bytes in guest-virtual memory: RAM, or a device
 * where there is none.
 *
 * An operand may reach over a page's end. Both halves are translated before
 * either is touched, so that a fault leaves nothing half done. What no device
 * answers reads as ones, and writes there and to read-only memory are lost,
 * as on a PC's bus.
 */
#include "vm/vm.h"

#include <string.h>

struct part {
	gpa_t gpa;
	unsigned size;
};

static enum guest_access resolve(struct vcpu *v, gva_t gva, unsigned size,
				 unsigned access, struct part part[2])
{
	unsigned here = (unsigned)(VMMU_PAGE_SIZE - (gva.v & VMMU_PAGE_MASK));
	enum guest_access done;

	if (here > size)
		here = size;
	part[0].size = here;
	part[1].size = size - here;
	done = vcpu_translate(v, gva, access, &part[0].gpa);
	if (done == GUEST_OK && part[1].size)
		done = vcpu_translate(v, mk_gva(gva.v + here), access,
				      &part[1].gpa);
	return done;
}

static enum guest_access no_memory(struct vcpu *v)
{
	vm_stop(v->vm, VM_KILLED, "the machine has no memory left to give");
	return GUEST_STOPPED;
}

static enum guest_access part_read(struct vcpu *v, const struct part *p,
				   void *to)
{
	uint64_t value = UINT64_MAX;

	switch (vmmu_gmem_read(&v->mmu.mem, p->gpa, to, p->size)) {
	case VMMU_GMEM_OK:
		return GUEST_OK;
	case VMMU_GMEM_NOT_NOW:
		return GUEST_FAULTED;
	case VMMU_GMEM_NONE:
		return no_memory(v);
	case VMMU_GMEM_NO_SLOT:
	case VMMU_GMEM_READ_ONLY:
		break;
	}
	if (!board_mmio_read(&v->vm->board, v->id, p->gpa, p->size, &value))
		value = UINT64_MAX;
	memcpy(to, &value, p->size);
	return GUEST_OK;
}

static enum guest_access part_write(struct vcpu *v, const struct part *p,
				    const void *from)
{
	uint64_t value = 0;

	switch (vmmu_gmem_write(&v->mmu.mem, p->gpa, from, p->size)) {
	case VMMU_GMEM_OK:
	case VMMU_GMEM_READ_ONLY:
		return GUEST_OK;
	case VMMU_GMEM_NOT_NOW:
		return GUEST_FAULTED;
	case VMMU_GMEM_NONE:
		return no_memory(v);
	case VMMU_GMEM_NO_SLOT:
		break;
	}
	memcpy(&value, from, p->size);
	board_mmio_write(&v->vm->board, v->id, p->gpa, p->size, value);
	return GUEST_OK;
}

enum guest_access vcpu_read(struct vcpu *v, gva_t gva, unsigned size,
			    unsigned access, uint64_t *value)
{
	struct part part[2];
	uint8_t bytes[8] = { 0 };
	enum guest_access done;

	done = resolve(v, gva, size, access, part);
	if (done == GUEST_OK)
		done = part_read(v, &part[0], bytes);
	if (done == GUEST_OK && part[1].size)
		done = part_read(v, &part[1], bytes + part[0].size);
	memcpy(value, bytes, sizeof(bytes));
	return done;
}

enum guest_access vcpu_write(struct vcpu *v, gva_t gva, unsigned size,
			     uint64_t value)
{
	struct part part[2];
	uint8_t bytes[8];
	enum guest_access done;

	memcpy(bytes, &value, sizeof(bytes));
	done = resolve(v, gva, size, VMMU_W, part);
	if (done == GUEST_OK)
		done = part_write(v, &part[0], bytes);
	if (done == GUEST_OK && part[1].size)
		done = part_write(v, &part[1], bytes + part[0].size);
	return done;
}
