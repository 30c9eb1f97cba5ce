/*
 * Xen's public headers, as the paravirtual ABI has them: structures and
 * numbers. This is the one place that includes them, so that all of pv/ sees
 * the same version of the interface. "mfn" and "pfn" are this ABI's words for
 * our hfn and gfn, and appear in pv/ alone.
 */
#ifndef HV_PV_ABI_H
#define HV_PV_ABI_H

#include <stddef.h>
#include <stdint.h>

#ifndef __XEN_INTERFACE_VERSION__
#define __XEN_INTERFACE_VERSION__ __XEN_LATEST_INTERFACE_VERSION__
#endif
#include <xen/xen.h>

#include <xen/callback.h>
#include <xen/errno.h>
#include <xen/event_channel.h>
#include <xen/features.h>
#include <xen/io/console.h>
#include <xen/memory.h>
#include <xen/physdev.h>
#include <xen/sched.h>
#include <xen/vcpu.h>
#include <xen/version.h>

/* The page of the GDT that is ours, behind all that a guest may have. */
#define PV_GDT_OUR_PAGE FIRST_RESERVED_GDT_PAGE
#define PV_GDT_ENTRIES	FIRST_RESERVED_GDT_ENTRY
#define PV_SEL_TSS	0xe040
#define PV_SEL_LDT	0xe050

#endif
