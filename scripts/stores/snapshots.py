"""What a containerd has: blobs by their digests, layers by the mounts that its snapshotters give out. Docker's may be one."""
import hashlib
import json
import os
import shlex

from inside import read, run

EMPTY = "sha256:84ff92691f909a05b224e1c56abb4864f01b4f8e3c854e4bb4c7baf1d3f6d652"
SNAPSHOTTERS = ("overlayfs", "native", "btrfs", "erofs", "soci")
ATTESTATION = "attestation-manifest"


class Store:
    def __init__(self, root, address="/run/containerd/containerd.sock"):
        self.root, self.address = root, address

    def ctr(self, line, *words, namespace="default", **options):
        return run("ctr", "-a", self.address, "-n", namespace, *shlex.split(line), *words, **options)

    # Blobs.

    def path(self, digest):
        return f"{self.root}/io.containerd.content.v1.content/blobs/sha256/{digest[7:]}"

    def blob(self, digest):
        return json.loads(read(self.path(digest))) if os.path.exists(self.path(digest)) else None

    def manifests(self, digest):
        """All that a target leads to: (digest, document, or None if it is not there)."""
        document = self.blob(digest)
        found = [(digest, document)]
        for each in (document or {}).get("manifests", []):
            found += self.manifests(each["digest"])
        return found

    # Snapshots.

    def snapshots(self, namespace, snapshotter):
        lines = self.ctr(f"snapshots --snapshotter {snapshotter} ls", namespace=namespace, may_fail=True).splitlines()
        return {line.split()[0] for line in lines[1:] if line.strip()}

    def mounts(self, namespace, snapshotter, key):
        """Where the tree of an active snapshot is found."""
        return view(self.ctr(f"snapshots --snapshotter {snapshotter} mounts /there {key}", namespace=namespace))

    def committed(self, namespace, snapshotter, chain):
        """The same of a committed one: a view is made of it for a moment, which shows that itself, or, of btrfs, a snapshot of it."""
        do = lambda line: self.ctr(f"snapshots --snapshotter {snapshotter} {line}", namespace=namespace, may_fail=True)
        while True:  # nothing refers to the view: it may be collected before it is asked for
            do(f"view moment {chain}")
            words = do("mounts /there moment")
            found = view(words) if words else None
            if found and snapshotter == "btrfs":
                known = subvolumes()
                parent = next((each["parent_uuid"] for each in known if each["path"] == found["directory"]), None)
                found = next(({"directory": each["path"]} for each in known if each["uuid"] == parent), None)
            do("rm moment")
            if found:
                return found

    # Images.

    def images(self, namespace):
        targets = {}
        for line in self.ctr("images ls", namespace=namespace).splitlines()[1:]:
            words = line.split()
            targets.setdefault(words[2], []).append(words[0])
        keys = {snapshotter: self.snapshots(namespace, snapshotter) for snapshotter in SNAPSHOTTERS}
        for target, names in sorted(targets.items()):
            yield self.image(namespace, target, sorted(names), keys)

    def image(self, namespace, target, names, keys):
        parts = self.manifests(target)
        members = [each for _, document in parts for each in (document or {}).get("manifests", [])]
        attested = {each["digest"] for each in members if (each.get("annotations") or {}).get("vnd.docker.reference.type") == ATTESTATION}
        image = {
            "namespace": namespace,
            "id": "",
            "names": names,
            "target": target,
            "digests": [digest for digest, document in parts if document],
            "absent": [digest for digest, document in parts if not document],
            "attestations": sorted(attested),
            "unpacked": [],
        }
        for digest, document in parts:
            if document is None or "layers" not in document or digest in attested:
                continue
            config = self.blob(document["config"]["digest"])
            if config is None or config.get("architecture") != "amd64":
                continue
            layers, blobs = config["rootfs"]["diff_ids"], [each["digest"] for each in document["layers"]]
            chain = chain_id(layers)
            image |= {
                "id": document["config"]["digest"],
                "created": config.get("created"),
                "labels": (config.get("config") or {}).get("Labels") or {},
                "layers": layers,
                "layer_blobs": blobs,
                "absent_layers": [each for each in blobs if not os.path.exists(self.path(each))],
                "unpacked": [snapshotter for snapshotter in SNAPSHOTTERS if chain in keys[snapshotter]],
            }
            if image["unpacked"]:
                image["view"] = self.committed(namespace, image["unpacked"][0], chain)
        image["file"] = f"{namespace}-{image['id'][7:]}"
        return image


def view(words):
    """Of `mount -t TYPE SOURCE TARGET -o OPTIONS`, one line for each mount, of which the last is what is seen."""
    words = [line for line in words.splitlines() if line.strip()][-1].split()
    kind, source = words[2], words[3]
    options = dict(each.partition("=")[::2] for each in words[-1].split(","))
    if kind == "overlay":
        return {"overlay": ([options["upperdir"]] if "upperdir" in options else []) + options["lowerdir"].split(":")}
    if kind == "btrfs":
        return {"directory": next((each["path"] for each in subvolumes() if each["ID"] == options["subvolid"]), "")}
    return {"directory": source}


def alike(images):
    """What is not unpacked shows what one shows that differs from it by a layer without anything in it."""
    for image in images:
        layers = [layer for layer in image.get("layers", []) if layer != EMPTY]
        like = next((each for each in images if each["unpacked"] and each.get("layers") == layers), None)
        if not image["unpacked"] and like:
            image["view"] = like["view"]


def chain_id(layers):
    chain = layers[0] if layers else "sha256:"
    for layer in layers[1:]:
        chain = "sha256:" + hashlib.sha256(f"{chain} {layer}".encode()).hexdigest()
    return chain


def subvolumes():
    found = []
    for line in run("btrfs", "subvolume", "list", "-u", "-q", "/").splitlines():
        words, _, path = line.replace("top level", "level").partition(" path ")
        words = words.split()
        found.append(dict(zip(words[::2], words[1::2])) | {"path": "/" + path})
    return found
