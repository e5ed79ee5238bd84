#!/usr/bin/env python3
"""judge-export.py ICECORE STORES OUT DISK…: what judge-export.sh says, in namespaces of its own."""
import collections
import fnmatch
import glob
import gzip
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import time

import odd_layer

TREE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "tree.py")
FIELDS = "path kind mode uid gid size links device time xattrs content".split()
# Of each disk, the first image of each of these patterns: "" is one without a name, and the last one that has a repository and no tag.
WANTED = ["*odd/things:1", "*shop/web:1.1", "*attested/app:1", "*many/layers:1", "*moved/tag:1", "*committed:1", "*built:2", "*built:1",
          "*loaded:2", "*packed/zstd:1", "*only/fetched:1", "", "*@sha256:*"]
# What an image's configuration says that is not of its layers.
KEPT = ("config", "history", "created", "author", "architecture", "os", "variant", "os.version", "os.features")


def run(*words, may_fail=False, log=None):
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    if done.returncode and not may_fail:
        raise Failure(" ".join(words[:6]) + f" … ended with {done.returncode}: " + done.stderr.decode(errors="replace").strip()[-400:])
    return done if may_fail else done.stdout.decode(errors="surrogateescape")


class Failure(Exception):
    pass


class Archive:
    """What is in an OCI archive, by the specification: every blob must be what its descriptor says."""

    def __init__(self, path):
        self.blobs, index, self.wrong = {}, None, []
        with tarfile.open(path) as tar:
            names = [member.name for member in tar]
            self.wrong += [f"{name} is there twice" for name, count in collections.Counter(names).items() if count > 1]
            if "oci-layout" not in names:
                self.wrong.append("no oci-layout")
            for member in tar:
                data = tar.extractfile(member).read()
                if member.name == "index.json":
                    index = json.loads(data)
                elif member.name.startswith("blobs/"):
                    digest = "sha256:" + hashlib.sha256(data).hexdigest()
                    self.blobs[digest] = data
                    if member.name != "blobs/sha256/" + digest[7:]:
                        self.wrong.append(f"{member.name} has digest {digest}")
        [self.top] = index["manifests"]
        self.manifest = self.document(self.top)
        self.config = self.document(self.manifest["config"])
        self.id = self.manifest["config"]["digest"]
        self.layers = [layer["digest"] for layer in self.manifest["layers"]]
        for layer in self.manifest["layers"]:
            self.check(layer)
        self.name = self.top.get("annotations", {}).get("org.opencontainers.image.ref.name")

    def unpacked(self, layer):
        data = self.blobs[layer]
        if data.startswith(b"\x28\xb5\x2f\xfd"):
            return subprocess.run(["zstd", "-dcq"], input=data, stdout=subprocess.PIPE, check=True).stdout
        return gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data

    def directories(self, of_top):
        """Those that a layer names, as tree.py spells them; if asked so, only if the uppermost layer that has it does."""
        named = set()
        for layer in self.layers:
            with tarfile.open(fileobj=io.BytesIO(self.unpacked(layer))) as tar:
                members = {os.path.normpath("/" + member.name): member.isdir() for member in tar}
            own = {path for path, is_directory in members.items() if is_directory}
            named |= own
            if of_top:
                named -= {parent for path in members for parent in parents(path)} - own
        return named

    def check(self, descriptor):
        if len(self.blobs.get(descriptor["digest"], b"")) != descriptor["size"]:
            self.wrong.append(f"size of {descriptor['digest']} is not {descriptor['size']}")

    def document(self, descriptor):
        self.check(descriptor)
        return json.loads(self.blobs[descriptor["digest"]])


def inside(number, first):
    """The owner in a namespace whose numbers from FIRST on are those from 100000 on; the user whose store it is, if any, is its root."""
    return str(int(number) - 100000 + first if int(number) >= 100000 else 0 if first and number == "1000" else number)


def parents(path):
    while path != "/":
        path = os.path.dirname(path)
        yield path


class Disk:
    """What lies on a disk, as the kernel shows it."""

    def __init__(self, stores, name, at, raw=None):
        self.facts = json.load(open(f"{stores}/{name}.json"))
        self.stores, self.name, self.at = stores, name, at
        self.raw = raw or f"{stores}/{name}.raw"
        # A whole tree for each layer has lost them, or shares them with no other layer.
        self.has_links = "overlay" in self.facts["driver"]
        kind = run("blkid", "-o", "value", "-s", "TYPE", self.raw).strip()
        quiet = {"ext4": "ro,noload", "xfs": "ro,norecovery,nouuid", "btrfs": "ro"}[kind]
        os.makedirs(at, exist_ok=True)
        run("mount", "-o", "loop," + quiet, self.raw, at)
        root = self.facts["root"]
        places = [root + "/image/*/imagedb/content/sha256/*", root + "/*-images/*/*"]
        # Docker keeps the manifests of what it pulls in its own containerd, too.
        stores_of_blobs = {root, root + "/containerd/daemon", self.facts.get("containerd_root", root)}
        places += [store + "/io.containerd.content.v1.content/blobs/sha256/*" for store in stores_of_blobs]
        self.documents, self.blobs = {}, set()
        self.chains = {"sha256:" + path.split("/")[-2] for path in glob.glob(at + root + "/image/*/layerdb/sha256/*/tar-split.json.gz")}
        self.layers = set()
        for place in [root, *([self.facts["additional"]] if self.facts.get("additional") else [])]:
            for path in glob.glob(f"{at}{place}/*-layers/*layers.json"):
                self.layers |= {record.get("diff-digest") for record in json.load(open(path)) or []
                                if os.path.exists(f"{os.path.dirname(path)}/{record['id']}.tar-split.gz")}
        for path in {path for place in places for path in glob.glob(at + place)}:
            if not os.path.isfile(path):
                continue
            data = open(path, "rb").read()
            digest = "sha256:" + hashlib.sha256(data).hexdigest()
            self.blobs.add(digest)
            try:
                self.documents[digest] = json.loads(data)
            except ValueError:
                pass

    def close(self):
        run("umount", self.at)

    def manifests(self, number):
        """The manifests of an image whose layers are all there."""
        own = ((digest, each) for digest, each in self.documents.items() if isinstance(each, dict) and "layers" in each)
        return {digest: each for digest, each in own if (each.get("config") or {}).get("digest") == number
                and all(layer["digest"] in self.blobs for layer in each["layers"])}

    def can_rebuild(self, image):
        """Whether something is kept of the tar of each of its layers."""
        chain, chains = None, set()
        for layer in image["layers"]:
            chain = layer if chain is None else "sha256:" + hashlib.sha256(f"{chain} {layer}".encode()).hexdigest()
            chains.add(chain)
        return chains <= self.chains or set(image["layers"]) <= self.layers

    def own_manifest(self, image):
        """The digest of a manifest of the image that names its layers' tars themselves."""
        for digest, each in self.documents.items():
            if isinstance(each, dict) and (each.get("config") or {}).get("digest") == image["id"]:
                if [layer["digest"] for layer in each.get("layers") or []] == image["layers"]:
                    return digest
        return None

    def best(self, image):
        """The tree of an image whose tars are its own: of a disk that keeps all of what is in them, if one has it."""
        for path in sorted(glob.glob(self.stores + "/*.json"), key=lambda path: ("/containerd" not in path, path)):
            facts = json.load(open(path))
            if facts.get("driver") not in ("overlay2", "overlay", "overlayfs") or facts.get("user") or "fuse" in path or "/100000" in facts["root"]:
                continue
            for each in facts["images"]:
                if each["id"] == image["id"] and each.get("tree"):
                    return parse(open(f"{self.stores}/{each['tree']}").read()), True
        return self.tree(image), self.has_links

    def tree(self, image):
        """What the kernel showed of an image, with the owners that it has in a container."""
        rows = parse(open(f"{self.stores}/{image['tree']}").read())
        first = 1 if self.facts.get("user") else 0 if self.facts["root"].endswith("/100000.100000") else None
        if first is not None:
            for row in rows.values():
                row["uid"], row["gid"] = inside(row["uid"], first), inside(row["gid"], first)
                # The namespace's root in a capability of revision 3; without it, it is one of revision 2.
                row["xattrs"] = re.sub(r"(security.capability=......)03(.{32})(?:e8030000|a0860100)", r"\g<1>02\2", row["xattrs"])
        return rows

    def adds(self, path, field, _, shown):
        """What Docker's snapshots of images that it makes itself have and their blobs have not: those lie over its init layer."""
        init = "/.dockerenv /dev/console /dev/pts /dev/shm /etc/hostname /etc/hosts /etc/mtab /etc/resolv.conf".split()
        return field == "path" and shown is None and path in init and self.facts["runtime"] == "docker"

    def images(self):
        """Those to judge, each with what it is asked for by."""
        found, seen = [], set()
        only = os.environ.get("IMAGES")
        for pattern in [only] if only else WANTED:
            for image in self.facts["images"]:
                if not image.get("tree") or image["tree"] in seen:
                    continue
                names = [name for name in image["names"] if not name.startswith("sha256:")] or [
                    name for name in image.get("digests", []) if "@" in name]
                name = next((name for name in names if fnmatch.fnmatch(name, pattern)), None)
                # Two images of two namespaces may have one name.
                if name is None and (names or pattern) and not (only and fnmatch.fnmatch(image["id"], only)):
                    continue
                seen.add(image["tree"])
                found.append((name or image["id"], image))
                if not only:
                    break
        return found


class Podman:
    """It takes an attribute without a value for one that is not there, as Go's reader of tars does."""

    @staticmethod
    def keeps(attribute):
        return not attribute.endswith("=")

    def __init__(self, out):
        self.words = ["podman", "--root", out + "/podman", "--runroot", out + "/podman-run", "--storage-driver", "overlay",
                      "--tmpdir", out + "/podman-tmp", "--cgroup-manager", "cgroupfs", "--events-backend", "none"]

    def tree(self, path, archive):
        loaded = run(*self.words, "load", "-q", "-i", path)
        if archive.name and "@" not in archive.name and archive.name not in loaded:
            raise Failure(f"loaded as {loaded.strip()}, not as {archive.name}")
        at = run(*self.words, "image", "mount", archive.id[7:]).strip()
        try:
            return listing(at)
        finally:
            run(*self.words, "image", "umount", archive.id[7:])

    def close(self):
        pass


class Containerd:
    """It sets no attribute of this kind."""

    @staticmethod
    def keeps(attribute):
        return not attribute.startswith("trusted.")

    def __init__(self, out):
        self.at = out + "/containerd"
        os.makedirs(self.at + "/mount", exist_ok=True)
        with open(self.at + "/config.toml", "w") as file:
            file.write(f'version = 2\nroot = "{self.at}/root"\nstate = "{self.at}/state"\n'
                       f'disabled_plugins = ["io.containerd.grpc.v1.cri"]\n[grpc]\naddress = "{self.at}/socket"\n')
        log = open(self.at + "/log", "wb")
        self.process = subprocess.Popen(["containerd", "-c", self.at + "/config.toml"], stdout=log, stderr=log)
        self.words = ["ctr", "-a", self.at + "/socket", "-n", "judged"]
        for _ in range(200):
            if run(*self.words, "version", may_fail=True).returncode == 0:
                return
            time.sleep(0.1)
        raise Failure("containerd does not start: " + open(self.at + "/log").read()[-500:])

    def tree(self, path, archive):
        run(*self.words, "images", "import", "--digests", path)
        names = [line.split() for line in run(*self.words, "images", "ls").splitlines()[1:]]
        name = next((name for name, _, digest, *_ in names if digest == archive.top["digest"]), None)
        if name is None:
            raise Failure("imported, but not there: " + " ".join(name[0] for name in names))
        if archive.name and archive.name not in [each[0] for each in names]:
            raise Failure(f"imported as {name}, not as {archive.name}")
        run(*self.words, "images", "mount", name, self.at + "/mount")
        try:
            return listing(self.at + "/mount")
        finally:
            run(*self.words, "images", "unmount", "--rm", self.at + "/mount")
            run(*self.words, "images", "rm", *[each[0] for each in names])

    def close(self):
        self.process.terminate()
        self.process.wait()


def listing(at):
    """Without names that the kernel lists but does not find: whiteouts in a directory that only one layer has."""
    return run("env", "UNREADABLE=yes", "python3", TREE, "list", at)


def parse(text):
    rows = (dict(zip(FIELDS, line.split("\t"))) for line in text.splitlines() if not line.startswith("# "))
    return {row["path"]: row for row in rows}


def differences(truth, shown, named, links):
    """What differs, as (path, field, in truth, shown); of directories that no layer names each runtime has its own attributes."""
    for path in sorted(truth.keys() | shown.keys()):
        a, b = truth.get(path), shown.get(path)
        if a is None or b is None:
            yield path, "path", a and a["kind"], b and b["kind"]
            continue
        for field in FIELDS[1:]:
            is_directory = "d" in (a["kind"], b["kind"])
            if is_directory and (field in ("size", "links", "time") or path not in named and field in ("mode", "uid", "gid")):
                continue
            if field == "links" and not links:
                continue
            if a[field] != b[field]:
                yield path, field, a[field], b[field]


def judge_config(image, disk, archive, is_own, is_rebuilt):
    own = disk.documents.get(image["id"])
    if own is None:
        yield "the disk has no configuration of this image"
        return
    for key in KEPT:
        if own.get(key) != archive.config.get(key):
            yield f"{key} of the configuration: {json.dumps(own.get(key))[:200]} became {json.dumps(archive.config.get(key))[:200]}"
    if len(archive.config["rootfs"]["diff_ids"]) != len(image["layers"]):
        yield f"{len(image['layers'])} layers became {len(archive.config['rootfs']['diff_ids'])}"
    if is_own or is_rebuilt:
        if archive.id != image["id"]:
            yield f"id {image['id']} became {archive.id}"
        if archive.config["rootfs"]["diff_ids"] != image["layers"]:
            yield "the DiffIDs are others"
    if is_rebuilt:
        unpacked = ["sha256:" + hashlib.sha256(archive.unpacked(layer)).hexdigest() for layer in archive.layers]
        if unpacked != image["layers"]:
            yield "the layers are others"
        if disk.own_manifest(image) not in (None, archive.top["digest"]):
            yield f"manifest {archive.top['digest']} is not the image's own"
    if is_own:
        manifests = disk.manifests(image["id"])
        if archive.top["digest"] not in manifests:
            yield f"manifest {archive.top['digest']} is none of the image's own: " + " ".join(manifests)


def judge(disk, name, image, path, judges, icecore, instead=None):
    """A line about an image, what is wrong, and how many paths were compared; INSTEAD is what icecore may do where no tar has it all."""
    wrong, paths = [], 0
    is_own = bool(disk.manifests(image["id"]))
    is_rebuilt = not is_own and not instead and disk.can_rebuild(image)
    done = run(icecore, "export", "--image", name, "-o", path, disk.raw, may_fail=True)
    said = done.stderr.decode(errors="replace").strip()
    told = instead == "refuse" and done.returncode != 0 and "/odder/" in said
    if not os.path.exists(path) and told:
        return "refused: " + said.splitlines()[-1], [], 0
    if not os.path.exists(path):
        return "not exported", [f"exit code {done.returncode}: {said}"], 0
    if is_own and (done.returncode or said):
        wrong.append(f"exit code {done.returncode} of an image that is whole: {said}")
    # Of other stores of the node blobs may be there.
    if is_rebuilt and not disk.own_manifest(image) and not disk.facts.get("others") and "put together again byte for byte" not in said:
        wrong.append(f"not a word of layers that were put together again: {said!r}")
    if is_rebuilt and (done.returncode or "made anew" in said):
        wrong.append(f"exit code {done.returncode} of layers that can be put together again: {said}")
    if instead == "tell" and (done.returncode != 3 or "CRC-64" not in said):
        wrong.append(f"exit code {done.returncode}, and not a word of a changed file: {said!r}")
    told = told or instead == "tell"
    if not (is_own or is_rebuilt) and not re.search("layers? (was|were) made anew", said):
        wrong.append(f"not a word that layers were made anew: {said!r}")
    if not is_own and done.returncode and not told:
        wrong.append(f"exit code {done.returncode}: {said}")
    run(icecore, "export", "--threads", "1", "--image", name, "-o", path + ".again", disk.raw, may_fail=True)
    if run("cmp", path, path + ".again", may_fail=True).returncode:
        wrong.append("another archive on one thread")
    os.unlink(path + ".again")
    archive = Archive(path)
    wrong += archive.wrong
    wrong += judge_config(image, disk, archive, is_own, is_rebuilt)
    if image["names"] and not name.startswith("sha256:") and archive.name not in image["names"] + image.get("refs", []):
        wrong.append(f"named {archive.name}, not {image['names']}")
    if "@" in (archive.name or "") and not archive.name.endswith(archive.top["digest"]):
        wrong.append(f"named {archive.name}, which its digest {archive.top['digest']} is not")
    try:
        shown = json.loads(run("skopeo", "inspect", "oci-archive:" + path))
        if shown["Layers"] != archive.layers:
            wrong.append("skopeo shows other layers")
        shutil.rmtree(path + ".dir", ignore_errors=True)
        run("skopeo", "copy", "-q", "oci-archive:" + path, f"dir:{path}.dir")  # which sums every blob
        shutil.rmtree(path + ".dir")
    except Failure as failure:
        wrong.append(str(failure))
    truth, has_links = disk.best(image) if is_rebuilt or disk.facts.get("others") else (disk.tree(image), disk.has_links)
    for each in judges:
        kind = type(each).__name__
        try:
            shown = parse(each.tree(path, archive))
        except Failure as failure:
            wrong.append(f"{kind}: {failure}")
            continue
        paths += len(truth)
        kept = {path: row | {"xattrs": ",".join(filter(each.keeps, row["xattrs"].split(","))) or "-"} for path, row in truth.items()}
        found = differences(kept, shown, archive.directories(disk.facts["driver"] == "erofs"), has_links)
        found = [each for each in found if not (is_own and disk.adds(*each))]
        if told or instead == "leave out":  # nothing but that
            found = [each for each in found if not each[0].startswith("/odder/") or each[3] and instead == "leave out"]
        wrong += [f"{kind}: {path}: {field} {a} became {b}" for path, field, a, b in found]
    os.unlink(path)
    how = "the image's own blobs" if is_own else "layers put together again" if is_rebuilt else "layers made anew"
    return how, wrong, paths


def clear(out):
    for each in "podman", "podman-run", "podman-tmp", "containerd", "stores":
        shutil.rmtree(f"{out}/{each}", ignore_errors=True)
    if os.path.exists(out + "/anew.raw"):
        os.unlink(out + "/anew.raw")


def without_tars(raw, copy, at):
    """A copy of a disk of which nothing of the layers' tars is kept."""
    run("cp", "--sparse=always", raw, copy)
    os.makedirs(at, exist_ok=True)
    run("mount", "-o", "loop", copy, at)
    run("find", at, "-name", "*tar-split*.gz", "-delete")
    run("umount", at)
    return copy


def main():
    icecore, stores, out, *disks = sys.argv[1:]
    clear(out)
    judges = [Podman(out), Containerd(out)]
    images = paths = wrong = 0
    for name in disks:
        if not os.path.exists(f"{stores}/{name}.raw"):
            print(f"{name}: not there", flush=True)
            continue
        anew = os.environ.get("ANEW") and without_tars(f"{stores}/{name}.raw", out + "/anew.raw", out + "/disk")
        disk = Disk(stores, name, out + "/disk", anew)
        for asked, image in disk.images():
            how, found, compared = judge(disk, asked, image, f"{out}/image.tar", judges, icecore)
            images, paths, wrong = images + 1, paths + compared, wrong + len(found)
            print(f"{name} {asked}: {how}, {compared} paths, {len(found)} differences", flush=True)
            most = int(os.environ.get("SHOWN", "12"))
            for each in found[:most]:
                print("   " + each)
            if len(found) > most:
                print(f"   … and {len(found) - most} more")
        disk.close()
    for kind, instead in odd_layer.KINDS.items() if not os.environ.get("IMAGES") else ():
        os.makedirs(out + "/stores", exist_ok=True)
        disk = Disk(out + "/stores", odd_layer.make_disk(stores, out + "/stores", kind, listing), out + "/disk")
        [(asked, image)] = disk.images()
        how, found, compared = judge(disk, asked, image, f"{out}/image.tar", judges, icecore, instead)
        images, paths, wrong = images + 1, paths + compared, wrong + len(found)
        print(f"{disk.name}: {how}, {compared} paths, {len(found)} differences")
        for each in found:
            print("   " + each)
        disk.close()
        os.unlink(disk.raw)
    for each in judges:
        each.close()
    clear(out)
    print(f"judged export: {images} images, {paths} paths, {wrong} differences")
    sys.exit(wrong != 0 or images == 0)


main()
