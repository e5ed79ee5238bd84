#!/usr/bin/env python3
"""tree.py list DIR: a line for each path under DIR, as the kernel shows it.
tree.py PROFILE[+PROFILE…] DIR [IMAGE COPY]: fills DIR, a mounted file system, with the files of a profile (a method of
Fill); then, while it is mounted and files are open, copies IMAGE, the bytes that lie under it, to COPY."""
import ctypes, errno, fcntl, hashlib, os, random, socket, stat, struct, subprocess, sys, time

MAGIC = bytes.fromhex("c03b3998")
SAMPLE = 64 << 10
STRIDE = 16 << 20
WHOLE = 64 << 20


def text(raw):
    return "".join(chr(b) if 0x21 <= b <= 0x7E and b != 0x5C else "\\x%02x" % b for b in raw)


def digest(path, size):
    """sha256 of the content; of files over 64 MiB, of samples (64 KiB each 16 MiB, and the last 64 KiB)."""
    sha = hashlib.sha256()
    with open(path, "rb", buffering=0) as f:
        if size > WHOLE:
            for at in [*range(0, size, STRIDE), size - SAMPLE]:
                sha.update(os.pread(f.fileno(), SAMPLE, at))
        else:
            while chunk := f.read(1 << 20):
                sha.update(chunk)
    return sha.hexdigest()


def encrypted(path):
    fd = os.open(path, os.O_RDONLY)
    try:
        return struct.unpack("l", fcntl.ioctl(fd, 0x80086601, bytes(8)))[0] & 0x800 != 0
    except OSError:
        return False
    finally:
        os.close(fd)


def attributes(path):
    try:
        return sorted(os.listxattr(path, follow_symlinks=False))
    except OSError as error:
        if error.errno != errno.EOPNOTSUPP:  # a squashfs image without any
            raise
        return []


def listing(root):
    root = os.fsencode(root)
    todo = [root]
    while todo:
        path = todo.pop()
        try:
            st = os.lstat(path)
        except OSError as error:
            # What the kernel itself cannot read of a volume that was in use.
            if not os.environ.get("UNREADABLE"):
                raise
            print("# unreadable:", text(path[len(root):]), os.strerror(error.errno))
            continue
        kind = {stat.S_IFREG: "-", stat.S_IFDIR: "d", stat.S_IFLNK: "l", stat.S_IFCHR: "c",
                stat.S_IFBLK: "b", stat.S_IFIFO: "p", stat.S_IFSOCK: "s"}[stat.S_IFMT(st.st_mode)]
        names = attributes(path)
        xattrs = ",".join(
            text(os.fsencode(n)) + "=" + os.getxattr(path, n, follow_symlinks=False).hex() for n in names) or "-"
        content = "-"
        if kind == "-":
            content = digest(path, st.st_size)
        elif kind == "l":
            content = text(os.readlink(path))
        elif kind == "d":
            if encrypted(path):
                content = "encrypted"
            else:
                todo += [os.path.join(path, e) for e in os.listdir(path)]
        device = "%d:%d" % (os.major(st.st_rdev), os.minor(st.st_rdev)) if kind in "cb" else "0:0"
        # btrfs shows an empty directory where a snapshot has no subvolume, and the time of this look-up as its time.
        absent = kind == "d" and st.st_ino == 2 and path != root
        seconds, nanos = divmod(os.lstat(os.path.dirname(path) if absent else path).st_mtime_ns, 10**9)
        print("\t".join([text(path[len(root):] or b"/"), kind, "%o" % (st.st_mode & 0o7777), str(st.st_uid),
                         str(st.st_gid), str(st.st_size), str(st.st_nlink), device, "%d.%09d" % (seconds, nanos),
                         xattrs, content]))


class Fill:
    def __init__(self, root):
        self.root = os.fsencode(root)
        self.random = random.Random(20261124)

    def at(self, name):
        return os.path.join(self.root, name if isinstance(name, bytes) else os.fsencode(name))

    def write(self, name, data, offset=0):
        fd = os.open(self.at(name), os.O_RDWR | os.O_CREAT, 0o644)
        os.pwrite(fd, data, offset)
        return fd

    def file(self, name, data=b""):
        os.close(self.write(name, data))

    def bytes(self, n):
        return self.random.randbytes(n)

    @staticmethod
    def may(f, *args, **kw):
        try:
            f(*args, **kw)
        except OSError as error:
            if os.environ.get("VERBOSE"):
                print("  left out:", f.__name__, os.strerror(error.errno), file=sys.stderr)

    def tiny(self):
        if os.path.exists(self.at("empty")):  # a profile before it did the same
            return
        self.file("empty")
        for n in (1, 60, 61, 150, 5000):
            self.file("size%d" % n, (b"%d bytes " % n * n)[:n])
        os.makedirs(self.at("dir/sub/deep"))
        self.file("dir/sub/deep/file", b"deep\n")
        os.close(self.write("hole", b"end", 40000))
        os.symlink("dir/sub", self.at("short"))
        os.symlink("x" * 70, self.at("long"))
        os.link(self.at("size1"), self.at("dir/linked"))
        os.mknod(self.at("whiteout"), 0o600 | stat.S_IFCHR, os.makedev(0, 0))
        os.mknod(self.at("device"), 0o600 | stat.S_IFBLK, os.makedev(259, 70000))
        os.mkfifo(self.at("fifo"))
        os.setxattr(self.at("dir"), "trusted.overlay.opaque", b"y")
        os.setxattr(self.at("size1"), "user.block", b"v" * 300)
        os.chown(self.at("size60"), 70000, 4294967290)
        os.utime(self.at("size61"), ns=(10**9 * 2**32 + 123456789, 10**9 * 2**32 + 123456789))
        os.mkdir(self.at("many"))
        for i in range(60):
            self.file("many/name%03d%s" % (i, "x" * 20))
        self.file("dir/gone")
        os.unlink(self.at("dir/gone"))

    def small(self):
        """Tiny, and one of each form that XFS has: attributes in a leaf and as blocks of their own, an access control list, a
        long link, a file of many extents, directories of one block and of several."""
        self.tiny()
        for i in range(12):
            os.setxattr(self.at("size5000"), "user.attribute%02d" % i, b"%d" % i * 40)
        os.setxattr(self.at("size61"), "trusted.value", b"value" * 1000)
        os.setxattr(self.at("size60"), "system.posix_acl_access", struct.pack(
            "<I" + "HHI" * 5, 2, 1, 6, 2**32 - 1, 2, 4, 1000, 4, 4, 2**32 - 1, 16, 6, 2**32 - 1, 32, 4, 2**32 - 1))
        os.symlink("y" * 900, self.at("longer"))
        fd = self.write("extents", b"")
        for i in range(120):
            os.pwrite(fd, b"%d" % i, i * 9000)
        os.fsync(fd)
        os.close(fd)
        fd = self.write("unwritten", b"")
        self.may(os.posix_fallocate, fd, 0, 50000)
        os.pwrite(fd, b"written" * 100, 20000)
        os.close(fd)
        os.mkdir(self.at("several"))
        for i in range(150):
            os.link(self.at("size1"), self.at("several/%s%d" % ("several" * (i % 9), i)))
        for i in range(0, 150, 4):
            os.unlink(self.at("several/%s%d" % ("several" * (i % 9), i)))

    def std(self):
        for n in (0, 1, 59, 60, 61, 100, 150, 156, 160, 200, 500, 900, 1023, 1024, 1025, 4095, 4096, 4097, 65535,
                  65537, 300000):
            self.file("size%d" % n, self.bytes(n))
        path = "deep"
        for i in range(60):
            os.mkdir(self.at(path))
            self.file(path + "/file", b"level %d\n" % i)
            path += "/d%02d" % i
        os.mkdir(self.at("names"))
        for name in (b"x" * 255, b"\xff\xfe", b"with space", b"new\nline", b"back\\slash", "ünïcode→".encode(), b".hidden"):
            self.file(b"names/" + name, name)
        os.mkdir(self.at("holes"))
        fd = self.write("holes/start", b"tail", 1 << 20)
        os.close(fd)
        fd = self.write("holes/middle", b"a" * 5000)
        os.pwrite(fd, b"b" * 5000, 700001)
        os.ftruncate(fd, 2000000)
        os.close(fd)
        fd = self.write("holes/far", b"triple indirect", 70 << 20)
        os.close(fd)
        fd = self.write("holes/five-gib", b"first")
        self.may(os.pwrite, fd, b"last" * 1000, 5 << 30)
        self.may(os.pwrite, fd, self.bytes(5000), 80 << 20)
        os.close(fd)
        fd = self.write("holes/unwritten", b"")
        self.may(os.posix_fallocate, fd, 0, 400000)
        os.pwrite(fd, b"written" * 1000, 100000)
        os.close(fd)
        fd = self.write("holes/beyond", b"kept")
        self.may(subprocess.run, ["fallocate", "-n", "-o", "0", "-l", "300000", self.at("holes/beyond")],
                 check=False, stderr=subprocess.DEVNULL)
        os.close(fd)
        fd = self.write("holes/punched", self.bytes(200000))
        os.fsync(fd)
        subprocess.run(["fallocate", "-p", "-o", "50000", "-l", "70000", self.at("holes/punched")], check=False,
                       stderr=subprocess.DEVNULL)
        os.close(fd)
        fd = self.write("fragments", b"")
        order = list(range(0, 3000, 2))
        self.random.shuffle(order)
        for i, n in enumerate(order):
            os.pwrite(fd, struct.pack("<I", n) * 100, n * 4096)
            if i % 500 == 499:
                os.fsync(fd)
        os.close(fd)
        os.mkdir(self.at("links"))
        for i in range(5):
            os.link(self.at("size4097"), self.at("links/%d" % i))
        for n in (1, 58, 59, 60, 61, 155, 170, 1000, 2000, 4000):
            self.may(os.symlink, "t" * n, self.at("links/sym%d" % n))
        os.symlink("size1", self.at("links/with-xattr"))
        self.may(os.setxattr, self.at("links/with-xattr"), "trusted.on-link", b"v" * 200, follow_symlinks=False)
        os.mkdir(self.at("nodes"))
        for name, kind, major, minor in (("whiteout", stat.S_IFCHR, 0, 0), ("null", stat.S_IFCHR, 1, 3),
                                         ("old", stat.S_IFBLK, 255, 255), ("nvme", stat.S_IFBLK, 259, 70000),
                                         ("max", stat.S_IFCHR, 4095, 1048575), ("sda", stat.S_IFBLK, 8, 1)):
            self.may(os.mknod, self.at("nodes/" + name), kind | 0o640, os.makedev(major, minor))
        os.mkfifo(self.at("nodes/fifo"))
        s = socket.socket(socket.AF_UNIX)
        here = os.getcwd()
        os.chdir(self.at("nodes"))
        s.bind("socket")
        os.chdir(here)
        os.mkdir(self.at("modes"))
        for mode in (0o0, 0o4755, 0o2755, 0o1777, 0o6711, 0o444):
            self.file("modes/%o" % mode)
            os.chmod(self.at("modes/%o" % mode), mode)
        for uid, gid in ((0, 0), (65535, 65536), (70000, 80000), (4294967294, 4294967293)):
            self.file("modes/own%d" % uid)
            os.chown(self.at("modes/own%d" % uid), uid, gid)
        os.mkdir(self.at("times"))
        for seconds, nanos in ((0, 0), (1, 1), (-1, 999999999), (-2**31, 0), (2**31 - 1, 5), (2**31, 123456789),
                               (2**32 - 1, 7), (2**32, 999999999), (2**33, 1), (15032385535, 3)):
            self.file("times/%d" % seconds)
            ns = seconds * 10**9 + nanos
            os.utime(self.at("times/%d" % seconds), ns=(ns, ns))
        os.mkdir(self.at("xattrs"))
        for name, attrs in {
            "one": [("user.a", b"1")],
            "empty": [("user.empty", b"")],
            "many": [("user.n%02d" % i, self.bytes(i * 3)) for i in range(15)],
            "spaces": [("trusted.overlay.origin", self.bytes(30)), ("user.x", b"y"), ("security.other", b"s"),
                       ("security.capability", bytes.fromhex("0100000200040000000000000000000000000000"))],
            "block": [("user.block", self.bytes(700))],
            "large": [("user.large", self.bytes(3000)), ("user.b", b"b")],
            "huge": [("user.huge", self.bytes(40000)), ("user.c", self.bytes(10000)), ("user.d", b"d" * 65536)],
            "acl": [("system.posix_acl_access", struct.pack(
                "<I" + "HHI" * 5, 2, 1, 6, 2**32 - 1, 2, 4, 1000, 4, 4, 2**32 - 1, 16, 6, 2**32 - 1, 32, 4, 2**32 - 1))],
        }.items():
            self.file("xattrs/" + name, name.encode())
            for attr, value in attrs:
                self.may(os.setxattr, self.at("xattrs/" + name), attr, value)
        os.mkdir(self.at("xattrs/dir"))
        self.may(os.setxattr, self.at("xattrs/dir"), "trusted.overlay.opaque", b"y")
        self.may(os.setxattr, self.at("xattrs/dir"), "system.posix_acl_default", struct.pack(
            "<I" + "HHI" * 3, 2, 1, 7, 2**32 - 1, 4, 5, 2**32 - 1, 32, 5, 2**32 - 1))
        for i in range(3):
            self.file("xattrs/shared%d" % i)
            self.may(os.setxattr, self.at("xattrs/shared%d" % i), "user.same", b"same" * 100)
        for size in (0, 1, 2, 3, 5, 8, 20):
            os.mkdir(self.at("dir%d" % size))
            for i in range(size):
                self.file("dir%d/entry%d" % (size, i))
        os.mkdir(self.at("indexed"))
        for i in range(1500):
            self.file("indexed/some-longer-file-name-%06d" % i)
        for i in range(0, 1500, 3):
            os.unlink(self.at("indexed/some-longer-file-name-%06d" % i))
        self.file("deleted", self.bytes(100000))
        os.unlink(self.at("deleted"))

    def packed(self):
        """Content for file systems that compress: text, zeros, noise, changes between them, the same content twice, ends of every size."""
        os.mkdir(self.at("packed"))
        words = [self.bytes(self.random.randrange(2, 9)).hex().encode() for _ in range(700)]
        text = lambda n: b" ".join(self.random.choice(words) for _ in range(n // 4))[:n]
        for n in (10, 511, 513, 4000, 4095, 4096, 4097, 8193, 40000, 131071, 131072, 131073, 500000):
            self.file("packed/text%d" % n, text(n))
        self.file("packed/zeros", bytes(2500000))
        self.file("packed/letter", b"a" * 300001)
        self.file("packed/noise", self.bytes(300001))
        parts = [f(self.random.randrange(1, 30000)) for _ in range(60) for f in (text, self.bytes, bytes)]
        self.random.shuffle(parts)
        self.file("packed/mixed", b"".join(parts))
        same = text(200000)
        for i, shift in enumerate((0, 0, 1, 100, 4096, 5000)):
            self.file("packed/same%d" % i, text(shift) + same + text(i * 100))
        self.file("packed/noise-same", self.bytes(3000) + same[:90000] + self.bytes(50000) + same[:70000])
        os.mkdir(self.at("packed/ends"))
        for i in range(80):
            self.file("packed/ends/%d" % i, text(self.random.randrange(1, 12000)) if i % 3 else self.bytes(i * 50))
        self.file("packed/large", text(6000000) + self.bytes(100000) + text(1000000))
        os.mkdir(self.at("packed/attributes"))
        for i in range(40):
            self.file("packed/attributes/%d" % i, b"x" * i)
            self.may(os.setxattr, self.at("packed/attributes/%d" % i), "user.shared", b"the same for many")
            self.may(os.setxattr, self.at("packed/attributes/%d" % i), "security.selinux", b"system_u:object_r:t%d_t:s0" % (i % 3))
            self.may(os.setxattr, self.at("packed/attributes/%d" % i), "trusted.overlay.redirect", b"r%d" % i)

    def large(self):
        self.std()
        os.mkdir(self.at("fifty-thousand"))
        for i in range(50000):
            os.mknod(self.at("fifty-thousand/entry-%d-%s" % (i, "n" * (i % 60))), 0o600 | stat.S_IFREG)

    def two_levels(self):
        """A hash tree of more than one level needs few names in small blocks."""
        os.mkdir(self.at("wide"))
        for i in range(12000):
            os.mknod(self.at("wide/%s%d" % ("w" * 200, i)), 0o600 | stat.S_IFREG)

    def links(self):
        os.mkdir(self.at("parent"))
        for i in range(65100):
            os.mkdir(self.at("parent/%d" % i))

    def encrypt(self):
        self.tiny()
        key = bytes(range(64))
        arg = bytearray(struct.pack("<II32xII32x", 2, 0, len(key), 0) + key)
        fd = os.open(self.root, os.O_RDONLY)
        fcntl.ioctl(fd, 0xC0506617, arg)
        identifier = bytes(arg[8:24])
        os.mkdir(self.at("secret"))
        secret = os.open(self.at("secret"), os.O_RDONLY)
        fcntl.ioctl(secret, 0x800C6613, struct.pack("<BBBB4x16s", 2, 1, 4, 3, identifier))
        os.mkdir(self.at("secret/dir"))
        self.file("secret/file", b"secret" * 1000)
        os.symlink("target", self.at("secret/link"))

    def sync(self):
        fd = os.open(self.root, os.O_RDONLY)
        libc = ctypes.CDLL(None, use_errno=True)
        libc.syncfs(fd)
        os.close(fd)

    def fsync(self, name, data=b"x"):
        fd = self.write(name, data)
        os.fsync(fd)
        os.close(fd)

    def dirty(self):
        """Changes in several transactions: some synced whole, some only committed, some lost."""
        self.tiny()
        self.sync()
        os.mkdir(self.at("after"))
        for i in range(40):
            self.file("after/file%02d" % i, b"after the sync %d" % i)
        self.fsync("after/committed", MAGIC + b"looks like the journal")
        os.rename(self.at("dir/sub"), self.at("dir/moved"))
        os.unlink(self.at("size5000"))
        os.setxattr(self.at("dir"), "user.later", b"z" * 100)
        fd = self.write("size150", MAGIC * 1000)
        os.ftruncate(fd, 3000)
        os.fsync(fd)
        # Blocks of a directory are journaled, freed (revoked) and used again for data.
        os.mkdir(self.at("revoked"))
        for i in range(200):
            self.file("revoked/%s%03d" % ("r" * 100, i))
        self.fsync("commit1")
        subprocess.run(["rm", "-r", self.at("revoked")], check=True)
        self.fsync("commit2")
        for i in range(8):
            self.fsync("reuse%d" % i, b"reuse %d\n" % i * 3000)
        for i in range(30):
            self.fsync("loop%d" % (i % 7), b"loop %d\n" % i * i * 50)
        self.held = [self.write("held%d" % i, b"held" * 5000) for i in range(3)]
        for i in range(3):
            os.unlink(self.at("held%d" % i))
        self.fsync("commit3")
        self.file("lost", b"never committed")
        os.unlink(self.at("size61"))

    def fast(self):
        """Changes that a fast commit can hold; of an inode it holds no extended attributes."""
        self.tiny()
        self.file("attributed", b"1")
        self.may(os.setxattr, self.at("attributed"), "user.in-inode", b"kept")
        self.sync()
        self.fsync("attributed", b"changed")
        for i in range(5):
            self.fsync("fast%d" % i, b"fast %d\n" % i * 100)
        os.link(self.at("fast0"), self.at("dir/fast-link"))
        self.fsync("fast0", b"changed")
        os.rename(self.at("fast1"), self.at("dir/fast-renamed"))
        self.fsync("dir/fast-renamed", b"renamed" * 2000)
        os.unlink(self.at("fast2"))
        fd = self.write("size5000", b"appended" * 1000, 4000)
        os.fsync(fd)
        os.ftruncate(fd, 6000)
        os.fsync(fd)
        os.close(fd)
        fd = self.write("hole", b"middle", 9000)
        os.fsync(fd)
        os.close(fd)

    def wrap(self):
        """More transactions than the log holds."""
        self.tiny()
        for i in range(400):
            self.fsync("loop%d" % (i % 50), b"%d" % i * 50)
        self.fsync("last")

    def wrap_often(self):
        """As many transactions as a log of a few MiB holds, several times."""
        self.tiny()
        for i in range(20000):
            self.fsync("often%d" % (i % 90), b"%d" % i * 50)
            if i % 50 == 0:
                os.rename(self.at("often%d" % (i % 90)), self.at("dir/renamed%d" % i))
        self.fsync("last")

    def attributes(self):
        """More attributes than fit in one block, large values among them; some replaced and removed."""
        os.mkdir(self.at("attributes"))
        for name, count, size in (("leaf", 20, 60), ("node", 400, 90), ("values", 30, 5000)):
            self.file("attributes/" + name)
            for i in range(count):
                self.may(os.setxattr, self.at("attributes/" + name), "user.%s%03d" % ("n" * (i % 40), i), self.bytes(size + i))
            for i in range(0, count, 3):
                self.may(os.removexattr, self.at("attributes/" + name), "user.%s%03d" % ("n" * (i % 40), i))
            for i in range(1, count, 5):
                self.may(os.setxattr, self.at("attributes/" + name), "user.%s%03d" % ("n" * (i % 40), i), b"replaced")

    def shared(self):
        """Files that share their blocks, some of them written since."""
        self.tiny()
        self.fsync("original", self.bytes(400000))
        for i in range(5):
            subprocess.run(["cp", "--reflink=always", self.at("original"), self.at("clone%d" % i)], check=True)
            fd = self.write("clone%d" % i, b"changed" * 3000, 30000 * i)
            os.fsync(fd)
            os.close(fd)
        self.file("original", b"also changed" * 1000)

    def fragments(self):
        """A file and a directory of many pieces: each is written while others take the space between."""
        self.tiny()
        os.mkdir(self.at("scattered"))
        for i in range(1500):
            for name in ("a", "b"):
                fd = self.write("pieces-" + name, self.bytes(700), i * 9000)
                os.fsync(fd) if i % 20 == 0 else None
                os.close(fd)
            self.file("scattered/%s%d" % ("s" * 180, i), b"between" * 100)
        self.sync()

    def sparse_inodes(self):
        """Inodes where no whole chunk of them is free."""
        self.tiny()
        names = []
        try:
            for i in range(100000):
                names.append("fill%d" % i)
                self.file(names[-1], b"x" * 1000)
        except OSError:
            pass
        self.sync()
        for name in names[::2]:
            self.may(os.unlink, self.at(name))
        self.sync()
        for i in range(2000):
            self.may(os.mknod, self.at("sparse%d" % i), 0o600 | stat.S_IFREG)

    def many_changes(self):
        """Directories, extents and attributes that grow, shrink and change their form while the log is written."""
        for turn in range(6):
            subprocess.run(["rm", "-rf", self.at("turn%d" % turn)], check=True)
            top = "turn%d" % turn
            os.mkdir(self.at(top))
            for i in range(700):
                self.file("%s/%s%d" % (top, "f" * (i % 90), i), b"x" * (i % 5000))
                if i % 7 == 0:
                    self.may(os.setxattr, self.at("%s/%s%d" % (top, "f" * (i % 90), i)), "user.a", self.bytes(i * 5))
                if i % 11 == 0:
                    self.may(os.symlink, "t" * (i + 1), self.at("%s/link%d" % (top, i)))
            for i in range(0, 700, 2):
                os.unlink(self.at("%s/%s%d" % (top, "f" * (i % 90), i)))
            fd = self.write("%s/sparse" % top, b"")
            for i in range(600):
                os.pwrite(fd, b"y" * 100, self.random.randrange(4000) * 8192)
                if i % 100 == 0:
                    os.fsync(fd)
            os.ftruncate(fd, 20000000)
            os.fsync(fd)
            os.close(fd)
            if turn % 2:
                subprocess.run(["rm", "-r", self.at("turn%d" % (turn - 1))], check=True)
            self.fsync("turned%d" % turn)
        self.file("never-committed")

    def subvolume(self, name):
        subprocess.run(["btrfs", "-q", "subvolume", "create", self.at(name)], check=True)

    def snapshot(self, source, name, *options):
        subprocess.run(["btrfs", "-q", "subvolume", "snapshot", *options, self.at(source), self.at(name)], check=True)

    def subvolumes(self):
        """Subvolumes in subvolumes, snapshots of them, moved and deleted ones."""
        self.subvolume("sub1")
        self.file("sub1/file", b"first" * 2000)
        os.mkdir(self.at("sub1/dir"))
        os.chown(self.at("sub1/dir"), 7, 8)
        self.subvolume("sub1/dir/inner")
        self.file("sub1/dir/inner/deep", b"inner")
        os.symlink("../file", self.at("sub1/dir/link"))
        self.snapshot("sub1", "snap1")
        self.file("snap1/file", b"changed after the snapshot")
        self.snapshot("sub1", "sub1/read-only", "-r")
        self.subvolume("renamed")
        self.file("renamed/x", b"x")
        os.rename(self.at("renamed"), self.at("sub1/dir/moved"))
        self.subvolume("deleted-subvolume")
        self.file("deleted-subvolume/y", b"y")
        subprocess.run(["btrfs", "-q", "subvolume", "delete", self.at("deleted-subvolume")], check=True)
        os.chmod(self.at("snap1"), 0o750)
        self.may(os.setxattr, self.at("snap1"), "user.on-root", b"root of a subvolume")

    def default_subvolume(self):
        subprocess.run(["btrfs", "subvolume", "set-default", self.at("sub1")], check=True)

    def many_subvolumes(self):
        for i in range(300):
            self.subvolume("s%d" % i)
            self.file("s%d/file%d" % (i, i), b"%d" % i)

    def reflinks(self):
        """Extents that files share, whole and in part."""
        os.mkdir(self.at("reflinks"))
        self.file("reflinks/source", self.bytes(300000))
        source = os.open(self.at("reflinks/source"), os.O_RDWR)
        os.fsync(source)
        for name, pieces in {"whole": [(0, 0, 0)], "part": [(8192, 65536, 0)], "twice": [(4096, 4096, 0), (4096, 4096, 20480)],
                             "reverse": [((9 - i) * 4096, 4096, i * 4096) for i in range(10)]}.items():
            fd = os.open(self.at("reflinks/" + name), os.O_RDWR | os.O_CREAT, 0o644)
            for at, length, to in pieces:
                self.may(fcntl.ioctl, fd, 0x4020940D, struct.pack("<qQQQ", source, at, length, to))
            os.fsync(fd)
            os.pwrite(fd, b"over", 5000)
            os.close(fd)
        os.pwrite(source, b"written later" * 1000, 100000)
        os.close(source)

    def compressible(self):
        """What compresses well, badly and in part; small and large extents, and changes in the middle of one."""
        os.mkdir(self.at("text"))
        words = [b"%d%s" % (i, b"abcdefghij"[: i % 10]) for i in range(500)]
        for n in (10, 100, 1000, 2000, 4000, 4096, 4097, 8191, 12288, 65536, 131072, 131073, 500000, 2000000):
            data = b" ".join(self.random.choices(words, k=n // 2 + 1))[:n]
            self.file("text/words%d" % n, data)
            self.file("text/same%d" % n, b"same" * (n // 4))
            self.file("text/mixed%d" % n, b"".join(data[i : i + 700] + self.bytes(300) for i in range(0, n, 700)))
        self.sync()
        fd = os.open(self.at("text/words500000"), os.O_RDWR)
        for at in (0, 5000, 100000, 131072, 300001):
            os.pwrite(fd, b"changed", at)
            os.fsync(fd)
        os.ftruncate(fd, 400001)
        os.ftruncate(fd, 450000)
        os.close(fd)
        subprocess.run(["fallocate", "-p", "-o", "70000", "-l", "90000", self.at("text/same500000")], check=False)

    def text(self):
        """A few files that compress well."""
        for n in (100, 5000, 140000):
            self.file("text%d" % n, b" ".join(b"word%d" % (i % 97) for i in range(n))[:n])

    def logged(self):
        """Changes that a log tree of btrfs holds, after a commit of the whole."""
        self.tiny()
        for i in range(12):
            self.file("old%d" % i, b"old %d\n" % i * 3000)
            os.setxattr(self.at("old%d" % i), "user.old", b"%d" % i)
            os.setxattr(self.at("old%d" % i), "user.kept", b"kept")
        for name in ("a", "b", "c", "a/sub", "unsynced", "emptied"):
            os.mkdir(self.at(name))
        for i in range(30):
            self.file("a/f%d" % i, b"%d" % i)
            self.file("emptied/f%d" % i, b"%d" % i)
        self.sync()
        again = lambda name: self.fsync_only(name)
        # Data: appended, overwritten in the middle, cut, punched, preallocated past the end, made sparse.
        fd = self.write("old0", b"appended" * 2000, 24000)
        os.fsync(fd)
        os.pwrite(fd, b"middle", 9000)
        os.fsync(fd)
        os.close(fd)
        os.truncate(self.at("old1"), 5000)
        again("old1")
        subprocess.run(["fallocate", "-p", "-o", "4096", "-l", "8192", self.at("old2")], check=True)
        again("old2")
        subprocess.run(["fallocate", "-n", "-o", "30000", "-l", "100000", self.at("old3")], check=True)
        again("old3")
        fd = self.write("old4", b"far", 300000)
        os.fsync(fd)
        os.close(fd)
        os.truncate(self.at("old4"), 200000)
        again("old4")
        # Attributes: added, changed, removed.
        os.setxattr(self.at("old5"), "user.new", b"n" * 500)
        os.removexattr(self.at("old5"), "user.old")
        os.chmod(self.at("old5"), 0o4711)
        os.utime(self.at("old5"), ns=(5 * 10**9 + 7, 6 * 10**9 + 8))
        again("old5")
        # Names: linked, renamed, replaced, exchanged, removed while another stays.
        os.link(self.at("old6"), self.at("a/link6"))
        os.link(self.at("old6"), self.at("a/second6"))
        again("old6")
        os.unlink(self.at("a/second6"))
        again("old6")
        os.rename(self.at("old7"), self.at("b/moved7"))
        again("b/moved7")
        os.rename(self.at("old8"), self.at("old9"))
        again("old9")
        os.link(self.at("old10"), self.at("kept10"))
        again("old10")
        os.unlink(self.at("old10"))
        again("kept10")
        os.unlink(self.at("old11"))
        self.fsync("old11", b"another file of that name")
        # Directories: made, filled, emptied, renamed, synced themselves.
        os.mkdir(self.at("new"))
        for i in range(40):
            self.file("new/n%d" % i, b"new %d" % i)
        self.fsync("new/synced", b"synced")
        os.symlink("target", self.at("new/symlink"))
        os.mknod(self.at("new/whiteout"), 0o600 | stat.S_IFCHR, os.makedev(0, 0))
        os.mkdir(self.at("new/inner"))
        self.fsync("new/inner/file", b"x" * 10000)
        again("new")
        for i in range(0, 30, 2):
            os.unlink(self.at("a/f%d" % i))
        again("a")
        for i in range(30):
            os.unlink(self.at("emptied/f%d" % i))
        again("emptied")
        os.rename(self.at("a/sub"), self.at("c/sub"))
        self.fsync("c/sub/file", b"in a directory that was moved")
        os.setxattr(self.at("c"), "trusted.overlay.opaque", b"y")
        again("c")
        self.fsync("b/one", b"1")
        os.rename(self.at("b/one"), self.at("b/two"))
        self.fsync("b/one", b"another one")
        again("b/two")
        # Without a name, and given one.
        fd = os.open(self.root, os.O_TMPFILE | os.O_RDWR, 0o600)
        os.write(fd, b"was without a name" * 500)
        os.fsync(fd)
        self.may(os.link, "/proc/self/fd/%d" % fd, self.at("named-later"), follow_symlinks=True)
        os.fsync(fd)
        self.held = [fd, os.open(self.root, os.O_TMPFILE | os.O_RDWR, 0o600)]
        os.write(self.held[1], b"never named")
        os.fsync(self.held[1])
        for i in range(25):
            self.fsync("loop%d" % (i % 4), b"loop %d\n" % i * i * 300)
        self.file("unsynced/lost", b"lost")
        os.unlink(self.at("size61"))

    def logged_links(self):
        """More names of one file than one item holds, and a directory of many leaves, both changed and synced."""
        for d in ("linked", "wide", "wide/deep"):
            os.mkdir(self.at(d))
        self.file("linked/0", b"many names")
        for i in range(1, 400):
            os.link(self.at("linked/0"), self.at("linked/%d-%s" % (i, "l" * (i % 50))))
        for i in range(3000):
            self.file("wide/%d-%s" % (i, "w" * (i % 60)), b"%d" % i)
        os.setxattr(self.at("linked/0"), "user.a", b"a" * 1000)
        self.sync()
        for i in range(1, 400, 3):
            os.unlink(self.at("linked/%d-%s" % (i, "l" * (i % 50))))
        for i in range(0, 200, 3):
            os.link(self.at("linked/0"), self.at("linked/new%d" % i))
        os.rename(self.at("linked/2-ll"), self.at("wide/moved"))
        self.fsync_only("linked/0")
        for i in range(0, 3000, 2):
            os.unlink(self.at("wide/%d-%s" % (i, "w" * (i % 60))))
        for i in range(700):
            self.file("wide/later%d" % i, b"later")
        self.fsync_only("wide")
        os.rename(self.at("wide/1-w"), self.at("wide/deep/1"))
        os.rename(self.at("wide/deep"), self.at("deep"))
        self.fsync_only("deep/1")
        fd = os.open(self.at("linked/0"), os.O_RDWR)
        for i in range(300):
            os.pwrite(fd, b"%d" % i * 100, (i * 37 % 300) * 8192)
            if i % 20 == 0:
                os.fsync(fd)
        os.ftruncate(fd, 1000000)
        os.fsync(fd)
        os.close(fd)

    def random_logged(self):
        """Changes drawn at random, each perhaps synced; the seed is the RANDOM of the environment."""
        rng = random.Random(int(os.environ.get("RANDOM_SEED", "1")))
        names = ["n%d" % i for i in range(8)]
        dirs = [""] + ["d%d/" % i for i in range(3)] + ["d0/e/"]
        for d in dirs[1:]:
            os.mkdir(self.at(d))
        for i in range(12):
            self.file(rng.choice(dirs) + rng.choice(names), b"before %d" % i * rng.choice((1, 1000, 5000)))
        self.sync()
        pick = lambda: rng.choice(dirs) + rng.choice(names)
        self.held = []
        for i in range(int(os.environ.get("RANDOM_STEPS", "60"))):
            try:
                what = rng.randrange(16)
                a, b = pick(), pick()
                if what < 3:
                    os.close(self.write(a, b"step %d" % i * rng.choice((1, 600, 3000, 20000)), rng.choice((0, 0, 4096, 5000, 65536))))
                elif what == 3:
                    os.truncate(self.at(a), rng.choice((0, 1, 3000, 4096, 10000, 200000)))
                elif what == 4:
                    os.link(self.at(a), self.at(b))
                elif what in (5, 6):
                    os.rename(self.at(a), self.at(b))
                elif what in (7, 8):
                    os.unlink(self.at(a))
                elif what == 9:
                    os.setxattr(self.at(a), "user.%d" % rng.randrange(4), b"v" * rng.randrange(50))
                elif what == 10:
                    os.removexattr(self.at(a), "user.%d" % rng.randrange(4))
                elif what == 11:
                    flags = rng.choice((["-p"], ["-n"], ["-z"], ["-i"], ["-c"], []))
                    subprocess.run(["fallocate", *flags, "-o", str(rng.randrange(8) * 4096), "-l", str(rng.randrange(1, 9) * 4096),
                                    self.at(a)], check=False, stderr=subprocess.DEVNULL)
                elif what == 12:
                    d = rng.choice(dirs) + "dir%d" % rng.randrange(3)
                    os.rmdir(self.at(d)) if os.path.isdir(self.at(d)) else os.mkdir(self.at(d))
                    self.fsync_only(d) if rng.random() < 0.5 and os.path.isdir(self.at(d)) else None
                elif what == 13:
                    os.symlink(a, self.at(b))
                elif what == 14:
                    os.rename(self.at("d0/e"), self.at("d1/e")) if os.path.isdir(self.at("d0/e")) else os.rename(self.at("d1/e"), self.at("d0/e"))
                else:
                    self.held.append(os.open(self.at(a), os.O_RDWR))
                    os.unlink(self.at(a))
                    if rng.random() < 0.5:
                        os.fsync(self.held[-1])
                if rng.random() < 0.5:
                    self.fsync_only(rng.choice((a, b, pick(), rng.choice(dirs) or ".")))
                if rng.random() < float(os.environ.get("RANDOM_SYNCS", "0.03")):
                    self.sync()
            except OSError:
                pass

    def fsync_only(self, name):
        fd = os.open(self.at(name), os.O_RDONLY)
        os.fsync(fd)
        os.close(fd)

    def logged_subvolumes(self):
        """A log for each of several subvolumes."""
        for name in ("logged1", "logged2"):
            self.subvolume(name)
            os.mkdir(self.at(name + "/dir"))
            for i in range(10):
                self.file(name + "/dir/f%d" % i, b"%d" % i)
        self.sync()
        for name in ("logged1", "logged2"):
            self.fsync(name + "/dir/f3", b"%s changed" % name.encode() * 1000)
            os.rename(self.at(name + "/dir/f4"), self.at(name + "/f4"))
            self.fsync_only(name + "/f4")
            os.unlink(self.at(name + "/dir/f5"))
            self.fsync_only(name + "/dir")
            self.fsync(name + "/new", b"new")
        self.fsync("beside", b"beside the subvolumes")

    def fat_tiny(self):
        """What FAT has: files of sizes around clusters, long and short names, directories of several clusters."""
        block = self.bytes(4096)
        for n in (0, 1, 511, 512, 513, 2048, 4095, 4096, 4097, 33000):
            self.file("size%d" % n, (block * 20)[:n])
        os.makedirs(self.at("dir/sub/deep/deeper still"))
        self.file("dir/sub/deep/file", b"deep\n")
        self.file("SHORT.TXT", b"a short name")
        for name in ("lower.txt", "Mixed.Case", "a long name with spaces.text", "many.dots.in it", "+plus,[and] more=", "n" * 200,
                     "\u00e4\u20ac small", "\U0001f600 two units", "13 letters ab", "26 letters abcdefghijklmno"):
            self.file("dir/" + name, name.encode())
        os.mkdir(self.at("many"))
        for i in range(150):
            self.file("many/name%03d%s" % (i, "x" * (i % 30)), b"%d" % i)
        for i, name in enumerate(sorted(os.listdir(self.at("dir")))):
            os.utime(self.at(b"dir/" + name), ns=(10**9 * (10**9 + i * 1234567 * 2), 10**9 * (10**9 + i * 1234567 * 2)))

    def fat(self):
        self.fat_tiny()
        for n in (8191, 8193, 65535, 65536, 131073, 1000000):
            self.file("more%d" % n, self.bytes(n))
        os.mkdir(self.at("directory"))
        for i in range(1500):
            self.file("directory/%s%d" % ("name" * (i % 20), i), b"%d" % i)
        os.makedirs(self.at("/".join("d%d" % i for i in range(40))))

    def after_sync(self):
        """New files behind a sync, of which one is synced."""
        self.sync()
        os.mkdir(self.at("after"))
        for i in range(60):
            self.file("after/a longer name of file %02d" % i, b"after the sync %d\n" % i * (i * 5))
        self.fsync("after/synced", b"synced" * 3000)

    def hold(self):
        """Files that stay open, of which some are synced in part."""
        self.held = []
        for i in range(5):
            fd = self.write("held%d" % i, b"held %d " % i * 2000)
            os.fsync(fd) if i % 2 else None
            os.pwrite(fd, b"more" * 3000, 20000)
            self.held.append(fd)

    def in_use(self):
        """What has no journal, written and changed while some of it is synced and the rest is not; files are held open."""
        self.fat_tiny()
        self.after_sync()
        os.rename(self.at("dir/sub"), self.at("after/moved"))
        os.unlink(self.at("size4097"))
        os.truncate(self.at("size33000"), 3000)
        self.fsync("size2048", b"written over" * 4000)
        for i in range(0, 150, 3):
            os.unlink(self.at("many/name%03d%s" % (i, "x" * (i % 30))))
        self.fsync("commit", b"c" * 5000)
        for i in range(40):
            self.file("many/later %d" % i, b"later" * i)
        self.sync()
        # What lies between these is not synced: parts of it are on the disk.
        self.hold()
        os.unlink(self.at("held1"))
        os.rename(self.at("commit"), self.at("renamed while it is in use"))
        for i in range(30):
            self.file("after/lost %d" % i, b"perhaps lost" * i)

    def windows_tiny(self):
        """What NTFS has, in small: data in the record and in clusters, holes, links of both kinds, streams, compressed files, a
        directory of several blocks, names that differ by the case of their letters."""
        # Of which LZNT1 makes nothing smaller, as it looks no further back, and whoever packs the image does.
        block = self.bytes(4096)
        for n in (0, 1, 100, 600, 700, 800, 1000, 4095, 4096, 4097, 70000):
            self.file("size%d" % n, (block * 20)[:n])
        os.makedirs(self.at("dir/sub/deep"))
        self.file("dir/sub/deep/file", b"deep\n")
        os.close(self.write("hole", b"end", 400000))
        os.symlink("dir/sub", self.at("short"))
        os.symlink("x" * 70, self.at("long"))
        os.symlink("dir/\u00e4\u20ac\U0001f600", self.at("letters"))
        for name in ("linked", "dir/linked", "dir/sub/other"):
            os.link(self.at("size1000"), self.at(name))
        os.mknod(self.at("device"), 0o600 | stat.S_IFBLK, os.makedev(259, 70000))
        os.mknod(self.at("whiteout"), 0o600 | stat.S_IFCHR, os.makedev(0, 0))
        for name in ("\u00e4\u20ac", "\U0001f600 two units", "Case", "CASE", "case", "n" * 255, "\u20ac" * 255):
            self.file("dir/" + name, name.encode())
        os.setxattr(self.at("size1000"), "user.stream", b"v" * 30)
        os.setxattr(self.at("size1000"), "user.large", b"large" * 4000)
        os.setxattr(self.at("dir"), "user.of a directory", b"d")
        os.utime(self.at("size100"), ns=(10**9 * 2**32 + 123456700, 10**9 * 2**32 + 123456700))
        os.utime(self.at("size600"), ns=(-(10**9) * 86400 * 365, -(10**9) * 86400 * 365))
        self.reparse("dir/relative", 0xA000000C, 1, "sub\\deep\\file")
        self.reparse("dir/up", 0xA000000C, 1, "..\\size1000")
        self.compressed()
        os.mkdir(self.at("many"))
        for i in range(150):
            self.file("many/name%03d%s" % (i, "x" * 20))
        for i in range(0, 150, 7):
            os.unlink(self.at("many/name%03d%s" % (i, "x" * 20)))

    def windows_node(self):
        """A volume that Windows starts from, without its registry: links to names of Windows, and files whose data is kept in
        another way."""
        os.makedirs(self.at("Windows/System32/config"))
        os.mkdir(self.at("Users"))
        self.file("Users/file", b"found\n")
        os.mkdir(self.at("Documents and Settings"))
        self.reparse("Documents and Settings", 0xA0000003, None, "\\??\\C:\\Users")
        os.mkdir(self.at("other volume"))
        self.reparse("other volume", 0xA0000003, None, "\\??\\Volume{01234567-89ab-cdef-0123-456789abcdef}\\")
        self.reparse("absolute", 0xA000000C, 0, "\\??\\C:\\Users\\file")
        self.reparse("drive d", 0xA000000C, 0, "\\??\\D:\\file")
        for name, tag in (("system compressed", 0x80000017), ("cloud", 0x9000301A), ("unknown", 0x00001234)):
            self.file(name, b"not the data")
            os.setxattr(self.at(name), "system.ntfs_reparse_data", struct.pack("<IHH", tag, 16, 0) + bytes(16 if tag >> 31 else 32))

    def reparse(self, name, tag, flags, target):
        """A symbolic link as Windows makes it; without flags, a junction."""
        raw = target.encode("utf-16-le")
        data = struct.pack("<HHHH", 0, len(raw), 0, len(raw)) + (b"" if flags is None else struct.pack("<I", flags)) + raw
        if flags is not None:
            self.file(name)
        os.setxattr(self.at(name), "system.ntfs_reparse_data", struct.pack("<IHH", tag, len(data), 0) + data)

    def compressed(self):
        os.mkdir(self.at("compressed"))
        self.may(os.setxattr, self.at("compressed"), "system.ntfs_attrib_be", (0x800).to_bytes(4, "big"))
        text = b"".join(b"line %d of many that are alike\n" % i for i in range(200))[:4096] * 60
        for n in (10, 900, 4096, 65535, 65536, 65537, 200000):
            self.file("compressed/text%d" % n, text[:n])
        self.file("compressed/random", self.bytes(4096) * 25)
        self.file("compressed/zeros", bytes(300000))
        self.file("compressed/mixed", b"".join(text[:30000] + self.bytes(3000) + bytes(90000) for _ in range(4)))
        fd = self.write("compressed/later", text[:150000])
        os.close(fd)
        os.close(self.write("compressed/later", text[:9000], 400000))
        self.file("compressed/short runs", b"".join(bytes([i % 251]) * (i % 40) for i in range(700)))

    def windows(self):
        self.windows_tiny()
        for n in (500, 650, 690, 710, 730, 8191, 8193, 65535, 65536, 131073, 3000000):
            self.file("more%d" % n, self.bytes(n))
        os.mkdir(self.at("directory"))
        for i in range(4000):
            self.file("directory/%s%d" % ("name" * (i % 20), i), b"%d" % i)
        for i in range(0, 4000, 3):
            os.unlink(self.at("directory/%s%d" % ("name" * (i % 20), i)))
        # More names, streams and runs than a record has room for.
        self.file("names", b"of many names")
        os.mkdir(self.at("names of it"))
        for i in range(80):
            os.link(self.at("names"), self.at("names of it/%s%d" % ("long" * 40, i)))
        self.file("streams", b"of many streams")
        for i in range(60):
            os.setxattr(self.at("streams"), "user.stream %d" % i, b"%d" % i * (i * 7))
        fd, other = self.write("pieces", b""), self.write("other pieces", b"")
        for i in range(900):
            os.pwrite(fd, b"%d" % i * 100, i * 66000)
            os.pwrite(other, b"%d" % i * 10, i * 70000)
        os.close(fd), os.close(other)
        os.close(self.write("5 GiB", b"far", 5 << 30))
        fd = self.write("written in part", b"")
        self.may(os.posix_fallocate, fd, 0, 500000)
        os.pwrite(fd, b"written" * 100, 20000)
        os.close(fd)
        os.makedirs(self.at("/".join("d%d" % i for i in range(60))[1:]))
        # Of every plane of Unicode, its first letters, last ones and some between; of small and large letters both.
        os.mkdir(self.at("planes"))
        for plane in range(17):
            for at in (0x00E9, 0x0411, 0x0431, 0x1E9E, 0x2C2F, 0xABCD, 0xD7FF, 0xE000, 0xFFFD):
                self.file("planes/%s %d" % (chr(plane << 16 | at), plane), b"%x" % at)
        # Of small letters all that a table of upper case may change.
        os.mkdir(self.at("letters of all"))
        for first in range(0xC0, 0x2100, 64):
            name = "".join(chr(c) for c in range(first, first + 64) if chr(c).isalpha())
            if name:
                self.file("letters of all/" + name, name.encode())

    def windows_wsl(self):
        """Special files as the Windows Subsystem for Linux makes them, by the driver's option; without devices that have a number."""
        os.mkdir(self.at("special"))
        for i, target in enumerate(("here", "../dir/file", "t" * 300, "\u00e4\u20ac\U0001f600")):
            os.symlink(target, self.at("special/link%d" % i))
        os.mkfifo(self.at("special/fifo"))
        os.mknod(self.at("special/socket"), 0o600 | stat.S_IFSOCK)
        self.file("file", b"a file")

    def windows_in_use(self):
        """Written and changed while the driver runs; some of it is synced, files are held open."""
        self.windows_tiny()
        self.after_sync()
        # Not `dir/sub`: the driver shows the target of a link of Windows only while it is there.
        os.rename(self.at("compressed"), self.at("after/moved"))
        os.unlink(self.at("size4097"))
        os.truncate(self.at("size70000"), 3000)
        self.fsync("size1000", b"written over" * 4000)
        for i in range(1, 150, 3):
            if i % 7:
                os.unlink(self.at("many/name%03d%s" % (i, "x" * 20)))
        self.hold()
        os.rename(self.at("size800"), self.at("renamed while it is in use"))
        for i in range(30):
            self.file("after/lost %d" % i, b"perhaps lost" * i)

    def windows_scattered(self):
        """A volume so full of small files that the table of files is in many pieces."""
        os.mkdir(self.at("fill"))
        count = 0
        try:
            while True:
                self.file("fill/%d" % count, b"%d" % count * 1000)
                count += 1
        except OSError:
            pass
        for i in range(0, count, 2):
            if os.path.exists(self.at("fill/%d" % i)):
                os.unlink(self.at("fill/%d" % i))
        os.mkdir(self.at("small"))
        try:
            for i in range(count * 4):
                self.file("small/%d" % i, b"%d" % i)
        except OSError:
            pass


def main():
    command, root = sys.argv[1], sys.argv[2]
    if command == "list":
        return listing(root)
    os.umask(0o022)
    fill = Fill(root)
    for profile in command.split("+"):
        getattr(fill, profile)()
    if len(sys.argv) > 3:  # copy the image while the tree is mounted and files are open
        subprocess.run(["cp", "--sparse=always", sys.argv[3], sys.argv[4]], check=True)


main()
