"""The layers of the images that the runtimes are given: a Debian with a database that dpkg wrote, and every kind of
change that a layer can make to those below it."""
import io
import json
import os
import subprocess
import tarfile

TIME = 1767225600  # 2026-01-01
SITE = "usr/local/lib/python3.11/site-packages"
# A file may be run with one more capability (net_bind_service, effective): revision 2 of the attribute.
CAPABILITY = bytes.fromhex("0100000200040000000000000000000000000000")
OS_RELEASE = """PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"
NAME="Debian GNU/Linux"
VERSION_ID="12"
VERSION_CODENAME=bookworm
ID=debian
"""
# What the layers above find to change.
FILES = {
    "usr/lib/os-release": OS_RELEASE,
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nu:x:1000:1000::/home/u:/bin/sh\n",
    "etc/group": "root:x:0:\nu:x:1000:\n",
    "etc/motd": "welcome\n",
    "etc/big": "a line of a file of some size\n" * 20000,
    "etc/debian_version": "12.11\n",
    "srv/move/inner/file": "moves with its directory\n",
} | {path: path + "\n" for path in """opt/dir/a opt/dir/sub/b srv/data/old1 srv/data/old2 swap/file2dir swap/dir2file/in swap/dir2link/in
    swap/file2link swap/other/in gone/file gone/dir/in/deep gone/again opaque/old opaque/keep/old opaque/sub/old""".split()}
KINDS = {"d": tarfile.DIRTYPE, "-": tarfile.REGTYPE, "l": tarfile.SYMTYPE, "h": tarfile.LNKTYPE, "p": tarfile.FIFOTYPE,
         "c": tarfile.CHRTYPE, "b": tarfile.BLKTYPE}


class Layer:
    """A tar, entry by entry: owners, attributes and names that need not be possible where this runs."""

    def __init__(self, form=tarfile.PAX_FORMAT):
        self.bytes = io.BytesIO()
        self.tar = tarfile.open(fileobj=self.bytes, mode="w", format=form, errors="surrogateescape")

    def add(self, name, data=None, kind="-", mode=None, owner=(0, 0), target="", device=(0, 0), attributes=None, time=TIME):
        member = tarfile.TarInfo(os.fsdecode(name))
        member.type = KINDS[kind]
        member.mode = mode if mode is not None else {"d": 0o755, "l": 0o777}.get(kind, 0o644)
        member.uid, member.gid = owner
        member.linkname, member.mtime = target, time
        member.devmajor, member.devminor = device
        for key, value in (attributes or {}).items():
            member.pax_headers["SCHILY.xattr." + key] = os.fsdecode(value)
        data = (data or "").encode() if isinstance(data or "", str) else data
        member.size = len(data)
        self.tar.addfile(member, io.BytesIO(data))
        return self

    def dirs(self, *names):
        for name in names:
            self.add(name, kind="d")
        return self

    def gone(self, *names):
        for name in names:
            folder, _, last = name.rpartition("/")
            self.add((folder + "/" if folder else "") + ".wh." + last)
        return self

    def done(self):
        self.tar.close()
        return self.bytes.getvalue()


def package(folder, name, version, files):
    root = os.path.join(folder, "deb", name)
    os.makedirs(root + "/DEBIAN")
    with open(root + "/DEBIAN/control", "w") as control:
        control.write(f"Package: {name}\nVersion: {version}\nArchitecture: amd64\nMaintainer: Nobody <nobody@example.org>\n"
                      f"Section: libs\nPriority: optional\nDescription: stands for {name}\n of which it has the name only\n")
    for path in files:
        os.makedirs(os.path.dirname(f"{root}/{path}"), exist_ok=True)
        with open(f"{root}/{path}", "w") as file:
            file.write(f"{name} {version} {path}\n")
    run("dpkg-deb", "--build", "--root-owner-group", "-Znone", root, f"{folder}/deb/{name}.deb")
    return f"{folder}/deb/{name}.deb"


def run(*words):
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        raise SystemExit(" ".join(words[:4]) + ": " + done.stdout.decode(errors="replace")[-2000:])


def base(folder):
    """What dpkg makes of a few packages, and one program."""
    root = folder + "/base"
    os.makedirs(folder + "/deb")
    for path in "var/lib/dpkg/info var/lib/dpkg/updates usr/bin usr/lib etc tmp proc sys dev run data host".split():
        os.makedirs(f"{root}/{path}")
    open(root + "/var/lib/dpkg/status", "w").close()
    debs = [package(folder, *each) for each in (
        ("libssl3", "3.0.9-1", ["usr/lib/x86_64-linux-gnu/libssl.so.3", "usr/share/doc/libssl3/copyright"]),
        ("zlib1g", "1:1.2.13.dfsg-1", ["usr/lib/x86_64-linux-gnu/libz.so.1.2.13", "usr/share/doc/zlib1g/copyright"]),
        ("libexpat1", "2.5.0-1", ["usr/lib/x86_64-linux-gnu/libexpat.so.1.8.10", "usr/share/doc/libexpat1/copyright"]),
        ("libcurl4", "7.88.1-10", ["usr/lib/x86_64-linux-gnu/libcurl.so.4.8.0", "usr/share/doc/libcurl4/copyright"]))]
    run("dpkg", "--root=" + root, "--force-script-chrootless", "--force-not-root", "--log=/dev/null", "--install", *debs)
    for left in "status-old", "available", "lock", "lock-frontend", "triggers":
        subprocess.run(["rm", "-rf", f"{root}/var/lib/dpkg/{left}"], check=True)
    for path, text in FILES.items():
        os.makedirs(os.path.dirname(f"{root}/{path}"), exist_ok=True)
        with open(f"{root}/{path}", "w") as file:
            file.write(text)
    os.symlink("../usr/lib/os-release", root + "/etc/os-release")
    os.symlink("usr/bin", root + "/bin")
    for name in ("link2dir", "link2file"):
        os.symlink("other", f"{root}/swap/{name}")
    os.symlink("gone/file", root + "/gone/link")
    os.chmod(root + "/tmp", 0o1777)
    run("musl-gcc", "-Os", "-static", "-s", "-o", root + "/usr/bin/tool", os.path.dirname(os.path.abspath(__file__)) + "/tool.c")
    layer = Layer()
    for path in sorted(os.path.relpath(os.path.join(top, name), root) for top, dirs, files in os.walk(root) for name in dirs + files):
        st = os.lstat(f"{root}/{path}")
        kind = "l" if os.path.islink(f"{root}/{path}") else "d" if os.path.isdir(f"{root}/{path}") else "-"
        data = open(f"{root}/{path}", "rb").read() if kind == "-" else b""
        layer.add(path, data, kind, st.st_mode & 0o7777, target=os.readlink(f"{root}/{path}") if kind == "l" else "")
    return layer.done()


def python(layer, name, version):
    layer.dirs(f"{SITE}/{name}", f"{SITE}/{name}-{version}.dist-info")
    layer.add(f"{SITE}/{name}/__init__.py", f"__version__ = '{version}'\n")
    layer.add(f"{SITE}/{name}-{version}.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nLicense: MIT\n")
    layer.add(f"{SITE}/{name}-{version}.dist-info/RECORD", f"{name}/__init__.py,,\n{name}-{version}.dist-info/METADATA,,\n")


def node(layer, name, version):
    layer.dirs(f"srv/app/node_modules/{name}")
    layer.add(f"srv/app/node_modules/{name}/package.json", json.dumps({"name": name, "version": version, "license": "MIT"}))


def layers(folder):
    """The tars by their names."""
    made = {"base": base(folder)}
    middle = Layer().dirs("usr/local", "usr/local/lib", "usr/local/lib/python3.11", SITE)
    python(middle, "jinja2", "3.0.1")
    python(middle, "urllib3", "1.26.4")
    made["middle"] = middle.done()
    web = Layer().dirs("srv/app", "srv/app/node_modules").add("srv/app/package.json", '{"name":"web","version":"1.0.0","private":true}')
    node(web, "lodash", "4.17.15")
    node(web, "minimist", "1.2.0")
    made["web"] = web.done()
    next_ = Layer().gone(f"{SITE}/jinja2-3.0.1.dist-info", f"{SITE}/urllib3", f"{SITE}/urllib3-1.26.4.dist-info")
    python(next_, "jinja2", "3.1.4")
    next_.dirs("srv/app/node_modules").add("srv/app/node_modules/.wh..wh..opq")
    node(next_, "lodash", "4.17.21")
    made["next"] = next_.done()
    made["odd"] = odd()
    made["names"] = names()
    made["changes"] = changes()
    made["empty"] = Layer().done()
    made["twice"] = Layer().dirs("twice").add("twice/file", "the same again\n").done()
    made["between"] = Layer().gone("twice").done()
    for number in range(24):
        made[f"small{number}"] = Layer().dirs("small").add(f"small/{number}", f"{number}\n").add("small/last", f"{number}\n").done()
    with open(folder + "/base/usr/bin/tool", "rb") as tool:
        made["pause"] = Layer().dirs("usr", "usr/bin").add("usr/bin/tool", tool.read(), mode=0o755).done()
    return made


def odd():
    """Files of every kind, owner and mode."""
    layer = Layer().dirs("odd", "odd/a", "odd/b", "odd/a/b", "odd/a/b/c")
    layer.add("odd/setuid", "s", mode=0o4755).add("odd/setgid", "s", mode=0o2755, owner=(0, 42)).add("odd/none", "n", mode=0)
    layer.add("odd/sticky", kind="d", mode=0o1777).add("odd/setgid.d", kind="d", mode=0o2775, owner=(1000, 1000))
    layer.add("odd/user", "u", owner=(1000, 1000)).add("odd/nobody", "n", owner=(65534, 65534))
    layer.add("odd/attributes", "x", attributes={"user.note": b"a note", "user.bytes": b"\x00\xff\n", "user.empty": b""})
    layer.add("odd/attributes.d", kind="d", attributes={"user.note": b"of a directory"})
    layer.add("odd/capable", "x", mode=0o755, attributes={"security.capability": CAPABILITY})
    layer.add("odd/null", kind="c", mode=0o666, device=(1, 3)).add("odd/loop", kind="b", mode=0o660, device=(7, 0), owner=(0, 6))
    layer.add("odd/fifo", kind="p", mode=0o600)
    layer.add("odd/a/one", "three names\n").add("odd/b/two", kind="h", target="odd/a/one").add("odd/three", kind="h", target="odd/a/one")
    for name, target in {"absolute": "/odd/a/one", "relative": "a/one", "dangling": "nowhere", "out": "../../../../../etc/passwd",
                         "self": "self", "up": ".."}.items():
        layer.add("odd/" + name, kind="l", target=target)
    layer.add("odd/empty").add("odd/zeros", bytes(1 << 20)).add("odd/text", b"".join(b"line %d of a file\n" % i for i in range(30000)))
    layer.add("odd/old", "old", time=1).add("odd/future", "future", time=4102444800)
    return layer.done()


def names():
    """Names that are not text, or are text in another language than that of whoever prints them."""
    layer = Layer(tarfile.GNU_FORMAT).dirs("names")
    odd = [b"new\nline", b"back\\slash", b"tab\there", b"quote\"'", b"\xff\xfe not utf-8", "größe".encode(), b" leading", b"trailing ",
           b"-dash", b"%41", b"\x01\x7f", b"n" * 255, b"*?[", b".whiteout", b"..twodots", b"..."]
    for number, name in enumerate(odd):
        layer.add(b"names/" + name, f"{number}\n")
    deep = "names"
    for letter in "def":
        deep += "/" + letter * 100
        layer.dirs(deep)
    layer.add(deep + "/file", "a long way\n")
    layer.add(b"names/link", kind="l", target=os.fsdecode(b"new\nline")).add(b"names/bytes", kind="l", target=os.fsdecode(b"\xff"))
    return layer.done()


def changes():
    """What a layer can do to those below it."""
    layer = Layer().dirs("gone").gone("gone/file", "gone/dir", "gone/link", "gone/never").gone("gone/again").add("gone/again", "new\n")
    layer.dirs("opaque").add("opaque/.wh..wh..opq").add("opaque/new", "new\n").dirs("opaque/sub").add("opaque/sub/new", "new\n")
    layer.dirs("swap", "swap/file2dir").add("swap/file2dir/in", "in\n").gone("swap/dir2file").add("swap/dir2file", "file\n")
    layer.gone("swap/dir2link").add("swap/dir2link", kind="l", target="other").add("swap/file2link", kind="l", target="other/in")
    layer.gone("swap/link2dir").dirs("swap/link2dir").add("swap/link2dir/in", "in\n").gone("swap/link2file").add("swap/link2file", "file\n")
    layer.add("opt/dir", kind="d", mode=0o700, owner=(1000, 1000)).gone("opt/dir/a")
    layer.dirs("odd").add("odd/three", "a name of its own\n").gone("odd/b").add("odd/setuid", "s", mode=0o755).gone("odd/null")
    return layer.done()
