#!/usr/bin/env python3
"""make-thin.py OUT_DIR: metadata of thin pools and of caches, made by thin_restore and cache_restore from random maps, and
beside it a table of what thin_dump and cache_dump say is in it. `make-thin.py OUT_DIR FILE…` makes the tables alone, of
metadata that a kernel wrote. With LARGE=1 there are large ones too. Needs thin-provisioning-tools, zstd."""
import os, random, subprocess, sys
from xml.etree import ElementTree

out = sys.argv[1]
os.makedirs(out, exist_ok=True)
random.seed(26)


def run(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout


def thin_table(name, metadata):
    """A run of mapped blocks a line: device, block, block of data, count; a device without any has a line of its own."""
    with open(f"{out}/{name}.tsv", "w") as table:
        for device in ElementTree.fromstring(run("thin_dump", metadata)).iter("device"):
            print(device.get("dev_id"), file=table)
            for one in device:
                first = one.get("origin_begin", one.get("origin_block"))
                data = one.get("data_begin", one.get("data_block"))
                print(device.get("dev_id"), first, data, one.get("length", "1"), sep="\t", file=table)


def restore(tool, name, xml, mebibytes):
    path = f"{out}/{name}"
    with open(path + ".xml", "w") as file:
        file.write(xml)
    with open(path + ".img", "wb") as file:
        file.truncate(mebibytes << 20)
    run(tool, "-i", path + ".xml", "-o", path + ".img")
    os.unlink(path + ".xml")
    return path + ".img"


def pack(path):
    run("zstd", "-q", "-f", "-19", "--rm", path)


def pack_table(name):
    pack(f"{out}/{name}.tsv")


def pool(name, devices, chunks, mebibytes):
    lines = [f'<superblock uuid="" time="3" transaction="7" data_block_size="128" nr_data_blocks="{chunks}">']
    for device, runs in sorted(devices.items()):
        count = sum(length for _, _, length in runs)
        lines.append(f'<device dev_id="{device}" mapped_blocks="{count}" transaction="1" creation_time="1" snap_time="2">')
        for first, data, length in sorted(runs):
            time = random.randrange(4)
            if length == 1:
                lines.append(f'<single_mapping origin_block="{first}" data_block="{data}" time="{time}"/>')
            else:
                lines.append(f'<range_mapping origin_begin="{first}" data_begin="{data}" length="{length}" time="{time}"/>')
        lines.append("</device>")
    lines.append("</superblock>")
    path = restore("thin_restore", name, "\n".join(lines), mebibytes)
    thin_table(name, path)
    pack_table(name)
    pack(path)


def runs(count, blocks, free, longest=1):
    """Runs that overlap nowhere, at random places."""
    places = random.sample(range(blocks // (longest + 1)), count)
    taken = [(place * (longest + 1), random.randint(1, longest)) for place in places]
    return [(first, free.pop(length), length) for first, length in taken]


class Free:
    def __init__(self, chunks):
        self.order = list(range(0, chunks, 64))
        random.shuffle(self.order)
        self.at, self.used = self.order.pop(), 0

    def pop(self, length):
        if self.used + length > 64:
            self.at, self.used = self.order.pop(), 0
        self.used += length
        return self.at + self.used - length


def cache(name, blocks, count, version, clean, mebibytes):
    cached = random.sample(range(blocks), count)
    origin = random.sample(range(blocks * 10), count)
    table = []
    lines = [f'<superblock uuid="" block_size="128" nr_cache_blocks="{blocks}" policy="smq" hint_width="4">', "<mappings>"]
    for one, other in sorted(zip(cached, origin)):
        dirty = "true" if random.random() < 0.4 else "false"
        table.append((str(one), str(other), dirty))
        lines.append(f'<mapping cache_block="{one}" origin_block="{other}" dirty="{dirty}"/>')
    lines += ["</mappings>", "<hints>", "</hints>", "</superblock>"]
    path = f"{out}/{name}"
    with open(path + ".xml", "w") as file:
        file.write("\n".join(lines))
    with open(path + ".img", "wb") as file:
        file.truncate(mebibytes << 20)
    run("cache_restore", "--metadata-version", str(version), *([] if clean else ["--omit-clean-shutdown"]),
        "-i", path + ".xml", "-o", path + ".img")
    os.unlink(path + ".xml")
    found = ElementTree.fromstring(run("cache_dump", path + ".img")).iter("mapping")
    found = [(one.get("cache_block"), one.get("origin_block"), one.get("dirty")) for one in found]
    # cache_dump does not look at the dirty bits of version 2; the kernel's own are in make-lvm-kernel.sh's disks.
    assert [one[:2 if version == 2 else 3] for one in found] == [one[:2 if version == 2 else 3] for one in table]
    with open(f"{out}/{name}.tsv", "w") as file:
        file.writelines("\t".join(one) + "\n" for one in table)
    pack_table(name)
    pack(path + ".img")


if len(sys.argv) > 2:
    for path in sys.argv[2:]:
        name = os.path.basename(path).removesuffix(".img")
        thin_table(name, path)
        pack_table(name)
    sys.exit()

free = Free(1 << 20)
shared = runs(500, 1 << 17, free, 9)
devices = {0: shared, 5: [run for run in shared if random.random() < 0.9], (1 << 24) - 1: [], 1000: runs(50, 1 << 40, free)}
pool("thin-small", devices, 1 << 20, 2)
if os.environ.get("LARGE"):
    free = Free(1 << 24)
    pool("thin-large", {device: runs(100000, 1 << 22, free, 7) for device in range(1, 6)}, 1 << 24, 96)
    cache("cache-large", 1 << 20, 900000, 2, True, 64)
cache("cache-1", 3000, 1200, 1, True, 4)
cache("cache-2", 3000, 1200, 2, True, 4)
cache("cache-2-used", 3000, 1200, 2, False, 4)
