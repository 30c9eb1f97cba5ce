/*
 * From the command line to a finished VM: read what is wanted, see what this
 * machine can do, make the VM, load the guest, run it, report.
 */
#include "cpu/print.h"
#include "load/load.h"
#include "mm/frames.h"
#include "mm/paging.h"
#include "vm/main.h"
#include "vm/memory.h"
#include "vm/vm.h"

static const struct engine *const engines[] = { &engine_svm, &engine_vmx,
						&engine_pv };

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* The names between the commas. False: one is not a scheme's. */
static bool take_schemes(struct vm *vm, const char *list)
{
	char name[16];
	size_t n = 0;

	for (;; list++) {
		if (*list && *list != ',') {
			if (n == sizeof(name) - 1)
				return false;
			name[n++] = *list;
			continue;
		}
		name[n] = 0;
		n = 0;
		if (vm->scheme_count == VM_SCHEMES || !vm_find_scheme(name))
			return false;
		vm->scheme[vm->scheme_count++] = vm_find_scheme(name);
		if (!*list)
			return true;
	}
}

const char engine_no_hardware[] =
	"this processor has neither AMD SVM nor Intel VMX, which mmu=nested, "
	"vtlb and shadow need; a paravirtual Linux needs neither, under "
	"mmu=direct or under guest=pv mmu=shadow";

/* The first engine for such guests that this machine can run; NULL and why
 * not: an extension that is there and cannot be used says more than one that
 * is not. */
static const struct engine *find_engine(const struct vm *vm, bool para,
					const char **why)
{
	*why = engine_no_hardware;
	for (size_t i = 0; i < COUNT(engines); i++) {
		const char *wrong;

		if (!engines[i]->para != !para ||
		    !vm_scheme_is_for(engines[i], vm->scheme[0]))
			continue;
		wrong = engines[i]->probe();
		if (!wrong)
			return engines[i];
		if (wrong != engine_no_hardware)
			*why = wrong;
	}
	return NULL;
}

static struct load_file module(const struct boot_info *boot, unsigned i)
{
	if (i >= boot->module_count)
		return (struct load_file){ 0 };
	return (struct load_file){ hpa_ptr(boot->module[i].start),
				   boot->module[i].size };
}

static const char *load(struct vm *vm, const struct config *config,
			const struct boot_info *boot)
{
	struct load_request req = {
		.kernel = module(boot, 0),
		.initrd = module(boot, 1),
		.args = config->guest_args,
		.low_ram_end = vm_low_ram_end(vm),
	};
	struct load_entry entry;
	const char *wrong;

	if (vm->engine->para) {
		wrong = vm->engine->para->load(vm, &req);
	} else {
		req.map_count = vm_memory_map(vm, req.map);
		req.rsdp = vm_put_acpi(vm);
		wrong = load_guest(&vm->mem, &req, &entry);
	}
	if (wrong)
		return wrong;
	for (unsigned i = 0; i < boot->module_count; i++)
		frames_add_region(boot->module[i].start, boot->module[i].size);
	if (vm->engine->para)
		return NULL;
	vcpu_start(vm->vcpu[0], &entry);
	say("a %s guest starts at 0x%x under %s on %s", entry.kind, entry.eip,
	    config->mmu, vm->engine->name);
	return NULL;
}

/* Frames that are neither free nor in our own page tables. */
static uint64_t frames_used(void)
{
	return frames_total() - frames_free() - paging_table_pages();
}

/* A VM that is gone has left nothing behind. */
static void end(struct vm *vm)
{
	uint64_t kept;

	vm_destroy(vm);
	kept = frames_used() - vm->frames_before;
	if (kept)
		say("%ld frames of the VM did not come back", (long)kept);
}

static const char *prepare(struct vm *vm, struct config *config,
			   const struct boot_info *boot, char *why, size_t size)
{
	const struct engine *engine;
	const char *wrong;

	wrong = config_parse(config, boot->cmdline, why, size);
	if (wrong)
		return wrong;
	if (!take_schemes(vm, config->mmu))
		return "there is no such scheme: mmu= takes nested, vtlb or "
		       "shadow, or several with commas, or direct";
	if (config->switch_every && vm->scheme_count == 1)
		return "switch-every= needs more than one scheme: "
		       "mmu=nested,vtlb";
	if (config->cpus > 1)
		return "cpus= takes 1: several vCPUs are not offered yet";
	if (config->para && (vm->scheme_count > 1 ||
			     !vm_scheme_is_for(&engine_pv, vm->scheme[0])))
		return "guest=pv needs mmu=direct or mmu=shadow";
	engine = find_engine(vm, config->para || vm->scheme[0] == &vmmu_direct,
			     &wrong);
	if (!engine)
		return wrong;
	wrong = engine->start();
	for (unsigned i = 0; i < vm->scheme_count && !wrong; i++)
		wrong = vm_scheme_refused(engine, vm->scheme[i]);
	if (wrong)
		return wrong;
	if (config->memory / VMMU_PAGE_SIZE > frames_free())
		return "this machine has not that much memory for a guest";
	vm->frames_before = frames_used();
	wrong = vm_create(vm, config, engine);
	return wrong ? wrong : load(vm, config, boot);
}

uint32_t vm_main(const struct boot_info *boot)
{
	struct config *config = vm_alloc(sizeof(*config));
	struct vm *vm = vm_alloc(sizeof(*vm));
	char why[96];
	const char *wrong;

	if (!config || !vm)
		panic("no memory for a VM");
	vm->config = config;
	wrong = prepare(vm, config, boot, why, sizeof(why));
	if (wrong)
		vm_stop(vm, VM_REFUSED, "%s", wrong);
	else if (vm->engine->para)
		vm->engine->para->loop(vm);
	else
		vm_run(vm);
	say("%s", vm->sentence);
	vm_report(vm);
	if (vm->engine)
		end(vm);
	return 0;
}
