"""Writes VMDK extents that no tool here makes, for qemu to read: redo logs of vSphere (Virtual Disk Format, ESXi Host
Sparse Extents), seSparse (as qemu's driver reads it), compressed grains without markers.

vmdk.py cowd OUT RAW GRAIN_SECTORS      a redo log with the content of RAW
vmdk.py sesparse OUT RAW                a seSparse extent with the content of RAW
vmdk.py unmarked OUT RAW                compressed grains without markers
vmdk.py describe OUT PARENT_CID HINT LINE...   a descriptor file
vmdk.py zap FILE AT COUNT               zeros
"""
import random, struct, sys, zlib

SECTOR = 512


def grains(raw, size):
    with open(raw, "rb") as disk:
        number = 0
        while part := disk.read(size):
            yield number, part.ljust(size, b"\0"), any(part)
            number += 1


def padded(data, unit=SECTOR):
    return data + bytes(-len(data) % unit)


def cowd(out, raw, sectors):
    stored = [(n, data) for n, data, used in grains(raw, sectors * SECTOR) if used]
    capacity = sum(len(data) for _, data, _ in grains(raw, SECTOR)) // SECTOR
    random.Random(sectors).shuffle(stored)
    count = -(-capacity // (4096 * sectors))
    tables = {n // 4096: bytearray(4 * 4096) for n, _ in stored}
    first = 4 + len(padded(bytes(4 * count))) // SECTOR
    directory = bytearray(4 * count)
    at = first
    for number in sorted(tables):
        struct.pack_into("<I", directory, 4 * number, at)
        at += 4 * 4096 // SECTOR
    for position, (n, _) in enumerate(stored):
        struct.pack_into("<I", tables[n // 4096], 4 * (n % 4096), at + position * sectors)
    end = at + len(stored) * sectors
    header = struct.pack("<4sIIIIIII", b"COWD", 1, 3, capacity, sectors, 4, count, end)
    with open(out, "wb") as disk:
        disk.write(header.ljust(4 * SECTOR, b"\0") + padded(bytes(directory)))
        for number in sorted(tables):
            disk.write(tables[number])
        disk.write(b"".join(data for _, data in stored))


def sesparse(out, raw):
    all_grains = list(grains(raw, 4096))
    capacity = sum(1 for _ in grains(raw, SECTOR))
    stored = [(n, data) for n, data, used in all_grains if used]
    random.Random(1).shuffle(stored)
    directory = bytearray(64 * SECTOR)
    tables = bytearray(64 * SECTOR * (len(all_grains) // 4096 + 1))
    order = list(range(len(tables) // (64 * SECTOR)))
    random.Random(2).shuffle(order)
    for number, place in enumerate(order):
        struct.pack_into("<Q", directory, 8 * number, 0x1000000000000000 | place)
    entry = lambda n: order[n // 4096] * 64 * SECTOR + 8 * (n % 4096)
    for n, _, used in all_grains:
        if not used and n % 3:
            struct.pack_into("<Q", tables, entry(n), (n % 3) << 60)
    # Numbers past 4095, so that their low and high parts differ.
    for position, (n, _) in enumerate(stored):
        number = position + 4090
        struct.pack_into("<Q", tables, entry(n), 3 << 60 | (number & 0xfff) << 48 | number >> 12)
    at = 1
    regions = []
    for size in (1, 1, 1, len(directory) // SECTOR, len(tables) // SECTOR, 1, 1):
        regions += [at, size]
        at += size
    at = at + 7 & -8
    regions += [at, (4090 + len(stored)) * 8]
    header = struct.pack("<10Q", 0xcafebabe, 0x200000001, capacity, 8, 64, 0, 0, 0, 0, 0) + struct.pack("<16Q", *regions)
    with open(out, "wb") as disk:
        disk.write(header.ljust(SECTOR, b"\0"))
        disk.write(struct.pack("<4Q", 0xcafecafe, 0, 0, 0).ljust(SECTOR, b"\0"))
        disk.seek(regions[6] * SECTOR)
        disk.write(directory)
        disk.seek(regions[8] * SECTOR)
        disk.write(tables)
        disk.seek(at * SECTOR + 4090 * 4096)
        disk.write(b"".join(data for _, data in stored))


def unmarked(out, raw):
    size = 65536
    stored = [(n, padded(zlib.compress(data))) for n, data, used in grains(raw, size) if used]
    capacity = sum(1 for _ in grains(raw, SECTOR))
    count = -(-capacity // (512 * 128))
    descriptor = padded(text("ffffffff", "", ['RW %d SPARSE "%s"' % (capacity, out)]))
    base = 1 + len(descriptor) // SECTOR
    directory = padded(struct.pack("<%dI" % count, *(base + 1 + 4 * n for n in range(count))))
    tables = bytearray(2048 * count)
    at = base + 1 + 4 * count
    for n, data in stored:
        struct.pack_into("<I", tables, 4 * n, at)
        at += len(data) // SECTOR
    header = struct.pack("<4sIIQQQQIQQQB4sH", b"KDMV", 1, 0x10001, capacity, 128, 1, base - 1, 512, 0, base,
                         base + 1 + 4 * count, 0, b"\n \r\n", 1)
    with open(out, "wb") as disk:
        disk.write(header.ljust(SECTOR, b"\0") + descriptor + directory + bytes(tables))
        disk.write(b"".join(data for _, data in stored) + bytes(256 * SECTOR))


# What a disk of extents of one kind is called; qemu takes one of several by this name too.
TYPES = {"VMFSSPARSE": "vmfsSparse", "SESPARSE": "seSparse", "SPARSE": "streamOptimized"}


def text(parent, hint, lines):
    named = 'parentFileNameHint="%s"\n' % hint if hint else ""
    kinds = {line.split()[2] for line in lines}
    kind = TYPES[kinds.pop()] if len(kinds) == 1 else "twoGbMaxExtentSparse"
    return ('# Disk DescriptorFile\nversion=1\nCID=%08x\nparentCID=%s\n%screateType="%s"\n\n# Extent description\n%s\n\n'
            '# The Disk Data Base\n#DDB\n\nddb.virtualHWVersion = "4"\nddb.adapterType = "lsilogic"\n'
            % (random.Random(str(lines)).getrandbits(31), parent, named, kind, "\n".join(lines))).encode()


def main(action, path, *rest):
    if action == "cowd":
        cowd(path, rest[0], int(rest[1]))
    elif action == "sesparse":
        sesparse(path, rest[0])
    elif action == "unmarked":
        unmarked(path, rest[0])
    elif action == "describe":
        with open(path, "wb") as disk:
            disk.write(text(rest[0], rest[1], rest[2:]))
    elif action == "zap":
        with open(path, "r+b") as disk:
            disk.seek(int(rest[0]))
            disk.write(bytes(int(rest[1])))


main(*sys.argv[1:])
