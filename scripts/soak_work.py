"""What soak.py draws at random: how file systems are made and mounted, and what is done in them."""
import ctypes, fcntl, mmap, os, shutil, stat, struct, subprocess, random

libc = ctypes.CDLL(None, use_errno=True)


def run(*words, check=True):
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    if check and done.returncode:
        raise RuntimeError("%s: %s" % (" ".join(words), done.stdout.strip()))
    return done.stdout


def clone(source, to):
    with open(source, "rb") as a, open(to, "wb") as b:
        fcntl.ioctl(b.fileno(), 0x40049409, a.fileno())


def set_features(image, features):
    """Incompatible features of XFS that this mkfs.xfs does not know are set on the empty file system."""
    with open(image, "r+b", buffering=0) as device:
        sector = bytearray(device.read(4096))
        sector[216:220] = (int.from_bytes(sector[216:220], "big") | features).to_bytes(4, "big")
        sector[224:228] = bytes(4)
        crc, size = 0xFFFFFFFF, int.from_bytes(sector[102:104], "big")
        for byte in sector[:size]:
            crc ^= byte
            for _ in range(8):
                crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
        sector[224:228] = (crc ^ 0xFFFFFFFF).to_bytes(4, "little")
        device.seek(0)
        device.write(sector)


class Options:
    """What a kind of file system can be made and mounted with, drawn at random."""

    def __init__(self, kind, r):
        self.r, self.devices, self.frozen, self.features, self.summed = r, 1, False, 0, True
        self.size, self.mkfs, self.mount = getattr(self, kind)()

    def some(self, chance, *choices):
        return [self.r.choice(choices)] if self.r.random() < chance else []

    def xfs(self):
        block = self.r.choice((1024, 1024, 2048, 4096, 4096, 4096))
        bits = lambda *names: ["%s=%d" % (n, self.r.random() < 0.6) for n in names]
        inode = self.r.choice([n for n in (512, 512, 1024, 2048) if n <= block // 2])
        words = ["-m", ",".join(bits("rmapbt", "reflink", "bigtime") + self.r.choice((["finobt=0,inobtcount=0"], bits("inobtcount"), []))), "-b", "size=%d" % block,
                 "-i", ",".join(["size=%d" % inode] + bits("sparse", "nrext64")),
                 "-n", "size=%d" % self.r.choice([n for n in (4096, 4096, 8192, 65536)]),
                 "-d", ",".join(["agcount=%d" % self.r.choice((1, 2, 3, 4 if block < 4096 else 1))] + self.some(0.2, "su=65536,sw=2", "su=16384,sw=4"))]
        log = self.some(0.8, "size=10m", "size=14m", "size=20m") + self.some(0.2, "su=%d" % max(block, 4096), "su=32768", "su=262144")
        words += (["-l", ",".join(log)] if log else []) + (self.some(0.3, "-ssize=4096") if block == 4096 else [])
        self.features = self.r.choice((0, 0, 0, 0x40, 0x80, 0xc0))
        options = self.some(0.5, "logbsize=16k", "logbsize=64k", "logbsize=256k") + self.some(0.3, "logbufs=2", "logbufs=8")
        options += self.some(0.15, "wsync") + self.some(0.3, "inode32", "largeio", "allocsize=64k", "filestreams", "discard")
        return self.r.choice((72, 120, 300)) << 20, ["mkfs.xfs", "-q", "-f", *words], options

    def ext4(self):
        block = self.r.choice((1024, 1024, 2048, 4096, 4096))
        kind = self.r.choice(("ext4",) * 9 + ("ext3", "ext2"))
        words = ["-b", str(block), "-I", str(self.r.choice([n for n in (128, 256, 256, 512, 1024) if n <= block]))]
        features = []
        if kind == "ext4":
            for name, chance in (("extents", 0.85), ("dir_index", 0.85), ("64bit", 0.6), ("metadata_csum", 0.7), ("inline_data", 0.4), ("flex_bg", 0.8),
                                 ("ea_inode", 0.5), ("orphan_file", 0.4), ("large_dir", 0.3), ("fast_commit", 0.4), ("huge_file", 0.8),
                                 ("extra_isize", 0.9), ("has_journal", 0.93), ("dir_nlink", 0.8), ("sparse_super", 0.9), ("quota", 0.2)):
                features.append(("" if self.r.random() < chance else "^") + name)
            if "metadata_csum" in features:
                features += self.some(0.5, "metadata_csum_seed")
            if self.r.random() < 0.3 and "extents" in features and "flex_bg" in features:
                features.append("bigalloc")
                words += ["-C", str(block * self.r.choice((2, 4, 16)))]
            features += ["^resize_inode"] if "^sparse_super" in features else self.some(0.3, "meta_bg,^resize_inode")
            words += ["-O", ",".join(features), "-E", "lazy_itable_init=%d" % self.r.randrange(2)]
        self.summed = "metadata_csum" in features
        options = []
        if kind == "ext2" or "^has_journal" in features:
            self.frozen = True  # at any other instant it is not consistent
        else:
            words += ["-J", "size=%d" % self.r.choice((block // 1024, block // 1024 * 2, 8))]
            options += self.some(0.6, "data=journal", "data=journal", "data=writeback", "data=ordered")
            options += self.some(0.3, "journal_checksum", "journal_async_commit") + self.some(0.3, "commit=1", "commit=2")
        options += self.some(0.2, "nodelalloc") + self.some(0.2, "noauto_da_alloc", "dioread_nolock", "discard", "nobarrier")
        return self.r.choice((32, 64, 160)) << 20, ["mke2fs", "-q", "-F", "-t", kind, *words], options

    def btrfs(self):
        self.devices = self.r.choice((1, 1, 1, 1, 2, 3, 4))
        profiles = {1: ("single", "dup"), 2: ("single", "raid0", "raid1"), 3: ("raid1c3", "raid5", "raid0", "raid1"),
                    4: ("raid10", "raid1c4", "raid6", "raid5", "raid1")}[self.devices]
        node, mixed, data = self.r.choice((4096, 8192, 16384, 16384, 16384, 65536)), self.r.random() < 0.1, self.r.choice(profiles)
        if mixed:
            node = 4096
        words = ["-n", str(node), "-s", "4096", "-d", data, "-m", data if mixed else self.r.choice(profiles), "--csum", self.r.choice(("crc32c", "xxhash", "sha256", "blake2"))]
        words += ["-M"] if mixed else []
        features = [("" if self.r.random() < 0.7 else "^") + n for n in ("no-holes", "extref", "skinny-metadata")]
        words += self.some(0.3, "-Rfree-space-tree", "-R^free-space-tree")
        options = self.some(0.5, *["%s=%s" % (a, b) for a in ("compress", "compress-force") for b in ("zlib", "lzo", "zstd")])
        options += self.some(0.2, "nodatacow", "nodatasum", "autodefrag") + self.some(0.3, "max_inline=0", "max_inline=2000", "flushoncommit")
        options.append("commit=%d" % (300 if self.devices > 1 else self.r.choice((1, 5, 300, 300))))
        return (160 if mixed else 256) << 20, ["mkfs.btrfs", "-q", "-f", "-O", ",".join(features), *words], options


class Work:
    """A process that changes the tree under `root` until it is killed."""

    def __init__(self, root, kind, seed):
        self.root, self.kind, self.r, self.held = root, kind, random.Random(seed), []
        self.dirs = [""] + ["d%d/" % i for i in range(6)] + ["d0/e/", "d1/e/f/g/", "d2/" + "x/" * 12]
        self.names = ["n%d" % i + "-long" * self.r.choice((0, 0, 1, 9, 45)) for i in range(14)] + ["é%d" % i for i in range(2)]
        common = ["write"] * 6 + ["append"] * 3 + ["unlink"] * 3 + ["rename"] * 4 + ["xattr"] * 4 + ["unxattr"] * 2 + ["fallocate"] * 3 + ["link"] * 3
        self.ops = common + ["truncate", "truncate", "symlink", "symlink", "mknod", "mkdir", "mkdir", "rmdir", "exchange", "mode", "owner", "times", "acl",
                             "orphan", "tmpfile", "map", "scatter", "many", "many", "fewer", "attributes", "sync_file", "sync_file", "sync_file", "sync_file", "sync_all"]
        self.ops += {"xfs": ["clone"] * 3 + ["swap"], "btrfs": ["clone"] * 2 + ["subvolume", "flags"], "ext4": ["flags"]}[kind]
        if self.r.random() < 0.5:  # a few kinds of changes reach what many hide, as a fast commit that nothing else ends
            self.ops = self.r.sample(sorted(set(self.ops)), 6) + ["write", "append", "rename", "unlink", "sync_file"]
        self.synced, self.many_names = self.r.choice((0.05, 0.3, 0.6)), self.r.choice((60, 300, 900))

    def run(self):
        for d in self.dirs[1:]:
            os.makedirs(self.root + d, exist_ok=True)
        while True:
            try:
                getattr(self, self.r.choice(self.ops))()
                if self.r.random() < self.synced:
                    self.sync_file()
            except OSError:
                pass
            if len(self.held) > 12 or self.r.random() < 0.01:
                while self.held:
                    os.close(self.held.pop())

    def at(self):
        return self.root + self.r.choice(self.dirs) + self.r.choice(self.names)

    def data(self):
        n = self.r.choice((1, 30, 100, 700, 4096, 5000, 20000, 70000, 300000))
        return self.r.choice((self.r.randbytes, lambda n: b"same" * (n // 4), lambda n: bytes(n)))(n)

    def opened(self, flags=os.O_RDWR | os.O_CREAT):
        self.held.append(os.open(self.at(), flags | (os.O_SYNC if self.r.random() < 0.03 else 0), 0o644))
        return self.held[-1]

    def offset(self):
        return self.r.choice((0, 0, self.r.randrange(1 << 16), self.r.randrange(1 << 21), self.r.randrange(256) << 12, self.r.randrange(1 << 25)))

    def write(self):
        os.pwrite(self.opened(), self.data(), self.offset())

    def append(self):
        fd = self.opened()
        os.pwrite(fd, self.data(), min(os.fstat(fd).st_size, 1 << 23))

    def truncate(self):
        os.truncate(self.at(), self.offset())

    def scatter(self):
        fd = self.opened()
        for _ in range(self.r.choice((30, 300, 900))):
            os.pwrite(fd, self.r.randbytes(self.r.choice((10, 1000, 4096))), self.r.randrange(1200) << 13)
        self.r.random() < 0.5 and os.fsync(fd)

    def map(self):
        fd = self.opened()
        os.ftruncate(fd, max(os.fstat(fd).st_size, 40000))
        with mmap.mmap(fd, 40000) as view:
            for _ in range(5):
                view[self.r.randrange(39000):][:1]
                at = self.r.randrange(39000)
                view[at:at + 100] = self.r.randbytes(100)

    def fallocate(self):
        mode = self.r.choice((0, 1, 3, 3, 8, 16, 17, 32, 0x40))  # keep size 1, punch 2, collapse 8, zero 16, insert 32, unshare 64
        libc.fallocate(self.opened(), mode, ctypes.c_long(self.r.randrange(128) << 12), ctypes.c_long(self.r.randrange(1, 64) << 12))

    def clone(self):
        source, to = self.opened(os.O_RDONLY), self.opened()
        if self.r.random() < 0.4:
            fcntl.ioctl(to, 0x40049409, source)
        else:
            block = lambda n: self.r.randrange(n) << 12
            fcntl.ioctl(to, 0x4020940D, struct.pack("<qQQQ", source, block(40), block(40) + 4096, block(200)))

    def swap(self):
        one, two = self.opened(), self.opened()
        length = self.r.randrange(1, 30) << 12
        fcntl.ioctl(one, 0x40285881, struct.pack("<iIQQQQ", two, 0, *self.r.choice(((0, 0, length, 0), (8192, 0, length, 0), (0, 0, 0, 1)))))

    def link(self):
        os.link(self.at(), self.at())

    def unlink(self):
        os.unlink(self.at())

    def rename(self):
        if self.r.random() < 0.2:
            a, b = (self.root + self.r.choice(self.dirs) + "sub%d" % self.r.randrange(4) for _ in range(2))
            return os.rename(a, b)
        os.rename(self.at(), self.at())

    def exchange(self):
        libc.renameat2(-100, os.fsencode(self.at()), -100, os.fsencode(self.at()), self.r.choice((1, 2, 4)))  # not replacing, exchanging, whiteout

    def symlink(self):
        os.symlink("t" * self.r.choice((1, 40, 59, 60, 61, 150, 400, 1000, 4000)), self.at())

    def mknod(self):
        os.mknod(self.at(), self.r.choice((stat.S_IFIFO, stat.S_IFSOCK, stat.S_IFCHR, stat.S_IFBLK)) | 0o640, os.makedev(self.r.randrange(4000), self.r.randrange(1 << 20)))

    def mkdir(self):
        os.mkdir(self.root + self.r.choice(self.dirs) + "sub%d" % self.r.randrange(4))

    def rmdir(self):
        shutil.rmtree(self.root + self.r.choice(self.dirs) + "sub%d" % self.r.randrange(4))

    def many(self):
        into = self.root + self.r.choice(self.dirs) + "sub%d/" % self.r.randrange(4)
        os.makedirs(into, exist_ok=True)
        for i in range(self.r.choice((10, 40, 150, self.many_names))):
            os.close(os.open(into + "m%d%s" % (i, "m" * (i * 7 % self.r.choice((3, 90, 230)))), os.O_CREAT | os.O_WRONLY))

    def fewer(self):
        into = self.root + self.r.choice(self.dirs) + "sub%d/" % self.r.randrange(4)
        for name in sorted(os.listdir(into)):
            if self.r.random() < 0.7 and not os.path.isdir(into + name):
                os.unlink(into + name)

    def xattr(self, at=None):
        size = self.r.choice((0, 1, 10, 60, 200, 900, 1900, 3000, 5000, 20000, 60000))
        name = self.r.choice(("user.%d", "trusted.%d", "security.%d", "user.longer-name-%d" + "n" * 90)) % self.r.randrange(40 if at else 6)
        if self.r.random() < 0.1:
            os.setxattr(at or self.at(), "security.capability", struct.pack("<IIIII", 0x02000001, 1 << self.r.randrange(20), 0, 0, 0))
        os.setxattr(at or self.at(), name, self.r.randbytes(size), follow_symlinks=False)

    def attributes(self):
        at = self.at()
        for _ in range(30):
            self.xattr(at)

    def unxattr(self):
        at = self.at()
        os.removexattr(at, self.r.choice(os.listxattr(at, follow_symlinks=False) or ["user.0"]), follow_symlinks=False)

    def acl(self):
        users = sorted(self.r.sample(range(1000, 100000), self.r.choice((1, 2, 30))))
        entries = [(1, 7, 0xFFFFFFFF)] + [(2, self.r.randrange(8), u) for u in users] + [(4, 5, 0xFFFFFFFF), (0x10, 7, 0xFFFFFFFF), (0x20, 4, 0xFFFFFFFF)]
        value = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *e) for e in entries)
        if self.r.random() < 0.5:
            return os.setxattr(self.root + self.r.choice(self.dirs), "system.posix_acl_default", value)
        os.setxattr(self.at(), "system.posix_acl_access", value)

    def mode(self):
        os.chmod(self.at(), self.r.randrange(0o10000))

    def owner(self):
        os.chown(self.at(), self.r.choice((0, 1000, 70000, 1 << 31)), self.r.randrange(100000), follow_symlinks=False)

    def times(self):
        os.utime(self.at(), ns=(0, self.r.randrange(-10**18 * 2, 10**18 * 4)), follow_symlinks=False)

    def flags(self):
        fcntl.ioctl(self.opened(), 0x40086602, struct.pack("l", self.r.choice((0, 0x80, 0x4000, 0x800000, 4, 8))))

    def subvolume(self):
        name = self.root + self.r.choice(("v0", "v1", "d3/v"))
        if os.path.exists(name) and self.r.random() < 0.3:
            run("btrfs", "subvolume", "delete", name, check=False)
        elif os.path.exists(name) or self.r.random() < 0.5:
            run("btrfs", "subvolume", "snapshot", self.r.choice((self.root, name, name)), name + "s%d" % self.r.randrange(2), check=False)
        else:
            run("btrfs", "subvolume", "create", name, check=False)
        self.dirs = [d for d in self.dirs if not d.startswith("v")] + [d + "/" for d in os.listdir(self.root) if d.startswith("v")]

    def orphan(self):
        os.ftruncate(self.opened(), self.r.randrange(100000))
        os.unlink(self.at())

    def tmpfile(self):
        self.held.append(os.open(self.root + self.r.choice(self.dirs), os.O_TMPFILE | os.O_RDWR, 0o600))
        os.write(self.held[-1], self.data())
        if self.r.random() < 0.5:
            libc.linkat(-100, b"/proc/self/fd/%d" % self.held[-1], -100, os.fsencode(self.at()), 0x400)

    def sync_file(self):
        fd = os.open(self.r.choice((self.at(), self.at(), self.root + self.r.choice(self.dirs))), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        (os.fdatasync if self.r.random() < 0.3 else os.fsync)(fd)
        os.close(fd)

    def sync_all(self):
        self.r.random() < 0.3 and libc.syncfs(self.opened())
