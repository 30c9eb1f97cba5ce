#!/usr/bin/env python3
"""What one row of the guest's workload costs under a scheme: the hypervisor's
instructions and calls by function, for one operation.

QEMU's plugin count.so counts each instruction of the image while the guest's
init is in the row; with --icount that repeats to the instruction. All rows
before it run too, as in `make bench`: what they leave behind (page tables,
free pages) is part of what a row meets.

Usage: profile.py BUILD KERNEL SCHEME ROW [OPTION-OF-VMMU-RUN...]
The scheme shadow-pv is shadow for a paravirtual guest.
"""
import bisect
import collections
import json
import os
import subprocess
import sys
import tempfile

REPEAT = 3
# Each exit executes the first instruction of one of these, once.
WAYS_IN = ("svm_enter", "vmx_enter", "pv_syscall", "pv_fault_stub",
           "from_guest")


def symbols(image):
    lines = subprocess.check_output(["nm", "-n", image], text=True)
    for line in lines.splitlines():
        words = line.split()
        if len(words) == 3 and words[1] in "tT":
            yield int(words[0], 16), words[2]


def boot(build, kernel, scheme, row, more, code, where):
    """{address: count}, the row's operations and ticks, what ours were."""
    counts = os.path.join(where, "counts")
    qemu = os.path.join(where, "qemu")
    init = {name: at for at, name in symbols(f"{build}/guest/init")}
    if f"row_{row}" not in init:
        sys.exit(f"profile: the guest has no row {row}")
    base, last = code[0][0], code[-1][0]
    with open(qemu, "w", encoding="ascii") as file:
        file.write('#!/bin/sh\nexec qemu-system-x86_64 "$@" -plugin '
                   f"{build}/tools/profile/count.so,out={counts},base={base},"
                   f"size={last - base + 4096},begin={init['row_' + row]},"
                   f"end={init['printf']}\n")
    os.chmod(qemu, 0o755)
    para = scheme == "direct" or scheme.endswith("-pv")
    console = subprocess.run(
        [f"{build}/vmmu", "run", "--mmu", scheme.removesuffix("-pv"),
         "--guest", "pv" if para else "hvm", "--icount", "--kernel", kernel,
         "--initrd", f"{build}/guest/initrd.cpio.gz", "--append",
         f"console={'hvc0' if para else 'ttyS0'} "
         f"quiet norandmaps nokaslr vmmu.repeat={REPEAT}",
         "--qemu", qemu, "--timeout", "300", *more],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True)
    operations = ticks = 0
    for line in console.stdout.decode(errors="replace").splitlines():
        if line.startswith(f'@vmmu {{"row":"{row}"'):
            result = json.loads(line[6:])
            operations += result["ops"]
            ticks += result["ticks"]
    by_address = {}
    with open(counts, encoding="ascii") as file:
        for line in file:
            address, count = line.split()
            by_address[int(address, 16)] = int(count)
    return by_address, operations, ticks


def main():
    if len(sys.argv) < 5:
        sys.exit(__doc__)
    build, kernel, scheme, row = sys.argv[1:5]
    code = [s for s in symbols(f"{build}/vmmu64.elf") if s[0] >> 63]
    starts = [address for address, _ in code]
    with tempfile.TemporaryDirectory() as where:
        counts, operations, ticks = boot(build, kernel, scheme, row,
                                         sys.argv[5:], code, where)
    spent = collections.Counter()
    for address, count in counts.items():
        spent[code[bisect.bisect(starts, address) - 1][1]] += count
    calls = {name: counts.get(address, 0) for address, name in code}
    total = sum(spent.values())
    print(f"{row} under {scheme}: {ticks / operations:.0f} instructions an "
          f"operation; {total / operations:.0f} of the hypervisor's in the "
          "row, checks included, in "
          f"{sum(calls.get(way, 0) for way in WAYS_IN) / operations:.2f} exits")
    print(f"  {'function':32} {'instructions':>12} {'calls':>8}")
    for name, count in spent.most_common(60):
        if count / operations >= 0.5:
            print(f"  {name:32} {count / operations:12.1f} "
                  f"{calls[name] / operations:8.2f}")


main()
