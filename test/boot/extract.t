#!/usr/bin/env python3
"""vmmu extract: every compressor of Linux, and images that lie."""
import bz2, gzip, lzma, os, struct, subprocess, sys, tempfile

os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))
VMMU = os.path.join(os.environ.get("BUILD", "build"), "vmmu")
count = failed = 0


def ok(name, good, detail=""):
    global count, failed
    count += 1
    failed += not good
    print(f"{'ok' if good else 'not ok'} {count} - {name}", flush=True)
    if not good:
        print(f"# {detail}")


def note(entry):
    return struct.pack("<III", 4, 4, 18) + b"Xen\0" + struct.pack("<I", entry)


def vmlinux(machine=62, phoff=64, body=b"\x5a\x13" * 300000):
    """A small ELF64 with one note segment and some body behind it."""
    head = b"\x7fELF\2\1\1" + bytes(9) + struct.pack(
        "<HHIQQQIHHHHHH", 2, machine, 1, 0x1000000, phoff, 0, 0, 64, 56, 1,
        0, 0, 0)
    data = note(0x1000000)
    segment = struct.pack("<IIQQQQQQ", 4, 4, 120, 0, 0, len(data), len(data),
                          4)
    return head + segment + data + body


def bzimage(payload, version=0x20f, sects=3, at=0, length=None):
    """A boot sector and setup code with a header, then the payload."""
    setup = bytearray((sects or 4) * 512 + 512)
    setup[0x1f1] = sects
    setup[0x1fe:0x200] = b"\x55\xaa"
    setup[0x202:0x206] = b"HdrS"
    struct.pack_into("<H", setup, 0x206, version)
    struct.pack_into("<II", setup, 0x248, at,
                     len(payload) if length is None else length)
    return bytes(setup) + bytes(min(at, 65536)) + payload


def tool(command, data):
    return subprocess.run(command, input=data, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, check=True).stdout


def extract(image):
    with tempfile.TemporaryDirectory() as directory:
        source, out = directory + "/bzImage", directory + "/vmlinux"
        with open(source, "wb") as file:
            file.write(image)
        run = subprocess.run([VMMU, "extract", source, out],
                             stderr=subprocess.PIPE, text=True)
        data = open(out, "rb").read() if os.path.exists(out) else None
        return run.returncode, run.stderr.strip(), data


def gives(name, image, want):
    status, sentence, data = extract(image)
    ok(name, status == 0 and data == want, f"status {status}: {sentence}")


def refuses(name, image, words):
    status, sentence, data = extract(image)
    ok(name, status == 4 and words in sentence and data is None,
       f"status {status}: {sentence}")


elf = vmlinux()
size = struct.pack("<I", len(elf))
packed = {
    "gzip": gzip.compress(elf),
    "bzip2": bz2.compress(elf) + size,
    "xz": lzma.compress(elf, check=lzma.CHECK_CRC32, filters=[
        {"id": lzma.FILTER_X86},
        {"id": lzma.FILTER_LZMA2, "dict_size": 1 << 25}]) + size,
    "lzma": lzma.compress(elf, lzma.FORMAT_ALONE) + size,
    "zstd": tool(["zstd", "-19", "-c"], elf) + size,
    "lz4": tool(["lz4", "-l", "-9", "-c"], elf) + size,
    "uncompressed": elf,
}
for name, payload in packed.items():
    gives(name, bzimage(payload), elf)
    if name == "uncompressed":
        continue
    refuses(f"{name}, cut short", bzimage(payload[:len(payload) // 2]),
            "is damaged" if name != "lz4" else "is")
    broken = bytearray(payload)
    for i in range(len(payload) // 3, len(payload) // 3 + 8):
        broken[i] ^= 0xa5
    status, sentence, data = extract(bzimage(bytes(broken)))
    # LZ4's legacy frame has no checksum: it may unpack to something else.
    ok(f"{name}, damaged: no crash, no silence", status == 4 or
       (name == "lz4" and status == 0), f"status {status}: {sentence}")

gives("setup_sects 0 means 4", bzimage(packed["gzip"], sects=0), elf)
gives("a payload with an offset", bzimage(packed["gzip"], at=4096), elf)
refuses("boot protocol 2.07", bzimage(packed["gzip"], version=0x207),
        "too old")
refuses("a length beyond the file", bzimage(packed["gzip"], length=1 << 30),
        "cut short")
refuses("an offset that wraps", bzimage(packed["gzip"], at=0xffffffff),
        "cut short")
refuses("a length of nothing", bzimage(packed["gzip"], length=0), "cut short")
refuses("an unknown compressor", bzimage(b"LZO?" * 100), "compressor")
refuses("gzip of something else", bzimage(gzip.compress(b"text" * 999)),
        "not an x86-64 ELF")
refuses("another machine's ELF", bzimage(gzip.compress(vmlinux(183))),
        "not an x86-64 ELF")
refuses("program headers outside", bzimage(gzip.compress(
    vmlinux(phoff=1 << 40))), "not an x86-64 ELF")
refuses("program headers that wrap", bzimage(gzip.compress(
    vmlinux(phoff=(1 << 64) - 56))), "not an x86-64 ELF")
refuses("an empty file", b"", "not a bzImage")
refuses("a header cut short", bzimage(b"")[:0x210], "not a bzImage")

# 600 MiB of zeros in 600 KiB: bounded, and refused by its size.
bomb = gzip.compress(bytes(600 << 20), 1)
refuses("a bomb", bzimage(bomb), "larger than a kernel can be")
print(f"1..{count}")
sys.exit(failed != 0)
