/* The hypervisor's configuration: the words of its command line. */
#ifndef HV_VM_CONFIG_H
#define HV_VM_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONFIG_GUEST_ARGS 2048 /* with the final 0; Linux takes 2047 */

struct config {
	char mmu[32];	       /* schemes: mmu=nested or mmu=nested,vtlb */
	bool para;	       /* a paravirtual guest: guest=pv */
	uint32_t switch_every; /* ms from one scheme to the next; 0: never */
	uint64_t memory;       /* bytes of guest memory: memory=536870912 */
	unsigned cpus;	       /* vCPUs: cpus=1 */
	uint32_t table_pages;  /* limit of table memory: table-memory=KiB */
	uint32_t roots;	       /* cached by shadow: roots=16 */
	uint64_t fault_around; /* bytes: fault-around=KiB, 0: off */
	bool pml;	    /* hardware logs writes where it can: pml=on, off */
	uint64_t bystander; /* bytes of a second VM's memory: bystander=MiB */
	bool bystander_flaw; /* a flaw that it must show: on, off */
	char guest_args[CONFIG_GUEST_ARGS]; /* all after " -- " */
};

/* Reads `line`: words `key=value` up to the word `--`, after which all is
 * the guest's. Words without '=', or with '/' before it, are passed over:
 * boot loaders put the image's path there. Returns NULL, or a sentence in `why`
 * that names the word that is wrong. */
const char *config_parse(struct config *c, const char *line, char *why,
			 size_t why_size);

#endif
