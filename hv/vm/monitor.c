/*
 * See monitor.h.
 *
 * 1. Lines: bytes come as from a keyboard or from the command; an answer goes
 *    out with each of its lines marked.
 * 2. What commands share: numbers, and walks that leave no trace.
 * 3. The commands that need no file of their own, and the table of all.
 *
 * Input makes an exit as console input does, and nothing is asked of any other
 * exit.
 */
#include "vm/monitor.h"

#include <vmmu/audit.h>

#include "cpu/serial.h"
#include "vm/stats.h"
#include "vm/vm.h"

typedef unsigned long long ull;

/* 1. Lines. */

static void reply(void *ctx, const char *text, size_t n)
{
	struct monitor *m = ctx;

	for (size_t from = 0, i = 0; i < n; i++) {
		if (!m->mid_line)
			report_write("= ", 2);
		m->mid_line = text[i] != '\n';
		if (m->mid_line && i + 1 < n)
			continue;
		report_write(text + from, i + 1 - from);
		from = i + 1;
	}
}

static const char *skip_blanks(const char *text)
{
	while (*text == ' ' || *text == '\t')
		text++;
	return text;
}

/* What follows the words of `name` in the line; NULL: they are others. */
static const char *after_name(const char *line, const char *name)
{
	while (*name && *line == *name) {
		line++;
		name++;
	}
	if (*name || (*line && *line != ' ' && *line != '\t'))
		return NULL;
	return skip_blanks(line);
}

/* 2. What commands share. */

static bool digit(char c, unsigned base, uint64_t *number)
{
	unsigned value = c >= '0' && c <= '9'	? (unsigned)(c - '0')
			 : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
			 : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A') + 10
						: 16;

	if (value >= base || *number > (UINT64_MAX - value) / base)
		return false;
	*number = *number * base + value;
	return true;
}

static bool plain_number(const char *text, uint64_t *number)
{
	bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');

	*number = 0;
	text += hex ? 2 : 0;
	do {
		if (!digit(*text, hex ? 16 : 10, number))
			return false;
		text++;
	} while (*text && *text != ' ');
	return true;
}

static bool register_number(struct vm *vm, const char *name, uint64_t *number)
{
	static const char *const gprs[GPRS] = {
		"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
		"r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15",
	};
	struct vcpu *v = vm->vcpu[0];
	struct sregs s;

	if (vm->engine->para)
		return false; /* it keeps them elsewhere */
	for (unsigned i = 0; i < GPRS; i++)
		if (after_name(name, gprs[i])) {
			*number = v->gpr[i];
			return true;
		}
	if (after_name(name, "rip")) {
		*number = vcpu_look(v)->cs_base + v->rip;
		return true;
	}
	vm->engine->get_sregs(v, &s);
	*number = after_name(name, "cr2") ? s.cr2 : s.cr3;
	return after_name(name, "cr2") || after_name(name, "cr3");
}

bool monitor_number(struct vm *vm, const char *text, uint64_t *number,
		    const struct fmt_sink *out)
{
	if (*text == '$' ? register_number(vm, text + 1, number)
			 : plain_number(text, number))
		return true;
	fmt_print(out, "'%s' is no address: write 0x1000, 4096 or $rip\n",
		  text);
	return false;
}

void monitor_mode(struct vm *vm, struct vmmu_mode *mode)
{
	struct vcpu *v = vm->vcpu[0];
	struct vmmu_regs regs;

	vcpu_sync_mode(v);
	regs = v->mmu.mode.regs;
	regs.cr4 &= ~(VMMU_CR4_SMAP | VMMU_CR4_PKE | VMMU_CR4_PKS);
	vmmu_mode_set(mode, &regs, &v->mmu.mode.features);
}

enum vmmu_gwalk_status monitor_walk(struct vm *vm, const struct vmmu_mode *mode,
				    uint64_t gva, struct vmmu_gwalk *walk)
{
	return vmmu_gwalk(&vm->vcpu[0]->mmu.mem, mode, mk_gva(gva), VMMU_R,
			  VMMU_GWALK_PEEK, walk);
}

/* 3. Commands. */

static void stats(struct vm *vm, const char *args, const struct fmt_sink *out)
{
	(void)args;
	stats_put(vm, false, out);
	fmt_print(out, "\n");
}

static void breach(void *ctx, unsigned invariant, const char *sentence,
		   uint64_t addr, uint64_t entry)
{
	(void)invariant;
	fmt_print(ctx, "%s: address 0x%llx, entry 0x%llx\n", sentence,
		  (ull)addr, (ull)entry);
}

static void audit(struct vm *vm, const char *args, const struct fmt_sink *out)
{
	struct fmt_sink copy = *out;
	struct vmmu_audit a = { .breach = breach, .ctx = &copy };

	(void)args;
	vmmu_audit(&vm->mmu, &a);
	fmt_print(out, "%llu entries looked at, %llu breaches\n",
		  (ull)a.entries, (ull)a.breaches);
}

static void scheme(struct vm *vm, const char *args, const struct fmt_sink *out)
{
	const struct vmmu_scheme *wanted = vm_find_scheme(args);
	const char *wrong = NULL;

	if (*args && !wanted)
		wrong = "there is no such scheme";
	else if (wanted)
		wrong = vm_use_scheme(vm, wanted);
	if (wrong)
		fmt_print(out, "scheme %s: %s\n", args, wrong);
	fmt_print(out, "%s\n", vm->vcpu[0]->mmu.scheme->name);
}

static monitor_command help;

/* `whole`: of guests that are whole machines, whose registers are known. */
static const struct command {
	const char *name, *args, *does;
	monitor_command *run;
	bool whole;
} commands[] = {
	{ "help", "[COMMAND]", "say what there is", help, false },
	{ "info mtree", "", "guest-physical memory: slots and devices",
	  monitor_info_mtree, false },
	{ "info mem", "[GVA]", "the guest's mapped ranges, from GVA on",
	  monitor_info_mem, true },
	{ "info tlb", "[GVA]", "the guest's mapped pages, from GVA on",
	  monitor_info_tlb, true },
	{ "info registers", "", "the vCPU's registers", monitor_info_registers,
	  true },
	{ "gva2gpa", "GVA", "guest virtual to guest physical", monitor_gva2gpa,
	  true },
	{ "gpa2hva", "GPA", "guest physical to host virtual", monitor_gpa2hva,
	  false },
	{ "gpa2hpa", "GPA", "guest physical to machine address",
	  monitor_gpa2hpa, false },
	{ "walk", "GVA", "one translation step by step, down to the machine",
	  monitor_walk_steps, false },
	{ "stats", "", "the statistics, a JSON object", stats, false },
	{ "audit", "", "check the invariants of all tables", audit, false },
	{ "scheme", "[NAME]", "which scheme, or: move the guest to that one",
	  scheme, false },
	{ "dirty", "on|off|count|list", "log writes; pages since last asked",
	  monitor_dirty, true },
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void help(struct vm *vm, const char *args, const struct fmt_sink *out)
{
	bool found = false;

	(void)vm;
	for (unsigned i = 0; i < COMMANDS; i++) {
		const struct command *c = &commands[i];

		if (*args && !after_name(args, c->name) &&
		    !after_name(c->name, args))
			continue;
		fmt_print(out, "%s%s%s -- %s\n", c->name, *c->args ? " " : "",
			  c->args, c->does);
		found = true;
	}
	if (!found)
		fmt_print(out, "there is no command '%s'\n", args);
}

static void carry_out(struct vm *vm, const char *line,
		      const struct fmt_sink *out)
{
	line = skip_blanks(line);
	for (unsigned i = 0; i < COMMANDS; i++) {
		const char *args = after_name(line, commands[i].name);

		if (!args)
			continue;
		if (commands[i].whole && vm->engine->para)
			fmt_print(out, "not of a paravirtual guest\n");
		else
			commands[i].run(vm, args, out);
		return;
	}
	fmt_print(out, "there is no command '%s': help lists them\n", line);
}

static void end_line(struct vm *vm)
{
	struct monitor *m = &vm->monitor;
	const struct fmt_sink out = { .put = reply, .ctx = m };

	while (m->length && m->line[m->length - 1] == ' ')
		m->length--;
	m->line[m->length] = 0;
	if (m->too_long)
		fmt_print(&out, "the line is too long\n");
	else if (m->length)
		carry_out(vm, m->line, &out);
	m->length = 0;
	m->too_long = false;
	report_write("=\n", 2);
}

void monitor_poll(struct vm *vm)
{
	struct monitor *m = &vm->monitor;
	int byte;

	while ((byte = report_read()) >= 0) {
		if (byte == '\n' || byte == '\r')
			end_line(vm);
		else if ((byte == '\b' || byte == 0x7f) && m->length)
			m->length--;
		else if (byte < ' ' || byte > '~')
			continue;
		else if (m->length < MONITOR_LINE - 1)
			m->line[m->length++] = (char)byte;
		else
			m->too_long = true;
	}
}
