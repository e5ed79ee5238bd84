"""docker.py NAME OPTIONS: fills the store of a Docker daemon, on the node."""
import http.client
import json
import os
import socket
import sys

from inside import CHANGES, FILES, NAMES, TO_DIRECTORY, archive, copy, read, run, start, tell, until, write
from snapshots import Store, chain_id


class Daemon:
    def __init__(self, options):
        self.options = options
        self.user = options.get("user")
        home = f"/home/{self.user}"
        self.root = home + "/.local/share/docker" if self.user else options.get("root", "/var/lib/docker")
        self.socket = "/run/user/1000/docker.sock" if self.user else "/run/docker.sock"
        self.driver = options["driver"]
        settings = {"storage-driver": self.driver, "insecure-registries": ["registry.example"]} | options.get("settings", {})
        # Of a daemon that leaves images to containerd: to its own, or to the machine's.
        self.store = None
        if options.get("containerd"):
            settings["features"] = {"containerd-snapshotter": True}
            system = options["containerd"] == "system"
            self.store = Store("/var/lib/containerd") if system else Store(f"{self.root}/containerd/daemon", "/var/run/docker/containerd/containerd.sock")
            if system:
                self.system = start("/run/containerd.log", "containerd")
                until(lambda: os.path.exists("/run/containerd/containerd.sock"), "containerd")
        if options.get("root"):
            settings["data-root"] = self.root
        write((home + "/.config" if self.user else "/etc") + "/docker/daemon.json", json.dumps(settings, indent=2) + "\n")
        # The machine has no network of its own, and what it counts of containers may be odd: the daemon can do without both.
        words = ["--iptables=false", "--ip6tables=false", "--bridge=none", "--ip-masq=false", "--ip-forward=false"]
        if self.user:
            os.makedirs("/run/user/1000")
            run("chown", "-R", "1000:1000", home, "/run/user/1000")
            # What its own script does, but in the host's network, where the registry is.
            rootless = {"HOME": home, "XDG_RUNTIME_DIR": "/run/user/1000", "_DOCKERD_ROOTLESS_CHILD": "1"}
            self.start(["setpriv", "--reuid", "1000", "--regid", "1000", "--clear-groups", "rootlesskit", "--net=host", "--copy-up=/etc", "--copy-up=/run",
                        "--propagation=rslave", "sh", "/usr/share/docker.io/contrib/dockerd-rootless.sh", *words], env=os.environ | rootless)
        else:
            self.start(["dockerd", *words])

    def start(self, words, **options):
        self.process = start("/run/dockerd.log", *words, **options)
        until(lambda: self.process.poll() is not None or self.answers(), "the daemon")
        if self.process.poll() is not None:
            raise SystemExit("dockerd: " + read("/run/dockerd.log")[-2000:])

    def answers(self):
        try:
            return self.ask("/_ping") is not None
        except OSError:
            return False

    def ask(self, path):
        connection = http.client.HTTPConnection("localhost")
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(self.socket)
        connection.request("GET", path)
        answer = connection.getresponse().read()
        try:
            return json.loads(answer)
        except ValueError:
            return answer

    def __call__(self, *words, **options):
        return run("/usr/bin/docker", "-H", "unix://" + self.socket, *words, **options)

    def stop(self):
        for process in self.process, getattr(self, "system", None):
            if process:
                process.terminate()
                process.wait()

    # Where the kernel finds the tree of a layer: of overlay2 the daemon says it, of others its own records do.

    def layer(self, chain):
        return read(f"{self.root}/image/{self.driver}/layerdb/sha256/{chain}/cache-id")

    def view(self, answer, directory):
        if self.store:
            return self.store.mounts("moby", self.driver, answer["Id"])
        data = answer.get("GraphDriver", {}).get("Data") or {}
        if "UpperDir" in data:
            lower = data.get("LowerDir", "").split(":") if data.get("LowerDir") else []
            return {"fuse" if self.driver == "fuse-overlayfs" else "overlay": [data["UpperDir"]] + lower, "options": ["userxattr"] if self.user else []}
        return {"directory": f"{self.root}/{'vfs/dir' if self.driver == 'vfs' else 'btrfs/subvolumes'}/{directory()}"}

    def images(self):
        if self.store:
            shown = {image["Id"]: image for image in self.ask("/images/json?all=1")}
            for image in self.store.images("moby"):
                told = shown.get(image["target"], {})
                names = {"names": sorted(told.get("RepoTags") or []), "refs": image["names"], "digests": sorted(told.get("RepoDigests") or []), "blobs": image["digests"],
                         "shown": bool(told)}
                yield image | names
            return
        shown = {image["Id"] for image in self.ask("/images/json")}
        for image in self.ask("/images/json?all=1"):
            answer = self.ask(f"/images/{image['Id']}/json")
            chain = chain_id(answer["RootFS"].get("Layers") or [])
            yield {"id": answer["Id"], "names": sorted(answer["RepoTags"] or []), "digests": sorted(answer["RepoDigests"] or []),
                   "shown": answer["Id"] in shown, "created": answer.get("Created"), "labels": (answer["Config"] or {}).get("Labels") or {},
                   "layers": answer["RootFS"].get("Layers") or [], "view": self.view(answer, lambda: self.layer(chain[7:]))}

    def containers(self):
        for each in self.ask("/containers/json?all=1"):
            answer = self.ask(f"/containers/{each['Id']}/json")
            changes = self.ask(f"/containers/{each['Id']}/changes") or []
            more = {"manifest": answer["ImageManifestDescriptor"]["digest"]} if answer.get("ImageManifestDescriptor") else {}
            yield more | {"id": answer["Id"], "name": answer["Name"].lstrip("/"), "image": answer["Image"], "image_name": answer["Config"]["Image"],
                   "state": answer["State"]["Status"], "exit_code": answer["State"]["ExitCode"], "command": [answer["Path"], *answer["Args"]],
                   "created": answer["Created"], "started": answer["State"]["StartedAt"], "finished": answer["State"]["FinishedAt"],
                   "labels": answer["Config"]["Labels"] or {}, "restart": answer["HostConfig"]["RestartPolicy"]["Name"],
                   "privileged": answer["HostConfig"]["Privileged"], "user": answer["Config"]["User"], "hostname": answer["Config"]["Hostname"],
                   "mounts": [{"type": mount["Type"], "name": mount.get("Name"), "source": mount.get("Source"), "destination": mount["Destination"],
                               "writable": mount["RW"]} for mount in answer["Mounts"]],
                   "changes": sorted("CAD"[change["Kind"]] + " " + change["Path"] for change in changes),
                   "view": self.view(answer, lambda: read(f"{self.root}/image/{self.driver}/layerdb/mounts/{answer['Id']}/mount-id"))}

    def facts(self):
        info = self.ask("/info")  # not /version, at which a rootless daemon in the host's network hangs up
        more = ({"containerd_root": self.store.root} if self.store else {}) | ({"user": self.user} if self.user else {})
        images, containers = list(self.images()), list(self.containers())
        if self.store:  # by which containers name what their image's name points at
            configs = {image["target"]: image["id"] for image in images}
            containers = [one | {"image": configs.get(one["image"], ""), "image_target": one["image"]} for one in containers]
        return more | {"runtime": "docker", "version": info["ServerVersion"], "driver": self.driver, "root": info["DockerRootDir"],
                "images": images, "containers": containers, "pods": []}


MADE = ["--network", "none"]
TOOL = "/bin/tool"
WEB, ODD = "registry.example/shop/web:1.0", "registry.example/odd/things:1"


def few(docker):
    """Two images and the containers that tell the most."""
    for name in WEB, ODD:
        docker("pull", "-q", name)
    docker("create", *MADE, "--name", "never-started", "--label", "why=created only", WEB, TOOL, "wait")
    docker("run", *MADE, "--name", "changed", ODD, TOOL, *CHANGES)
    docker("volume", "create", "--label", "kept=yes", "named")
    write("/srv/host/file", "of the host\n")
    docker("run", *MADE, "--name", "mounts", "-v", "named:/data", "-v", "/srv/host:/host:ro", "-v", "/anonymous", "--tmpfs", "/scratch",
           WEB, TOOL, "write", "/data/in-volume", "x", "write", "/scratch/lost", "x", "write", "/kept", "x")


def fill(docker):
    few(docker)
    for name in NAMES:
        docker("pull", "-q", name)
    docker("load", "-q", "-i", FILES + "/docker-archive.tar")
    docker("import", "-c", 'CMD ["/bin/tool"]', FILES + "/import.tar")  # without a name
    docker("build", "-q", "-t", "built:1", FILES + "/build", env=os.environ | {"DOCKER_BUILDKIT": "0"})
    if docker.options.get("buildkit"):
        docker("build", "-q", "--network", "none", *(["--provenance=true"] if docker.store else []), "-t", "built:2", FILES + "/build", env=os.environ | {"DOCKER_BUILDKIT": "1"})
    docker("run", *MADE, "--name", "ended", "--restart", "on-failure:1", "registry.example/base/debian:12", TOOL, "exit", "3", may_fail=True)
    docker("run", *MADE, "--name", "of-old-tag", "registry.example/moved/tag:1", TOOL, "write", "/from-old", "x", *TO_DIRECTORY)
    docker("tag", "registry.example/moved/tag:next", "registry.example/moved/tag:1")
    compose = {"project": "shop", "service": "web", "container-number": "1", "oneoff": "False", "version": "2.20.2", "config-hash": "0" * 64,
               "project.working_dir": "/srv/shop", "project.config_files": "/srv/shop/docker-compose.yml", "depends_on": ""}
    labels = [word for key, value in compose.items() for word in ("--label", f"com.docker.compose.{key}={value}")]
    docker("run", "-d", *MADE, "--name", "shop-web-1", "--restart", "unless-stopped", *labels, WEB, TOOL, "write", "/ran", "x", "wait")
    docker("stop", "-t", "2", "shop-web-1")
    docker("run", *MADE, "--name", "by-id", "--user", "1000:1000", "--hostname", "by-id", "-e", "A=B", "-w", "/srv",
           docker("image", "inspect", "-f", "{{.Id}}", "local.example/loaded:2"), TOOL, "exit", "0")
    docker("run", *MADE, "--name", "of-build", "--read-only", "built:1", TOOL, "show", "/etc/built")
    docker("run", *MADE, "--name", "for-commit", WEB, TOOL, "write", "/committed", "x", "remove", "/opt/dir")
    docker("commit", "-a", "nobody", "-m", "by hand", "for-commit", "committed:1")
    docker("rm", "for-commit")
    docker("run", "-d", *MADE, "--name", "killed", "committed:1", TOOL, "write", "/ran", "x", "wait")
    docker("kill", "killed")
    docker("create", *MADE, "--name", "privileged", "--privileged", "--pid", "host", "-v", "/:/host", "committed:1")
    docker("rmi", "--force", "local.example/loaded:1", may_fail=True)
    until(lambda: docker("inspect", "-f", "{{.RestartCount}} {{.State.Status}}", "ended") == "1 exited", "a container to end again")


def save(docker):
    docker("save", "-o", archive("save.docker.tar"), WEB, "registry.example/shop/web:stable", ODD, "registry.example/shop/web:1.1", "built:1")
    docker("save", "-o", archive("by-id.docker.tar"), docker("image", "inspect", "-f", "{{.Id}}", WEB))
    docker("save", "-o", archive("attested.docker.tar"), "registry.example/attested/app:1")
    docker("export", "-o", archive("container.export.tar"), "changed")


def main():
    name, options = sys.argv[1], json.loads(sys.argv[2])
    docker = Daemon(options)
    (few if options.get("few") else fill)(docker)
    if options.get("running"):
        docker("run", "-d", "--network", "none", "--name", "running", "--restart", "always", "registry.example/shop/web:1.1", "write", "/tmp/running", "x", "wait")
        copy(docker.facts(), name + "-running")
        docker("rm", "-f", "running")
    if options.get("archives"):
        save(docker)
    tell(docker.facts())
    docker.stop()


if __name__ == "__main__":
    main()
