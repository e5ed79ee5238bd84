"""Writes what no tool here makes of a VHDX ([MS-VHDX]): differencing disks, 4096-byte sectors, logs that were not
replayed. `qemu-img check -r all` on a copy is the judge of the logs; `judge.py` has others read the rest.

vhdx.py new OUT RAW BLOCK SECTOR          a dynamic disk with the content of RAW
vhdx.py child OUT RAW BLOCK SECTOR PARENT SEED   a differencing disk on PARENT; RAW is changed to what must be read
vhdx.py dirty FILE KIND                   moves what a log could hold into it, and damages its place: BAT entries
                                          (plain), in many entries round the end of the log (wrapped), with older
                                          sequences and torn entries about (torn), with a changed payload (payload)
"""
import os, random, struct, sys, uuid

MIB = 1 << 20
CRC = [0] * 256
for n in range(256):
    value = n
    for _ in range(8):
        value = value >> 1 ^ (0x82f63b78 if value & 1 else 0)
    CRC[n] = value

GUID = lambda text: uuid.UUID(text).bytes_le
BAT, METADATA = GUID("2dc27766-f623-4200-9d64-115e9bfd4a08"), GUID("8b7ca206-4790-4b9a-b8fe-575f050f886e")
ITEMS = {
    "parameters": GUID("caa16737-fa36-4d43-b3b6-33f0aa44e76b"), "size": GUID("2fa54224-cd1b-4876-b211-5dbed83bf4b8"),
    "identity": GUID("beca12ab-b2e6-4523-93ef-c309e000c746"), "logical": GUID("8141bf1d-a96f-4709-ba47-f233a8faab5f"),
    "physical": GUID("cda348c7-445d-4471-9cc9-e9885251c556"), "parent": GUID("a8d35f2d-b30b-454d-abf7-d3d84834ab0c"),
}
LOCATOR = GUID("b04aefb7-d19e-4a81-b789-25b8e9445913")


def crc32c(data):
    value = 0xffffffff
    for byte in data:
        value = value >> 8 ^ CRC[(value ^ byte) & 255]
    return value ^ 0xffffffff


def summed(data):
    data = bytearray(data)
    data[4:8] = bytes(4)
    data[4:8] = struct.pack("<I", crc32c(data))
    return bytes(data)


def header(sequence, data_write, log_guid=bytes(16), length=MIB, offset=MIB):
    data = struct.pack("<4sIQ16s16s16sHHIQ", b"head", 0, sequence, bytes(16), data_write, log_guid, 0, 1, length, offset)
    return summed(data.ljust(4096, b"\0"))


def current(disk):
    """Offset, sequence number, data write GUID, log GUID, log length and offset of the current header."""
    found = []
    for at in (65536, 131072):
        disk.seek(at)
        _, _, sequence, _, data, log, _, _, length, offset = struct.unpack("<4sIQ16s16s16sHHIQ", disk.read(80))
        found.append((sequence, at, data, log, length, offset))
    sequence, at, data, log, length, offset = max(found)
    return at, sequence, data, log, length, offset


def locator(parent):
    with open(parent, "rb") as disk:
        identity = uuid.UUID(bytes_le=current(disk)[2])
    pairs = [("parent_linkage", "{%s}" % identity), ("relative_path", ".\\" + os.path.basename(parent)),
             ("absolute_win32_path", "C:\\disks\\" + os.path.basename(parent))]
    at, entries, strings = 20 + 12 * len(pairs), b"", b""
    for key, value in pairs:
        key, value = key.encode("utf-16-le"), value.encode("utf-16-le")
        entries += struct.pack("<IIHH", at + len(strings), at + len(strings) + len(key), len(key), len(value))
        strings += key + value
    return LOCATOR + struct.pack("<HH", 0, len(pairs)) + entries + strings


def write(out, size, block, sector, stored, parent=None):
    """`stored`: sectors by number."""
    rng = random.Random(out)
    blocks, ratio, per = -(-size // block), (sector << 23) // block, block // sector
    chunks = -(-blocks // ratio)
    count = chunks * (ratio + 1) if parent else blocks + (blocks - 1) // ratio
    bat_bytes = 8 * count + MIB - 1 & -MIB
    items = [("parameters", struct.pack("<II", block, 2 if parent else 0), 4), ("size", struct.pack("<Q", size), 6),
             ("identity", rng.randbytes(16), 6), ("logical", struct.pack("<I", sector), 6),
             ("physical", struct.pack("<I", 4096), 6)]
    if parent:
        items.append(("parent", locator(parent), 4))
    table = b"metadata" + struct.pack("<HH20x", 0, len(items))
    values, at = b"", 65536
    for name, value, flags in items:
        table += ITEMS[name] + struct.pack("<IIII", at + len(values), len(value), flags, 0)
        values += value
    regions = b"regi" + struct.pack("<III", 0, 2, 0)
    regions += BAT + struct.pack("<QII", 3 * MIB, bat_bytes, 1) + METADATA + struct.pack("<QII", 2 * MIB, MIB, 1)
    regions = summed(regions.ljust(65536, b"\0"))
    bat, at = [0] * count, 3 * MIB + bat_bytes
    used = sorted({number // per for number in stored})
    rng.shuffle(used)
    places = {}
    for number in used:
        whole = not parent or all(n in stored for n in range(number * per, min((number + 1) * per, size // sector)))
        bat[number + number // ratio] = at | (6 if whole else 7)
        places[number] = at
        at += block
    bitmaps = {}
    for chunk in sorted({number // ratio for number in used}) if parent else ():
        bat[chunk * (ratio + 1) + ratio] = at | 6
        bitmaps[chunk] = at
        at += MIB
    data_write = rng.randbytes(16)
    with open(out, "wb") as disk:
        disk.write(b"vhdxfile" + "scripts/disks".encode("utf-16-le"))
        for place, data in ((65536, header(1, data_write)), (131072, header(2, data_write)), (196608, regions),
                            (262144, regions), (2 * MIB, table), (2 * MIB + 65536, values),
                            (3 * MIB, struct.pack("<%dQ" % count, *bat))):
            disk.seek(place)
            disk.write(data)
        disk.truncate(at)
        for number, place in places.items():
            disk.seek(place)
            # What a bitmap leaves out is not to be read, so it is not zeros.
            filler = (b"\xa5" if bat[number + number // ratio] & 7 == 7 else b"\0") * sector
            disk.write(b"".join(stored.get(n, filler) for n in range(number * per, (number + 1) * per)))
        for chunk, place in bitmaps.items():
            bits = bytearray(MIB)
            for number in stored:
                if number >> 23 == chunk:
                    bits[(number & 0x7fffff) // 8] |= 1 << number % 8
            disk.seek(place)
            disk.write(bits)


def read(path):
    with open(path, "rb") as disk:
        return disk.read()


def child(out, raw, block, sector, parent, seed):
    rng, data, stored = random.Random(seed), bytearray(read(raw)), {}
    total = len(data) // sector
    for _ in range(min(40, total // 50 + 2)):
        first = rng.randrange(total)
        length = min(rng.choice([1, 1, 2, 7, 8, 9, 64, 3000]), total // 6 if total > 2048 else 4)
        for number in range(first, min(first + length, total)):
            stored[number] = rng.randbytes(sector) if rng.random() < 0.8 else bytes(sector)
    # One block is whole.
    per = block // sector
    stored.update({n: rng.randbytes(sector) for n in range(per if total > per else 0)})
    for number, content in stored.items():
        data[number * sector:(number + 1) * sector] = content
    write(out, len(data), block, sector, stored, parent)
    with open(raw, "wb") as disk:
        disk.write(data)


def entry(guid, sequence, tail, changes, size):
    """A log entry of (file offset, 4096 bytes or a length of zeros)."""
    head = 64 + 32 * len(changes) + 4095 & -4096
    descriptors = sectors = b""
    for at, data in changes:
        if isinstance(data, int):
            descriptors += struct.pack("<4sIQQQ", b"zero", 0, data, at, sequence)
            continue
        descriptors += struct.pack("<4s4s8sQQ", b"desc", data[4092:], data[:8], at, sequence)
        sectors += struct.pack("<4sI", b"data", sequence >> 32) + data[8:4092] + struct.pack("<I", sequence & 0xffffffff)
    length = head + len(sectors)
    data = struct.pack("<4sIIIQII16sQQ", b"loge", 0, length, tail, sequence, len(changes), 0, guid, size, size)
    return summed((data + descriptors).ljust(head, b"\0") + sectors)


def put(disk, place, length, offset, data):
    for start in range(0, len(data), 4096):
        disk.seek(offset + (place + start) % length)
        disk.write(data[start:start + 4096])
    return (place + len(data)) % length


def dirty(path, kind):
    rng = random.Random(path + kind)
    with open(path, "r+b") as disk:
        at, sequence, data_write, _, length, offset = current(disk)
        disk.seek(0, 2)
        size = disk.tell()
        disk.seek(196608 + 16)
        regions = {}
        for _ in range(2):
            guid, place, region, _ = struct.unpack("<16sQII", disk.read(32))
            regions[guid] = (place, region)
        bat, bat_bytes = regions[BAT]
        # The pages of the BAT that say something, and a page of metadata.
        pages = []
        for place in [*range(bat, bat + bat_bytes, 4096), regions[METADATA][0]]:
            disk.seek(place)
            data = disk.read(4096)
            if any(data):
                pages.append((place, data))
        if kind == "payload":
            disk.seek(bat)
            first = next(e for e in struct.unpack("<512Q", disk.read(4096)) if e & 7 == 6) & -MIB
            for place in range(first, first + 20 * 4096, 4096):
                disk.seek(place)
                pages.append((place, disk.read(4096)))
        guid = rng.randbytes(16)
        # The first changes are wrong, and put right by later ones.
        steps = [[(place, 4096) for place, _ in pages]]
        steps += [[page] for page in pages] * (1 if kind == "plain" else 3)
        steps.append([(place, rng.randbytes(4096)) for place, _ in pages[:1]])
        steps.append(pages)
        number = (1 << 32) - 2 if kind == "wrapped" else 7
        start = length - 3 * 4096 if kind == "wrapped" else 0
        place = start
        if kind == "torn":
            # A whole sequence of smaller numbers that does nothing good, and an entry of another session.
            place = put(disk, place, length, offset, entry(guid, 3, 0, [(bat, 4096)], size))
            place = put(disk, place, length, offset, entry(rng.randbytes(16), 99, place, [(bat, 4096)], size))
            start = place
        for step in steps:
            place = put(disk, place, length, offset, entry(guid, number, start, step, size))
            number += 1
        if kind == "torn":
            # One more whose last sector did not reach the disk.
            torn = entry(guid, number, start, [(bat, rng.randbytes(4096)), (bat, rng.randbytes(4096))], size)
            place = put(disk, place, length, offset, torn[:-4096])
        for place, data in pages:
            disk.seek(place)
            disk.write(rng.randbytes(4096))
        other = 196608 - at
        disk.seek(other)
        disk.write(header(sequence + 1, data_write, guid, length, offset))


def main(action, path, *rest):
    if action == "new":
        raw, block, sector = rest[0], int(rest[1]), int(rest[2])
        data = read(raw)
        data += bytes(-len(data) % sector)
        parts = {n: data[n * sector:(n + 1) * sector] for n in range(len(data) // sector)}
        write(path, len(data), block, sector, {n: part for n, part in parts.items() if any(part)})
    elif action == "child":
        child(path, rest[0], int(rest[1]), int(rest[2]), rest[3], int(rest[4]))
    elif action == "dirty":
        dirty(path, rest[0])


main(*sys.argv[1:])
