/*
 * Operations on memory: slots with the semantics of the design, backing that
 * comes and goes, contents, and the dirty log. The library is told, the truth
 * is changed, and what the library answered is compared.
 */
#include "world.h"

#include "scheme/shadow_page.h"

#include <stdlib.h>
#include <string.h>

/* 1. Slots. */

static bool inside(struct world *w, hva_t hva, uint64_t size)
{
	uint64_t offset = world_offset(w, hva);

	return size <= w->memory && offset <= w->memory - size;
}

static bool overlaps(struct world *w, const struct vmmu_slot *want)
{
	for (unsigned i = 0; i < WORLD_SLOTS; i++) {
		const struct vmmu_slot *s = &w->slot[i].slot;

		if (!w->slot[i].used || s->id == want->id)
			continue;
		if (want->gpa.v < s->gpa.v + s->size &&
		    s->gpa.v < want->gpa.v + want->size)
			return true;
	}
	return false;
}

/* What KVM_SET_USER_MEMORY_REGION would say. */
static bool slot_is_fine(struct world *w, const struct vmmu_slot *want)
{
	const struct truth_slot *t = &w->slot[want->id];

	if ((want->gpa.v | want->size | want->hva.v) & VMMU_PAGE_MASK)
		return false;
	if (want->gpa.v + want->size < want->gpa.v)
		return false;
	if (want->flags & ~(VMMU_SLOT_LOG_DIRTY | VMMU_SLOT_READ_ONLY))
		return false;
	if (want->size == 0)
		return t->used;
	if (t->used &&
	    (t->slot.size != want->size || t->slot.hva.v != want->hva.v))
		return false;
	return !overlaps(w, want);
}

/* These bytes of the slot, before they are gone. Nested hardware is flushed
 * then: nothing that was derived from them may be used. A table that is a TLB
 * keeps what it derived from guest tables that lay there, as a TLB would: what
 * was in them stays in the journal. */
static void forget(struct world *w, const struct vmmu_slot *s, hva_t hva,
		   uint64_t size)
{
	gpa_t gpa = mk_gpa(s->gpa.v + (hva.v - s->hva.v));

	if (hw_is_nested(w)) {
		history_forget(&w->history, gpa, size);
		return;
	}
	for (unsigned i = 0; i < w->touched_count; i++) {
		uint64_t at = w->touched[i] << VMMU_PAGE_SHIFT;
		uint64_t in = at - world_offset(w, hva), word;

		for (uint64_t o = 0; in < size && o < VMMU_PAGE_SIZE; o += 8) {
			memcpy(&word, w->copy + at + o, 8);
			if (word)
				history_store(&w->history,
					      mk_gpa(gpa.v + in + o), word);
		}
	}
}

static void slot_into_truth(struct world *w, const struct vmmu_slot *want)
{
	struct truth_slot *t = &w->slot[want->id];
	bool logged = t->used && (t->slot.flags & VMMU_SLOT_LOG_DIRTY);

	if (t->used && (want->size == 0 || want->gpa.v != t->slot.gpa.v))
		forget(w, &t->slot, t->slot.hva, t->slot.size);
	t->used = want->size != 0;
	t->slot = *want;
	if (!logged) {
		memset(t->must, 0, sizeof(t->must));
		memset(t->may, 0, sizeof(t->may));
	}
}

bool op_slot(struct world *w, const struct op *op)
{
	struct vmmu_slot want = { .id = op->arg[0] % WORLD_SLOTS,
				  .gpa = mk_gpa(op->arg[1]),
				  .size = op->arg[2],
				  .hva = mk_hva(op->arg[3]),
				  .flags = (uint32_t)op->arg[4] };
	struct truth_slot *t = &w->slot[want.id];
	bool fine, logged = t->used && (t->slot.flags & VMMU_SLOT_LOG_DIRTY);
	enum vmmu_slot_error error;

	if (!inside(w, want.hva, want.size) ||
	    ((want.flags & VMMU_SLOT_LOG_DIRTY) &&
	     want.size > WORLD_LOG_PAGES * VMMU_PAGE_SIZE))
		return true; /* beyond what this host has */
	fine = slot_is_fine(w, &want);
	if (!logged)
		memset(t->dirty, 0, sizeof(t->dirty));
	if (want.flags & VMMU_SLOT_LOG_DIRTY)
		want.dirty = t->dirty;
	error = vmmu_vm_set_slot(&w->vm, &want);
	if ((error == VMMU_SLOT_OK) != fine)
		return world_fail(w, "slot %u: \"%s\", should %sbe refused",
				  want.id, vmmu_slot_error_name(error),
				  fine ? "not " : "");
	if (fine)
		slot_into_truth(w, &want);
	return true;
}

/* 2. Backing. */

static void contents_lost(struct world *w, hva_t hva, uint64_t size)
{
	for (unsigned i = 0; i < WORLD_SLOTS; i++) {
		const struct vmmu_slot *s = &w->slot[i].slot;

		for (uint64_t o = 0; o < size; o += VMMU_PAGE_SIZE)
			if (w->slot[i].used && hva.v + o - s->hva.v < s->size)
				forget(w, s, mk_hva(hva.v + o), VMMU_PAGE_SIZE);
	}
	memset(w->copy + world_offset(w, hva), 0, size);
}

static void absent(struct world *w, hva_t hva, uint64_t size)
{
	if (w->absent_count == WORLD_ABSENT)
		return;
	w->absent_hva[w->absent_count] = hva;
	w->absent_size[w->absent_count++] = size;
	lab_host_answer(&w->host, hva, size, VMMU_RESOLVE_NOT_NOW);
}

bool op_backing(struct world *w, const struct op *op)
{
	hva_t hva = mk_hva(op->arg[0] & ~VMMU_PAGE_MASK);
	uint64_t size = op->arg[1] & ~VMMU_PAGE_MASK;

	if (!size || !inside(w, hva, size))
		return true;
	if (op->kind == OP_SHARE)
		lab_host_share(&w->host, hva, size);
	else if (op->kind == OP_MOVE)
		lab_host_move(&w->host, hva, size);
	else if (op->kind == OP_ABSENT)
		absent(w, hva, size);
	else {
		lab_host_withdraw(&w->host, hva, size);
		contents_lost(w, hva, size);
	}
	return true;
}

/* 3. Contents. */

static unsigned store_size(const struct op *op)
{
	return op->arg[1] == 8 ? 8 : op->arg[1] == 4 ? 4 : 1;
}

/* The guest is about to write there, by a mapping that the trace does not
 * show. True: it faulted, and the write is emulated. */
static bool poke_is_emulated(struct world *w, hva_t hva)
{
	struct shadow_vm *s;
	enum shadow_write let;

	if (w->config.scheme != SCHEME_SHADOW)
		return false;
	s = shadow_of(&w->vm);
	if (!shadow_protects(s, hva.v >> VMMU_PAGE_SHIFT))
		return false;
	let = shadow_write(&w->cpu, s, hva.v >> VMMU_PAGE_SHIFT);
	shadow_settle(s);
	return let == SHADOW_WRITE_EMULATE;
}

bool op_poke(struct world *w, const struct op *op)
{
	struct vmmu_host host = lab_host_ops(&w->host);
	unsigned size = store_size(op);
	gpa_t gpa = mk_gpa(op->arg[0] & ~(uint64_t)(size - 1));
	struct truth_slot *t = truth_find(w, gpa);
	struct vmmu_extent e;
	bool emulated;
	uint8_t *byte;
	hva_t hva;

	if (!t)
		return true;
	hva = vmmu_slot_hva(&t->slot, gpa);
	if (host.ops->resolve(host.cookie, hva, VMMU_W, &e) ==
	    VMMU_RESOLVE_NOT_NOW) {
		world_backing_arrives(w);
		host.ops->resolve(host.cookie, hva, VMMU_W, &e);
	}
	emulated = poke_is_emulated(w, hva);
	byte = lab_host_ptr(&w->host, mk_hpa(e.hpa.v + (hva.v - e.hva.v)));
	memcpy(byte, &op->arg[2], size);
	truth_store(w, hva, size, op->arg[2]);
	if (emulated)
		vmmu_cpu_wrote(&w->cpu, gpa, size);
	return true;
}

static enum vmmu_gmem_status write_status(const struct truth_slot *t)
{
	if (!t)
		return VMMU_GMEM_NO_SLOT;
	return t->slot.flags & VMMU_SLOT_READ_ONLY ? VMMU_GMEM_READ_ONLY
						   : VMMU_GMEM_OK;
}

/* Reads and compares, then writes. */
bool op_write(struct world *w, const struct op *op)
{
	unsigned size = store_size(op);
	gpa_t gpa = mk_gpa(op->arg[0] & ~(uint64_t)(size - 1));
	struct truth_slot *t = truth_find(w, gpa);
	enum vmmu_gmem_status read, wrote, want = write_status(t);
	uint64_t value = 0;

	read = vmmu_gmem_read(&w->cpu.mem, gpa, &value, size);
	if (read == VMMU_GMEM_NOT_NOW) {
		world_backing_arrives(w);
		read = vmmu_gmem_read(&w->cpu.mem, gpa, &value, size);
	}
	if (read != (t ? VMMU_GMEM_OK : VMMU_GMEM_NO_SLOT))
		return world_fail(w, "gmem read answers %d", read);
	if (t && memcmp(&value, truth_byte(w, gpa), size))
		return world_fail(w, "gmem read at %llx finds %llx",
				  (unsigned long long)gpa.v,
				  (unsigned long long)value);
	wrote = vmmu_gmem_write(&w->cpu.mem, gpa, &op->arg[2], size);
	if (wrote != want)
		return world_fail(w, "gmem write answers %d, should be %d",
				  wrote, want);
	if (wrote == VMMU_GMEM_OK) {
		truth_store(w, vmmu_slot_hva(&t->slot, gpa), size, op->arg[2]);
		truth_must(w, gpa);
		vmmu_cpu_wrote(&w->cpu, gpa, size);
	}
	return true;
}

/* 4. The dirty log. */

static bool compare_log(struct world *w, struct truth_slot *t,
			const uint64_t *log)
{
	uint64_t words = (t->slot.size / VMMU_PAGE_SIZE + 63) / 64;

	for (uint64_t i = 0; i < words; i++) {
		if (t->must[i] & ~log[i])
			return world_fail(
				w,
				"slot %u: written, not in the log: "
				"pages %llu + bits %llx",
				t->slot.id, (unsigned long long)i * 64,
				(unsigned long long)(t->must[i] & ~log[i]));
		if (log[i] & ~(t->must[i] | t->may[i]))
			return world_fail(w,
					  "slot %u: in the log, not written: "
					  "pages %llu + bits %llx",
					  t->slot.id,
					  (unsigned long long)i * 64,
					  (unsigned long long)log[i]);
	}
	memset(t->must, 0, words * 8);
	memset(t->may, 0, words * 8);
	return true;
}

bool op_log(struct world *w, const struct op *op)
{
	struct truth_slot *t = &w->slot[op->arg[0] % WORLD_SLOTS];
	uint32_t id = op->arg[0] % WORLD_SLOTS;
	bool logs = t->used && (t->slot.flags & VMMU_SLOT_LOG_DIRTY);
	uint64_t *log = calloc(WORLD_BITMAP, 8);
	bool got, fine = true;

	if (!log)
		abort();
	got = vmmu_vm_get_dirty_log(&w->vm, id, log);
	if (got != logs)
		fine = world_fail(w,
				  "slot %u: a dirty log where none is, or "
				  "none where one is",
				  id);
	else if (logs)
		fine = compare_log(w, t, log);
	free(log);
	return fine;
}
