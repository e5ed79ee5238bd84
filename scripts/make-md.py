#!/usr/bin/env python3
"""make-md.py OUT_DIR [VARIANT…]: members of MD arrays, each OUT_DIR/VARIANT.N.img.zst, and OUT_DIR/truth.tsv.

mdadm makes arrays by the kernel's driver only, so the superblocks are written here from the format's description (kernel,
include/uapi/linux/raid/md_p.h) and mdadm --examine, which needs no driver, must find in each member what was meant, with
a correct checksum. The data is laid out from the words of md(4), device by device and row by row. With $MD_TEST_STRIPE,
the program test_stripe of mdadm's own source, the rows of RAID 4, 5 and 6 are read by mdadm, with all members and without one or two.

truth.tsv: variant, id of the array, its bytes, their SHA-256, members, and sets of missing members (`0,2;1`) of one or
two with which all of it can be read. Needs mdadm, zstd, e2fsprogs, sfdisk.
"""
import hashlib, itertools, os, pathlib, re, struct, subprocess, sys, tempfile

ALL_ONES = 2**64 - 1
SPARE, FAULTY, JOURNAL = 0xFFFF, 0xFFFE, 0xFFFD
LEVEL_NAMES = {-1: "linear", 0: "raid0", 1: "raid1", 4: "raid4", 5: "raid5", 6: "raid6", 10: "raid10"}
LAYOUT_NAMES = {
    0: "left-asymmetric", 1: "right-asymmetric", 2: "left-symmetric", 3: "right-symmetric", 4: "parity-first",
    5: "parity-last", 8: "ddf-zero-restart", 9: "ddf-N-restart", 10: "ddf-N-continue", 16: "left-asymmetric-6",
    17: "right-asymmetric-6", 18: "left-symmetric-6", 19: "right-symmetric-6", 20: "parity-first-6",
}
work = pathlib.Path(tempfile.mkdtemp())
out = pathlib.Path(sys.argv[1])


def lines(name, size):
    """Text in which each line tells where it belongs."""
    text = b"".join(b"%s %07d\n" % (name.encode(), number) for number in range(size // 10 + 1))
    return text[:size]


# Where data lies. A layout gives for each chunk of the array the places (member, offset) of its copies.

def striped(level, layout, disks, rows):
    """Rows of RAID 4, 5 and 6: (data members in the order of their chunks, P, Q, members in the order of Q's powers)."""
    six = level == 6
    for row in range(rows):
        q, order = None, None
        if level == 4 or (level == 5 and layout == 5):
            p = disks - 1
        elif level == 5:
            p = {0: disks - 1 - row % disks, 1: row % disks, 2: disks - 1 - row % disks, 3: row % disks, 4: 0}[layout]
        elif layout >= 16:
            q = disks - 1
            p = {16: q - 1 - row % q, 17: row % q, 18: q - 1 - row % q, 19: row % q, 20: 0}[layout]
        elif layout == 9:
            p = disks - 1 - (row + 1) % disks
        else:
            p = {0: disks - 1 - row % disks, 1: row % disks, 2: disks - 1 - row % disks, 3: row % disks, 4: 0,
                 5: disks - 2, 8: row % disks, 10: disks - 1 - row % disks}[layout]
        if six and q is None:
            q = (p - 1) % disks if layout == 10 else (p + 1) % disks
        free = [disk for disk in range(disks) if disk not in (p, q)]
        data = free
        if layout in (2, 3, 10, 18, 19) and level != 4:
            # Symmetric: data goes on behind the parity.
            begin = q if six and layout in (2, 3) else p
            data = [disk for disk in free if disk > begin] + [disk for disk in free if disk < begin]
        if six:
            if layout in (8, 9, 10):
                order = [(disk, disk) for disk in free]
            else:
                behind = [disk for disk in free if disk > q] + [disk for disk in free if disk < q]
                order = [(disk, power) for power, disk in enumerate(behind)]
        yield data, p, q, order


def power_of_two(exponent):
    value = 1
    for _ in range(exponent % 255):
        value = value << 1 ^ (0x11D if value & 0x80 else 0)
    return value


def times(factor):
    table = bytearray(256)
    for byte in range(256):
        product, a, b = 0, byte, factor
        while b:
            product ^= a if b & 1 else 0
            a = a << 1 ^ (0x11D if a & 0x80 else 0)
            b >>= 1
        table[byte] = product
    return bytes(table)


def xor(*blocks):
    return b"".join([]) if not blocks else int.to_bytes(
        __import__("functools").reduce(lambda a, b: a ^ b, (int.from_bytes(block, "big") for block in blocks)),
        len(blocks[0]), "big")


def copies(layout, disks, size, chunk):
    """RAID 10 as md(4) tells it: {(member, row): chunk}, and how many chunks there are."""
    near, far, offset, sets = layout & 255, layout >> 8 & 255, layout >> 16 & 1, layout >> 17
    rows = size // chunk
    group = disks // far if sets == 1 else near * far if sets == 2 else disks
    count = rows // far * disks // near
    used = -(-(count * near * far) // disks)
    section = used // far
    held = {}
    for slot in range(count * near):
        member, row = slot % disks, slot // disks
        for copy in range(far):
            place = row * far + copy if offset else row + copy * section
            first = member // group * group
            # Members that are too few for a group of their own join the last one.
            length = group
            if disks % group and member >= (disks // group - 1) * group:
                first, length = (disks // group - 1) * group, group + disks % group
            held[first + (member - first + copy * near) % length, place] = slot // near
    return held, count


class Array:
    def __init__(self, name, version, level, layout=0, chunk=64, disks=3, size=256, sizes=None, title=None, **extra):
        self.name, self.version, self.level, self.layout, self.chunk = name, version, level, layout, chunk << 10
        self.sizes = [kib << 10 for kib in sizes] if sizes else [size << 10] * disks
        self.disks = len(self.sizes)
        self.size = min(self.sizes)
        self.title = "box:%s" % (title or name)
        self.extra = extra
        self.uuid = hashlib.sha256(name.encode()).digest()[:16]
        self.content = extra.get("content")
        whole = lambda bytes: bytes // self.chunk * self.chunk
        self.lethal = lambda lost: True
        if level == -1:
            self.capacity = sum(whole(size) for size in self.sizes)
        elif level == 0:
            self.capacity = sum(whole(size) for size in self.sizes)
        elif level == 1:
            self.capacity = self.size
            self.lethal = lambda lost: len(lost) >= disks
        elif level in (4, 5, 6):
            parity = 2 if level == 6 else 1
            self.capacity = whole(self.size) * (disks - parity)
            self.lethal = lambda lost: len(lost) > parity
        else:
            self.held, count = copies(layout, disks, self.size, self.chunk)
            self.capacity = count * self.chunk
            owners = {}
            for (member, _), number in self.held.items():
                owners.setdefault(number, set()).add(member)
            self.lethal = lambda lost: any(members <= set(lost) for members in owners.values())

    def data(self):
        return self.content or lines(self.name, self.capacity)

    def spread(self):
        """The data areas of the members."""
        data = self.data().ljust(self.capacity, b"\0")
        areas = [bytearray(size) for size in self.sizes]
        chunk = self.chunk
        if self.level == 1:
            return [bytearray(data) for _ in areas]
        if self.level == -1:
            at = 0
            for area in areas:
                length = len(area) // chunk * chunk
                area[:length] = data[at:at + length]
                at += length
            return areas
        if self.level == 0:
            at, row = 0, 0
            while at < len(data):
                members = [number for number, size in enumerate(self.sizes) if size // chunk > row]
                longer = min(self.sizes[number] // chunk for number in members)
                zone = at // chunk
                for number in range((longer - row) * len(members)):
                    turn = zone + number if self.layout == 1 else number
                    place = (row + number // len(members)) * chunk
                    areas[members[turn % len(members)]][place:place + chunk] = data[at:at + chunk]
                    at += chunk
                row = longer
            return areas
        if self.level in (4, 5, 6):
            at = 0
            for row, (members, p, q, order) in enumerate(striped(self.level, self.layout, self.disks, self.size // chunk)):
                place = slice(row * chunk, row * chunk + chunk)
                for member in members:
                    areas[member][place] = data[at:at + chunk]
                    at += chunk
                areas[p][place] = xor(*(areas[member][place] for member in members))
                if q is not None:
                    areas[q][place] = xor(*(areas[member][place].translate(times(power_of_two(power))) for member, power in order))
            return areas
        for (member, row), number in self.held.items():
            areas[member][row * chunk:row * chunk + chunk] = data[number * chunk:number * chunk + chunk]
        return areas

    def members(self):
        areas = self.spread()
        for hurt, pieces in self.extra.get("hurt", {}).items():
            for at, length in pieces:
                areas[hurt][at:at + length] = b"\xdb" * length
        if self.extra.get("spare"):
            areas.append(bytearray(self.size))
        if self.extra.get("journal"):
            areas.append(bytearray(self.size))
        for other, replaced in self.extra.get("replacing", {}).items():
            done = self.extra["recovered"][other]
            areas.append(areas[replaced][:done] + b"\xdb" * (self.size - done))
        make = self.old if self.version == "0.90" else self.one
        return [make(number, bytes(area)) for number, area in enumerate(areas)]

    def roles(self, number):
        roles = list(range(self.disks))
        if self.extra.get("spare"):
            roles.append(SPARE)
        if self.extra.get("journal"):
            roles.append(JOURNAL)
        for other, replaced in self.extra.get("replacing", {}).items():
            roles[other:] = [replaced]
        for failed in self.extra.get("failed", ()):
            # One that failed does not learn it.
            if number != failed:
                roles[failed] = FAULTY
        return roles

    def one(self, number, area):
        extra = self.extra
        roles = self.roles(number)
        recovered = extra.get("recovered", {}).get(number)
        bad = extra.get("bad", {}).get(number)
        data = 0 if self.version == "1.0" else 64
        sectors = data + len(area) // 512
        if self.version == "1.0":
            # Room for the list of bad blocks before the superblock.
            sectors += 64
            at = (sectors - 16) & ~7
        else:
            at = {"1.1": 0, "1.2": 8}[self.version]
        size = 0 if self.level in (-1, 0) else len(area) // 512
        features = extra.get("features", 0)
        features |= 2 if recovered is not None else 0
        features |= 16 if number in extra.get("replacing", {}) else 0
        features |= 8 if bad else 0
        features |= 4096 if self.level == 0 and self.layout else 0
        features |= 512 if extra.get("journal") else 0
        list_at = -16 if self.version == "1.0" else 16
        events = extra.get("events", {}).get(number, 20)
        block = bytearray(struct.pack(
            "<IIII16s32sQIIQIIiIQIIIIQQQQII16sBBHiQQQII32x",
            0xA92B4EFC, 1, features, 0, self.uuid, self.title.encode(), 1_700_000_000, self.level & 0xFFFFFFFF,
            self.layout, size, self.chunk // 512, self.disks, 0, 0, extra.get("position", 0), 0, 0, 0, 0, data,
            len(area) // 512, at, 0 if recovered is None else recovered // 512, number, 0,
            hashlib.sha256(b"%d" % number).digest()[:16], 0, 0, 8, list_at, 1_700_000_100 + events, events,
            0 if extra.get("dirty") else ALL_ONES, 0, len(roles)))
        block += struct.pack("<%dH" % len(roles), *roles)
        padded = bytes(block) + bytes(-len(block) % 4)
        total = sum(struct.unpack("<%dI" % (len(padded) // 4), padded))
        struct.pack_into("<I", block, 216, (total & 0xFFFFFFFF) + (total >> 32) & 0xFFFFFFFF)
        image = bytearray(sectors * 512)
        image[data * 512:data * 512 + len(area)] = area
        image[at * 512:at * 512 + len(block)] = block
        if bad:
            entries = b"".join(struct.pack("<Q", data + start // 512 << 10 | length // 512) for start, length in bad)
            place = (at + list_at) * 512
            image[place:place + 4096] = entries.ljust(4096, b"\xff")
        return bytes(image)

    def old(self, number, area):
        order = ">" if self.extra.get("big") else "<"
        words = [0] * 1024
        uuid = struct.unpack(">4I", self.uuid)
        events = self.extra.get("events", {}).get(number, 20)
        at = (len(area) + 0xFFFF) & ~0xFFFF
        words[0:16] = [0xA92B4EFC, 0, 90, 0, 0, uuid[0], 1_700_000_000, self.level & 0xFFFFFFFF, self.size >> 10,
                       self.disks, self.disks, self.extra.get("minor", 7), 0, *uuid[1:]]
        words[32:38] = [1_700_000_100 + events, 0 if self.extra.get("dirty") else 1, self.disks, self.disks, 0, 0]
        words[39:41] = [0, events] if order == ">" else [events, 0]
        words[64:66] = [self.layout, self.chunk]
        for disk in range(self.disks):
            words[128 + disk * 32:133 + disk * 32] = [disk, 8, 16 * disk, disk, 6]
        words[992:997] = [number, 8, 16 * number, number, 6]
        total = sum(words)
        words[38] = (total & 0xFFFFFFFF) + (total >> 32) & 0xFFFFFFFF
        return bytes(area).ljust(at, b"\0") + struct.pack(order + "1024I", *words).ljust(0x10000, b"\0")

    def judge(self, number, path):
        """What mdadm says of a member is what was meant."""
        command = ["mdadm", "--examine", path] if not self.extra.get("big") else ["mdadm", "--examine", "-e", "0.swap", path]
        run = subprocess.run(command, capture_output=True, text=True)
        said = dict(re.findall(r"^ *([^:\n]+?) : (.*)$", run.stdout, re.M))
        role = (self.roles(number) + [None] * 4)[number]
        uuid = ":".join(self.uuid[at:at + 4].hex() for at in range(0, 16, 4))
        wanted = {"Raid Level": LEVEL_NAMES[self.level], "Raid Devices": str(self.disks)}
        if self.version == "0.90":
            wanted |= {"Version": "0.90.00" if not self.extra.get("big") else said["Version"], "UUID": uuid}
        else:
            wanted |= {"Array UUID": uuid, "Name": self.title, "Device Role": "Active device %s" % role}
            if role in (SPARE, JOURNAL):
                wanted["Device Role"] = {SPARE: "spare", JOURNAL: "Journal"}[role]
            elif number in self.extra.get("replacing", {}):
                wanted["Device Role"] = "Replacement device %s" % role
        if self.level in (5, 6):
            wanted["Layout"] = LAYOUT_NAMES[self.layout]
        if self.level == 0 and self.layout:
            wanted["Layout"] = {1: "original", 2: "alternate"}[self.layout]
        if self.level == 10:
            words = {"near": self.layout & 255, "far" if not self.layout >> 16 & 1 else "offset": self.layout >> 8 & 255}
            wanted["Layout"] = ", ".join("%s=%d" % word for word in words.items() if word[1] > 1)
        if self.level in (0, 4, 5, 6, 10):
            wanted["Chunk Size"] = "%dK" % (self.chunk >> 10)
        wrong = {key: (value, said.get(key)) for key, value in wanted.items() if (said.get(key) or "").split(" (")[0].strip() != value}
        if "correct" not in said.get("Checksum", "") or "expected" in said.get("Checksum", ""):
            wrong["Checksum"] = said.get("Checksum")
        if wrong:
            sys.exit("%s, member %d: %s\n%s%s" % (self.name, number, wrong, run.stdout, run.stderr))

    def judge_rows(self):
        """mdadm's own reader of rows, which it has for reshaping, reads the same, whichever member it lacks."""
        program = os.environ.get("MD_TEST_STRIPE")
        if not program or self.level not in (4, 5, 6):
            return
        data = self.data().ljust(self.capacity, b"\0")
        shape = [str(self.disks), str(self.chunk), str(self.level), str(self.layout), "0", str(self.capacity)]
        for count in range(3 if self.level == 6 else 2):
            for lost in itertools.combinations(range(self.disks), count):
                paths = []
                for number, area in enumerate(self.spread()):
                    paths.append(work / ("rows.%d" % number))
                    paths[-1].write_bytes(b"" if number in lost else bytes(area))
                back = work / "back"
                back.write_bytes(b"")
                subprocess.run([program, "save", back, *shape, *paths], check=True, capture_output=True)
                if back.read_bytes() != data:
                    sys.exit("%s: mdadm reads otherwise without %s" % (self.name, lost))


def node(size):
    """An ext4 with what makes a machine, which fstab mounts from /dev/md0."""
    root = work / "root"
    for name, text in {"etc/os-release": "ID=debian\nVERSION_ID=\"12\"\nPRETTY_NAME=\"Debian of an array\"\n",
                       "etc/fstab": "/dev/md0 / ext4 defaults 0 1\n", "etc/hostname": "md-node\n",
                       "var/lib/state": "here\n", "usr/lines": lines("node", 60_000).decode()}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    image = work / "node.ext4"
    subprocess.run(["mke2fs", "-q", "-F", "-t", "ext4", "-O", "^has_journal", "-b", "1024", "-d", root, image,
                    "%dk" % (size >> 10)], check=True)
    return image.read_bytes()


def parted(size):
    """A GPT with two partitions of lines."""
    image = work / "parted.img"
    image.write_bytes(bytes(size))
    table = "label: gpt\nfirst-lba: 64\nstart=64, size=128\nstart=192, size=256\n"
    subprocess.run(["sfdisk", "-q", "--no-reread", image], input=table, text=True, check=True)
    data = bytearray(image.read_bytes())
    data[64 * 512:80 * 512] = lines("p1", 16 * 512)
    data[192 * 512:224 * 512] = lines("p2", 32 * 512)
    return bytes(data)


def variants():
    yield Array("linear", "1.2", -1, sizes=[100, 260, 72], chunk=4)
    yield Array("linear-old", "0.90", -1, sizes=[128, 256, 64], minor=3)
    yield Array("raid0", "1.2", 0, chunk=16, layout=2)
    yield Array("raid0-end", "1.0", 0, chunk=4)
    yield Array("raid0-old", "0.90", 0, chunk=8)
    yield Array("raid0-zones-original", "1.2", 0, layout=1, chunk=4, sizes=[84, 52, 128, 84])
    yield Array("raid0-zones-alternate", "1.2", 0, layout=2, chunk=4, sizes=[84, 52, 128, 84])
    yield Array("raid0-zones-unknown", "1.1", 0, layout=0, chunk=4, sizes=[84, 52, 128, 84])
    for version in ("1.0", "1.1", "1.2", "0.90"):
        yield Array("raid1-" + version, version, 1, disks=2, chunk=4)
    yield Array("raid1-big", "0.90", 1, disks=3, big=True, chunk=4)
    yield Array("raid4", "1.2", 4, disks=4, chunk=8)
    for layout, version in ((0, "1.0"), (1, "1.1"), (2, "1.2"), (3, "0.90"), (4, "1.2"), (5, "1.2")):
        yield Array("raid5-%d" % layout, version, 5, layout=layout, disks=4, chunk=16)
    for layout in (0, 1, 2, 3, 4, 5, 8, 9, 10, 16, 17, 18, 19, 20):
        yield Array("raid6-%d" % layout, ("1.0", "1.1", "1.2", "0.90")[layout % 4], 6, layout=layout, disks=5, chunk=8,
                    size=64)
    for layout, disks in ((0x102, 4), (0x102, 3), (0x103, 4), (0x201, 3), (0x201, 4), (0x20201, 4), (0x40201, 4),
                          (0x40201, 5), (0x10201, 3), (0x10201, 4), (0x202, 4), (0x301, 4), (0x10301, 5)):
        yield Array("raid10-%x-%d" % (layout, disks), "1.2", 10, layout=layout, disks=disks, chunk=4, size=64)
    yield Array("raid10-old", "0.90", 10, layout=0x102, disks=4, chunk=8, size=128)
    # States.
    yield Array("stale", "1.2", 1, disks=3, chunk=4, events={1: 17}, hurt={1: [(0, 8192)]}, failed=(1,))
    yield Array("one-behind", "1.2", 5, layout=2, disks=3, chunk=16, events={1: 19})
    yield Array("failed", "1.2", 5, layout=2, disks=3, chunk=16, failed=(1,), hurt={1: [(0, 8192)]})
    yield Array("bad-blocks", "1.2", 5, layout=2, disks=3, chunk=16, bad={1: [(8192, 4096), (65536, 1024)], 2: [(20480, 512)]},
                hurt={1: [(8192, 4096), (65536, 1024)], 2: [(20480, 512)]})
    yield Array("bad-blocks-end", "1.0", 1, disks=2, chunk=4, bad={0: [(0, 1024)]}, hurt={0: [(0, 1024)]})
    yield Array("recovering", "1.1", 6, layout=2, disks=5, chunk=16, recovered={3: 65536}, hurt={3: [(65536, 131072)]})
    yield Array("spare", "1.2", 5, layout=2, disks=3, chunk=16, spare=True)
    yield Array("replacing", "1.2", 5, layout=2, disks=3, chunk=16, replacing={3: 1}, recovered={3: 65536})
    yield Array("journal", "1.2", 5, layout=2, disks=3, chunk=16, journal=True)
    yield Array("ppl", "1.2", 5, layout=2, disks=3, chunk=16, features=1024, dirty=True)
    yield Array("reshape", "1.2", 5, layout=2, disks=3, chunk=16, features=4, position=1024)
    yield Array("unknown", "1.2", 5, layout=2, disks=3, chunk=16, features=1 << 20)
    # Content.
    size = 3 * 256 << 10
    yield Array("node", "1.2", 5, layout=2, disks=4, chunk=64, title="0", content=node(size))
    yield Array("parted", "1.2", 0, chunk=4, disks=2, size=256, layout=2, content=parted(512 << 10))
    yield Array("parted-end", "1.0", 1, chunk=4, disks=2, size=512, content=parted(512 << 10))
    outer = Array("over", "1.2", 0, chunk=4, disks=2, size=128, layout=2)
    outer.inner = [Array("under%d" % number, "1.2", 1, chunk=4, disks=2, size=160, content=image)
                   for number, image in enumerate(outer.members())]
    yield outer


def main():
    out.mkdir(parents=True, exist_ok=True)
    asked = sys.argv[2:]
    truth = []
    for array in variants():
        if asked and array.name not in asked:
            continue
        members = array.members()
        paths = []
        for number, image in enumerate(members):
            path = work / ("%s.%d.img" % (array.name, number))
            path.write_bytes(image)
            array.judge(number, path)
            paths.append(path)
        array.judge_rows()
        inner = getattr(array, "inner", None)
        if inner:
            paths = []
            for number, image in enumerate(image for one in inner for image in one.members()):
                path = work / ("%s.%d.img" % (array.name, number))
                path.write_bytes(image)
                inner[number // 2].judge(number % 2, path)
                paths.append(path)
        for path in paths:
            subprocess.run(["zstd", "-q", "-f", "-19", path, "-o", out / (path.name + ".zst")], check=True)
        data = array.data().ljust(array.capacity, b"\0")
        lost = [",".join(map(str, some)) for count in (1, 2) for some in itertools.combinations(range(array.disks), count)
                if not array.lethal(some)]
        name = "md/%s" % (array.extra.get("minor", 7) if array.version == "0.90" else array.title.split(":")[1])
        truth.append((array.name, name, len(data), hashlib.sha256(data).hexdigest(), len(paths), ";".join(lost)))
    with open(out / "truth.tsv", "w") as file:
        for row in truth:
            print(*row, sep="\t", file=file)
    print("%d variants" % len(truth))


main()
