/*
 * What a paravirtual guest has asked for, as members of the VM's report:
 * names for numbers, and nothing that is zero.
 */
#include "pv/bystander.h"

#include "cpu/fmt.h"
#include "vm/vm.h"

typedef unsigned long long ull;

static const char *const call_names[PV_CALLS] = {
	[0] = "set_trap_table",
	[1] = "mmu_update",
	[2] = "set_gdt",
	[3] = "stack_switch",
	[4] = "set_callbacks",
	[5] = "fpu_taskswitch",
	[8] = "set_debugreg",
	[9] = "get_debugreg",
	[10] = "update_descriptor",
	[12] = "memory_op",
	[13] = "multicall",
	[14] = "update_va_mapping",
	[15] = "set_timer_op",
	[17] = "xen_version",
	[18] = "console_io",
	[20] = "grant_table_op",
	[21] = "vm_assist",
	[23] = "iret",
	[24] = "vcpu_op",
	[25] = "set_segment_base",
	[26] = "mmuext_op",
	[29] = "sched_op",
	[30] = "callback_op",
	[32] = "event_channel_op",
	[33] = "physdev_op",
};

static const char *const mmuext_names[PV_MMUEXT_OPS] = {
	"pin_l1",      "pin_l2",       "pin_l3",       "pin_l4",
	"unpin",       "new_baseptr",  "tlb_local",    "invlpg_local",
	"tlb_multi",   "invlpg_multi", "tlb_all",      "invlpg_all",
	"flush_cache", "set_ldt",      NULL,	       "new_user_baseptr",
	"clear_page",  "copy_page",    "flush_global", NULL,
	NULL,
};

/* {"name":value,...}; what has no name goes by its number. */
static void object(const struct fmt_sink *sink, const char *key,
		   const uint64_t *value, const char *const *name,
		   unsigned count)
{
	const char *comma = "";

	fmt_print(sink, ",\"%s\":{", key);
	for (unsigned i = 0; i < count; i++) {
		if (!value[i])
			continue;
		if (name && name[i])
			fmt_print(sink, "%s\"%s\":%llu", comma, name[i],
				  (ull)value[i]);
		else
			fmt_print(sink, "%s\"%u\":%llu", comma, i,
				  (ull)value[i]);
		comma = ",";
	}
	fmt_print(sink, "}");
}

static void member(const struct fmt_sink *sink, const char *key, uint64_t value)
{
	fmt_print(sink, ",\"%s\":%llu", key, (ull)value);
}

static void report_direct(const struct fmt_sink *sink,
			  const struct vmmu_direct_stats *s)
{
	fmt_print(sink,
		  ",\"direct\":{\"update_single\":%llu,"
		  "\"update_batched\":%llu,\"preserve_ad\":%llu",
		  (ull)s->update_single, (ull)s->update_batched,
		  (ull)s->preserve_ad);
	member(sink, "machphys", s->machphys);
	member(sink, "update_va", s->update_va);
	member(sink, "trapped_writes", s->trapped_writes);
	member(sink, "unpin", s->unpin);
	member(sink, "roots", s->roots);
	member(sink, "user_roots", s->user_roots);
	member(sink, "descriptors", s->descriptors);
	member(sink, "type_flush", s->type_flush);
	member(sink, "given", s->given);
	member(sink, "released", s->released);
	object(sink, "update_level", s->update_level, NULL, 5);
	object(sink, "pin", s->pin, NULL, 5);
	object(sink, "promoted", s->promoted, NULL, VMMU_FRAME_TYPES);
	object(sink, "demoted", s->demoted, NULL, VMMU_FRAME_TYPES);
	fmt_print(sink, ",\"refused\":{");
	for (unsigned i = 1, n = 0; i < VMMU_DIRECT_STATUSES; i++)
		if (s->status[i])
			fmt_print(sink, "%s\"%s\":%llu", n++ ? "," : "",
				  vmmu_direct_status_name(
					  (enum vmmu_direct_status)i),
				  (ull)s->status[i]);
	fmt_print(sink, "}}");
}

void pv_report(const struct vm *vm, const struct fmt_sink *sink)
{
	const struct pv_domain *d = pv_domain_of(vm);
	const struct pv_cpu *c = d->cpu;
	const struct pv_stats *s = &c->stats;

	fmt_print(sink, ",\"pv\":{\"syscalls\":%llu", (ull)s->syscalls);
	member(sink, "events", s->events);
	member(sink, "interrupts", s->interrupts);
	member(sink, "trapped_writes", s->trapped);
	member(sink, "iret_failed", s->iret_failed);
	member(sink, "cpuid", s->cpuid);
	member(sink, "rdmsr", s->rdmsr);
	member(sink, "wrmsr", s->wrmsr);
	member(sink, "cr", s->cr);
	member(sink, "io", s->io);
	member(sink, "other", s->other);
	member(sink, "pages", d->owned);
	object(sink, "bounced", s->bounced, NULL, 32);
	object(sink, "hypercalls", c->calls, call_names, PV_CALLS);
	object(sink, "multicalls", s->multicall, call_names, PV_CALLS);
	object(sink, "mmuext_op", s->mmuext, mmuext_names, PV_MMUEXT_OPS);
	object(sink, "vcpu_op", s->vcpu_op, NULL, PV_CALL_SUBS);
	object(sink, "event_op", s->event_op, NULL, PV_CALL_SUBS);
	object(sink, "memory_op", s->memory_op, NULL, PV_CALL_SUBS);
	object(sink, "sched_op", s->sched_op, NULL, PV_CALL_SUBS);
	fmt_print(sink, "}");
	if (d->direct.vm)
		report_direct(sink, &d->direct.stats);
	if (d->bystander)
		pv_bystander_report(d->bystander, sink);
}
