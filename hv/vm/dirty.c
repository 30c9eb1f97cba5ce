/*
 * The monitor's `dirty`: which pages of guest memory were written since the
 * question was last asked, as a live migration or a checkpoint would ask it.
 *
 *   dirty on      every slot that may be written logs, from now on
 *   dirty count   how many pages since then, or since the last answer, by slot
 *   dirty list    which they are
 *   dirty off     no more
 *
 * `count` and `list` both get and clear (vmmu_vm_get_dirty_log): a page is
 * told of once, and again when it is written again. Bitmaps are allocated when
 * logging begins, not when the VM is made: most never log.
 */
#include "vm/dirty.h"

#include "vm/memory.h"
#include "vm/vm.h"

#define LINES_MAX 4096u

typedef unsigned long long ull;

/* 1. On and off. */

static bool set_flags(struct vm *vm, struct vmmu_slot slot, uint32_t flags,
		      uint64_t *map)
{
	slot.flags = flags;
	slot.dirty = map;
	return vmmu_vm_set_slot(&vm->mmu, &slot) == VMMU_SLOT_OK;
}

static void stop_slot(struct vm *vm, struct dirty_log *log,
		      const struct vmmu_slot *slot)
{
	set_flags(vm, *slot, slot->flags & ~VMMU_SLOT_LOG_DIRTY, NULL);
	vm_free(log->map, 2 * log->words * sizeof(*log->map));
	*log = (struct dirty_log){ .map = NULL };
}

void dirty_log_stop(struct vm *vm)
{
	for (uint32_t id = 0; id < VM_SLOTS_MAX; id++)
		if (vm->dirty[id].map)
			stop_slot(vm, &vm->dirty[id],
				  vmmu_slots_by_id(&vm->mmu.slots, id));
}

static bool start_slot(struct vm *vm, const struct vmmu_slot *slot)
{
	uint64_t words = ((slot->size >> VMMU_PAGE_SHIFT) + 63) / 64;
	uint64_t *map;

	if (slot->id >= VM_SLOTS_MAX)
		return false;
	if (slot->flags & (VMMU_SLOT_READ_ONLY | VMMU_SLOT_LOG_DIRTY))
		return true;
	map = vm_alloc(2 * words * sizeof(*map));
	if (!map)
		return false;
	vm->dirty[slot->id] = (struct dirty_log){ map, words };
	return set_flags(vm, *slot, slot->flags | VMMU_SLOT_LOG_DIRTY, map);
}

/* All slots, or none. */
static bool start(struct vm *vm)
{
	const struct vmmu_slots *slots = &vm->mmu.slots;

	for (uint32_t i = 0; i < slots->count; i++)
		if (!start_slot(vm, &slots->slot[i])) {
			dirty_log_stop(vm);
			return false;
		}
	return true;
}

/* 2. What was written. */

struct pages {
	const struct fmt_sink *out; /* NULL: they are only counted */
	uint64_t gpa, size;	    /* of the range that goes on */
	uint64_t count;
	unsigned lines;
};

static void end_range(struct pages *p)
{
	if (p->out && p->size && p->lines++ < LINES_MAX)
		fmt_print(p->out, "%016llx-%016llx\n", (ull)p->gpa,
			  (ull)(p->gpa + p->size));
	p->size = 0;
}

static void add_page(struct pages *p, uint64_t gpa)
{
	p->count++;
	if (!p->size || p->gpa + p->size != gpa) {
		end_range(p);
		p->gpa = gpa;
	}
	p->size += VMMU_PAGE_SIZE;
}

static void add_word(struct pages *p, uint64_t gpa, uint64_t word)
{
	for (; word; word &= word - 1)
		add_page(p, gpa + ((uint64_t)__builtin_ctzll(word)
				   << VMMU_PAGE_SHIFT));
}

static void tell_slot(struct vm *vm, const struct vmmu_slot *slot, bool list,
		      const struct fmt_sink *out)
{
	const struct dirty_log *log = &vm->dirty[slot->id];
	uint64_t *read = log->map + log->words;
	struct pages p = { .out = list ? out : NULL };

	if (!vmmu_vm_get_dirty_log(&vm->mmu, slot->id, read))
		return;
	for (uint64_t i = 0; i < log->words; i++)
		add_word(&p, slot->gpa.v + (i * 64 << VMMU_PAGE_SHIFT),
			 read[i]);
	end_range(&p);
	if (p.lines > LINES_MAX)
		fmt_print(out, "and %u ranges more\n", p.lines - LINES_MAX);
	fmt_print(out, "slot %u: %llu of %llu pages dirtied\n", slot->id,
		  (ull)p.count, (ull)(slot->size >> VMMU_PAGE_SHIFT));
}

static bool is_on(const struct vm *vm)
{
	for (uint32_t id = 0; id < VM_SLOTS_MAX; id++)
		if (vm->dirty[id].map)
			return true;
	return false;
}

static void tell(struct vm *vm, bool list, const struct fmt_sink *out)
{
	const struct vmmu_slots *slots = &vm->mmu.slots;

	if (!is_on(vm)) {
		fmt_print(out, "nothing is logged: dirty on\n");
		return;
	}
	for (uint32_t i = 0; i < slots->count; i++)
		if (slots->slot[i].flags & VMMU_SLOT_LOG_DIRTY)
			tell_slot(vm, &slots->slot[i], list, out);
}

/* 3. The command. */

static bool is(const char *args, const char *word)
{
	while (*args && *args == *word) {
		args++;
		word++;
	}
	return *args == *word;
}

void monitor_dirty(struct vm *vm, const char *args, const struct fmt_sink *out)
{
	if (is(args, "on")) {
		if (!start(vm))
			fmt_print(out, "there is no memory for the bitmaps\n");
	} else if (is(args, "off")) {
		dirty_log_stop(vm);
	} else if (is(args, "count") || is(args, "list")) {
		tell(vm, is(args, "list"), out);
		return;
	} else if (*args) {
		fmt_print(out, "'%s' is none of on, off, count, list\n", args);
	}
	fmt_print(out, "dirty logging is %s\n", is_on(vm) ? "on" : "off");
}
