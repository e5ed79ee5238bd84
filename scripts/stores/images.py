"""The images that the runtimes are given: manifests over the layers, as a registry serves them and as archives."""
import gzip
import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile

import layers

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import oci

MEDIA = oci.MEDIA
DOCKERFILE = """FROM registry.example/shop/web:1.0
LABEL built="yes" org.opencontainers.image.title="built"
COPY added /srv/app/added
RUN ["/bin/tool", "write", "/etc/built", "by the runtime", "remove", "/opt/dir", "chmod", "600", "/etc/motd"]
ENV C=d
CMD ["/bin/tool", "exit", "0"]
"""


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
                data = subprocess.run(["zstd", "-q", "-c", "-3"], input=plain, capture_output=True, check=True).stdout
                media = "layer.v1.tar+zstd"
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
            entry = {"created": created, "created_by": "RUN " + name.strip("[]"), "comment": "by hand"}
            history.append(entry | ({"empty_layer": True} if empty else {}))
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
            statement = {"_type": "https://in-toto.io/Statement/v0.1", "predicateType": "https://slsa.dev/provenance/v0.2", "predicate": {},
                         "subject": [{"name": "_", "digest": {"sha256": manifest["digest"][7:]}}]}
            statement = self.put(json.dumps(statement).encode(), "application/vnd.in-toto+json")
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
            parts = document.get("manifests", []) + document.get("layers", [])
            todo += [part["digest"] for part in parts + ([document["config"]] if "layers" in document else [])]
        notes = {name: {"io.containerd.image.name": name, "org.opencontainers.image.ref.name": name.rpartition(":")[2]} for name in names}
        index = {"schemaVersion": 2, "manifests": [self.names[name] | {"annotations": notes[name]} for name in names]}
        files = {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}', "index.json": json.dumps(index).encode()}
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


def make(folder):
    """Everything in FOLDER: blobs/ and refs.json for the registry, some archives."""
    made = layers.layers(folder)
    all_ = Images(made)
    names = all_.names
    names["registry.example/base/debian:12"] = all_.manifest(["base", "[CMD tool]"])
    web = all_.manifest(["base", "middle", "web"], labels={"org.opencontainers.image.source": "https://git.example/shop/web"})
    names["registry.example/shop/web:1.0"] = names["registry.example/shop/web:stable"] = web
    names["registry.example/shop/web:1.1"] = all_.manifest(
        ["base", "[ENV A=b]", "middle", "web", "[LABEL x]", "next"], labels={
            "org.opencontainers.image.title": "web", "org.opencontainers.image.version": "1.1", "empty": "",
            "maintainer": "Nobody <nobody@example.org>"},
        Entrypoint=["/bin/tool"], Cmd=["exit", "0"], User="1000", WorkingDir="/srv/app", ExposedPorts={"80/tcp": {}}, Volumes={"/data": {}})
    names["registry.example/odd/things:1"] = all_.manifest(["base", "odd", "names", "changes", "empty", "twice", "between", "twice"])
    names["registry.example/odd/kinds:1"] = all_.manifest(["base", "odd"])
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
        file.write(DOCKERFILE)
    with open(folder + "/build/added", "w") as file:
        file.write("added\n")
