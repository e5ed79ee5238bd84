"""Makes VDI files that no tool here makes (VirtualBox's VDICore.h): differencing disks. `judge.py` has others read
them.

vdi.py identity FILE N                  the UUIDs of FILE, which qemu leaves empty or random
vdi.py child OUT RAW PARENT SEED        a differencing disk on PARENT; RAW is changed to what must be read
vdi.py zero FILE BLOCK                  marks a block as discarded
"""
import os, random, struct, sys

BLOCK = 1 << 20


def put(data, at, value):
    data[at:at + len(value)] = value


def main(action, path, *rest):
    if action == "child":
        raw, parent, seed = rest
        rng = random.Random(int(seed))
        with open(parent, "rb") as disk:
            header = bytearray(disk.read(512))
        size, blocks = struct.unpack_from("<Q", header, 0x170)[0], struct.unpack_from("<I", header, 0x180)[0]
        put(header, 0x4c, struct.pack("<I", 4))
        put(header, 0x1a8, header[0x188:0x1a8])
        put(header, 0x188, rng.randbytes(32))
        data = bytearray(open(raw, "rb").read())
        table, stored = [], []
        for number in range(blocks):
            kind = rng.choice(["free", "zero", "data"])
            part = data[number * BLOCK:(number + 1) * BLOCK]
            if kind == "free":
                table.append(0xffffffff)
                continue
            new = bytes(len(part)) if kind == "zero" else rng.randbytes(len(part))
            put(data, number * BLOCK, new)
            table.append(0xfffffffe if kind == "zero" else len(stored))
            if kind == "data":
                stored.append(new.ljust(BLOCK, b"\0"))
        start = 512 + 4 * blocks + 511 & -512
        put(header, 0x154, struct.pack("<II", 512, start))
        with open(path, "wb") as disk:
            disk.write(bytes(header) + struct.pack("<%dI" % blocks, *table))
            disk.seek(start)
            disk.write(b"".join(stored))
        with open(raw, "wb") as disk:
            disk.write(data[:size])
        return
    with open(path, "r+b") as disk:
        if action == "identity":
            disk.seek(0x188)
            disk.write(random.Random(int(rest[0])).randbytes(32))
        elif action == "zero":
            disk.seek(0x154)
            at = struct.unpack("<I", disk.read(4))[0] + 4 * int(rest[0])
            disk.seek(at)
            disk.write(struct.pack("<I", 0xfffffffe))


main(*sys.argv[1:])
