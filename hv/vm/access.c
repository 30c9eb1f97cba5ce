/*
 * One operand of up to eight bytes in guest-virtual memory: RAM, or a device
 * where there is none.
 *
 * An operand may reach over a page's end. Both halves are translated and their
 * memory is got from the host before either is touched, so that neither a fault
 * nor a host that asks to retry leaves anything half done. What no device
 * answers reads as ones, and writes there and to read-only memory are lost,
 * as on a PC's bus.
 */
#include "vm/vm.h"

#include <string.h>

struct part {
	gpa_t gpa;
	unsigned at, size; /* bytes of the operand */
	uint8_t *memory;   /* NULL: none there that may be so accessed */
	bool read_only;	   /* there is, and this is a write */
};

struct operand {
	struct part part[2];
	unsigned count;
};

static enum guest_access translate(struct vcpu *v, gva_t gva, unsigned size,
				   unsigned access, struct operand *o)
{
	unsigned here = (unsigned)(VMMU_PAGE_SIZE - (gva.v & VMMU_PAGE_MASK));
	enum guest_access done = GUEST_OK;

	if (here > size)
		here = size;
	*o = (struct operand){ .count = here < size ? 2 : 1 };
	o->part[0].size = here;
	o->part[1].at = here;
	o->part[1].size = size - here;
	for (unsigned i = 0; i < o->count && done == GUEST_OK; i++)
		done = vcpu_translate(v, mk_gva(gva.v + o->part[i].at), access,
				      &o->part[i].gpa);
	return done;
}

static enum guest_access find_memory(struct vcpu *v, struct part *p,
				     unsigned access)
{
	uint8_t *page;

	switch (vmmu_gmem_page(&v->mmu.mem, gpa_gfn(p->gpa), access, &page)) {
	case VMMU_GMEM_OK:
		p->memory = page + (p->gpa.v & VMMU_PAGE_MASK);
		return GUEST_OK;
	case VMMU_GMEM_READ_ONLY:
		p->read_only = true;
		return GUEST_OK;
	case VMMU_GMEM_NO_SLOT:
		return GUEST_OK;
	case VMMU_GMEM_NOT_NOW:
		return GUEST_FAULTED;
	case VMMU_GMEM_NONE:
		break;
	}
	vm_stop(v->vm, VM_KILLED, "the machine has no memory left to give");
	return GUEST_STOPPED;
}

/* To answer for the second page the host may have moved the first: then the
 * guest runs the instruction again, as when the host asks for it. */
static enum guest_access find_both(struct vcpu *v, struct operand *o,
				   unsigned access)
{
	const struct vmmu_slots *slots = v->mmu.mem.slots;
	enum guest_access done = find_memory(v, &o->part[0], access);
	uint64_t generation = slots->generation;

	if (done != GUEST_OK || o->count == 1)
		return done;
	done = find_memory(v, &o->part[1], access);
	if (done == GUEST_OK && slots->generation != generation)
		return GUEST_FAULTED;
	return done;
}

static void device_read(struct vcpu *v, const struct part *p, uint8_t *to)
{
	uint64_t value = UINT64_MAX;

	if (!board_mmio_read(&v->vm->board, v->id, p->gpa, p->size, &value))
		value = UINT64_MAX;
	memcpy(to, &value, p->size);
}

static void device_write(struct vcpu *v, const struct part *p,
			 const uint8_t *from)
{
	uint64_t value = 0;

	memcpy(&value, from, p->size);
	board_mmio_write(&v->vm->board, v->id, p->gpa, p->size, value);
}

/* Memory before devices, here and in operand_write: a device that looks into
 * memory itself may make the host move what was found. */
static void operand_read(struct vcpu *v, const struct operand *o,
			 uint8_t bytes[8])
{
	const struct part *end = o->part + o->count;

	for (const struct part *p = o->part; p < end; p++)
		if (p->memory)
			memcpy(bytes + p->at, p->memory, p->size);
	for (const struct part *p = o->part; p < end; p++)
		if (!p->memory)
			device_read(v, p, bytes + p->at);
}

/* In one piece: it may be an entry of a table that is walked meanwhile. */
static void store(uint8_t *to, const uint8_t *from, unsigned size)
{
	switch (size) {
	case 8:
		__builtin_memcpy(to, from, 8);
		return;
	case 4:
		__builtin_memcpy(to, from, 4);
		return;
	case 2:
		__builtin_memcpy(to, from, 2);
		return;
	default:
		memcpy(to, from, size);
	}
}

static void operand_write(struct vcpu *v, const struct operand *o,
			  const uint8_t bytes[8])
{
	const struct part *end = o->part + o->count;

	for (const struct part *p = o->part; p < end; p++)
		if (p->memory)
			store(p->memory, bytes + p->at, p->size);
	for (const struct part *p = o->part; p < end; p++)
		if (p->memory)
			vmmu_cpu_wrote(&v->mmu, p->gpa, p->size);
	for (const struct part *p = o->part; p < end; p++)
		if (!p->memory && !p->read_only)
			device_write(v, p, bytes + p->at);
}

enum guest_access vcpu_read(struct vcpu *v, gva_t gva, unsigned size,
			    unsigned access, uint64_t *value)
{
	uint8_t bytes[8] = { 0 };
	enum guest_access done;
	struct operand o;

	done = translate(v, gva, size, access, &o);
	if (done == GUEST_OK)
		done = find_both(v, &o, VMMU_R);
	if (done == GUEST_OK)
		operand_read(v, &o, bytes);
	memcpy(value, bytes, sizeof(bytes));
	return done;
}

enum guest_access vcpu_write(struct vcpu *v, gva_t gva, unsigned size,
			     uint64_t value)
{
	uint8_t bytes[8];
	enum guest_access done;
	struct operand o;

	memcpy(bytes, &value, sizeof(bytes));
	done = translate(v, gva, size, VMMU_W, &o);
	if (done == GUEST_OK)
		done = find_both(v, &o, VMMU_W);
	if (done == GUEST_OK)
		operand_write(v, &o, bytes);
	return done;
}

enum guest_access vcpu_store(struct vcpu *v, gpa_t gpa, uint64_t value)
{
	uint8_t *page;

	if ((gpa.v & VMMU_PAGE_MASK) > VMMU_PAGE_SIZE - sizeof(value) ||
	    vmmu_gmem_page(&v->mmu.mem, gpa_gfn(gpa), VMMU_W, &page) !=
		    VMMU_GMEM_OK)
		return GUEST_FAULTED;
	__builtin_memcpy(page + (gpa.v & VMMU_PAGE_MASK), &value,
			 sizeof(value));
	vmmu_cpu_wrote(&v->mmu, gpa, sizeof(value));
	return GUEST_OK;
}
