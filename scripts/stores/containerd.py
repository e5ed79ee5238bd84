"""containerd.py NAME OPTIONS: fills the store of a containerd, on the node: the namespace `default` through ctr, `k8s.io` through
the CRI plugin, which share the blobs of what both have."""
import json
import os
import sys

from inside import BASE, CHANGES, FILES, LITTLE, MOVED, ODD, TO_DIRECTORY, WEB, archive, copy, read, run, start, tell, until, write
from snapshots import Store, alike

ROOT = "/var/lib/containerd"
PAUSE = "registry.example/pause/pause:3.9"
CONFIG = '''version = 2
root = "/var/lib/containerd"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "registry.example/pause/pause:3.9"
  disable_apparmor = true
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".registry.mirrors."registry.example"]
    endpoint = ["http://registry.example"]
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "%(snapshotter)s"
    discard_unpacked_layers = %(discard)s
'''
CONFIG_3 = '''version = 3
root = "/var/lib/containerd"
[plugins."io.containerd.cri.v1.images"]
  snapshotter = "%(snapshotter)s"
  discard_unpacked_layers = %(discard)s
  use_local_image_pull = true
  [plugins."io.containerd.cri.v1.images".pinned_images]
    sandbox = "registry.example/pause/pause:3.9"
  [plugins."io.containerd.cri.v1.images".registry]
    config_path = "/etc/containerd/certs.d"
[plugins."io.containerd.cri.v1.runtime"]
  disable_apparmor = true
  restrict_oom_score_adj = true
'''
EROFS = '''[plugins."io.containerd.service.v1.diff-service"]
  default = ["erofs", "walking"]
'''
# A snapshotter that is a process of its own.
SOCI = '''[proxy_plugins.soci]
  type = "snapshot"
  address = "/run/soci.sock"
'''
HOSTS = '''server = "http://registry.example"
[host."http://registry.example"]
'''
# As the CRI numbers them, but the first, which it leaves out.
STATES = {None: "created", 0: "created", 1: "running", 2: "exited", 3: "unknown"}
NAMESPACES = ("default", "k8s.io")


class Containerd(Store):
    def __init__(self, options):
        super().__init__(ROOT)
        self.snapshotter = options["snapshotter"]
        self.version = run("containerd", "--version").split()[2]
        self.newer = self.version.lstrip("v").startswith("2")
        values = {"snapshotter": self.snapshotter, "discard": str(bool(options.get("discard"))).lower()}
        more = {"erofs": EROFS, "soci": SOCI}.get(self.snapshotter, "")
        write("/etc/containerd/config.toml", (CONFIG_3 if self.newer else CONFIG) % values + more)
        if self.newer:
            write("/etc/containerd/certs.d/registry.example/hosts.toml", HOSTS)
        if self.snapshotter == "soci":
            start("/run/soci.log", "soci-snapshotter-grpc", "--address", "/run/soci.sock")
            until(lambda: os.path.exists("/run/soci.sock"), "the snapshotter")
        self.process = start("/run/containerd.log", "containerd")
        until(lambda: self.process.poll() is not None or "Server:" in self.ctr("version", may_fail=True), "containerd")
        if self.process.poll() is not None:
            raise SystemExit("containerd: " + read("/run/containerd.log")[-2000:])

    def cri(self, *words):
        return run("/run/stores/cri", "/run/containerd/containerd.sock", *words)

    def pull(self, name, *more, snapshotter=None):
        more = [*more, "--local"] if self.newer else more
        self.ctr(f"images pull --plain-http --snapshotter {snapshotter or self.snapshotter}", *more, name)

    def stop(self):
        self.process.terminate()
        self.process.wait()

    def containers(self, namespace):
        tasks = self.ctr("tasks ls", namespace=namespace).splitlines()[1:]
        tasks = {line.split()[0]: line.split()[-1].lower() for line in tasks}
        for number in self.ctr("containers ls -q", namespace=namespace).split():
            info = json.loads(self.ctr(f"containers info {number}", namespace=namespace))
            spec = info["Spec"] or {}
            one = {
                "namespace": namespace,
                "id": number,
                "name": number,
                "image": self.configs.get((namespace, info["Image"]), ""),
                "image_name": info["Image"],
                "state": tasks.get(number, "none"),
                "command": (spec.get("process") or {}).get("args") or [],
                "created": info["CreatedAt"],
                "labels": info["Labels"] or {},
                "snapshotter": info["Snapshotter"],
                "snapshot": info["SnapshotKey"],
                "runtime": info["Runtime"]["Name"],
                "mounts": [bind(each) for each in spec.get("mounts", []) if each["type"] == "bind"],
                "view": self.mounts(namespace, info["Snapshotter"], info["SnapshotKey"]),
                "file": f"{namespace}-{number}",
            }
            if namespace == "k8s.io" and number in self.sandboxes:
                one |= {"sandbox": True, "pod": number}
            if namespace == "k8s.io" and number in self.statuses:
                status = json.loads(self.cri("status", number))
                one |= {
                    "name": status["metadata"]["name"],
                    "attempt": status["metadata"].get("attempt", 0),
                    "state": STATES[status.get("state")],
                    "pod": self.statuses[number]["pod_sandbox_id"],
                    "exit_code": status.get("exit_code", 0),
                    "finished": status.get("finished_at", 0),
                }
            yield one

    def pods(self):
        for each in self.sandboxes.values():
            yield {
                "id": each["id"],
                "name": each["metadata"]["name"],
                "namespace": each["metadata"]["namespace"],
                "uid": each["metadata"]["uid"],
                "attempt": each["metadata"].get("attempt", 0),
                "state": "notready" if each.get("state") else "ready",
                "labels": each.get("labels") or {},
                "annotations": each.get("annotations") or {},
                "created": each["created_at"],
                "containers": sorted(one["id"] for one in self.statuses.values() if one["pod_sandbox_id"] == each["id"]),
            }

    def facts(self):
        self.statuses = {each["id"]: each for each in json.loads(self.cri("ps")) or []}
        self.sandboxes = {each["id"]: each for each in json.loads(self.cri("pods")) or []}
        images = [image for namespace in NAMESPACES for image in self.images(namespace)]
        alike(images)
        self.configs = {(image["namespace"], name): image["id"] for image in images for name in image["names"]}
        return {
            "runtime": "containerd",
            "version": self.version,
            "driver": self.snapshotter,
            "root": ROOT,
            "images": images,
            "containers": [one for namespace in NAMESPACES for one in self.containers(namespace)],
            "pods": list(self.pods()),
        }


def bind(mount):
    writable = "ro" not in mount.get("options", [])
    return {"type": "bind", "source": mount["source"], "destination": mount["destination"], "writable": writable}


def by_ctr(containerd):
    """The namespace `default`."""
    ctr, snapshotter = containerd.ctr, "--snapshotter " + containerd.snapshotter
    for name in BASE, WEB, ODD:
        containerd.pull(name)
    for name in "shop/web:1.1", "packed/zstd:1", "many/layers:1", "attested/app:1":
        containerd.pull("registry.example/" + name)
    ctr(f"images tag {WEB} registry.example/shop/web:stable")
    containerd.pull(MOVED + ":next", "--all-platforms")
    ctr(f"content fetch --plain-http {MOVED}:1")  # whose layers were unpacked for another
    ctr("content fetch --plain-http registry.example/only/fetched:1")  # never unpacked
    ctr(f"images import --no-unpack {FILES}/oci-archive.tar")
    if containerd.snapshotter == "overlayfs":
        containerd.pull(BASE, snapshotter="native")  # of two snapshotters
    ctr(f"containers create {snapshotter} --label 'why=created only' {WEB} never-started /bin/tool wait")
    ctr(f"run {snapshotter} {ODD} changed /bin/tool", *CHANGES)
    ctr(f"run {snapshotter} {BASE} to-directory /bin/tool", *TO_DIRECTORY)
    write("/srv/host/file", "of the host\n")
    bind = "--mount type=bind,src=/srv/host,dst=/host,options=rbind:ro"
    ctr(f"run {snapshotter} {bind} --env A=B --cwd /srv {WEB} mounts /bin/tool write /kept x")


class Pod:
    """A pod as the kubelet asks for it, in the host's network: there is none of its own."""

    def __init__(self, containerd, namespace, name, uid):
        self.cri = containerd.cri
        self.labels = {"io.kubernetes.pod.name": name, "io.kubernetes.pod.namespace": namespace, "io.kubernetes.pod.uid": uid}
        self.logs = f"/var/log/pods/{namespace}_{name}_{uid}"
        self.file = f"/run/pod-{uid}.json"
        os.makedirs(f"/var/lib/kubelet/pods/{uid}/volumes/kubernetes.io~empty-dir/cache")
        os.makedirs(self.logs)
        config = {
            "metadata": {"name": name, "namespace": namespace, "uid": uid, "attempt": 0},
            "labels": self.labels | {"app": name},
            "annotations": {"kubernetes.io/config.source": "api"},
            "log_directory": self.logs,
            "linux": {"cgroup_parent": "/kubepods", "security_context": {"namespace_options": {"network": 2}}},
        }
        write(self.file, json.dumps(config))
        self.id = self.cri("runp", self.file)

    def create(self, name, image, args, attempt=0):
        os.makedirs(f"{self.logs}/{name}", exist_ok=True)
        config = {
            "metadata": {"name": name, "attempt": attempt},
            "image": {"image": image},
            "command": ["/bin/tool"],
            "args": args,
            "log_path": f"{name}/{attempt}.log",
            "labels": self.labels | {"io.kubernetes.container.name": name},
            "annotations": {"io.kubernetes.container.restartCount": str(attempt), "io.kubernetes.container.hash": "1a2b3c4d"},
            "linux": {},
        }
        write("/run/container.json", json.dumps(config))
        return self.cri("create", self.id, "/run/container.json", self.file)

    def run(self, *words, **options):
        self.cri("start", self.create(*words, **options))


def by_cri(containerd):
    """The namespace `k8s.io`."""
    for name in PAUSE, WEB, ODD, "registry.example/shop/web:1.1", "registry.example/attested/app:1":
        containerd.cri("pull", name)
    web = Pod(containerd, "shop", "web-7c9", "0a4b5c6d-0001-4000-8000-000000000001")
    job = Pod(containerd, "kube-system", "job-0", "0a4b5c6d-0002-4000-8000-000000000002")
    web.run("app", WEB, ["write", "/in-pod", "x", "append", "/etc/motd", "more", "wait"])
    web.run("odd", ODD, CHANGES)
    job.run("ended", WEB, ["exit", "3"])
    job.run("ended", WEB, ["write", "/again", "x", "exit", "3"], attempt=1)
    job.create("never-started", "registry.example/shop/web:1.1", ["wait"])
    states = lambda: {each["state"] for each in json.loads(containerd.cri("ps")) if each["metadata"]["name"] in ("odd", "ended")}
    until(lambda: states() == {2}, "containers to end")


def little(containerd):
    """One pod, and what one container changed of its image."""
    for name in PAUSE, WEB:
        containerd.cri("pull", name)
    pod = Pod(containerd, "shop", "web-7c9", "0a4b5c6d-0001-4000-8000-000000000001")
    pod.run("changed", WEB, LITTLE)
    until(lambda: {each["state"] for each in json.loads(containerd.cri("ps"))} == {2}, "a container to end")


def save(containerd):
    # By the daemon of 2.x, the file may not be whole yet when the command ends.
    local = "--local " if containerd.newer else ""
    export = lambda line, *words: containerd.ctr("images export " + local + line, *words)
    export(archive("one.oci.tar"), ODD)
    names = ["registry.example/" + name for name in ("shop/web:stable", "packed/zstd:1", "many/layers:1", "only/fetched:1")]
    export(archive("many.oci.tar"), WEB, *names)
    export("--platform linux/amd64 " + archive("attested.oci.tar"), "registry.example/attested/app:1")


def main():
    name, options = sys.argv[1], json.loads(sys.argv[2])
    containerd = Containerd(options)
    if options.get("fill") == "little":
        little(containerd)
    else:
        if not options.get("discard") and not options.get("fill"):
            by_ctr(containerd)
        by_cri(containerd)
    if options.get("running"):
        copy(containerd.facts(), name + "-running")
    if options.get("archives"):
        save(containerd)
    containerd.cri("stopp")
    tell(containerd.facts())
    containerd.stop()


if __name__ == "__main__":
    main()
