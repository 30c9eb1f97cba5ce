/*
 * Why the processor would not run the guest, in words:
 *
 *   refused     before it looked at the guest: the VM-instruction error, and
 *               the checks of the hypervisor's own fields (check_own.c)
 *   failed      while it did: the checks of the guest's (check.c)
 *   misconfig   an EPT entry that no processor understands (SDM 3C 28.2.3.1):
 *               a fault of the hypervisor's, unlike a violation, which is the
 *               ordinary way to a page
 */
#include "cpu/cpu.h"
#include "cpu/fmt.h"
#include "vm/vm.h"
#include "vmx/check.h"
#include "vmx/insn.h"
#include "vmx/vmx.h"

struct text {
	char *at;
	unsigned left;
};

static uint64_t read_field(void *ctx, enum vmcs_field field)
{
	(void)ctx;
	return vmread(field);
}

/* The first is the sentence: what fails after it often follows from it. */
static void take_first(void *ctx, const char *what)
{
	struct text *t = ctx;

	if (!t->left)
		return;
	fmt_text(t->at, t->left, "%s", what);
	t->left = 0;
}

static void explain(struct vcpu *v,
		    unsigned (*check_all)(const struct vmx_check *),
		    const char *other, char *text, unsigned size)
{
	const struct vmx_vcpu *s = v->engine_state;
	struct text t = { text, size };
	uint32_t sizes = cpuid(0x80000008, 0).eax;
	const struct vmx_check check = {
		.read = read_field,
		.failed = take_first,
		.ctx = &t,
		.caps = &s->cpu->caps,
		.controls = &s->cpu->controls,
		.maxphyaddr = (uint8_t)sizes,
		.linear_bits = (uint8_t)(sizes >> 8),
	};

	if (!check_all(&check))
		fmt_text(text, size, "%s", other);
}

static void explain_misconfig(struct vcpu *v, char *text, unsigned size)
{
	uint64_t gpa = vmread(VMCS_GUEST_PHYSICAL);
	const struct pt_table *t = NULL;
	struct pt_walk walk = { .level = 0 };

	if (v->mmu.scheme->table)
		t = v->mmu.scheme->table(v->mmu.vm);
	if (t)
		pt_walk(t, gpa, &walk);
	fmt_text(text, size,
		 "misconfigured EPT entry 0x%llx at level %u for gpa 0x%llx",
		 (unsigned long long)walk.entry, walk.level,
		 (unsigned long long)gpa);
}

void vmx_explain(struct vcpu *v, char *text, unsigned size)
{
	const struct vmx_vcpu *s = v->engine_state;

	if (s->refused) {
		explain(v, vmx_check_own, vmx_error_name(s->refused), text,
			size);
		return;
	}
	switch (v->exit.code & 0xffff) {
	case VMX_REASON_STATE:
		explain(v, vmx_check_guest, "no check is known that fails",
			text, size);
		return;
	case VMX_REASON_EPT_MISCONFIG:
		explain_misconfig(v, text, size);
		return;
	case VMX_REASON_MACHINE_CHECK:
		fmt_text(text, size, "a machine check came at its entry");
		return;
	default:
		fmt_text(text, size, "exit reason 0x%llx",
			 (unsigned long long)v->exit.code);
	}
}
