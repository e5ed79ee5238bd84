"""containerd.py NAME OPTIONS: fills the store of a containerd, on the node: the namespace `default` through ctr, `k8s.io` through the CRI plugin, which
share the blobs of what both have."""
import json
import os
import subprocess
import sys

from inside import CHANGES, FILES, TO_DIRECTORY, archive, copy, read, run, start, tell, until, write
from snapshots import Store, alike

TOOL = "/bin/tool"
ROOT = "/var/lib/containerd"
BASE, WEB, ODD = "registry.example/base/debian:12", "registry.example/shop/web:1.0", "registry.example/odd/things:1"
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


class Containerd(Store):
    def __init__(self, options):
        super().__init__(ROOT)
        self.options = options
        self.snapshotter = options["snapshotter"]
        self.version = run("containerd", "--version").split()[2]
        values = {"snapshotter": self.snapshotter, "discard": str(bool(options.get("discard"))).lower()}
        newer = self.newer = self.version.lstrip("v").startswith("2")
        write("/etc/containerd/config.toml", (CONFIG_3 if newer else CONFIG) % values + (EROFS if self.snapshotter == "erofs" else ""))
        if newer:
            write("/etc/containerd/certs.d/registry.example/hosts.toml", 'server = "http://registry.example"\n[host."http://registry.example"]\n')
        self.process = start("/run/containerd.log", "containerd")
        until(lambda: self.process.poll() is not None or not subprocess.run(["ctr", "version"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode,
              "containerd")
        if self.process.poll() is not None:
            raise SystemExit("containerd: " + read("/run/containerd.log")[-2000:])

    def cri(self, *words, **options):
        return run("/run/stores/cri", "/run/containerd/containerd.sock", *words, **options)

    def pull(self, name, *more):
        more = [*more, "--local"] if self.newer else more
        self.ctr("images", "pull", "--plain-http", *(more if "--snapshotter" in more else ["--snapshotter", self.snapshotter, *more]), name)

    def stop(self):
        self.process.terminate()
        self.process.wait()

    def containers(self, namespace):
        statuses = {each["id"]: each for each in self.statuses} if namespace == "k8s.io" else {}
        sandboxes = {each["id"]: each for each in self.sandboxes} if namespace == "k8s.io" else {}
        tasks = {line.split()[0]: line.split()[-1].lower() for line in self.ctr("tasks", "ls", namespace=namespace).splitlines()[1:]}
        for number in self.ctr("containers", "ls", "-q", namespace=namespace).split():
            info = json.loads(self.ctr("containers", "info", number, namespace=namespace))
            spec = info["Spec"] or {}
            status = statuses.get(number, {})
            one = {"namespace": namespace, "id": number, "name": (status.get("metadata") or {}).get("name", number), "image": self.configs.get((namespace, info["Image"]), ""),
                   "image_name": info["Image"], "state": STATES.get(status.get("state"), tasks.get(number, "none")) if status else tasks.get(number, "none"),
                   "command": (spec.get("process") or {}).get("args") or [], "created": info["CreatedAt"], "labels": info["Labels"] or {}, "snapshotter": info["Snapshotter"],
                   "snapshot": info["SnapshotKey"], "runtime": info["Runtime"]["Name"], "file": f"{namespace}-{number}"}
            if number in sandboxes:
                one |= {"sandbox": True, "pod": number}
            elif status:
                full = json.loads(self.cri("status", number))
                one |= {"pod": status["pod_sandbox_id"], "exit_code": full.get("exit_code", 0), "finished": full.get("finished_at", 0)}
            one["mounts"] = [{"type": each["type"], "source": each["source"], "destination": each["destination"], "writable": "ro" not in each.get("options", [])}
                             for each in spec.get("mounts", []) if each["type"] == "bind"]
            one["view"] = self.mounts(namespace, info["Snapshotter"], info["SnapshotKey"])
            yield one

    def facts(self):
        self.statuses, self.sandboxes = json.loads(self.cri("ps")) or [], json.loads(self.cri("pods")) or []
        images = [image for namespace in ("default", "k8s.io") for image in self.images(namespace)]
        alike(images)
        self.configs = {(image["namespace"], name): image["id"] for image in images for name in image["names"]}
        containers = [one for namespace in ("default", "k8s.io") for one in self.containers(namespace)]
        pods = [{"id": each["id"], "name": each["metadata"]["name"], "namespace": each["metadata"]["namespace"], "uid": each["metadata"]["uid"],
                 "attempt": each["metadata"].get("attempt", 0), "state": "ready" if not each.get("state") else "notready", "labels": each.get("labels") or {},
                 "annotations": each.get("annotations") or {}, "created": each["created_at"],
                 "containers": sorted(one["id"] for one in self.statuses if one["pod_sandbox_id"] == each["id"])} for each in self.sandboxes]
        return {"runtime": "containerd", "version": self.version, "driver": self.snapshotter, "root": ROOT, "images": images, "containers": containers, "pods": pods}


STATES = {None: "created", 0: "created", 1: "running", 2: "exited", 3: "unknown"}


def by_ctr(containerd):
    """The namespace `default`."""
    ctr, snapshotter = containerd.ctr, ["--snapshotter", containerd.snapshotter]
    for name in BASE, WEB, "registry.example/shop/web:1.1", ODD, "registry.example/packed/zstd:1", "registry.example/many/layers:1", "registry.example/attested/app:1":
        containerd.pull(name)
    ctr("images", "tag", WEB, "registry.example/shop/web:stable")
    containerd.pull("registry.example/moved/tag:next", "--all-platforms")
    ctr("content", "fetch", "--plain-http", "registry.example/moved/tag:1")  # whose layers were unpacked for another
    ctr("content", "fetch", "--plain-http", "registry.example/only/fetched:1")  # never unpacked
    ctr("images", "import", "--no-unpack", FILES + "/oci-archive.tar", may_fail=True)
    if containerd.snapshotter == "overlayfs":
        containerd.pull(BASE, "--snapshotter", "native")  # of two snapshotters
    ctr("containers", "create", *snapshotter, "--label", "why=created only", WEB, "never-started", TOOL, "wait")
    ctr("run", *snapshotter, ODD, "changed", TOOL, *CHANGES)
    ctr("run", *snapshotter, BASE, "to-directory", TOOL, *TO_DIRECTORY)
    write("/srv/host/file", "of the host\n")
    ctr("run", *snapshotter, "--mount", "type=bind,src=/srv/host,dst=/host,options=rbind:ro", "--env", "A=B", "--cwd", "/srv", WEB, "mounts", TOOL, "write", "/kept", "x")


def by_cri(containerd):
    """The namespace `k8s.io`."""
    cri = containerd.cri
    for name in PAUSE, WEB, ODD, "registry.example/shop/web:1.1", "registry.example/attested/app:1":
        cri("pull", name)
    pods = {"web": pod("shop", "web-7c9", "0a4b5c6d-0001-4000-8000-000000000001"), "job": pod("kube-system", "job-0", "0a4b5c6d-0002-4000-8000-000000000002")}
    made = {}
    for name, config in pods.items():
        write(f"/run/pod-{name}.json", json.dumps(config))
        made[name] = cri("runp", f"/run/pod-{name}.json")
    def container(where, name, image, args, run_it=True):
        write("/run/container.json", json.dumps({
            "metadata": {"name": name, "attempt": 0}, "image": {"image": image}, "command": [TOOL], "args": args, "log_path": f"{name}/0.log", "linux": {},
            "labels": {"io.kubernetes.container.name": name, "io.kubernetes.pod.name": pods[where]["metadata"]["name"],
                       "io.kubernetes.pod.namespace": pods[where]["metadata"]["namespace"], "io.kubernetes.pod.uid": pods[where]["metadata"]["uid"]},
            "annotations": {"io.kubernetes.container.restartCount": "0", "io.kubernetes.container.hash": "1a2b3c4d"}}))
        os.makedirs(pods[where]["log_directory"] + "/" + name, exist_ok=True)
        number = cri("create", made[where], "/run/container.json", f"/run/pod-{where}.json")
        if run_it:
            cri("start", number)
        return number
    container("web", "app", WEB, ["write", "/in-pod", "x", "append", "/etc/motd", "more", "wait"])
    container("web", "odd", ODD, CHANGES)
    container("job", "ended", WEB, ["exit", "3"])
    container("job", "never-started", "registry.example/shop/web:1.1", ["wait"], run_it=False)
    until(lambda: all(each["state"] == 2 for each in json.loads(cri("ps")) if each["metadata"]["name"] in ("odd", "ended")), "containers to end")


def pod(namespace, name, uid):
    labels = {"app": name, "io.kubernetes.pod.name": name, "io.kubernetes.pod.namespace": namespace, "io.kubernetes.pod.uid": uid}
    logs = f"/var/log/pods/{namespace}_{name}_{uid}"
    os.makedirs(f"/var/lib/kubelet/pods/{uid}/volumes/kubernetes.io~empty-dir/cache", exist_ok=True)
    os.makedirs(logs, exist_ok=True)
    # In the host's network: there is none of its own.
    return {"metadata": {"name": name, "namespace": namespace, "uid": uid, "attempt": 0}, "labels": labels, "annotations": {"kubernetes.io/config.source": "api"},
            "log_directory": logs, "linux": {"cgroup_parent": "/kubepods", "security_context": {"namespace_options": {"network": 2}}}}


def save(containerd):
    containerd.ctr("images", "export", archive("one.oci.tar"), ODD)
    containerd.ctr("images", "export", archive("many.oci.tar"), WEB, "registry.example/shop/web:stable", "registry.example/packed/zstd:1", "registry.example/many/layers:1",
                   "registry.example/only/fetched:1")
    containerd.ctr("images", "export", "--platform", "linux/amd64", archive("attested.oci.tar"), "registry.example/attested/app:1")


def main():
    options = json.loads(sys.argv[2])
    containerd = Containerd(options)
    if not options.get("discard") and not options.get("few"):
        by_ctr(containerd)
    by_cri(containerd)
    if options.get("running"):
        copy(containerd.facts(), sys.argv[1] + "-running")
    if options.get("archives"):
        save(containerd)
    containerd.cri("stopp")
    tell(containerd.facts())
    containerd.stop()


if __name__ == "__main__":
    main()
