/* Traces as arrays and as text; see trace.h. */
#include "trace.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

const char *const mode_names[MODE_COUNT] = { "off", "32", "pae", "4level",
					     "la57" };
const char *const scheme_names[SCHEME_COUNT] = { "nested", "vtlb", "shadow" };
const char *const plant_names[PLANT_COUNT] = { "none", "drop-flush", "drop-tlb",
					       "drop-invlpg" };
const char *const op_names[OP_COUNT] = {
	"slot",	  "poke",   "write", "access",	  "walk",
	"invlpg", "cr3",    "regs",  "share",	  "withdraw",
	"move",	  "absent", "log",   "violation", "audit",
};
const unsigned op_operands[OP_COUNT] = {
	5, 3, 3, 4, 3, 1, 1, 5, 2, 2, 2, 2, 1, 2, 0,
};

struct key {
	const char *name;
	size_t offset;
};

static const struct key keys[] = {
	{ "mode", offsetof(struct world_config, mode) },
	{ "scheme", offsetof(struct world_config, scheme) },
	{ "nested", offsetof(struct world_config, nested) },
	{ "leaf", offsetof(struct world_config, leaf) },
	{ "extent", offsetof(struct world_config, extent) },
	{ "skew", offsetof(struct world_config, skew) },
	{ "shuffle", offsetof(struct world_config, shuffle) },
	{ "tables", offsetof(struct world_config, tables) },
	{ "around", offsetof(struct world_config, around) },
	{ "maxphyaddr", offsetof(struct world_config, maxphyaddr) },
	{ "pse36", offsetof(struct world_config, pse36) },
	{ "nx", offsetof(struct world_config, nx) },
	{ "gib", offsetof(struct world_config, gib) },
	{ "pdptes", offsetof(struct world_config, pdptes_in_memory) },
	{ "roots", offsetof(struct world_config, roots) },
	{ "filter", offsetof(struct world_config, filter) },
	{ "moves", offsetof(struct world_config, moves) },
};

#define KEY_COUNT (sizeof(keys) / sizeof(keys[0]))

void trace_init(struct trace *t)
{
	memset(t, 0, sizeof(*t));
}

void trace_fini(struct trace *t)
{
	free(t->op);
	trace_init(t);
}

void trace_add(struct trace *t, const struct op *op)
{
	if (t->count == t->capacity) {
		t->capacity = t->capacity ? 2 * t->capacity : 256;
		t->op = realloc(t->op, t->capacity * sizeof(*t->op));
		if (!t->op)
			abort();
	}
	t->op[t->count++] = *op;
}

static uint64_t *config_value(struct world_config *c, const struct key *k)
{
	return (uint64_t *)(void *)((char *)c + k->offset);
}

void trace_print(FILE *f, const struct trace *t, const char *prefix)
{
	struct world_config config = t->config;

	fprintf(f, "%sconfig", prefix);
	for (size_t i = 0; i < KEY_COUNT; i++)
		fprintf(f, " %s=%" PRIx64, keys[i].name,
			*config_value(&config, &keys[i]));
	fprintf(f, "\n");
	for (unsigned i = 0; i < t->count; i++) {
		fprintf(f, "%s%s", prefix, op_names[t->op[i].kind]);
		for (unsigned k = 0; k < op_operands[t->op[i].kind]; k++)
			fprintf(f, " %" PRIx64, t->op[i].arg[k]);
		fprintf(f, "\n");
	}
}

static bool parse_hex(const char *word, uint64_t *value)
{
	char *end;

	if (!word || !*word)
		return false;
	errno = 0;
	*value = strtoull(word, &end, 16);
	return *end == '\0' && errno == 0;
}

static bool parse_config(struct world_config *c, char **rest)
{
	char *word;

	while ((word = strtok_r(NULL, " \n", rest))) {
		char *equals = strchr(word, '=');
		size_t i = 0;

		if (!equals)
			return false;
		*equals = '\0';
		while (i < KEY_COUNT && strcmp(keys[i].name, word))
			i++;
		if (i == KEY_COUNT ||
		    !parse_hex(equals + 1, config_value(c, &keys[i])))
			return false;
	}
	return true;
}

static bool parse_op(struct trace *t, const char *name, char **rest)
{
	struct op op = { .kind = OP_SLOT };

	while (op.kind < OP_COUNT && strcmp(op_names[op.kind], name))
		op.kind++;
	if (op.kind == OP_COUNT)
		return false;
	for (unsigned k = 0; k < op_operands[op.kind]; k++)
		if (!parse_hex(strtok_r(NULL, " \n", rest), &op.arg[k]))
			return false;
	trace_add(t, &op);
	return true;
}

bool trace_parse(FILE *f, struct trace *t)
{
	unsigned number = 0;
	char line[512];

	while (fgets(line, sizeof(line), f)) {
		char *rest, *word = strtok_r(line, " \n", &rest);
		bool fine;

		number++;
		if (!word || word[0] == '#')
			continue;
		if (!strcmp(word, "config"))
			fine = parse_config(&t->config, &rest);
		else
			fine = parse_op(t, word, &rest);
		if (!fine) {
			fprintf(stderr, "line %u is not of a trace\n", number);
			return false;
		}
	}
	return true;
}
