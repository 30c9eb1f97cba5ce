/* A second VM, which must not change whatever the guest does. */
#ifndef HV_PV_BYSTANDER_H
#define HV_PV_BYSTANDER_H

#include "pv/pv.h"
#include "vm/vm.h"

/* A frame of the bystander's, as it was when it was made. */
struct pv_witness {
	hfn_t hfn;
	uint64_t page, record; /* sums */
};

struct pv_bystander {
	struct vm vm;
	struct config config;
	struct trap_frame frame; /* of its vCPU, which is never entered */
	struct pv_witness *witness;
	uint64_t count; /* 0: not written down */
};

/* Beside the guest, from the image that it was made of, with as much memory as
 * the configuration says. NULL, or why not. */
const char *pv_bystander_make(struct vm *vm, struct load_request *req);
/* How many frames are not as they were. */
uint64_t pv_bystander_changed(const struct pv_bystander *b);
/* A member of the VM's report, after a comma; with an audit of its own. */
void pv_bystander_report(struct pv_bystander *b, const struct fmt_sink *sink);
/* After the guest's domain; compares once more, and says what it finds. */
void pv_bystander_free(struct pv_bystander *b);

#endif
