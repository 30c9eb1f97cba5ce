/*
 * A plugin for QEMU: how often each instruction of the hypervisor's image was
 * executed between two places of the guest's own program.
 *
 *   -plugin count.so,out=FILE,base=A,size=N,begin=A,end=A
 *
 * counts the N bytes of code at `base` from each execution of the instruction
 * at `begin` to the next one of that at `end`. When the machine is gone FILE
 * has a line "address count" for each instruction that ever was.
 *
 * QEMU's plugin interface is a handful of functions, declared here: not every
 * distribution ships its header. See QEMU's docs/devel/tcg-plugins.rst.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct qemu_plugin_tb;
struct qemu_plugin_insn;
typedef uint64_t qemu_plugin_id_t;
struct qemu_info_t;

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id,
					   void (*cb)(qemu_plugin_id_t id,
						      struct qemu_plugin_tb *));
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t id,
				    void (*cb)(qemu_plugin_id_t id, void *),
				    void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(
	const struct qemu_plugin_tb *tb, size_t index);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
/* The only operation there is, number 0, adds. */
void qemu_plugin_register_vcpu_insn_exec_inline(struct qemu_plugin_insn *insn,
						int operation, void *counter,
						uint64_t value);

void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn,
					    void (*cb)(unsigned int vcpu,
						       void *data),
					    int flags, void *data);

int qemu_plugin_version = 1;

static uint64_t base, size, begin, end;
static uint64_t *counts; /* since the machine started */
static uint64_t *inside; /* of the windows that have ended */
static bool open;
static const char *out;

static void move(bool add)
{
	for (uint64_t i = 0; i < size; i++)
		inside[i] += add ? counts[i] : -counts[i];
	open = !add;
}

static void at_begin(unsigned int vcpu, void *data)
{
	(void)vcpu;
	(void)data;
	if (!open)
		move(false);
}

static void at_end(unsigned int vcpu, void *data)
{
	(void)vcpu;
	(void)data;
	if (open)
		move(true);
}

static void instrument(struct qemu_plugin_insn *insn)
{
	uint64_t at = qemu_plugin_insn_vaddr(insn);

	if (at - base < size)
		qemu_plugin_register_vcpu_insn_exec_inline(
			insn, 0, &counts[at - base], 1);
	else if (at == begin)
		qemu_plugin_register_vcpu_insn_exec_cb(insn, at_begin, 0, NULL);
	else if (at == end)
		qemu_plugin_register_vcpu_insn_exec_cb(insn, at_end, 0, NULL);
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	size_t count = qemu_plugin_tb_n_insns(tb);

	(void)id;
	for (size_t i = 0; i < count; i++)
		instrument(qemu_plugin_tb_get_insn(tb, i));
}

static void finish(qemu_plugin_id_t id, void *data)
{
	FILE *file = fopen(out, "w");

	(void)id;
	(void)data;
	if (!file)
		return;
	for (uint64_t i = 0; i < size; i++)
		if (inside[i])
			fprintf(file, "%" PRIx64 " %" PRIu64 "\n", base + i,
				inside[i]);
	fclose(file);
}

static uint64_t *number_of(const char *arg)
{
	if (strncmp(arg, "base=", 5) == 0)
		return &base;
	if (strncmp(arg, "size=", 5) == 0)
		return &size;
	if (strncmp(arg, "begin=", 6) == 0)
		return &begin;
	return strncmp(arg, "end=", 4) == 0 ? &end : NULL;
}

int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info_t *info,
			int argc, char **argv);

int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info_t *info,
			int argc, char **argv)
{
	(void)info;
	for (int i = 0; i < argc; i++)
		if (strncmp(argv[i], "out=", 4) == 0)
			out = strdup(argv[i] + 4);
		else if (number_of(argv[i]))
			*number_of(argv[i]) =
				strtoull(strchr(argv[i], '=') + 1, NULL, 0);
	counts = calloc(size, sizeof(*counts));
	inside = calloc(size, sizeof(*inside));
	if (!out || !begin || !end || !counts || !inside) {
		fprintf(stderr, "count: out, base, size, begin, end: all are "
				"needed\n");
		return -1;
	}
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	qemu_plugin_register_atexit_cb(id, finish, NULL);
	return 0;
}
