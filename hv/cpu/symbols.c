/*
 * See symbols.h. The table is sorted by address and ends with a row that has
 * no name; it is searched only when something has gone wrong, so linearly.
 */
#include "cpu/symbols.h"

#include "mm/image.h"
#include "mm/layout.h"

struct symbol {
	uint32_t address; /* from the image's base */
	uint32_t name;	  /* offset in symbol_names */
};

extern const struct symbol symbol_table[];
extern const char symbol_names[];

bool symbol_find(uintptr_t address, const char **name, uint64_t *offset)
{
	const struct symbol *s = symbol_table;
	uint64_t at = address - HV_IMAGE_BASE;

	if (!image_is_text(address))
		return false;
	if (symbol_table[0].address == UINT32_MAX || at < s->address)
		return false;
	while (s[1].address <= at)
		s++;
	*name = symbol_names + s->name;
	*offset = at - s->address;
	return true;
}
