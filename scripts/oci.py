#!/usr/bin/env python3
"""Layer tars and OCI archives for fixtures.

  oci.py layer DIR OUT.tar                   the files of DIR, sorted, owned by root
  oci.py image OUT.tar REF=LAYER.tar+… …     one OCI archive; equal layers are stored once, as gzip or (every third) zstd
"""
import gzip
import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile

MEDIA = "application/vnd.oci.image."


def layer(root, out):
    def owned_by_root(member):
        member.uid = member.gid = 0
        member.uname = member.gname = "root"
        return member

    paths = sorted(
        os.path.relpath(os.path.join(top, name), root) for top, dirs, files in os.walk(root) for name in dirs + files
    )
    with tarfile.open(out, "w", format=tarfile.PAX_FORMAT) as tar:
        for path in paths:
            tar.add(os.path.join(root, path), path, recursive=False, filter=owned_by_root)


class Store:
    def __init__(self):
        self.blobs = {}
        self.layers = {}

    def put(self, data, media):
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        self.blobs[digest] = data
        return {"mediaType": media, "digest": digest, "size": len(data)}

    def layer(self, path):
        if path not in self.layers:
            with open(path, "rb") as file:
                plain = file.read()
            if len(self.layers) % 3 == 2:
                packed = subprocess.run(["zstd", "-q", "-c", "-19"], input=plain, capture_output=True, check=True).stdout
                descriptor = self.put(packed, MEDIA + "layer.v1.tar+zstd")
            else:
                descriptor = self.put(gzip.compress(plain, 9, mtime=0), MEDIA + "layer.v1.tar+gzip")
            self.layers[path] = "sha256:" + hashlib.sha256(plain).hexdigest(), descriptor
        return self.layers[path]

    def image(self, reference, paths):
        layers = [self.layer(path) for path in paths]
        source = "https://git.example/" + reference.split("/", 1)[1].split(":")[0]
        config = {
            "architecture": "amd64",
            "os": "linux",
            "created": "2026-01-01T00:00:00Z",
            "config": {"Cmd": ["/bin/sh"], "Labels": {"org.opencontainers.image.source": source}},
            "rootfs": {"type": "layers", "diff_ids": [diff_id for diff_id, _ in layers]},
            "history": [{"created": "2026-01-01T00:00:00Z", "created_by": "COPY " + path} for path in paths],
        }
        if reference.startswith("registry.k8s.io/pause"):
            config["config"] = {"Entrypoint": ["/tool", "wait"]}
        manifest = {
            "schemaVersion": 2,
            "mediaType": MEDIA + "manifest.v1+json",
            "config": self.put(json.dumps(config).encode(), MEDIA + "config.v1+json"),
            "layers": [descriptor for _, descriptor in layers],
        }
        descriptor = self.put(json.dumps(manifest).encode(), manifest["mediaType"])
        return descriptor | {"annotations": {"io.containerd.image.name": reference}}


def image(out, *specs):
    store = Store()
    index = [store.image(reference, paths.split("+")) for reference, _, paths in (spec.partition("=") for spec in specs)]
    files = {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}'}
    files["index.json"] = json.dumps({"schemaVersion": 2, "manifests": index}).encode()
    files |= {"blobs/sha256/" + digest.removeprefix("sha256:"): data for digest, data in store.blobs.items()}
    with tarfile.open(out, "w") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))


if __name__ == "__main__":
    {"layer": layer, "image": image}[sys.argv[1]](*sys.argv[2:])
