/* The files of a run on Bochs: in a directory that goes when it ends. */
#ifndef TOOLS_BOCHS_DISC_H
#define TOOLS_BOCHS_DISC_H

#include "bochs.h"

/* Makes the directory, and the disc in it. 0 or out's status. */
int bochs_disc_make(struct bochs *bochs, const struct qemu *qemu,
		    const struct options *options, bool multiboot,
		    struct outcome *out);

/* A file of this text, which is freed; NULL: there was no memory for it. */
int bochs_disc_put(const struct bochs *bochs, const char *name, char *text,
		   struct outcome *out);

#endif
