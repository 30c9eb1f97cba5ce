/*
 * What a paravirtual guest has asked for, as members of the VM's report:
 * names for numbers, and nothing that is zero.
 */
#include "pv/bystander.h"

#include "cpu/fmt.h"
#include "vm/vm.h"

typedef unsigned long long ull;

/* 1. Names, by number. */

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

/* Sub-operations; behind them all those beyond. */
#define SUBS (PV_CALL_SUBS + 1)
#define REST [PV_CALL_SUBS] = "beyond"

static const char *const mmuext_names[SUBS] = {
	"pin_l1",      "pin_l2",       "pin_l3",       "pin_l4",
	"unpin",       "new_baseptr",  "tlb_local",    "invlpg_local",
	"tlb_multi",   "invlpg_multi", "tlb_all",      "invlpg_all",
	"flush_cache", "set_ldt",      NULL,	       "new_user_baseptr",
	"clear_page",  "copy_page",    "flush_global", REST,
};

static const char *const vcpu_names[SUBS] = {
	"initialise",
	"up",
	"down",
	"is_up",
	"get_runstate_info",
	"register_runstate_memory_area",
	"set_periodic_timer",
	"stop_periodic_timer",
	"set_singleshot_timer",
	"stop_singleshot_timer",
	"register_vcpu_info",
	"send_nmi",
	"get_physid",
	"register_vcpu_time_memory_area",
	REST,
};

static const char *const event_names[SUBS] = {
	"bind_interdomain",
	"bind_virq",
	"bind_pirq",
	"close",
	"send",
	"status",
	"alloc_unbound",
	"bind_ipi",
	"bind_vcpu",
	"unmask",
	"reset",
	"init_control",
	"expand_array",
	"set_priority",
	REST,
};

static const char *const memory_names[SUBS] = {
	[0] = "increase_reservation",
	[1] = "decrease_reservation",
	[2] = "maximum_ram_page",
	[3] = "current_reservation",
	[4] = "maximum_reservation",
	[6] = "populate_physmap",
	[9] = "memory_map",
	[11] = "exchange",
	[12] = "machphys_mapping",
	[14] = "maximum_gpfn",
	REST,
};

static const char *const sched_names[SUBS] = {
	"yield", "block", "shutdown", "poll", REST,
};

static const char *const version_names[SUBS] = {
	"version",	"extraversion",	       "compile_info", "capabilities",
	"changeset",	"platform_parameters", "get_features", "pagesize",
	"guest_handle", "commandline",	       "build_id",     REST,
};

static const char *const segment_names[SUBS] = {
	"fs", "gs_user", "gs_kernel", "gs_user_sel", REST,
};

static const char *const callback_names[SUBS] = {
	"register",
	"unregister",
	REST,
};

static const char *const console_names[SUBS] = {
	"write",
	"read",
	REST,
};

static const char *const physdev_names[SUBS] = {
	[6] = "set_iopl",
	[7] = "set_iobitmap",
	[28] = "pirq_eoi_gmfn_v2",
	REST,
};

static const char *const assist_names[SUBS] = {
	"4gb_segments",
	"4gb_segments_notify",
	"writable_pagetables",
	"pae_extended_cr3",
	"architectural_iopl",
	"runstate_update_flag",
	REST,
};

static const char *const type_names[VMMU_FRAME_TYPES] = {
	"data", "l1", "l2", "l3", "l4", "segments", "writable", "shared",
};

/* 2. Members. */

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
	fmt_print(sink, ",\"direct\":{\"updates\":%llu",
		  (ull)(s->update_single + s->update_batched));
	member(sink, "preserve_ad", s->preserve_ad);
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
	object(sink, "update_level", s->update_level, type_names, 5);
	object(sink, "pin", s->pin, type_names, 5);
	object(sink, "promoted", s->promoted, type_names, VMMU_FRAME_TYPES);
	object(sink, "demoted", s->demoted, type_names, VMMU_FRAME_TYPES);
	fmt_print(sink, ",\"refused\":{");
	for (unsigned i = 1, n = 0; i < VMMU_DIRECT_STATUSES; i++)
		if (s->status[i])
			fmt_print(sink, "%s\"%s\":%llu", n++ ? "," : "",
				  vmmu_direct_status_name(
					  (enum vmmu_direct_status)i),
				  (ull)s->status[i]);
	fmt_print(sink, "}}");
}

static void report_subs(const struct fmt_sink *sink, const struct pv_stats *s)
{
	const struct {
		const char *key;
		const uint64_t *value;
		const char *const *name;
	} all[] = {
		{ "mmuext_op", s->mmuext, mmuext_names },
		{ "vcpu_op", s->vcpu_op, vcpu_names },
		{ "event_op", s->event_op, event_names },
		{ "memory_op", s->memory_op, memory_names },
		{ "sched_op", s->sched_op, sched_names },
		{ "version_op", s->version_op, version_names },
		{ "callback_op", s->callback_op, callback_names },
		{ "segment_op", s->segment_op, segment_names },
		{ "console_op", s->console_op, console_names },
		{ "physdev_op", s->physdev_op, physdev_names },
		{ "assist_op", s->assist_op, assist_names },
	};

	for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		object(sink, all[i].key, all[i].value, all[i].name, SUBS);
}

/* Calls of mmu_update by what they asked for, and entries of the lists. */
static void report_updates(const struct fmt_sink *sink, const struct pv_cpu *c)
{
	const struct pv_stats *s = &c->stats;
	uint64_t calls = c->calls[__HYPERVISOR_mmu_update] +
			 s->multicall[__HYPERVISOR_mmu_update];

	fmt_print(sink,
		  ",\"mmu_update\":{\"single\":%llu,\"lists\":%llu"
		  ",\"batched\":%llu,\"refused\":%llu}",
		  (ull)(calls - s->update_lists - s->update_refused),
		  (ull)s->update_lists, (ull)s->update_batched,
		  (ull)s->update_refused);
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
	member(sink, "software_interrupts", s->soft);
	member(sink, "pages", d->owned);
	object(sink, "bounced", s->bounced, NULL, 32);
	object(sink, "hypercalls", c->calls, call_names, PV_CALLS);
	object(sink, "multicalls", s->multicall, call_names, PV_CALLS);
	report_subs(sink, s);
	report_updates(sink, c);
	fmt_print(sink, "}");
	if (d->direct.vm)
		report_direct(sink, &d->direct.stats);
	if (d->bystander)
		pv_bystander_report(d->bystander, sink);
}
