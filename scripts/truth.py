#!/usr/bin/env python3
"""truth.py CONTAINERD_ROOT > truth.json: what the kernel and the guests' own tools say of the images in a containerd root.

Every image's snapshots are merged by the kernel's overlayfs, read-only. In each merged tree dpkg-query and rpm list their
databases, Python's importlib.metadata its distributions, and package.json files are read where npm puts packages; the
tree itself is listed with the digest of every file. Needs root and a mount namespace of its own (`unshare -m`)."""
import hashlib
import importlib.metadata
import json
import os
import stat
import subprocess
import sys
import tempfile


def run(*words):
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


def dpkg(root):
    if not os.path.exists(root + "/var/lib/dpkg/status"):
        return []
    form = "${Package}\t${Version}\t${db:Status-Abbrev}\n"
    rows = (line.split("\t") for line in run("dpkg-query", "--admindir", root + "/var/lib/dpkg", "-W", "-f", form).splitlines())
    return sorted([name, version] for name, version, state in rows if state[1] == "i")


def rpm(root):
    if not os.path.isdir(root + "/var/lib/rpm"):
        return []
    with tempfile.TemporaryDirectory() as copy:  # rpm opens its database for writing
        run("cp", "-r", root + "/var/lib/rpm/.", copy)
        form = "%{NAME}\t%|EPOCH?{%{EPOCH}:}:{}|%{VERSION}-%{RELEASE}\n"
        return sorted(line.split("\t") for line in run("rpm", "--dbpath", copy, "-qa", "--qf", form).splitlines())


def python(root):
    found = []
    for top, dirs, _ in os.walk(root):
        if any(name.endswith(".dist-info") for name in dirs):
            for distribution in importlib.metadata.distributions(path=[top]):
                found.append([distribution.metadata["Name"], distribution.version])
    return sorted(found)


def node(root):
    found = []
    for top, dirs, files in os.walk(root):
        parts = top.split("/")
        named = parts[-2:-1] == ["node_modules"] or parts[-3:-2] == ["node_modules"] and parts[-2].startswith("@")
        if named and "package.json" in files:
            with open(top + "/package.json") as file:
                package = json.load(file)
            found.append([package["name"], package["version"]])
    return sorted(found)


def files(root):
    rows = []
    for top, dirs, names in os.walk(root):
        for name in dirs + names:
            path = os.path.join(top, name)
            info = os.lstat(path)
            row = ["/" + os.path.relpath(path, root), stat.filemode(info.st_mode)]
            if stat.S_ISREG(info.st_mode):
                with open(path, "rb") as file:
                    row += [info.st_size, hashlib.file_digest(file, "sha256").hexdigest()]
            elif stat.S_ISLNK(info.st_mode):
                row.append(os.readlink(path))
            rows.append(row)
    return sorted(rows)


def blobs(root):
    base = root + "/io.containerd.content.v1.content/blobs/sha256/"
    for name in os.listdir(base):
        with open(base + name, "rb") as file:
            data = file.read()
        if data[:1] == b"{":
            yield "sha256:" + name, json.loads(data)


def snapshots(root):
    """Directories of unpacked layers by their content: the truth must not read containerd's databases as icecore does."""
    base = root + "/io.containerd.snapshotter.v1.overlayfs/snapshots/"
    return {name: base + name + "/fs" for name in os.listdir(base)}


def diff_key(paths):
    return hashlib.sha256("\n".join(sorted(paths)).encode()).hexdigest()


def tar_paths(root, descriptor):
    blob = root + "/io.containerd.content.v1.content/blobs/sha256/" + descriptor["digest"][7:]
    names = run("tar", "tf", blob, "--zstd" if "zstd" in descriptor["mediaType"] else "-z").splitlines()
    out = []
    for name in (n.strip("./").rstrip("/") for n in names):
        top, _, last = name.rpartition("/")
        if last == ".wh..wh..opq" or not name:
            continue
        out.append((top + "/" if top else "") + last.removeprefix(".wh."))
    return diff_key(set(out))


def dir_paths(path):
    return diff_key({os.path.relpath(os.path.join(top, name), path) for top, dirs, names in os.walk(path) for name in dirs + names})


def main(root):
    by_paths = {dir_paths(path): path for path in snapshots(root).values()}
    all_blobs = dict(blobs(root))
    result = []
    for digest, manifest in sorted(all_blobs.items()):
        if "layers" not in manifest:
            continue
        config = all_blobs[manifest["config"]["digest"]]
        layers = [by_paths[tar_paths(root, layer)] for layer in manifest["layers"]]
        merged = tempfile.mkdtemp()
        if len(layers) == 1:
            run("mount", "--bind", layers[0], merged)
        else:
            run("mount", "-t", "overlay", "overlay", "-o", "ro,lowerdir=" + ":".join(reversed(layers)), merged)
        found = {"deb": dpkg(merged), "rpm": rpm(merged), "pypi": python(merged), "npm": node(merged)}
        result.append(
            {
                "id": manifest["config"]["digest"],
                "manifest": digest,
                "source": config["config"].get("Labels", {}).get("org.opencontainers.image.source", ""),
                "layers": config["rootfs"]["diff_ids"],
                "packages": {kind: rows for kind, rows in found.items() if rows},
                "files": files(merged),
            }
        )
        run("umount", merged)
    json.dump(result, sys.stdout, separators=(",", ":"))


main(sys.argv[1])
