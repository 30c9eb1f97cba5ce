/* All of libvmmu. */
#ifndef VMMU_VMMU_H
#define VMMU_VMMU_H

#include <vmmu/access.h>
#include <vmmu/addr.h>
#include <vmmu/audit.h>
#include <vmmu/direct.h>
#include <vmmu/flat.h>
#include <vmmu/format.h>
#include <vmmu/gmem.h>
#include <vmmu/gwalk.h>
#include <vmmu/host.h>
#include <vmmu/mode.h>
#include <vmmu/scheme.h>
#include <vmmu/slots.h>
#include <vmmu/table.h>
#include <vmmu/vm.h>

#endif
