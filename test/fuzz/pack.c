/* Traces as bytes and back; see pack.h. */
#include "pack.h"

#include <string.h>

#include <vmmu/vmmu.h>

#define CONFIG_BYTES	  15
#define SHADOW_TABLES_MIN 41

static const uint64_t extents[] = { 0x1000, 0x10000, VMMU_2M, 4 * VMMU_2M };

static void unpack_config(const uint8_t *b, struct world_config *c)
{
	c->mode = b[0] % MODE_COUNT;
	c->nested = b[1] % 3;
	c->leaf = 1 + b[2] % 3;
	c->extent = extents[b[3] % 4];
	c->skew = b[4] * VMMU_PAGE_SIZE;
	c->shuffle = b[5] & 1;
	c->tables = VMMU_TABLE_LIMIT_MIN + b[6];
	c->around = b[7] ? VMMU_PAGE_SIZE << b[7] % 11 : 0;
	c->maxphyaddr = 36 + b[8] % 17;
	c->pse36 = b[9] & 1;
	c->nx = b[10] & 1;
	c->gib = b[11] & 1;
	c->pdptes_in_memory = b[12] & 1;
	c->scheme = b[13] % SCHEME_COUNT;
	/* Few, because a trace loads few; 0: as many as usual. */
	c->roots = b[14] % 9;
	/* With fewer there is no vCPU under it, which is no finding. */
	if (c->scheme == SCHEME_SHADOW && c->tables < SHADOW_TABLES_MIN)
		c->tables = SHADOW_TABLES_MIN;
}

static bool is_of_walks(enum op_kind kind)
{
	return kind == OP_SLOT || kind == OP_POKE || kind == OP_WALK ||
	       kind == OP_CR3 || kind == OP_REGS;
}

void unpack_trace(const uint8_t *data, size_t size, bool walks_only,
		  struct trace *t)
{
	size_t at = CONFIG_BYTES;

	if (size < CONFIG_BYTES)
		return;
	unpack_config(data, &t->config);
	while (at < size && t->count < PACK_OPS_MAX) {
		struct op op = { .kind = (enum op_kind)(data[at] % OP_COUNT) };
		size_t bytes = 8 * op_operands[op.kind];

		at++;
		if (size - at < bytes)
			return;
		memcpy(op.arg, data + at, bytes);
		at += bytes;
		if (!walks_only || is_of_walks(op.kind))
			trace_add(t, &op);
	}
}

static uint8_t log2_of(uint64_t value)
{
	uint8_t log = 0;

	while (value >>= 1)
		log++;
	return log;
}

static void pack_config(const struct world_config *c, uint8_t *b)
{
	memset(b, 0, CONFIG_BYTES);
	b[0] = (uint8_t)c->mode;
	b[1] = (uint8_t)c->nested;
	b[2] = (uint8_t)(c->leaf - 1);
	while (b[3] < 3 && extents[b[3]] != c->extent)
		b[3]++;
	b[4] = (uint8_t)(c->skew / VMMU_PAGE_SIZE);
	b[5] = (uint8_t)c->shuffle;
	b[6] = (uint8_t)(c->tables - VMMU_TABLE_LIMIT_MIN);
	b[7] = c->around ? log2_of(c->around / VMMU_PAGE_SIZE) : 0;
	b[8] = (uint8_t)(c->maxphyaddr - 36);
	b[9] = (uint8_t)c->pse36;
	b[10] = (uint8_t)c->nx;
	b[11] = (uint8_t)c->gib;
	b[12] = (uint8_t)c->pdptes_in_memory;
	b[13] = (uint8_t)c->scheme;
	b[14] = (uint8_t)c->roots;
}

size_t pack_trace(const struct trace *t, uint8_t *data, size_t room)
{
	size_t at = CONFIG_BYTES;

	if (room < CONFIG_BYTES)
		return 0;
	pack_config(&t->config, data);
	for (unsigned i = 0; i < t->count; i++) {
		size_t bytes = 8 * op_operands[t->op[i].kind];

		if (room - at < 1 + bytes)
			break;
		data[at++] = (uint8_t)t->op[i].kind;
		memcpy(data + at, t->op[i].arg, bytes);
		at += bytes;
	}
	return at;
}
