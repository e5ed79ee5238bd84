"""The layers and images that the runtimes are given: a Debian with a database that dpkg wrote, and every kind of change that a layer can
make to those below it."""
import gzip
import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import oci

MEDIA = oci.MEDIA
TIME = 1767225600  # 2026-01-01
SITE = "usr/local/lib/python3.11/site-packages"
# A file may be run with one more capability (net_bind_service, effective): revision 2 of the attribute.
CAPABILITY = bytes.fromhex("0100000200040000000000000000000000000000")
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
    for path in ("var/lib/dpkg/info", "var/lib/dpkg/updates", "usr/bin", "usr/lib", "etc", "tmp", "proc", "sys", "dev", "run", "data", "host"):
        os.makedirs(f"{root}/{path}")
    open(root + "/var/lib/dpkg/status", "w").close()
    debs = [package(folder, *each) for each in (
        ("libssl3", "3.0.9-1", ["usr/lib/x86_64-linux-gnu/libssl.so.3", "usr/share/doc/libssl3/copyright"]),
        ("zlib1g", "1:1.2.13.dfsg-1", ["usr/lib/x86_64-linux-gnu/libz.so.1.2.13", "usr/share/doc/zlib1g/copyright"]),
        ("libexpat1", "2.5.0-1", ["usr/lib/x86_64-linux-gnu/libexpat.so.1.8.10", "usr/share/doc/libexpat1/copyright"]),
        ("libcurl4", "7.88.1-10", ["usr/lib/x86_64-linux-gnu/libcurl.so.4.8.0", "usr/share/doc/libcurl4/copyright"]))]
    run("dpkg", "--root=" + root, "--force-script-chrootless", "--force-not-root", "--log=/dev/null", "--install", *debs)
    for left in ("var/lib/dpkg/status-old", "var/lib/dpkg/available", "var/lib/dpkg/lock", "var/lib/dpkg/lock-frontend", "var/lib/dpkg/triggers"):
        subprocess.run(["rm", "-rf", f"{root}/{left}"], check=True)
    for path, text in {
        "usr/lib/os-release": 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nNAME="Debian GNU/Linux"\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\nID=debian\n',
        "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nu:x:1000:1000::/home/u:/bin/sh\n", "etc/group": "root:x:0:\nu:x:1000:\n",
        "etc/motd": "welcome\n", "etc/big": "a line of a file of some size\n" * 20000, "etc/debian_version": "12.11\n",
        "opt/dir/a": "a\n", "opt/dir/sub/b": "b\n", "srv/data/old1": "old\n", "srv/data/old2": "old\n", "srv/move/inner/file": "moves with its directory\n",
        "swap/file2dir": "file\n", "swap/dir2file/in": "in\n", "swap/dir2link/in": "in\n", "swap/file2link": "file\n", "swap/other/in": "other\n",
        "gone/file": "x\n", "gone/dir/in/deep": "x\n", "gone/again": "old\n", "opaque/old": "old\n", "opaque/keep/old": "old\n", "opaque/sub/old": "old\n",
    }.items():
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
    layer.add("odd/absolute", kind="l", target="/odd/a/one").add("odd/relative", kind="l", target="a/one").add("odd/dangling", kind="l", target="nowhere")
    layer.add("odd/out", kind="l", target="../../../../../etc/passwd").add("odd/self", kind="l", target="self").add("odd/up", kind="l", target="..")
    layer.add("odd/empty").add("odd/zeros", bytes(1 << 20)).add("odd/text", b"".join(b"line %d of a file\n" % i for i in range(30000)))
    layer.add("odd/old", "old", time=1).add("odd/future", "future", time=4102444800)
    return layer.done()


def names():
    """Names that are not text, or are text in another language than that of whoever prints them."""
    layer = Layer(tarfile.GNU_FORMAT).dirs("names")
    for number, name in enumerate((b"new\nline", b"back\\slash", b"tab\there", b"quote\"'", b"\xff\xfe not utf-8", "größe".encode(), b" leading", b"trailing ",
                                   b"-dash", b"%41", b"\x01\x7f", b"n" * 255, b"*?[", b".whiteout", b"..twodots", b"...")):
        layer.add(b"names/" + name, f"{number}\n")
    layer.dirs("names/" + "d" * 100, "names/" + "d" * 100 + "/" + "e" * 100, "names/" + "d" * 100 + "/" + "e" * 100 + "/" + "f" * 100)
    layer.add("names/" + "d" * 100 + "/" + "e" * 100 + "/" + "f" * 100 + "/file", "a long way\n")
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


class Images(oci.Store):
    """An OCI layout's blobs, and manifests by the names that they shall have."""

    def __init__(self, made):
        super().__init__()
        self.made = made
        self.packed = {}
        self.names = {}
        self.configs = {}

    def pack(self, name, how):
        if (name, how) not in self.packed:
            plain = self.made[name]
            if how == "zstd":
                data, media = subprocess.run(["zstd", "-q", "-c", "-3"], input=plain, capture_output=True, check=True).stdout, "layer.v1.tar+zstd"
            elif how == "gzip":
                data, media = gzip.compress(plain, 9, mtime=0), "layer.v1.tar+gzip"
            else:
                data, media = plain, "layer.v1.tar"
            self.packed[name, how] = self.put(data, MEDIA + media)
        return self.packed[name, how]

    def manifest(self, layers, how="gzip", architecture="amd64", labels=None, created="2026-01-01T00:00:00Z", **config):
        """`layers`: names, or names between brackets for history that made no layer."""
        diffs, history = [], []
        for name in layers:
            empty = name.startswith("[")
            history.append({"created": created, "created_by": "RUN " + name.strip("[]"), "comment": "by hand"} | ({"empty_layer": True} if empty else {}))
            if not empty:
                diffs.append("sha256:" + hashlib.sha256(self.made[name]).hexdigest())
        document = {"architecture": architecture, "os": "linux", "created": created, "author": "nobody",
                    "config": {"Env": ["PATH=/usr/bin"], "Cmd": ["/bin/tool"], "Labels": labels or {}} | config,
                    "rootfs": {"type": "layers", "diff_ids": diffs}, "history": history}
        config = self.put(json.dumps(document).encode(), MEDIA + "config.v1+json")
        self.configs[config["digest"]] = diffs
        manifest = {"schemaVersion": 2, "mediaType": MEDIA + "manifest.v1+json", "config": config,
                    "layers": [self.pack(name, how) for name in layers if not name.startswith("[")]}
        return self.put(json.dumps(manifest).encode(), manifest["mediaType"]) | {"platform": {"architecture": architecture, "os": "linux"}}

    def attested(self, *manifests):
        """An index of the platforms, each with a statement of how it was made, as BuildKit writes it."""
        entries = list(manifests)
        for manifest in manifests:
            statement = self.put(json.dumps({"_type": "https://in-toto.io/Statement/v0.1", "predicateType": "https://slsa.dev/provenance/v0.2",
                                             "subject": [{"name": "_", "digest": {"sha256": manifest["digest"][7:]}}], "predicate": {}}).encode(),
                                 "application/vnd.in-toto+json")
            config = self.put(json.dumps({"architecture": "unknown", "os": "unknown", "config": {}, "rootfs": {
                "type": "layers", "diff_ids": [statement["digest"]]}}).encode(), MEDIA + "config.v1+json")
            document = {"schemaVersion": 2, "mediaType": MEDIA + "manifest.v1+json", "config": config, "layers": [statement]}
            entries.append(self.put(json.dumps(document).encode(), document["mediaType"]) | {
                "platform": {"architecture": "unknown", "os": "unknown"},
                "annotations": {"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": manifest["digest"]}})
        document = {"schemaVersion": 2, "mediaType": MEDIA + "index.v1+json", "manifests": entries}
        return self.put(json.dumps(document).encode(), document["mediaType"])

    def write(self, folder):
        """As the registry serves them: blobs by digest; refs.json tells the digest of each name."""
        os.makedirs(folder + "/blobs")
        for digest, data in self.blobs.items():
            with open(folder + "/blobs/" + digest[7:], "wb") as file:
                file.write(data)
        with open(folder + "/refs.json", "w") as file:
            json.dump(self.names, file)

    def archive(self, path, names):
        """An OCI archive of some of them."""
        wanted, todo = set(), [self.names[name]["digest"] for name in names]
        while todo:
            digest = todo.pop()
            wanted.add(digest)
            try:
                document = json.loads(self.blobs[digest])
            except ValueError:
                continue
            parts = document.get("manifests", []) + document.get("layers", []) + ([document["config"]] if "config" in document and "layers" in document else [])
            todo += [part["digest"] for part in parts]
        index = [self.names[name] | {"annotations": {"io.containerd.image.name": name, "org.opencontainers.image.ref.name": name.rpartition(":")[2]}}
                 for name in names]
        files = {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}', "index.json": json.dumps({"schemaVersion": 2, "manifests": index}).encode()}
        files |= {"blobs/sha256/" + digest[7:]: self.blobs[digest] for digest in sorted(wanted)}
        write_tar(path, files)

    def docker_archive(self, path, names):
        """What `docker save` of old wrote: a manifest.json, configs and plain layers."""
        files, manifest = {}, []
        for name in names:
            document = json.loads(self.blobs[self.names[name]["digest"]])
            config = self.blobs[document["config"]["digest"]]
            layers = []
            for diff in json.loads(config)["rootfs"]["diff_ids"]:
                plain = next(data for data in self.made.values() if hashlib.sha256(data).hexdigest() == diff[7:])
                files[diff[7:] + "/layer.tar"] = plain
                layers.append(diff[7:] + "/layer.tar")
            files[document["config"]["digest"][7:] + ".json"] = config
            manifest.append({"Config": document["config"]["digest"][7:] + ".json", "RepoTags": [name], "Layers": layers})
        files["manifest.json"] = json.dumps(manifest).encode()
        write_tar(path, files)


def write_tar(path, files):
    with tarfile.open(path, "w") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))


def images(folder):
    """Everything in FOLDER: blobs/ and refs.json for the registry, some archives."""
    made = layers(folder)
    all_ = Images(made)
    names = all_.names
    names["registry.example/base/debian:12"] = all_.manifest(["base", "[CMD tool]"])
    web = all_.manifest(["base", "middle", "web"], labels={"org.opencontainers.image.source": "https://git.example/shop/web"})
    names["registry.example/shop/web:1.0"] = names["registry.example/shop/web:stable"] = web
    names["registry.example/shop/web:1.1"] = all_.manifest(
        ["base", "[ENV A=b]", "middle", "web", "[LABEL x]", "next"], labels={
            "org.opencontainers.image.title": "web", "org.opencontainers.image.version": "1.1", "maintainer": "Nobody <nobody@example.org>", "empty": ""},
        Entrypoint=["/bin/tool"], Cmd=["exit", "0"], User="1000", WorkingDir="/srv/app", ExposedPorts={"80/tcp": {}}, Volumes={"/data": {}})
    names["registry.example/odd/things:1"] = all_.manifest(["base", "odd", "names", "changes", "empty", "twice", "between", "twice"])
    names["registry.example/odd/named:1"] = all_.manifest(["base", "odd", "changes", "twice"])  # whose names are all text
    names["registry.example/moved/tag:1"] = all_.manifest(["base", "web"], created="2025-12-01T00:00:00Z")
    names["registry.example/moved/tag:next"] = all_.manifest(["base", "web", "next"])
    names["registry.example/many/layers:1"] = all_.manifest(["base"] + [f"small{number}" for number in range(24)], how="plain")
    names["registry.example/packed/zstd:1"] = all_.manifest(["base", "middle", "next"], how="zstd", created="2026-02-01T00:00:00Z")
    # For where it is fetched and not unpacked: its tree is that of loaded:1, its chain of layers no other's.
    names["registry.example/only/fetched:1"] = all_.manifest(["base", "middle", "empty"], how="zstd")
    names["registry.example/attested/app:1"] = all_.attested(
        all_.manifest(["base", "twice"]), all_.manifest(["twice"], architecture="arm64"))
    names["registry.example/pause/pause:3.9"] = all_.manifest(["pause"], Entrypoint=["/usr/bin/tool", "wait"], Cmd=[])
    names["local.example/loaded:1"] = all_.manifest(["base", "middle"])
    names["local.example/loaded:2"] = all_.manifest(["base", "middle", "next"], how="plain")
    all_.write(folder)
    loaded = ["local.example/loaded:1", "local.example/loaded:2"]
    all_.docker_archive(folder + "/docker-archive.tar", loaded)
    all_.archive(folder + "/oci-archive.tar", loaded)
    all_.archive(folder + "/all-archive.tar", list(names))
    with open(folder + "/import.tar", "wb") as file:
        file.write(made["base"])
    # What `docker build` adds.
    os.makedirs(folder + "/build")
    with open(folder + "/build/Dockerfile", "w") as file:
        file.write('FROM registry.example/shop/web:1.0\nLABEL built="yes" org.opencontainers.image.title="built"\nCOPY added /srv/app/added\n'
                   'RUN ["/bin/tool", "write", "/etc/built", "by the runtime", "remove", "/opt/dir", "chmod", "600", "/etc/motd"]\n'
                   'ENV C=d\nCMD ["/bin/tool", "exit", "0"]\n')
    with open(folder + "/build/added", "w") as file:
        file.write("added\n")


if __name__ == "__main__":
    images(sys.argv[1])
