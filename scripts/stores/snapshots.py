"""What a containerd has: blobs by their digests, layers by the mounts that its snapshotters give out. Docker's may be one."""
import hashlib
import json
import os

from inside import read, run

EMPTY = "sha256:84ff92691f909a05b224e1c56abb4864f01b4f8e3c854e4bb4c7baf1d3f6d652"


class Store:
    def __init__(self, root, address="/run/containerd/containerd.sock"):
        self.root, self.address = root, address

    def ctr(self, *words, namespace="default", **options):
        return run("ctr", "-a", self.address, "-n", namespace, *words, **options)

    def blob(self, digest):
        path = f"{self.root}/io.containerd.content.v1.content/blobs/sha256/{digest[7:]}"
        return json.loads(read(path)) if os.path.exists(path) else None

    def manifests(self, digest, found=None):
        """All that a target leads to: (digest, document or None, descriptor)."""
        found = [] if found is None else found
        document = self.blob(digest)
        found.append((digest, document))
        for each in (document or {}).get("manifests", []):
            self.manifests(each["digest"], found)
        return found

    def snapshots(self, namespace, snapshotter):
        lines = self.ctr("snapshots", "--snapshotter", snapshotter, "ls", namespace=namespace, may_fail=True).splitlines()[1:]
        return {line.split()[0]: line.split()[-1] for line in lines if line.strip()}

    def mounts(self, namespace, snapshotter, key):
        words = self.ctr("snapshots", "--snapshotter", snapshotter, "mounts", "/there", key, namespace=namespace)
        return self.view(words)

    def view(self, words):
        """Of `mount -t TYPE SOURCE TARGET -o OPTIONS`, one line for each mount."""
        lines = [line.split() for line in words.splitlines() if line.strip()]
        kind, source, options = lines[-1][2], lines[-1][3], dict(each.partition("=")[::2] for each in lines[-1][-1].split(","))
        if kind == "overlay":
            return {"overlay": ([options["upperdir"]] if "upperdir" in options else []) + options["lowerdir"].split(":")}
        if kind == "btrfs":
            return {"directory": next((each["path"] for each in subvolumes() if each["ID"] == options["subvolid"]), "")}
        return {"directory": source}

    def committed(self, namespace, snapshotter, chain):
        """Where a committed snapshot lies: a view is made of it for a moment, which shows that itself, or, of btrfs, a snapshot of it."""
        do = lambda *words: self.ctr("snapshots", "--snapshotter", snapshotter, *words, namespace=namespace, may_fail=True)
        while True:  # nothing refers to the view: it may be collected before it is asked for
            do("view", "moment", chain)
            words = do("mounts", "/there", "moment")
            view = self.view(words) if words else None
            if view and snapshotter == "btrfs":
                known = subvolumes()
                parent = next((each["parent_uuid"] for each in known if each["path"] == view["directory"]), None)
                view = next(({"directory": each["path"]} for each in known if each["uuid"] == parent), None)
            do("rm", "moment")
            if view:
                return view

    def images(self, namespace):
        targets = {}
        for line in self.ctr("images", "ls", namespace=namespace).splitlines()[1:]:
            words = line.split()
            targets.setdefault(words[2], []).append(words[0])
        snapshotters = {each: self.snapshots(namespace, each) for each in ("overlayfs", "native", "btrfs", "erofs")}
        for target, names in sorted(targets.items()):
            parts = self.manifests(target)
            attested = {each["digest"] for _, document in parts for each in (document or {}).get("manifests", [])
                        if (each.get("annotations") or {}).get("vnd.docker.reference.type") == "attestation-manifest"}
            image = {"namespace": namespace, "id": "", "names": sorted(names), "target": target, "digests": [digest for digest, document in parts if document],
                     "absent": [digest for digest, document in parts if not document], "attestations": sorted(attested), "unpacked": []}
            for digest, document in parts:
                if document is None or "layers" not in document or digest in attested:
                    continue
                config = self.blob(document["config"]["digest"])
                if config is None or config.get("architecture") not in ("amd64", None):
                    continue
                layers = config["rootfs"]["diff_ids"]
                image |= {"id": document["config"]["digest"], "created": config.get("created"), "labels": (config.get("config") or {}).get("Labels") or {}, "layers": layers,
                          "layer_blobs": [each["digest"] for each in document["layers"]],
                          "absent_layers": [each["digest"] for each in document["layers"] if not os.path.exists(f"{self.root}/io.containerd.content.v1.content/blobs/sha256/{each['digest'][7:]}")]}
                chain = chain_id(layers)
                for snapshotter, keys in snapshotters.items():
                    if chain in keys:
                        image["unpacked"].append(snapshotter)
                        image.setdefault("view", self.committed(namespace, snapshotter, chain))
                image["file"] = f"{namespace}-{image['id'][7:]}"
            yield image


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
