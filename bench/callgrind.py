#!/usr/bin/env python3
"""Instructions per operation of the library, counted by callgrind.

Each benchmark runs one operation N times. It is run with N and with 2N; the
difference is N operations without start-up and set-up. The same is done for
its empty loop, which is subtracted. Nothing here depends on the time of day or
on how busy the machine is.

usage: callgrind.py BUILD_DIR [NAME...]
Prints one line a benchmark and exits with 1 when one is over its `must`.
"""
import functools
import re
import subprocess
import sys

COUNT = 4000

# name, command before the count, its empty loop, must, aim
BENCHES = [
    ("walk4 warm", "bench_walk walk4", "bench_walk loop", 120, 90),
    ("walk4 warm, write", "bench_walk write", "bench_walk loop", 120, 90),
    ("walk5 warm", "bench_walk walk5", "bench_walk loop", None, None),
    ("walk4 warm, 2 MiB page", "bench_walk large", "bench_walk loop",
     None, None),
    ("walk PAE warm", "bench_walk pae", "bench_walk loop", None, None),
    ("walk 32-bit warm", "bench_walk x86-32", "bench_walk loop", None, None),
    ("gfn to hva, 1 slot", "bench_slots 1", "bench_slots loop", 20, None),
    ("gfn to hva, 32 slots", "bench_slots 32", "bench_slots loop", 30, None),
    ("gfn to hva, 512 slots", "bench_slots 512", "bench_slots loop",
     40, None),
    ("nested fill, near", "bench_fill near", "bench_fill near-loop",
     300, None),
    ("nested fill, far", "bench_fill far", "bench_fill far-loop",
     300, None),
    ("vtlb hidden fault", "bench_vtlb fill", "bench_vtlb loop", 800, None),
    ("vtlb hidden fault, dropped by CR3", "bench_vtlb drop",
     "bench_vtlb loop", 850, None),
    ("vtlb hidden fault and 7 neighbours", "bench_vtlb around",
     "bench_vtlb loop", 2000, None),
    ("direct mmu_update of an L1 entry", "bench_direct update",
     "bench_direct loop", 150, None),
    ("direct mmu_update, same page", "bench_direct same",
     "bench_direct loop", 120, None),
    ("direct mmu_update, no table yet", "bench_direct data",
     "bench_direct loop", 80, None),
    ("direct mmu_update, 32 in a call", "bench_direct batch",
     "bench_direct loop", 160, None),
    ("direct update_va_mapping", "bench_direct va", "bench_direct loop",
     200, None),
    ("direct trapped write", "bench_direct trapped", "bench_direct loop",
     300, None),
    ("direct trapped XCHG", "bench_direct exchanged", "bench_direct loop",
     150, None),
    ("direct pin and unpin of a full L1", "bench_direct pin",
     "bench_direct loop", 40000, None),
    ("direct pin and unpin of an L4 with 80 links", "bench_direct pin4",
     "bench_direct loop", 12000, None),
    ("direct load of a pinned root", "bench_direct root",
     "bench_direct loop", 150, None),
]


def instructions(build, command, count):
    program, *rest = command.split()
    full = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null",
            f"{build}/bench/{program}", *rest, str(count)]
    run = subprocess.run(full, capture_output=True, text=True)
    found = re.search(r"Collected\s*:\s*(\d+)", run.stderr)
    if run.returncode or not found:
        sys.exit(f"{' '.join(full)} failed:\n{run.stderr}")
    return int(found.group(1))


@functools.cache
def per_operation(build, command):
    once = instructions(build, command, COUNT)
    twice = instructions(build, command, 2 * COUNT)
    return (twice - once) / COUNT


def limits(must, aim):
    words = []
    if must is not None:
        words.append(f"must {must}")
    if aim is not None:
        words.append(f"aim {aim}")
    return f" ({', '.join(words)})" if words else ""


def main(build, names):
    over = False
    for name, command, loop, must, aim in BENCHES:
        if names and name not in names:
            continue
        cost = per_operation(build, command)
        if loop:
            cost -= per_operation(build, loop)
        bad = must is not None and cost > must
        over |= bad
        print(f"{name}: {cost:.0f} instructions{limits(must, aim)}"
              f"{' TOO MANY' if bad else ''}", flush=True)
    return 1 if over else 0


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1], sys.argv[2:]))
