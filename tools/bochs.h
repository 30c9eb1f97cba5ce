/*
 * Bochs: its configuration, the disc that it boots, and the process.
 */
#ifndef TOOLS_BOCHS_H
#define TOOLS_BOCHS_H

#include "qemu.h"

/* Without it, of the package grub-pc-bin, grub-mkrescue makes a disc that does
 * not boot, and is content. */
#define GRUB_MODULES "/usr/lib/grub/i386-pc/moddep.lst"

/* What a machine of Bochs's has at most. */
#define BOCHS_MEMORY_MAX (UINT64_C(2048) << 20)

/* Where Debian's packages bochsbios and vgabios put them. */
#define BOCHS_BIOS     "/usr/share/bochs/BIOS-bochs-latest"
#define BOCHS_VGA_BIOS "/usr/share/vgabios/vgabios.bin"

/* A serial port of Bochs's: a pseudo-terminal. */
struct bochs_port {
	char tty[64]; /* as Bochs opens it */
	int held;     /* the same, open here until Bochs is gone; -1 */
	bool raw;     /* it passes bytes as they are */
};

/* What a run leaves in the file system until its end, and nothing else. */
struct bochs {
	char dir[256]; /* of this run alone; empty: not made yet */
	struct bochs_port console, report;
	bool quiet; /* no more progress is shown */
};

/* What a text names: ttys, and the machine. The other files lie in bochs.dir,
 * where Bochs is started. */
struct bochs_files {
	const char *console, *report; /* ttys; report NULL: nobody reports */
	uint64_t memory;	      /* bytes */
};

/* The text of bochsrc, to be freed. NULL: no memory. */
char *bochs_config(const struct bochs_files *files,
		   const struct options *options);

/* The text of grub.cfg for what lies in /boot on the disc: a kernel, and
 * initrd where there is one; with the hypervisor in front, or bare. NULL: no
 * memory. */
char *bochs_grub_config(const struct options *options, bool multiboot);

/* NULL, or what no disc can carry: the rest of a sentence on --append. */
const char *bochs_append_wrong(const char *append);

/* A directory of this run's own, channels, and the disc. 0 or out's status. */
int bochs_prepare(struct bochs *bochs, struct qemu *qemu,
		  const struct options *options, bool multiboot,
		  struct outcome *out);

/* Starts it; it ends when we do. 0 or out's status. */
int bochs_start(struct bochs *bochs, struct qemu *qemu,
		const struct options *options, struct outcome *out);

/* Now and then while it runs: Bochs makes the console cook its bytes. */
void bochs_tend(struct bochs *bochs, struct qemu *qemu);

/* Shows that it is at work, until something was heard of the guest. */
void bochs_progress(struct bochs *bochs, int64_t ms, bool heard);

/* It is dead: what it has written can be read to the end. */
void bochs_gone(struct bochs *bochs);

/* What it complains of in a line of its standard error; NULL: of nothing. */
const char *bochs_complaint(const char *line);

/* The last words of its log that say why it ended; empty: none do. */
void bochs_last_words(const struct bochs *bochs, char *text, size_t size);

/* Nothing is left. */
void bochs_remove(struct bochs *bochs);

#endif
