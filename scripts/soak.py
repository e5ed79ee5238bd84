#!/usr/bin/env python3
"""Random file systems in use against the kernel: unshare -m scripts/soak.py KIND SECONDS DIR [SEED]
KIND is xfs, ext4 or btrfs; xfs-damage, ext4-damage and btrfs-damage also change bytes of each copy. A case is one seed: options of mkfs and of
mount, processes that change the tree, and copies of the image that are taken meanwhile, each at one instant (a clone of the
image's file), or after a shutdown. The kernel then mounts a clone of each copy, which recovers it, and its listing is compared
with what $ICECORE (target/release/icecore) shows of the copy as it was. A case that differs is kept in DIR/findings: the images, and what
was found. With CASE=1 in the environment only the case of SEED itself is run. Needs root, python3, mkfs of the kind and of XFS. What
the kernel writes at its own time is not in the seed: the images are what counts."""
import ctypes, fcntl, hashlib, json, mmap, os, random, resource, shutil, signal, stat, struct, subprocess, sys, time

libc = ctypes.CDLL(None, use_errno=True)
ICECORE = os.environ.get("ICECORE", "target/release/icecore")
SECONDS, BYTES = 10, 512 << 20  # of one run


def run(*words, check=True):
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    if check and done.returncode:
        raise RuntimeError("%s: %s" % (" ".join(words), done.stdout.strip()))
    return done.stdout


class Options:
    """What a kind of file system can be made and mounted with, drawn at random."""

    def __init__(self, kind, r):
        self.r, self.devices, self.frozen, self.features = r, 1, False, 0
        self.size, self.mkfs, self.mount = getattr(self, kind)()

    def some(self, chance, *choices):
        return [self.r.choice(choices)] if self.r.random() < chance else []

    def xfs(self):
        block = self.r.choice((1024, 1024, 2048, 4096, 4096, 4096))
        bits = lambda *names: ["%s=%d" % (n, self.r.random() < 0.6) for n in names]
        inode = self.r.choice([n for n in (512, 512, 1024, 2048) if n <= block // 2])
        words = ["-m", ",".join(bits("rmapbt", "reflink", "bigtime") + self.r.choice((["finobt=0,inobtcount=0"], bits("inobtcount"), []))), "-b", "size=%d" % block,
                 "-i", ",".join(["size=%d" % inode] + bits("sparse", "nrext64")),
                 "-n", "size=%d" % self.r.choice([n for n in (1024, 4096, 4096, 8192, 65536) if n >= block]),
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
        self.synced, self.many_names = self.r.choice((0.05, 0.3, 0.6)), self.r.choice((100, 400, 1500))

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
        name = self.root + self.r.choice(("v0", "v1", "v2", "d3/v"))
        if os.path.exists(name) and self.r.random() < 0.3:
            run("btrfs", "subvolume", "delete", name, check=False)
        elif os.path.exists(name) or self.r.random() < 0.5:
            run("btrfs", "subvolume", "snapshot", self.r.choice((self.root, name)), name + "s%d" % self.r.randrange(3), check=False)
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


def clone(source, to):
    with open(source, "rb") as a, open(to, "wb") as b:
        fcntl.ioctl(b.fileno(), 0x40049409, a.fileno())


def theirs(root):
    """The kernel's listing: what is said of each path."""
    found, todo, hashed = {}, [os.fsencode(root)], {}
    while todo:
        path = todo.pop()
        st = os.lstat(path)
        key = (path[len(root):] or b"/").decode()
        row = {"mode": "%04o" % (st.st_mode & 0o7777), "uid": st.st_uid, "gid": st.st_gid, "links": st.st_nlink, "size": st.st_size,
               "mtime": "%d.%09d" % divmod(st.st_mtime_ns, 10**9), "kind": stat.S_IFMT(st.st_mode)}
        xattrs = {n: os.getxattr(path, n, follow_symlinks=False).hex() for n in os.listxattr(path, follow_symlinks=False)}
        if xattrs:
            row["xattrs"] = xattrs
        if stat.S_ISDIR(st.st_mode):
            todo += [os.path.join(path, e) for e in os.listdir(path)]
        elif stat.S_ISLNK(st.st_mode):
            row["target"] = os.readlink(path).decode()
        elif stat.S_ISREG(st.st_mode):
            inode = (st.st_dev, st.st_ino)
            if inode not in hashed:
                with open(path, "rb") as f:
                    hashed[inode] = hashlib.file_digest(f, "sha256").hexdigest()
            row["sha256"] = hashed[inode]
        elif row["kind"] in (stat.S_IFCHR, stat.S_IFBLK):
            row["rdev"] = "%d:%d" % (os.major(st.st_rdev), os.minor(st.st_rdev))
        found[key] = row
    return found


KINDS = {"regular": stat.S_IFREG, "directory": stat.S_IFDIR, "symlink": stat.S_IFLNK, "char-device": stat.S_IFCHR, "block-device": stat.S_IFBLK,
         "fifo": stat.S_IFIFO, "socket": stat.S_IFSOCK}


def ours(images, work):
    """icecore's listing, what it tells besides, and what is wrong with how it ran."""
    found, told, wrong = {}, [], []
    for command in ("stat", "hash"):
        began = time.monotonic()
        with open(work + "/out", "w+") as out, open(work + "/err", "w+") as err:
            limits = lambda: (resource.setrlimit(resource.RLIMIT_CPU, (60, 60)), resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30)))
            process = subprocess.Popen([ICECORE, command, "-R", "--json", *images, "/"], stdout=out, stderr=err, preexec_fn=limits)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = status
            code, took = os.waitstatus_to_exitcode(status), time.monotonic() - began
            out.seek(0)
            err.seek(0)
            told += err.read().splitlines()
            for row in map(json.loads, out):
                row["kind"] = KINDS.get(row.get("kind"), row.get("kind"))
                found.setdefault(row.pop("path"), {}).update({k: v for k, v in row.items() if command == "stat" or k == "sha256"})
        if code not in (0, 2, 3) or usage.ru_utime + usage.ru_stime > SECONDS or usage.ru_maxrss << 10 > BYTES:
            wrong.append("%s ended with %d after %.1f s (%.1f of the processor) with %d KiB" % (command, code, took, usage.ru_utime + usage.ru_stime, usage.ru_maxrss))
    return found, told, wrong


def differences(mine, kernel, recovered, metadata, fast):
    """A line for each path that differs; times that the kernel set when it recovered the copy are its own."""
    for path in sorted(mine.keys() | kernel.keys()):
        a, b = mine.get(path), kernel.get(path)
        if a is None or b is None:
            yield path, "only " + ("the kernel has it" if a is None else "icecore has it")
            continue
        keys = a.keys() | b.keys()
        now = float(b["mtime"]) >= recovered
        for key in sorted(keys - ({"mtime"} if now else set()) - ({"size"} if now and fast and b["kind"] == stat.S_IFDIR else set()) - ({"sha256"} if metadata else set())):
            if a.get(key) != b.get(key):
                yield path, "%s: icecore %s, the kernel %s" % (key, str(a.get(key))[:300], str(b.get(key))[:300])


class Case:
    def __init__(self, kind, seed, top, damage):
        self.kind, self.seed, self.r, self.damage = kind, seed, random.Random(seed), damage
        self.work, self.mnt, self.found, self.top = top + "/host", top + "/mnt", [], top
        self.options = Options(kind, self.r)
        self.copies, self.loops, self.counts = [], [], {"copies": 0, "paths": 0, "dirty": 0, "refused": 0}

    def images(self, name):
        return ["%s/%s.img%s" % (self.work, name, ".%d" % (n + 1) if n else "") for n in range(self.options.devices)]

    def attach(self, images):
        self.loops = [run("losetup", "-f", "--show", image).strip() for image in images]

    def detach(self):
        for loop in self.loops:
            run("losetup", "-d", loop, check=False)
        self.loops = []

    def mount(self, options):
        if self.kind == "btrfs":
            run("btrfs", "device", "scan", "--forget", check=False)
            options = options + ["device=" + loop for loop in self.loops[1:]]
        if self.kind == "xfs":
            options = options + ["nouuid"]
        run("mount", "-t", self.kind, "-o", ",".join(["rw"] + options), self.loops[0], self.mnt)

    def unmount(self):
        for _ in range(50):
            if not libc.umount2(os.fsencode(self.mnt), 0):
                break
            time.sleep(0.1)
        self.detach()

    def start(self):
        images = self.images("image")
        for image in images:
            with open(image, "wb") as file:
                file.truncate(self.options.size)
        self.attach(images)
        run(*self.options.mkfs, *self.loops)
        if self.options.features:
            self.feature(images[0])
        self.mount(self.options.mount)

    def feature(self, image):
        """What this mkfs.xfs does not know is set on the empty file system."""
        with open(self.loops[0], "r+b", buffering=0) as device:
            sector = bytearray(device.read(4096))
            sector[216:220] = (int.from_bytes(sector[216:220], "big") | self.options.features).to_bytes(4, "big")
            sector[224:228] = bytes(4)
            crc, size = 0xFFFFFFFF, int.from_bytes(sector[102:104], "big")
            for byte in sector[:size]:
                crc ^= byte
                for _ in range(8):
                    crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
            sector[224:228] = (crc ^ 0xFFFFFFFF).to_bytes(4, "little")
            device.seek(0)
            device.write(sector)

    def copy(self, name):
        fd = os.open(self.mnt, os.O_RDONLY)
        if self.options.frozen:
            fcntl.ioctl(fd, 0xC0045877, 0)
        for image, to in zip(self.images("image"), self.images(name)):
            clone(image, to)
        if self.options.frozen:
            fcntl.ioctl(fd, 0xC0045878, 0)
        os.close(fd)
        self.copies.append(name)

    def use(self):
        """Changes the tree by processes, and takes copies meanwhile."""
        workers = []
        for n in range(self.r.choice((1, 1, 2, 3))):
            seed = self.r.randrange(1 << 32)
            if not (pid := os.fork()):
                try:
                    signal.signal(signal.SIGTERM, signal.SIG_DFL)
                    os.dup2(os.open("/dev/null", os.O_WRONLY), 2)
                    Work(self.mnt + "/", self.kind, seed).run()
                finally:
                    os._exit(1)
            workers.append(pid)
        signals = lambda signal: [os.kill(pid, signal) for pid in workers]
        try:
            for n in range(self.r.choice((1, 2, 3))):
                time.sleep(self.r.choice((0.3, 1, 2.5)) * self.r.random() + 0.1)
                pause = self.options.devices > 1 or self.r.random() < 0.3
                if pause:
                    signals(signal.SIGSTOP)
                    time.sleep(0.3)
                self.copy("copy%d" % n)
                if pause:
                    signals(signal.SIGCONT)
            end = self.r.choice(("nothing", "nothing", "shutdown", "shutdown", "shutdown with its log", "shutdown after a sync"))
            if self.kind != "btrfs" and end != "nothing" and not self.options.frozen:
                how = {"shutdown": 2, "shutdown with its log": 1, "shutdown after a sync": 0}[end]
                time.sleep(self.r.random())
                fd = os.open(self.mnt, os.O_RDONLY)
                fcntl.ioctl(fd, 0x8004587D, struct.pack("I", how))
                os.close(fd)
                signals(signal.SIGKILL)
                [os.waitpid(pid, 0) for pid in workers]
                workers = []
                self.unmount()
                for image, to in zip(self.images("image"), self.images("after")):
                    clone(image, to)
                self.copies.append("after")
        finally:
            signals(signal.SIGKILL)
            [os.waitpid(pid, 0) for pid in workers]
            self.unmount()

    def judge(self, name):
        copies = self.images(name)
        for image, to in zip(copies, self.images("judged")):
            clone(image, to)
        self.attach(self.images("judged"))
        recovered, kernel = time.time(), None
        try:
            self.mount([])
            try:
                kernel = theirs(self.mnt)
            finally:
                self.unmount()
        except (RuntimeError, OSError) as error:
            refusal = str(error)
            self.detach()
        mine, told, wrong = ours(copies, self.work)
        self.counts["copies"] += 1
        self.counts["dirty"] += any(open(a, "rb").read(1 << 26) != open(b, "rb").read(1 << 26) for a, b in zip(copies, self.images("judged")))
        if kernel is None:
            self.counts["refused"] += 1
            wrong.append("the kernel refuses: %s; icecore shows %d paths and tells %s" % (refusal, len(mine), told[:4]))
        else:
            self.counts["paths"] += len(kernel)
            fast = any("fast_commit" in word for word in self.options.mkfs)
            wrong += ["told: " + line for line in told]
            wrong += ["%s: %s" % line for line in differences(mine, kernel, recovered, False, fast)]
        if wrong:
            return self.keep(name, copies, wrong)
        for n in range(8 if self.damage and kernel else 0):
            self.harm(name, n, kernel, recovered, fast)

    def harm(self, name, n, kernel, recovered, fast):
        """What damage of a copy changes must be told."""
        images, notes = self.images("harmed"), []
        for image, to in zip(self.images(name), images):
            clone(image, to)
        for _ in range(self.r.choice((1, 1, 5, 40, 200))):
            with open(self.r.choice(images), "r+b") as file:
                at, word = 0, bytes(16)
                for _ in range(2000):  # where something is written: some kinds of blocks rather than others
                    at = self.r.randrange(self.options.size // 4096) * 4096
                    file.seek(at)
                    page = file.read(4096)
                    if any(page) and (self.r.random() < 0.1 or any(m in page for m in (b"XFSB", b"XAGF", b"XAGI", b"IN", b"XDB3", b"XDD3", b"3BMA", b"XARM", b"XSLM", b"n0", b"user."))):
                        break
                used = [i for i in range(4096) if page[i]] or [0]
                at += self.r.choice(used)
                file.seek(at)
                file.write(self.r.randbytes(self.r.choice((1, 1, 4, 64))))
                notes.append(at)
        mine, told, wrong = ours(images, self.work)
        self.counts["harmed"] = self.counts.get("harmed", 0) + 1
        whole = any(": " in line and ("/" not in line.split(": ")[1]) for line in told)
        for path, line in differences(mine, kernel, recovered, self.kind != "btrfs", fast):
            parents = ["/" + "/".join(path.split("/")[1:n]) for n in range(1, path.count("/") + 2)]
            if not any("icecore: %s: " % p in t for t in told for p in parents):
                wrong.append("%s: %s: %s" % ("not named" if whole else "SILENT", path, line))
        if wrong:
            self.keep("%s-harmed%d" % (name, n), images, ["changed at %s" % notes[:50]] + told[:20] + wrong)

    def keep(self, name, images, wrong):
        place = "%s/findings/%s-%d-%s" % (self.top, self.kind, self.seed, name)
        self.found.append(place)
        print("%s: %d lines, first %s" % (place, len(wrong), wrong[0][:300]), flush=True)
        with open(place + ".txt", "w") as out:
            print(*self.options.mkfs, hex(self.options.features), "| mount", *self.options.mount, file=out)
            print(*wrong, sep="\n", file=out)
        if shutil.disk_usage(self.top).free > 8 << 30:
            for n, image in enumerate(images):
                run("zstd", "-q", "-f", image, "-o", "%s.img%s.zst" % (place, ".%d" % (n + 1) if n else ""))

    def run(self):
        try:
            self.start()
        except RuntimeError as error:
            self.detach()
            print("seed %d is not made: %s" % (self.seed, str(error).split("\n")[0]), flush=True)
            return
        self.use()
        for name in self.copies:
            self.judge(name)
        for name in os.listdir(self.work):
            os.unlink(self.work + "/" + name)


def main():
    kind, seconds, top = sys.argv[1], int(sys.argv[2]), os.path.realpath(sys.argv[3])
    seed = int(sys.argv[4]) if len(sys.argv) > 4 else random.randrange(1 << 32)
    for name in ("host", "mnt", "findings"):
        os.makedirs(top + "/" + name, exist_ok=True)
    with open(top + "/host.img", "wb") as host:
        host.truncate(12 << 30)
    run("mkfs.xfs", "-q", "-f", "-m", "reflink=1", top + "/host.img")
    run("mount", "-o", "loop,discard", top + "/host.img", top + "/host")
    os.environ.update(TEST_DIR="1", TEST_DEV="1", QA_CHECK_FS="1")  # mkfs.xfs makes nothing below 300 MB otherwise
    print("seed %d" % seed, flush=True)
    counts, cases, findings, end = {}, 0, 0, time.monotonic() + seconds
    try:
        while time.monotonic() < end:
            case = Case(kind.split("-")[0], seed, top, kind.endswith("-damage"))
            case.run()
            for key, value in case.counts.items():
                counts[key] = counts.get(key, 0) + value
            cases, findings, seed = cases + 1, findings + len(case.found), seed + 1
            if os.environ.get("CASE"):
                break
    finally:
        run("umount", "-q", top + "/mnt", check=False)
        run("umount", "-l", top + "/host", check=False)
        os.unlink(top + "/host.img")
    print("%s: %d cases, %s, %d findings" % (kind, cases, ", ".join("%d %s" % (v, k) for k, v in counts.items()), findings), flush=True)
    sys.exit(findings > 0)


if __name__ == "__main__":
    main()
