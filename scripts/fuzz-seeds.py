#!/usr/bin/env python3
"""fuzz-seeds.py OUTPUT BYTES DISK…: makes an input of the fuzz targets (fuzz/src/sparse.rs) of one or several disks.

A disk is a file, packed with zstd if its name says so. What is not zeros becomes chunks; a byte that fills sectors becomes one
chunk of them. If that is more than BYTES, sectors that were there already are left out, and then what is behind."""
import struct, subprocess, sys

SECTOR, CHUNKS, LONGEST = 512, 65535, 65535


def content(path):
    if path.endswith(".zst"):
        return subprocess.run(["zstd", "-dcq", path], check=True, stdout=subprocess.PIPE).stdout
    with open(path, "rb") as file:
        return file.read()


def chunks(disk, seen):
    """(offset, bytes, sectors that a byte fills or None) of what is not zeros; each sector once if `seen` is a set."""
    parts = []
    for at in range(0, len(disk), SECTOR):
        sector = disk[at : at + SECTOR]
        if not sector.strip(b"\0"):
            continue
        if seen is not None:
            if sector in seen:
                continue
            seen.add(sector)
        if sector == sector[:1] * SECTOR:
            last = parts[-1] if parts else None
            if last and last[2] and last[1] == sector[:1] and last[0] + last[2] * SECTOR == at and last[2] < LONGEST:
                parts[-1] = (last[0], last[1], last[2] + 1)
            else:
                parts.append((at, sector[:1], 1))
            continue
        start = at + len(sector) - len(sector.lstrip(b"\0"))
        own = sector.strip(b"\0")
        last = parts[-1] if parts else None
        gap = start - last[0] - len(last[1]) if last and not last[2] else SECTOR
        if gap < 32 and len(last[1]) + gap + len(own) <= LONGEST:
            parts[-1] = (last[0], last[1] + bytes(gap) + own, None)
        else:
            parts.append((start, own, None))
    return parts


def packed(disks, once):
    rows, data, seen = [], [], set() if once else None
    for number, disk in enumerate(disks):
        for start, own, sectors in chunks(disk, seen):
            rows.append(struct.pack("<IHBB", start, sectors or len(own), number, 1 if sectors else 0))
            data.append(own)
        rows.append(struct.pack("<IHBB", len(disk), 0, number, 0))
        data.append(b"")
    return rows, data


def main():
    output, limit, disks = sys.argv[1], int(sys.argv[2]), [content(path) for path in sys.argv[3:]]
    rows, data = packed(disks, False)
    size = lambda: sum(map(len, rows)) + sum(map(len, data))
    if size() > limit or len(rows) > CHUNKS:
        rows, data = packed(disks, True)
    # The ends of the disks stay.
    order = sorted(range(len(rows)), key=lambda at: (bool(data[at]), at))
    left, kept = limit, set()
    for at in order[:CHUNKS]:
        left -= len(rows[at]) + len(data[at])
        if left < 0:
            print(f"{output}: more than {limit} bytes, the rest is left out", file=sys.stderr)
            break
        kept.add(at)
    kept = sorted(kept)
    with open(output, "wb") as file:
        file.write(struct.pack("<H", len(kept)) + b"".join(rows[at] for at in kept) + b"".join(data[at] for at in kept))


main()
