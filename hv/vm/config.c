/* The words of the command line: one row a key. */
#include "vm/config.h"

#include <string.h>

#include "cpu/fmt.h"

#define MIB (UINT64_C(1) << 20)

struct word {
	const char *text;
	size_t length;
};

static bool number(struct word w, uint64_t low, uint64_t high, uint64_t *out)
{
	uint64_t v = 0;

	if (!w.length || w.length > 18)
		return false;
	for (size_t i = 0; i < w.length; i++) {
		if (w.text[i] < '0' || w.text[i] > '9')
			return false;
		v = v * 10 + (uint64_t)(w.text[i] - '0');
	}
	*out = v;
	return v >= low && v <= high;
}

static bool set_mmu(struct config *c, struct word value)
{
	if (!value.length || value.length >= sizeof(c->mmu))
		return false;
	for (size_t i = 0; i < value.length; i++)
		if ((value.text[i] < 'a' || value.text[i] > 'z') &&
		    value.text[i] != ',')
			return false;
	memcpy(c->mmu, value.text, value.length);
	c->mmu[value.length] = 0;
	return true;
}

static bool is_named(struct word w, const char *name)
{
	size_t n = 0;

	while (name[n])
		n++;
	return w.length == n && memcmp(w.text, name, n) == 0;
}

static bool set_guest(struct config *c, struct word value)
{
	c->para = is_named(value, "pv");
	return c->para || is_named(value, "hvm");
}

static bool set_switch_every(struct config *c, struct word value)
{
	uint64_t ms;

	if (!number(value, 1, 1000000, &ms))
		return false;
	c->switch_every = (uint32_t)ms;
	return true;
}

static bool set_memory(struct config *c, struct word value)
{
	return number(value, 2 * MIB, UINT64_C(1) << 40, &c->memory) &&
	       c->memory % MIB == 0;
}

static bool set_cpus(struct config *c, struct word value)
{
	uint64_t n;

	if (!number(value, 1, 255, &n))
		return false;
	c->cpus = (unsigned)n;
	return true;
}

static bool set_table_memory(struct config *c, struct word value)
{
	uint64_t kib;

	if (!number(value, 64, 4 * MIB, &kib))
		return false;
	c->table_pages = (uint32_t)(kib / 4);
	return true;
}

static bool set_roots(struct config *c, struct word value)
{
	uint64_t n;

	if (!number(value, 1, 64, &n))
		return false;
	c->roots = (uint32_t)n;
	return true;
}

static bool set_fault_around(struct config *c, struct word value)
{
	uint64_t kib;

	if (!number(value, 0, MIB, &kib) || (kib & (kib - 1)))
		return false;
	c->fault_around = kib * 1024;
	return true;
}

static bool set_pml(struct config *c, struct word value)
{
	c->pml = is_named(value, "on");
	return c->pml || is_named(value, "off");
}

static bool set_bystander(struct config *c, struct word value)
{
	uint64_t mib;

	if (!number(value, 0, UINT64_C(1) << 20, &mib) || mib == 1)
		return false;
	c->bystander = mib * MIB;
	return true;
}

static bool set_bystander_flaw(struct config *c, struct word value)
{
	c->bystander_flaw = is_named(value, "on");
	return c->bystander_flaw || is_named(value, "off");
}

static const struct key {
	const char *name;
	bool (*set)(struct config *c, struct word value);
	const char *wants;
} keys[] = {
	{ "mmu", set_mmu, "schemes' names, with commas" },
	{ "guest", set_guest, "pv or hvm" },
	{ "switch-every", set_switch_every, "ms, 1 to 1000000" },
	{ "memory", set_memory, "bytes, whole MiB, at least 2 MiB" },
	{ "cpus", set_cpus, "1 to 255" },
	{ "table-memory", set_table_memory, "KiB, at least 64" },
	{ "roots", set_roots, "1 to 64" },
	{ "fault-around", set_fault_around, "KiB, a power of two, or 0" },
	{ "pml", set_pml, "on or off" },
	{ "bystander", set_bystander, "MiB, at least 2, or 0" },
	{ "bystander-flaw", set_bystander_flaw, "on or off" },
	{ "selftest", NULL, "" }, /* the machine layer's own words */
	{ "crash", NULL, "" },
};

/* The sentence is part of a JSON string later: only plain letters. */
static const char *unknown(struct word w, char *why, size_t size)
{
	char name[24];
	size_t n = 0;

	for (; n < w.length && n < sizeof(name) - 1; n++) {
		char ch = w.text[n];

		name[n] = ch > ' ' && ch <= '~' && ch != '"' && ch != '\\'
				  ? ch
				  : '?';
	}
	name[n] = 0;
	fmt_text(why, size, "the word %s= is not known", name);
	return why;
}

static const char *take(struct config *c, struct word w, char *why, size_t size)
{
	size_t eq = 0;

	while (eq < w.length && w.text[eq] != '=' && w.text[eq] != '/')
		eq++;
	if (eq == w.length || w.text[eq] == '/')
		return NULL;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		const struct key *k = &keys[i];
		struct word value = { w.text + eq + 1, w.length - eq - 1 };

		if (!is_named((struct word){ w.text, eq }, k->name))
			continue;
		if (!k->set || k->set(c, value))
			return NULL;
		fmt_text(why, size, "%s= wants %s", k->name, k->wants);
		return why;
	}
	return unknown((struct word){ w.text, eq }, why, size);
}

static bool guest_args(struct config *c, const char *text)
{
	size_t n = 0;

	while (*text == ' ')
		text++;
	while (text[n]) {
		if (n + 1 >= sizeof(c->guest_args))
			return false;
		c->guest_args[n] = text[n];
		n++;
	}
	c->guest_args[n] = 0;
	return true;
}

const char *config_parse(struct config *c, const char *line, char *why,
			 size_t why_size)
{
	*c = (struct config){
		.mmu = "nested",
		.memory = 512 * MIB,
		.cpus = 1,
		.table_pages = 4096,
		.fault_around = 64 * MIB,
		.pml = true,
	};
	for (;;) {
		struct word w = { line, 0 };
		const char *wrong;

		while (*w.text == ' ')
			w.text++;
		while (w.text[w.length] && w.text[w.length] != ' ')
			w.length++;
		if (!w.length)
			return NULL;
		line = w.text + w.length;
		if (is_named(w, "--"))
			return guest_args(c, line)
				       ? NULL
				       : "the guest's command line is too long";
		wrong = take(c, w, why, why_size);
		if (wrong)
			return wrong;
	}
}
