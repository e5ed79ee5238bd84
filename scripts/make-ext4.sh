#!/usr/bin/env bash
# Makes ext2, ext3 and ext4 images of every kind with the kernel, and next to each NAME.img the kernel's own
# listing NAME.tsv (of a dirty image: after the kernel has replayed its journal). Needs root, e2fsprogs, python3.
#   unshare -m scripts/make-ext4.sh OUT_DIR            the full matrix
#   unshare -m scripts/make-ext4.sh --small OUT_DIR    the few small ones of disk-fixtures/ext4, compressed
set -euo pipefail
small=
if [ "${1:-}" = --small ]; then small=1; shift; fi
out=$(realpath -m "${1:?usage: make-ext4.sh [--small] OUT_DIR}")
mkdir -p "$out"
work=$(mktemp -d)
mnt=$work/mnt
mkdir "$mnt"
trap 'umount -q "$mnt" || true; rm -rf "$work"' EXIT

cat > "$work/tree.py" <<'PY'
"""fill PROFILE DIR: makes files; change/hold: dirties a mounted tree; list DIR: the truth about a tree."""
import ctypes, fcntl, hashlib, os, random, socket, stat, struct, subprocess, sys, time

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


def listing(root):
    root = os.fsencode(root)
    todo = [root]
    while todo:
        path = todo.pop()
        st = os.lstat(path)
        kind = {stat.S_IFREG: "-", stat.S_IFDIR: "d", stat.S_IFLNK: "l", stat.S_IFCHR: "c",
                stat.S_IFBLK: "b", stat.S_IFIFO: "p", stat.S_IFSOCK: "s"}[stat.S_IFMT(st.st_mode)]
        names = sorted(os.listxattr(path, follow_symlinks=False))
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
        seconds, nanos = divmod(st.st_mtime_ns, 10**9)
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
            os.mknod(self.at("nodes/" + name), kind | 0o640, os.makedev(major, minor))
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
        """Changes that a fast commit can hold."""
        self.tiny()
        self.sync()
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
PY

# The kernel's listing of an image, by mounting a copy that it may change.
truth() { # image tsv
  cp --sparse=always "$1" "$work/copy.img"
  mount -o loop "$work/copy.img" "$mnt" 2>/dev/null || mount -o loop,ro "$work/copy.img" "$mnt"
  python3 "$work/tree.py" list "$mnt" | LC_ALL=C sort > "$2"
  umount "$mnt"
  rm "$work/copy.img"
}

format() { # image size mke2fs-options…
  local image=$1 size=$2
  shift 2
  rm -f "$image"
  truncate -s "$size" "$image"
  mke2fs -q -F -U 01234567-89ab-cdef-0123-456789abcdef "$@" "$image" 2> >(grep -v "128-byte inodes\|label too long\|blocksize\|-byte blocks\|^$" >&2)
}

image() { # name size profile mount-options mke2fs-options…
  local name=$1 size=$2 profile=$3 options=$4
  shift 4
  echo "$name"
  format "$out/$name.img" "$size" -L "$name" "$@"
  mount -o "loop$options" "$out/$name.img" "$mnt"
  python3 "$work/tree.py" "$profile" "$mnt"
  umount "$mnt"
  truth "$out/$name.img" "$out/$name.tsv"
}

# With a feature that tune2fs adds, as this kernel may not write to such a file system.
tuned() { # name size profile tune2fs-features mke2fs-options…
  local name=$1 features=$4
  image "$1" "$2" "$3" "" "${@:5}"
  tune2fs -O "$features" "$out/$name.img" > /dev/null
  truth "$out/$name.img" "$out/$name.tsv"
}

# Copied while mounted: the journal holds what the rest does not.
dirty() { # name size profile mount-options mke2fs-options… (an existing $work/image is used if no options)
  local name=$1 size=$2 profile=$3 options=$4
  shift 4
  echo "$name"
  if [ $# -gt 0 ]; then format "$work/image" "$size" -L "${name:0:16}" "$@"; fi
  mount -o "loop$options" "$work/image" "$mnt"
  python3 "$work/tree.py" "$profile" "$mnt" "$work/image" "$out/$name.img"
  umount "$mnt"
  rm "$work/image"
  truth "$out/$name.img" "$out/$name.tsv"
}

# Filled by mke2fs from a directory, for what this kernel cannot mount: sizes of directories are its own.
offline() { # name size mke2fs-options…
  local name=$1 size=$2
  shift 2
  echo "$name"
  rm -rf "$work/tree"
  mkdir "$work/tree"
  python3 "$work/tree.py" tiny "$work/tree"
  find "$work/tree" -depth -exec touch -h -d '2001-02-03 04:05:06' {} +
  format "$out/$name.img" "$size" -d "$work/tree" "$@"
  (echo "# approximate"; python3 "$work/tree.py" list "$work/tree" | LC_ALL=C sort) > "$out/$name.tsv"
}

# Transactions that debugfs writes, with the journal checksums that the kernel no longer makes: a block written,
# revoked and written again, and one that must be escaped.
written() { # name size checksum-version mke2fs-options…
  local name=$1 version=$3 first
  image "$1" "$2" tiny "" "${@:4}"
  first=$(debugfs -R 'bmap /size5000 0' "$out/$name.img" 2> /dev/null)
  head -c 1024 /dev/zero | tr '\0' J > "$work/plain"
  { printf '\xc0\x3b\x39\x98'; head -c 1020 /dev/zero | tr '\0' K; } > "$work/escaped"
  printf '%s\n' "jo -c -v $version" "jw -b $first $work/plain" "jw -b $((first + 1)) $work/escaped" \
    "jw -b $((first + 2)) $work/plain" "jw -r $((first + 2))" "jw -r $first" "jw -b $first $work/escaped" jc |
    debugfs -w -f - "$out/$name.img" > /dev/null 2>&1
  truth "$out/$name.img" "$out/$name.tsv"
}

# Sets the number of the journal's next transaction, so that it wraps (journals without checksums only).
sequence() { # image number-in-hex
  local block size
  block=$(debugfs -R 'bmap <8> 0' "$1" 2>/dev/null)
  size=$(dumpe2fs -h "$1" 2>/dev/null | sed -n 's/^Block size: *//p')
  printf "$(sed 's/../\\x&/g' <<< "$2")" | dd of="$1" bs=1 seek=$((block * size + 24)) conv=notrunc status=none
}

if [ "$small" ]; then
  out_dir=$out out=$work/out
  mkdir "$out"
  image ext2-1k 1M tiny "" -t ext2 -b 1024 -N 128
  image ext3-no-filetype 4M tiny "" -t ext3 -b 1024 -I 128 -N 128 -O ^filetype
  image ext4-1k 12M tiny "" -t ext4 -b 1024 -N 256
  image ext4-4k-inline 8M tiny "" -t ext4 -b 4096 -N 128 -O inline_data,^resize_inode
  image ext4-bigalloc 16M tiny "" -t ext4 -b 4096 -C 16384 -N 128 -O bigalloc,ea_inode,^has_journal,^resize_inode
  dirty ext4-dirty 4M dirty "" -t ext4 -b 1024 -N 384
  dirty ext3-dirty 6M dirty ",data=journal" -t ext3 -b 1024 -N 384
  offline ext4-64k 8M -t ext4 -b 65536 -N 128 -O ^has_journal
  mkdir -p "$out_dir"
  for image in "$out"/*.img; do zstd -q -f --ultra -22 "$image" -o "$out_dir/$(basename "$image").zst"; done
  for list in "$out"/*.tsv; do zstd -q -f --ultra -22 "$list" -o "$out_dir/$(basename "$list").zst"; done
  exit
fi

image ext4-default 256M large "" -t ext4 -N 70000
image ext4-1k 128M std+two_levels "" -t ext4 -b 1024 -N 20000
image ext4-2k 128M std "" -t ext4 -b 2048
image ext2-1k 128M std "" -t ext2 -b 1024
image ext2-4k 128M std "" -t ext2 -b 4096
image ext2-revision-0 64M tiny "" -t ext2 -r 0 -b 1024
image ext3-1k 128M std "" -t ext3 -b 1024
image ext3-4k 128M std "" -t ext3 -b 4096
image ext4-no-extents 128M std "" -t ext4 -O ^extent,^64bit
image ext4-inline-256 128M std "" -t ext4 -O inline_data -I 256
image ext4-inline-1024 128M std "" -t ext4 -O inline_data -I 1024
image ext4-inline-1k-512 128M std "" -t ext4 -b 1024 -O inline_data -I 512
image ext4-meta-bg 256M std "" -t ext4 -b 1024 -O meta_bg,^resize_inode
image ext4-bigalloc 256M std "" -t ext4 -O bigalloc -C 65536
image ext4-bigalloc-1k 128M std "" -t ext4 -b 1024 -O bigalloc -C 16384
image ext4-large-dir 128M std+two_levels "" -t ext4 -b 1024 -N 20000 -O large_dir
image ext4-ea-inode 128M std "" -t ext4 -O ea_inode
image ext4-ea-inode-inline 128M std "" -t ext4 -O ea_inode,inline_data,metadata_csum_seed
image ext4-no-filetype 128M std "" -t ext4 -O ^filetype
image ext4-inode-128 128M std "" -t ext4 -I 128
image ext4-no-csum 128M std "" -t ext4 -O ^metadata_csum
image ext4-uninit-bg 128M std "" -t ext4 -O ^metadata_csum,uninit_bg
image ext4-uninit-bg-64bit 128M std "" -t ext4 -O ^metadata_csum,uninit_bg,64bit
image ext4-32bit 128M std "" -t ext4 -O ^64bit
image ext4-no-flex-bg 128M std "" -t ext4 -b 1024 -O ^flex_bg
image ext4-sparse-super2 128M std "" -t ext4 -b 1024 -O sparse_super2,^resize_inode
image ext4-no-sparse-super 128M std "" -t ext4 -b 1024 -O ^sparse_super,^resize_inode
image ext4-orphan-file 128M std "" -t ext4 -O orphan_file
tuned ext4-quota 128M std quota,project -t ext4
image ext4-stable-inodes 128M std "" -t ext4 -O stable_inodes,metadata_csum_seed
tuned ext4-verity 128M std verity -t ext4
image ext4-mmp 128M tiny "" -t ext4 -O mmp
image ext4-no-journal 128M std "" -t ext4 -O ^has_journal
image ext4-dir-nlink 128M links "" -t ext4 -O inline_data,^has_journal -N 70000
image ext4-encrypt 64M encrypt "" -t ext4 -O encrypt
offline ext4-64k 64M -t ext4 -b 65536
offline ext4-64k-ext2 64M -t ext2 -b 65536
offline ext4-16k 64M -t ext4 -b 16384
offline ext4-casefold 32M -t ext4 -O casefold -E encoding=utf8
debugfs -w -R 'set_inode_field /many flags 0x40080000' "$out/ext4-casefold.img" 2> /dev/null

dirty dirty-v3 64M dirty "" -t ext4
dirty dirty-v3-1k 32M dirty "" -t ext4 -b 1024
dirty dirty-async 64M dirty ",journal_async_commit,data=writeback" -t ext4
dirty dirty-no-csum 64M dirty "" -t ext4 -O ^metadata_csum
dirty dirty-v1-csum 64M dirty ",journal_checksum" -t ext4 -O ^metadata_csum
dirty dirty-v1-async 64M dirty ",journal_async_commit,data=writeback" -t ext4 -O ^metadata_csum,^64bit
dirty dirty-data-journal 64M dirty ",data=journal" -t ext4
dirty dirty-data-journal-ext3 64M dirty ",data=journal" -t ext3 -b 1024
dirty dirty-ext3 64M dirty "" -t ext3
dirty dirty-inline 64M dirty "" -t ext4 -O inline_data
dirty dirty-orphan-file 64M dirty "" -t ext4 -O orphan_file
dirty dirty-bigalloc 64M dirty "" -t ext4 -O bigalloc -C 16384
dirty dirty-wrap 32M wrap "" -t ext4 -b 1024 -J size=1
written journal-v2-csum 32M 2 -t ext4 -b 1024
written journal-v2-csum-32bit 32M 2 -t ext4 -b 1024 -O ^64bit
written journal-v3-csum 32M 3 -t ext4 -b 1024
format "$work/image" 32M -t ext3 -b 1024 -J size=1
sequence "$work/image" fffffff0
dirty dirty-sequence-wraps 32M wrap ""
dirty dirty-fast-commit 64M fast "" -t ext4 -O fast_commit
dirty dirty-fast-commit-1k 64M fast "" -t ext4 -b 1024 -O fast_commit,inline_data
# What is not replayed must be told; there is nothing to compare.
echo unreplayed-external-journal
truncate -s 8M "$work/journal"
mke2fs -q -F -b 4096 -O journal_dev "$work/journal"
loop=$(losetup -f --show "$work/journal")
format "$out/unreplayed-external-journal.img" 16M -t ext4 -b 4096 -J "device=$loop"
losetup -d "$loop"
debugfs -w -R 'feature needs_recovery' "$out/unreplayed-external-journal.img" > /dev/null 2>&1
: > "$out/unreplayed-external-journal.tsv"
# A journal in many pieces: made where every other block is taken.
format "$work/image" 16M -t ext4 -b 1024 -O ^has_journal
mount -o loop "$work/image" "$mnt"
python3 - "$mnt" <<'PY'
import os, sys
for i in range(4000):
    fd = os.open("%s/f%d" % (sys.argv[1], i), os.O_WRONLY | os.O_CREAT)
    os.write(fd, b"x" * 3000)
    os.close(fd)
PY
sync -f "$mnt"
python3 -c 'import os,sys; [os.unlink("%s/f%d" % (sys.argv[1], i)) for i in range(0, 4000, 2)]' "$mnt"
umount "$mnt"
tune2fs -j -J size=2 "$work/image" > /dev/null
dirty dirty-fragmented-journal 16M dirty ""
