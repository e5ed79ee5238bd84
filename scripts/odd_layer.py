"""Disks of Docker's whose image has, in its uppermost layer, one kind of what no image of make-stores.sh has: what tars have no room for,
or only in some dialects. Of that layer's own tar nothing is kept, but for one of which a file was changed behind Docker's back. The truth
is what the kernel shows of the layers."""
import glob
import hashlib
import json
import os
import shutil
import socket
import stat
import struct
import subprocess

FROM, NAME = "docker-overlay2-ext4", "registry.example/shop/web:1.1"
ACL = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in (
    (1, 6, 2**32 - 1), (2, 4, 1000), (4, 4, 2**32 - 1), (16, 6, 2**32 - 1), (32, 4, 2**32 - 1)))


def links(at):
    long = at + "/" + "/".join(letter * 120 for letter in "abc")
    os.makedirs(long)
    write(long + "/file", b"a long way\n")
    os.link(long + "/file", at + "/short")
    os.link(long + "/file", long + "/" + "l" * 200)
    os.symlink("target" * 50, at + "/symlink")
    os.symlink(b"\xff\n" * 80, os.fsencode(at) + b"/symlink of bytes")
    os.mkfifo(at + "/fifo")
    os.mknod(at + "/device", 0o640 | stat.S_IFCHR, os.makedev(4095, 1048575))
    for name in "symlink", "fifo", "device":
        os.link(f"{at}/{name}", f"{at}/{name} again", follow_symlinks=False)
    for length in 98, 99, 100, 101, 154, 155, 156, 255:
        write(at + "/" + "n" * length, b"%d\n" % length)
        os.mkdir(at + "/" + "d" * length)
    os.link(at + "/" + "n" * 100, at + "/link to 100")


def numbers(at):
    for number in 2097151, 2097152, 2**31, 2**32 - 2:
        write(f"{at}/owner {number}", b"o", owner=number)
    for seconds in (0, 2**33 - 1, 2**33, 9 * 10**9):
        path = write(f"{at}/time {seconds}", b"t")
        os.utime(path, (seconds, seconds))
    for name in "hole at the end", "hole at the start":
        write(f"{at}/{name}", b"data")
        os.truncate(f"{at}/{name}", 20 << 20)
    with open(at + "/hole at the start", "r+b") as file:
        file.write(bytes(4)), file.seek(15 << 20), file.write(b"here")


def attributes(at):
    for name, attribute, value in (("bytes", "user.bytes", bytes(range(256))), ("large", "user.large", b"large\n" * 600),
                                   ("list", "system.posix_acl_access", ACL), ("digits", "user.digits", b"9"),
                                   ("letters", "user.gr\u00f6\u00dfe", b"x")):
        os.setxattr(write(at + "/" + name, b"x"), attribute, value)
    os.setxattr(write(at + "/" + "n" * 200, b"x"), "user.of a long name", b"x")
    os.mkdir(at + "/dir")
    os.setxattr(at + "/dir", "system.posix_acl_default", ACL)
    os.setxattr(write(at + "/trusted", b"x"), "trusted.note", b"x")
    os.symlink("trusted", at + "/symlink")
    os.setxattr(at + "/symlink", "trusted.of a link", b"x", follow_symlinks=False)


def equals(at):
    os.setxattr(write(at + "/equals", b"x"), "user.a=b", b"c")


def bytes_names(at):
    os.setxattr(write(at + "/name", b"x"), b"user.\xff", b"c")


def sockets(at):
    here = os.getcwd()
    os.chdir(at)
    socket.socket(socket.AF_UNIX).bind("socket")
    os.chdir(here)
    write(at + "/beside", b"x")


def whiteout_names(at):
    write(at + "/.wh.beside", b"a file that only looks like one\n")
    write(at + "/beside", b"x")


def changed(at):
    top = os.path.dirname(at)
    files = sorted(os.path.join(folder, name) for folder, _, names in os.walk(top) if folder != at for name in names)
    path = next(path for path in files if os.path.isfile(path) and not os.path.islink(path) and os.path.getsize(path))
    times = os.stat(path)
    with open(path, "r+b") as file:
        first = file.read(1)
        file.seek(0), file.write(bytes([first[0] ^ 1]))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


# And what icecore may do instead of giving the same tree: of "refuse", tell which path it is about. Times before 1970 no runtime unpacks.
KINDS = {"links": None, "numbers": None, "attributes": None, "equals": "refuse", "bytes_names": "refuse", "sockets": "leave out",
         "whiteout_names": "refuse", "changed": "tell"}


def write(path, data, owner=0):
    with open(path, "wb") as file:
        file.write(data)
    os.chown(path, owner, owner)
    return path


def make_disk(stores, out, kind, tree):
    """OUT/odd-KIND.raw, .json and .trees, as make-stores.sh leaves them."""
    name = f"odd-{kind}"
    raw, at = f"{out}/{name}.raw", f"{out}/{name}.disk"
    os.makedirs(at, exist_ok=True)
    os.makedirs(f"{out}/{name}.trees", exist_ok=True)
    subprocess.run(["cp", "--sparse=always", f"{stores}/{FROM}.raw", raw], check=True)
    facts = json.load(open(f"{stores}/{FROM}.json"))
    image = next(image for image in facts["images"] if NAME in image["names"])
    subprocess.run(["mount", "-o", "loop", raw, at], check=True)
    chain, layers = None, []
    for layer in image["layers"]:
        chain = layer if chain is None else "sha256:" + hashlib.sha256(f"{chain} {layer}".encode()).hexdigest()
        [cache] = glob.glob(f"{at}{facts['root']}/image/overlay2/layerdb/sha256/{chain[7:]}/cache-id")
        layers.insert(0, f"{at}{facts['root']}/overlay2/{open(cache).read()}/diff")
    os.mkdir(layers[0] + "/odder")
    globals()[kind](layers[0] + "/odder")
    # Of other copies of the layer, too.
    for diff in glob.glob(f"{at}{facts['root']}/image/overlay2/layerdb/sha256/*/diff"):
        if open(diff).read() == layer and (KINDS[kind] != "tell" or chain[7:] not in diff):
            os.unlink(os.path.dirname(diff) + "/tar-split.json.gz")
    # Runtimes, and what they write, go by whole seconds.
    for folder, _, names in os.walk(layers[0] + "/odder"):
        for path in (os.path.join(folder, name) for name in names):
            seconds = int(os.lstat(path).st_mtime)
            os.utime(path, (seconds, seconds), follow_symlinks=False)
    os.makedirs(f"{out}/merged", exist_ok=True)
    # Short names: an option of mount holds a page.
    for number, layer in enumerate(layers):
        os.makedirs(f"{out}/{number}", exist_ok=True)
        subprocess.run(["mount", "--bind", layer, f"{out}/{number}"], check=True)
    lower = ":".join(str(number) for number in range(len(layers)))
    subprocess.run(["mount", "-t", "overlay", "-o", "lowerdir=" + lower, "overlay", "merged"], check=True, cwd=out)
    image["tree"] = f"{name}.trees/{image['id'][7:]}"
    with open(f"{out}/{image['tree']}", "w", errors="surrogateescape") as file:
        file.write(tree(f"{out}/merged"))
    for place in [f"{out}/merged", *[f"{out}/{number}" for number in range(len(layers))], at]:
        subprocess.run(["umount", place], check=True)
    facts["images"] = [image]
    with open(f"{out}/{name}.json", "w") as file:
        json.dump(facts, file)
    shutil.rmtree(at)
    return name
