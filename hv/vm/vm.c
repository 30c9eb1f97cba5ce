/*
 * A VM is made and taken apart.
 *
 * Guest-physical memory, one host virtual range behind it, so that gpa and
 * hva differ by a constant and are congruent modulo 1 GiB:
 *
 *   0 .. 640 KiB     slot 0
 *   640 .. 768 KiB   nothing: a PC's video window
 *   768 KiB .. low   slot 1; below 1 MiB it holds the ACPI tables
 *   4 GiB .. high    slot 2, what does not fit below 3 GiB
 */
#include "vm/vm.h"

#include <stdarg.h>
#include <string.h>

#include "cpu/cpu.h"
#include "cpu/fixup.h"
#include "cpu/fmt.h"
#include "cpu/fpu.h"
#include "cpu/serial.h"
#include "cpu/timer.h"
#include "cpu/wallclock.h"
#include "dev/acpi.h"
#include "mm/frames.h"
#include "mm/paging.h"
#include "mm/space.h"
#include "vm/memory.h"

#define LOW_END	  UINT64_C(0xa0000)
#define UPPER	  UINT64_C(0xc0000)
#define LOW_MAX	  (3 * VMMU_1G)
#define HIGH	  (4 * VMMU_1G)
#define PAT_RESET UINT64_C(0x0007040600070406)

#define MSR_MISC_ENABLE 0x1a0u
#define MSR_FS_BASE	0xc0000100u
#define INTEL_EBX	0x756e6547u /* "Genu" */

static uint64_t low_end(uint64_t memory)
{
	return memory < LOW_MAX ? memory : LOW_MAX;
}

void vm_stop(struct vm *vm, enum vm_end end, const char *fmt, ...)
{
	va_list ap;

	if (vm->end != VM_RUNNING)
		return;
	vm->end = end;
	va_start(ap, fmt);
	fmt_vtext(vm->sentence, sizeof(vm->sentence), fmt, ap);
	va_end(ap);
}

/* What the devices ask of us. */

static uint64_t board_now(void *ctx)
{
	return vm_now(ctx, rdtsc());
}

static void board_console_out(void *ctx, uint8_t byte)
{
	(void)ctx;
	host_console_write(byte);
}

static bool board_guest_write(void *ctx, gpa_t gpa, const void *buf, size_t n)
{
	struct vm *vm = ctx;

	if (vmmu_gmem_write(&vm->mem, gpa, buf, n) != VMMU_GMEM_OK)
		return false;
	vmmu_cpu_wrote(&vm->vcpu[0]->mmu, gpa, (unsigned)n);
	return true;
}

static void board_page_flush(void *ctx, gpa_t gpa)
{
	struct vm *vm = ctx;

	vmmu_vm_backing_changed(&vm->mmu,
				mk_hva(vm->hva.v + (gpa.v & ~VMMU_PAGE_MASK)),
				VMMU_PAGE_SIZE);
}

static void make_board(struct vm *vm, const struct config *config)
{
	const struct board_config c = {
		.tsc_khz = host_tsc_khz,
		.ram_size = config->memory,
		.cpus = config->cpus,
	};
	const struct board_host h = {
		.now = board_now,
		.console_out = board_console_out,
		.guest_write = board_guest_write,
		.page_flush = board_page_flush,
		.epoch_sec = wallclock_read(),
		.ctx = vm,
	};

	board_init(&vm->board, &c, &h);
}

/* Memory. */

static bool add_slot(struct vm *vm, uint32_t id, uint64_t gpa, uint64_t end)
{
	const struct vmmu_slot slot = {
		.id = id,
		.gpa = mk_gpa(gpa),
		.size = end - gpa,
		.hva = mk_hva(vm->hva.v + gpa),
	};

	return end <= gpa || vmmu_vm_set_slot(&vm->mmu, &slot) == VMMU_SLOT_OK;
}

static void flush_vcpus(void *ctx)
{
	struct vm *vm = ctx;

	for (unsigned i = 0; i < vm->cpus; i++)
		vm->engine->flush(vm->vcpu[i]);
}

static struct vcpu *vcpu_of(struct vmmu_cpu *cpu)
{
	return (struct vcpu *)((char *)cpu - offsetof(struct vcpu, mmu));
}

static void flush_vcpu(struct vmmu_cpu *cpu)
{
	struct vcpu *v = vcpu_of(cpu);

	v->vm->engine->flush(v);
}

static void flush_vcpu_gva(struct vmmu_cpu *cpu, gva_t gva)
{
	struct vcpu *v = vcpu_of(cpu);

	v->vm->engine->flush_gva(v, gva);
}

static void log_writes(void *ctx, bool on)
{
	struct vm *vm = ctx;

	for (unsigned i = 0; i < vm->cpus; i++)
		vm->engine->log_writes(vm->vcpu[i], on);
}

static void log_drain(void *ctx)
{
	struct vm *vm = ctx;

	for (unsigned i = 0; i < vm->cpus; i++)
		vm->engine->log_drain(vm->vcpu[i]);
}

static const char *make_memory(struct vm *vm, const struct config *config)
{
	struct vmmu_vm_config c = {
		.host = { &hv_host_ops, &vm->port },
		.slot_storage = vm->slots,
		.slot_capacity = VM_SLOTS_MAX,
		.table_limit = config->table_pages,
		.fault_around = config->fault_around,
		.roots = config->roots,
	};
	uint64_t high = config->memory - low_end(config->memory);

	vm->port = (struct hv_port){ .flush = flush_vcpus,
				     .flush_cpu = flush_vcpu,
				     .flush_gva = flush_vcpu_gva,
				     .log_writes = log_writes,
				     .log_drain = log_drain,
				     .ctx = vm };
	vm->memory = config->memory;
	vm->engine->hardware(&c.hw);
	c.hw.logs_dirty &= config->pml;
	if (!vmmu_vm_init(&vm->mmu, &c))
		return "there is no memory for the VM's tables";
	vmmu_gmem_init(&vm->mem, &vm->mmu.slots, &vm->mmu.host);
	if (!space_reserve(high ? HIGH + high : config->memory, &vm->hva))
		return "there is no host address space for the VM's memory";
	if (!add_slot(vm, 0, 0, LOW_END) ||
	    !add_slot(vm, 1, UPPER, low_end(config->memory)) ||
	    !add_slot(vm, 2, HIGH, HIGH + high))
		return "the VM's memory slots do not fit";
	return NULL;
}

uint32_t vm_memory_map(const struct vm *vm, struct load_range map[LOAD_RANGES])
{
	uint64_t high = vm->memory - low_end(vm->memory);
	uint32_t n = 0;

	map[n++] = (struct load_range){ mk_gpa(0), LOW_END, LOAD_RAM };
	map[n++] = (struct load_range){ mk_gpa(UPPER), VM_MIB - UPPER,
					LOAD_RESERVED };
	map[n++] = (struct load_range){ mk_gpa(VM_MIB),
					low_end(vm->memory) - VM_MIB,
					LOAD_RAM };
	if (high)
		map[n++] = (struct load_range){ mk_gpa(HIGH), high, LOAD_RAM };
	return n;
}

uint64_t vm_low_ram_end(const struct vm *vm)
{
	return low_end(vm->memory);
}

/* The processor that the guest sees. */

static unsigned read_leaf(struct cpuid_leaf *leaf, uint32_t n, uint32_t sub)
{
	struct cpuid_regs r = cpuid(n, sub);

	*leaf = (struct cpuid_leaf){ n, sub, r.eax, r.ebx, r.ecx, r.edx };
	return 1;
}

/* Every leaf of a range, and the subleaves of those that have some. */
static unsigned read_range(struct cpuid_leaf *leaf, unsigned room,
			   uint32_t base)
{
	uint32_t last = cpuid(base, 0).eax;
	unsigned n = 0;

	if (last < base || last > base + 0x40)
		return 0;
	for (uint32_t l = base; l <= last; l++) {
		bool many = l == 4 || l == 7 || l == 0xb || l == 0xd ||
			    l == 0x8000001d;
		uint32_t subs = many ? 16 : 1;

		for (uint32_t sub = 0; sub < subs && n < room; sub++)
			n += read_leaf(&leaf[n], l, sub);
	}
	return n;
}

/* An Intel processor's firmware may have them off, and then CPUID's word for
 * them does not hold: SDM 4, IA32_MISC_ENABLE. */
static bool fast_strings_off(void)
{
	uint64_t value;

	return cpuid(0, 0).ebx == INTEL_EBX &&
	       rdmsr_safe(MSR_MISC_ENABLE, &value) && !(value & 1);
}

/* What AMD's processors do from some model on, with or without a leaf that
 * says so: APM 2 4.5.3. Tried as guests try it. */
static bool null_clears_base(void)
{
	uint64_t base;

	wrmsr(MSR_FS_BASE, 1);
	__asm__ volatile("movw %w0, %%fs" : : "r"(0));
	base = rdmsr(MSR_FS_BASE);
	wrmsr(MSR_FS_BASE, 0);
	return !base;
}

/* A kernel that has FSGSBASE asks at each switch of processes for its user's
 * GS base, which is an exit under an engine of its own; without, it knows it,
 * but for processors on which null selectors leave a base behind. */
static void hide_for(const struct engine_para *para, struct cpuid_config *c)
{
	c->hide |= para->hides;
	c->null_clears_base = null_clears_base();
	if (!c->null_clears_base)
		c->hide &= ~CPUID_HIDE_FSGSBASE;
}

static const char *make_cpuid(struct vm *vm, const struct config *config)
{
	struct cpuid_config c = {
		.cpus = config->cpus,
		.tsc_khz = (uint32_t)host_tsc_khz,
		.hide = !vm_needs(vm, VMMU_NEEDS_CR_MODE) ? 0
							  : CPUID_HIDE_PAGING,
	};
	struct cpuid_leaf *leaf;
	unsigned count;
	hpa_t frames;

	if (fast_strings_off())
		c.hide |= CPUID_HIDE_FAST_STRINGS;
	if (vm->engine->para)
		hide_for(vm->engine->para, &c);
	if (!frame_alloc_run(1, &frames))
		return "there is no memory to read CPUID into";
	leaf = hpa_ptr(frames);
	count = read_range(leaf, CPUID_MAX, 0);
	count += read_range(leaf + count, CPUID_MAX - count, 0x80000000);
	cpuid_build(&vm->cpuid, &c, leaf, count);
	frame_free(frames, 1);
	return NULL;
}

static const char *make_vcpu(struct vm *vm, unsigned id)
{
	struct vcpu *v = vm_alloc(sizeof(*v));

	if (!v)
		return "there is no memory for a vCPU";
	v->vm = vm;
	v->id = id;
	vm->vcpu[id] = v;
	vm->cpus = id + 1;
	if (!vm->engine->vcpu_init(v))
		return "there is no memory for a vCPU's control block";
	if (!vmmu_cpu_init(&v->mmu, &vm->mmu, vm->scheme[0])) {
		v->mmu.vm = NULL; /* nothing to take apart */
		return "there is no table memory for a vCPU";
	}
	vm->engine->use_scheme(v);
	vcpu_set_features(v);
	msr_init(&v->msrs, &vm->cpuid);
	return NULL;
}

void vcpu_start(struct vcpu *v, const struct load_entry *entry)
{
	/* As the Multiboot and PVH contracts have it: 32-bit protected mode,
	 * paging off, flat segments, a 32-bit busy TSS. */
	const struct segment data = { 0x18, 0xc93, UINT32_MAX, 0 };
	struct sregs s = {
		.seg = {
			[SEG_ES] = data, [SEG_SS] = data, [SEG_DS] = data,
			[SEG_FS] = data, [SEG_GS] = data,
			[SEG_CS] = { 0x10, 0xc9b, UINT32_MAX, 0 },
			[SEG_TR] = { 0, 0x8b, 0x67, 0 },
			[SEG_LDTR] = { 0, 0x82, 0, 0 },
		},
		.cr0 = VMMU_CR0_PE | 0x10,
		.dr6 = 0xffff0ff0,
		.dr7 = 0x400,
		.pat = PAT_RESET,
	};

	v->vm->engine->set_sregs(v, &s);
	memset(v->gpr, 0, sizeof(v->gpr));
	v->gpr[GPR_RAX] = entry->eax;
	v->gpr[GPR_RBX] = entry->ebx;
	v->rip = entry->eip;
	v->rflags = 2;
	fpu_reset();
	vcpu_sync_mode(v);
}

const char *vm_create(struct vm *vm, const struct config *config,
		      const struct engine *engine)
{
	const char *wrong;

	vm->engine = engine;
	vm->tsc_offset = 0 - rdtsc();
	vm->timer_armed = UINT64_MAX;
	vm->switch_ticks = config->switch_every * host_tsc_khz;
	vm->switch_at = vm->switch_ticks ? vm->switch_ticks : UINT64_MAX;
	vm->console_byte = -1;
	wrong = engine->para ? engine->para->memory(vm, config)
			     : make_memory(vm, config);
	if (!wrong)
		wrong = make_cpuid(vm, config);
	if (wrong)
		return wrong;
	make_board(vm, config);
	for (unsigned i = 0; i < config->cpus && !wrong; i++)
		wrong = make_vcpu(vm, i);
	return wrong;
}

gpa_t vm_put_acpi(struct vm *vm)
{
	const struct acpi_config c = { .cpus = vm->cpus };
	const gpa_t at = mk_gpa(VM_ACPI);
	uint8_t *buf = vm_alloc(VM_ACPI_MAX);
	size_t size;

	if (!buf)
		return mk_gpa(0);
	size = acpi_build(buf, VM_ACPI_MAX, at, &c);
	if (!size || vmmu_gmem_write(&vm->mem, at, buf, size) != VMMU_GMEM_OK)
		size = 0;
	vm_free(buf, VM_ACPI_MAX);
	return size ? at : mk_gpa(0);
}

void vm_destroy(struct vm *vm)
{
	dirty_log_stop(vm);
	for (unsigned i = 0; i < vm->cpus; i++) {
		struct vcpu *v = vm->vcpu[i];

		if (v->mmu.vm)
			vmmu_cpu_fini(&v->mmu);
		if (v->engine_state)
			vm->engine->vcpu_fini(v);
		vm_free(v, sizeof(*v));
	}
	vm->cpus = 0;
	if (vm->engine->para)
		vm->engine->para->memory_free(vm);
	vmmu_vm_fini(&vm->mmu);
	if (vm->hva.v)
		space_unreserve(vm->hva);
}
