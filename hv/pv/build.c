/*
 * A domain as its kernel finds it. From gpa 0, seen at the kernel's VIRT_BASE:
 *
 *   | kernel | (initrd) | start_info | store | console | (P2M) | page tables |
 *   | boot stack | slack up to a multiple of 4 MiB
 *
 * and behind that, not seen there: the P2M and its page tables, when the
 * kernel wants it elsewhere (INIT_P2M), and the initrd, when it takes it by
 * its frame. All page tables are mapped read-only. They are written here as
 * data; then the library checks and pins them like any other's.
 *
 * xen.h, struct start_info, "Start-of-day memory layout".
 */
#include "pv/shadow.h"

#include <string.h>

#include "cpu/fpu.h"
#include "load/load.h"
#include "mm/paging.h"
#include "vm/vm.h"

#define TABLE	  UINT64_C(0x67) /* P RW US A D */
#define PAGE	  UINT64_C(0x67)
#define PAGE_RO	  UINT64_C(0x65)
#define ADDRESS	  UINT64_C(0x000ffffffffff000)
#define ALIGN	  (4 * VM_MIB / VMMU_PAGE_SIZE)
#define SLACK	  (512 * 1024 / VMMU_PAGE_SIZE)
#define PER_TABLE 512

struct build {
	struct pv_domain *d;
	const struct load_request *req;
	struct load_xen xen;
	bool failed; /* memory ran out on the way */
	/* In gfns. */
	uint64_t initrd, start_info, store, console, p2m, tables, stack;
	uint64_t table_count, end;
	uint64_t far_p2m, far_count; /* P2M and its tables, elsewhere */
	uint64_t next_table;	     /* while tables are made */
};

static uint64_t pages_for(uint64_t bytes)
{
	return (bytes + VMMU_PAGE_MASK) / VMMU_PAGE_SIZE;
}

static hpa_t frame_at(struct build *b, uint64_t gfn)
{
	hfn_t hfn = { 0 };

	if (pv_is_shadow(b->d->cpu))
		return ptr_hpa(pv_shadow_page(b->d, gfn));
	if (!vmmu_direct_p2m(&b->d->vm->mmu, mk_gfn(gfn), &hfn))
		b->failed = true;
	return hfn_hpa(hfn);
}

/* By the number that the guest knows it by. */
static uint64_t mfn_at(struct build *b, uint64_t gfn)
{
	if (pv_is_shadow(b->d->cpu))
		return gfn;
	return hpa_hfn(frame_at(b, gfn)).v;
}

/* 1. Where all is. */

/* Tables that a range of addresses needs below the root. */
static uint64_t tables_for(uint64_t va, uint64_t pages)
{
	uint64_t last = va + pages * VMMU_PAGE_SIZE - 1, n = 0;

	for (unsigned shift = 21; shift <= 39; shift += 9)
		n += (last >> shift) - (va >> shift) + 1;
	return n;
}

static void lay_out(struct build *b)
{
	uint64_t next = b->xen.end / VMMU_PAGE_SIZE;
	uint64_t initrd = pages_for(b->req->initrd.size);
	uint64_t p2m = pages_for(b->d->pages * 8);

	b->initrd = next;
	if (!b->xen.unmapped_initrd)
		next += initrd;
	b->start_info = next++;
	b->store = next++;
	b->console = next++;
	b->p2m = next;
	if (!b->xen.init_p2m)
		next += p2m;
	b->tables = next;
	do {
		b->table_count++;
		b->stack = b->tables + b->table_count;
		b->end = (b->stack + 1 + SLACK + ALIGN - 1) / ALIGN * ALIGN;
		b->failed = b->end > b->d->pages ||
			    !pv_range_ok(b->xen.virt_base,
					 b->end * VMMU_PAGE_SIZE) ||
			    !pv_range_ok(b->xen.init_p2m, b->d->pages * 8);
	} while (!b->failed &&
		 b->table_count < 1 + tables_for(b->xen.virt_base, b->end));
	if (b->failed)
		return;
	next = b->end;
	if (b->xen.init_p2m) {
		b->far_p2m = next;
		b->far_count = p2m + tables_for(b->xen.init_p2m, p2m);
		next += b->far_count;
	}
	if (b->xen.unmapped_initrd) {
		b->initrd = next;
		next += initrd;
	}
	b->failed = next > b->d->pages;
}

static uint64_t va_of(const struct build *b, uint64_t gfn)
{
	return b->xen.virt_base + gfn * VMMU_PAGE_SIZE;
}

/* 2. Page tables. */

static uint64_t *table_below(struct build *b, uint64_t *entry)
{
	uint64_t mfn;

	if (!*entry)
		*entry = mfn_at(b, b->next_table++) << 12 | TABLE;
	mfn = (*entry & ADDRESS) >> 12;
	return pv_is_shadow(b->d->cpu) ? pv_shadow_page(b->d, mfn)
				       : pv_page(hfn_hpa(mk_hfn(mfn)));
}

static void map(struct build *b, uint64_t va, uint64_t gfn, uint64_t flags)
{
	uint64_t *table = pv_page(frame_at(b, b->tables));

	for (unsigned shift = 39; shift > 12; shift -= 9)
		table = table_below(b, &table[va >> shift & 511]);
	table[va >> 12 & 511] = mfn_at(b, gfn) << 12 | flags;
}

static void map_all(struct build *b)
{
	uint64_t far_tables = b->far_p2m + pages_for(b->d->pages * 8);

	b->next_table = b->tables + 1;
	for (uint64_t gfn = 0; gfn < b->end; gfn++) {
		bool table = gfn - b->tables < b->table_count;

		map(b, va_of(b, gfn), gfn, table ? PAGE_RO : PAGE);
	}
	if (!b->xen.init_p2m)
		return;
	b->next_table = far_tables;
	for (uint64_t gfn = b->far_p2m; gfn < far_tables; gfn++)
		map(b, b->xen.init_p2m + (gfn - b->far_p2m) * VMMU_PAGE_SIZE,
		    gfn, PAGE);
}

/* 3. What is in it. */

static bool put(struct build *b, uint64_t gfn, const void *what, uint64_t size)
{
	return vmmu_gmem_write(&b->d->vm->mem, gfn_gpa(mk_gfn(gfn)), what,
			       size) == VMMU_GMEM_OK;
}

static bool put_p2m(struct build *b)
{
	uint64_t at = b->xen.init_p2m ? b->far_p2m : b->p2m;
	uint64_t page[PER_TABLE];

	for (uint64_t gfn = 0; gfn < b->d->pages; gfn += PER_TABLE, at++) {
		uint64_t n = b->d->pages - gfn;

		n = n < PER_TABLE ? n : PER_TABLE;
		for (uint64_t i = 0; i < n; i++)
			page[i] = mfn_at(b, gfn + i);
		if (!put(b, at, page, n * 8))
			return false;
	}
	return true;
}

/* mov $n, %eax; syscall; ret, with what SYSCALL destroys saved around it; the
 * one that does not come back leaves it on the stack for us. */
static bool put_hypercalls(struct build *b)
{
	static const uint8_t call[] = {
		0x51, 0x41, 0x53, 0xb8, 0,    0,    0,
		0,    0x0f, 0x05, 0x41, 0x5b, 0x59, 0xc3
	};
	static const uint8_t iret[] = { 0x51, 0x41, 0x53, 0x50, 0xb8, 23,
					0,    0,    0,	  0x0f, 0x05 };
	uint8_t code[32];

	for (unsigned n = 0; n < VMMU_PAGE_SIZE / sizeof(code); n++) {
		memset(code, 0xcc, sizeof(code));
		memcpy(code, call, sizeof(call));
		code[4] = (uint8_t)n;
		if (n == __HYPERVISOR_iret)
			memcpy(code, iret, sizeof(iret));
		if (vmmu_gmem_write(
			    &b->d->vm->mem,
			    mk_gpa(b->xen.hypercall_page + n * sizeof(code)),
			    code, sizeof(code)) != VMMU_GMEM_OK)
			return false;
	}
	return true;
}

static bool put_start_info(struct build *b)
{
	struct start_info s = {
		.magic = "xen-3.0-x86_64",
		.nr_pages = b->d->pages,
		.shared_info = pv_is_shadow(b->d->cpu)
				       ? b->d->pages << VMMU_PAGE_SHIFT
				       : b->d->shared_page.v,
		.flags = SIF_VIRT_P2M_4TOOLS,
		.store_mfn = mfn_at(b, b->store),
		.pt_base = va_of(b, b->tables),
		.nr_pt_frames = b->table_count,
		.mfn_list = va_of(b, b->p2m),
	};
	const struct load_file *initrd = &b->req->initrd;
	size_t n = 0;

	s.console.domU.mfn = mfn_at(b, b->console);
	s.console.domU.evtchn = b->d->console_port;
	if (b->xen.init_p2m) {
		s.mfn_list = b->xen.init_p2m;
		s.first_p2m_pfn = b->far_p2m;
		s.nr_p2m_frames = b->far_count;
	}
	if (initrd->data) {
		s.mod_len = initrd->size;
		s.mod_start = va_of(b, b->initrd);
		if (b->xen.unmapped_initrd) {
			s.mod_start = b->initrd;
			s.flags |= SIF_MOD_START_PFN;
		}
	}
	for (; b->req->args[n] && n < MAX_GUEST_CMDLINE - 1; n++)
		s.cmd_line[n] = b->req->args[n];
	return put(b, b->start_info, &s, sizeof(s));
}

static bool put_all(struct build *b)
{
	const struct load_file *initrd = &b->req->initrd;

	if (initrd->data && !put(b, b->initrd, initrd->data, initrd->size))
		return false;
	if (b->xen.hypercall_page && !put_hypercalls(b))
		return false;
	return put_p2m(b) && put_start_info(b);
}

/* 4. The vCPU. */

static const char *take_root(struct build *b)
{
	struct vmmu_cpu *cpu = &b->d->cpu->vcpu->mmu;
	hfn_t root = hpa_hfn(frame_at(b, b->tables));
	enum vmmu_direct_status status;

	if (pv_is_shadow(b->d->cpu)) {
		pv_shadow_start(b->d->cpu, b->tables);
		return NULL;
	}
	status = vmmu_direct_pin(cpu, root, 4, NULL);
	if (status == VMMU_DIRECT_OK)
		status = vmmu_direct_set_root(cpu, root, NULL);
	return status == VMMU_DIRECT_OK ? NULL
					: vmmu_direct_status_name(status);
}

static void start(struct build *b)
{
	struct pv_cpu *c = b->d->cpu;

	*c->frame = (struct trap_frame){
		.rip = b->xen.entry,
		.rsp = va_of(b, b->stack + 1),
		.rsi = va_of(b, b->start_info),
		.rflags = PV_RFLAGS_IF | 2,
		.cs = PV_GUEST_CS,
		.ss = PV_GUEST_SS,
	};
	c->kernel = true;
	c->kernel_sp = c->frame->rsp;
	fpu_reset();
}

const char *pv_build(struct vm *vm, struct load_request *req)
{
	struct build b = { .d = pv_domain_of(vm), .req = req };
	struct pv_domain *d = b.d;
	const char *wrong;

	req->map[0] = (struct load_range){ mk_gpa(0), vm->memory, LOAD_RAM };
	req->map_count = 1;
	wrong = load_xen(&vm->mem, req, &b.xen);
	if (wrong)
		return wrong;
	lay_out(&b);
	if (b.failed)
		return "the kernel does not fit into guest memory";
	pv_console_init(d, pv_page(frame_at(&b, b.console)));
	map_all(&b);
	if (!put_all(&b) || b.failed)
		return "the kernel does not fit into guest memory";
	d->console_gfn = b.console;
	if (!pv_is_shadow(d->cpu) &&
	    vmmu_direct_hold(&vm->mmu, hpa_hfn(frame_at(&b, b.console)),
			     VMMU_FRAME_WRITABLE, NULL) != VMMU_DIRECT_OK)
		return "the console's page cannot be shared";
	wrong = take_root(&b);
	if (wrong)
		return wrong;
	start(&b);
	return NULL;
}
