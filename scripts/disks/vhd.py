"""Writes VHD files that no tool here makes (Microsoft's Virtual Hard Disk Image Format Specification): other block
sizes, differencing disks, older footers, other creators. `judge.py` has others read them.

vhd.py dynamic OUT RAW BLOCK            a dynamic disk with the content of RAW
vhd.py child OUT RAW BLOCK PARENT SEED  a differencing disk on PARENT; RAW is changed to what must be read
vhd.py creator FILE CREATOR             another creator in the footers
vhd.py old FILE                         a footer of 511 bytes
"""
import os, random, struct, sys

SECTOR = 512


def summed(data, field):
    data = bytearray(data)
    data[field:field + 4] = bytes(4)
    data[field:field + 4] = struct.pack(">I", ~sum(data) & 0xffffffff)
    return bytes(data)


def footer(size, kind, identity, header):
    data = struct.pack(">8sIIQI4sI4sQQHBBII16s", b"conectix", 2, 0x10000, header, 0, b"win ", 0x60001, b"Wi2k", size, size,
                       16, 4, 17, kind, 0, identity)
    return summed(data.ljust(SECTOR, b"\0"), 64)


def identity(path):
    with open(path, "rb") as disk:
        disk.seek(-SECTOR, 2)
        return disk.read(SECTOR)[68:84]


def write(out, size, block, sectors, parent=None):
    """`sectors`: what is stored, by sector number."""
    count = -(-size // block)
    bitmap = max(block // SECTOR // 8, 1) + SECTOR - 1 & -SECTOR
    name = bytes(16)
    locators, paths, table_at = b"", [], 1536
    if parent:
        name = identity(parent)
        spelled = os.path.basename(parent)
        for code, path in ((b"W2ku", "C:\\disks\\" + spelled), (b"W2ru", ".\\" + spelled)):
            path = path.encode("utf-16-le")
            locators += struct.pack(">4sIIIQ", code, SECTOR, len(path), 0, table_at)
            paths.append(path.ljust(SECTOR, b"\0"))
            table_at += SECTOR
    header = struct.pack(">8sQQIIII16sII", b"cxsparse", 2**64 - 1, table_at, 0x10000, count, block, 0, name, 0, 0)
    header += (os.path.basename(parent) if parent else "").encode("utf-16-be").ljust(512, b"\0")
    header = summed((header + locators).ljust(1024, b"\0"), 36)
    per = block // SECTOR
    stored = sorted({number // per for number in sectors})
    random.Random(count).shuffle(stored)
    table = [0xffffffff] * count
    at = table_at + 4 * count + SECTOR - 1 & -SECTOR
    for number in stored:
        table[number] = at // SECTOR
        at += bitmap + block
    end = footer(size, 4 if parent else 3, random.Random(out).randbytes(16), SECTOR)
    with open(out, "wb") as disk:
        disk.write(end + header + b"".join(paths) + struct.pack(">%dI" % count, *table))
        for number in stored:
            disk.seek(table[number] * SECTOR)
            bits = bytearray(bitmap)
            for within in range(per):
                if number * per + within in sectors:
                    bits[within // 8] |= 0x80 >> within % 8
            disk.write(bits)
            for within in range(per):
                # What a bitmap leaves out is not to be read, so it is not zeros.
                filler = b"\xa5" * SECTOR if parent else bytes(SECTOR)
                disk.write(sectors.get(number * per + within, filler))
        disk.seek(at)
        disk.write(end)


def content(path):
    with open(path, "rb") as disk:
        return disk.read()


def changes(raw, seed):
    """Sectors at random, alone and in runs; applied to the file and returned."""
    rng, data, sectors = random.Random(seed), bytearray(content(raw)), {}
    total = len(data) // SECTOR
    for _ in range(min(60, total // 50 + 2)):
        first = rng.randrange(total)
        length = min(rng.choice([1, 1, 2, 7, 8, 9, 64, 200]), total // 50 + 1)
        for number in range(first, min(first + length, total)):
            sectors[number] = rng.randbytes(SECTOR) if rng.random() < 0.8 else bytes(SECTOR)
            data[number * SECTOR:(number + 1) * SECTOR] = sectors[number]
    with open(raw, "wb") as disk:
        disk.write(data)
    return sectors


def main(action, path, *rest):
    if action == "dynamic":
        data = content(rest[0])
        sectors = {n: data[n * SECTOR:(n + 1) * SECTOR] for n in range(len(data) // SECTOR)}
        write(path, len(data), int(rest[1]), {n: sector for n, sector in sectors.items() if any(sector)})
    elif action == "child":
        sectors = changes(rest[0], int(rest[3]))
        write(path, os.path.getsize(rest[0]), int(rest[1]), sectors, rest[2])
    else:
        data = content(path)
        places = [len(data) - SECTOR] + ([0] if data.startswith(b"conectix") else [])
        for at in places:
            end = bytearray(data[at:at + SECTOR])
            if action == "creator":
                end[28:32] = rest[0].encode().ljust(4, b"\0")
            data = data[:at] + summed(end, 64) + data[at + SECTOR:]
        with open(path, "wb") as disk:
            disk.write(data[:-1] if action == "old" else data)


main(*sys.argv[1:])
