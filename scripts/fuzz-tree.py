#!/usr/bin/env python3
"""fuzz-tree.py OUTPUT HOW PATH [DISK]: makes an input of the fuzz targets of stores (fuzz/src/tree.rs) of the directory PATH, of the
ext4 file system DISK (packed with zstd) if one is given. HOW is a byte that says how the node is set up. The largest files are cut."""
import os
import struct
import subprocess
import sys
import tempfile

LARGEST, ALL = 48 << 10, 700 << 10
# Where what is not the runtime's own lies: the contents of layers, of which some are enough.
FEW = 6


def entries(top):
    few = {}
    for folder, folders, names in sorted(os.walk(top)):
        folders.sort()
        for name in sorted(names + [each for each in folders if os.path.islink(os.path.join(folder, each))]):
            path = os.path.join(folder, name)
            place = os.path.relpath(path, top)
            parts = place.split("/")
            if "diff" in parts[:-1] or "fs" in parts[:-1]:
                layer = parts[1]
                few[layer] = few.get(layer, 0) + 1
                if few[layer] > FEW:
                    continue
            if os.path.islink(path):
                yield 1, place, os.readlink(path).encode(), 0
            elif os.path.isfile(path):
                data = open(path, "rb").read()
                yield 0, place, data[:LARGEST].rstrip(b"\0"), len(data) if len(data) < 1 << 19 else LARGEST
        if not names and not folders:
            yield 2, os.path.relpath(folder, top), b"", 0


def main():
    output, how, path = sys.argv[1:4]
    with tempfile.TemporaryDirectory() as work:
        top = path
        if len(sys.argv) > 4:
            disk = work + "/disk"
            subprocess.run(["zstd", "-dcqf", sys.argv[4], "-o", disk], check=True)
            os.mkdir(work + "/top")
            # It cannot make devices or give files away.
            subprocess.run(["debugfs", "-R", f"rdump {path} {work}/top", disk], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
            top = work + "/top/" + os.path.basename(path)
        with open(output, "wb") as file:
            file.write(bytes([int(how)]))
            for kind, place, data, size in sorted(entries(top), key=lambda entry: len(entry[2])):
                place = os.fsencode(place)
                if len(place) < 256 and file.tell() + len(data) < ALL:
                    file.write(struct.pack("<BBII", kind, len(place), len(data), size) + place + data)


main()
