"""docker.py NAME OPTIONS: fills the store of a Docker daemon, on the node."""
import http.client
import json
import os
import shlex
import socket
import sys

from inside import (ALONE, AS_USER, BASE, CHANGES, FILES, LITTLE, MOVED, NAMES, ODD, TO_DIRECTORY, WEB, archive, copy, mounts, read, run,
                    start, tell, until, write)
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
            if options["containerd"] == "own":
                self.store = Store(f"{self.root}/containerd/daemon", "/var/run/docker/containerd/containerd.sock")
            else:
                self.store = Store("/var/lib/containerd")
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
            kit = "rootlesskit --net=host --copy-up=/etc --copy-up=/run --propagation=rslave"
            script = "sh /usr/share/docker.io/contrib/dockerd-rootless.sh"
            self.start([*AS_USER, *kit.split(), *script.split(), *words], env=os.environ | rootless)
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

    def __call__(self, line, *words, **options):
        return run("/usr/bin/docker", "-H", "unix://" + self.socket, *shlex.split(line), *words, **options)

    def stop(self):
        for process in self.process, getattr(self, "system", None):
            if process:
                process.terminate()
                process.wait()

    def view(self, answer, record):
        """Where the kernel finds the tree of a layer: of overlay layers the daemon says it, of others a record of its own does."""
        if self.store:
            return self.store.mounts("moby", self.driver, answer["Id"])
        data = answer.get("GraphDriver", {}).get("Data") or {}
        if "UpperDir" in data:
            layers = [data["UpperDir"]] + (data["LowerDir"].split(":") if data.get("LowerDir") else [])
            if self.driver == "fuse-overlayfs":
                return {"fuse": layers}
            return {"overlay": layers, "options": ["userxattr"] if self.user else []}
        place = {"vfs": "vfs/dir", "btrfs": "btrfs/subvolumes"}[self.driver]
        return {"directory": f"{self.root}/{place}/" + read(f"{self.root}/image/{self.driver}/layerdb/{record}")}

    def images(self):
        if self.store:
            shown = {image["Id"]: image for image in self.ask("/images/json?all=1")}
            for image in self.store.images("moby"):
                told = shown.get(image["target"], {})
                yield image | {
                    "names": sorted(told.get("RepoTags") or []),
                    "refs": image["names"],
                    "digests": sorted(told.get("RepoDigests") or []),
                    "blobs": image["digests"],
                    "shown": bool(told),
                }
            return
        shown = {image["Id"] for image in self.ask("/images/json")}
        for image in self.ask("/images/json?all=1"):
            answer = self.ask(f"/images/{image['Id']}/json")
            layers = answer["RootFS"].get("Layers") or []
            yield {
                "id": answer["Id"],
                "names": sorted(answer["RepoTags"] or []),
                "digests": sorted(answer["RepoDigests"] or []),
                "shown": answer["Id"] in shown,
                "created": answer.get("Created"),
                "labels": (answer["Config"] or {}).get("Labels") or {},
                "layers": layers,
                "view": self.view(answer, f"sha256/{chain_id(layers)[7:]}/cache-id"),
            }

    def containers(self):
        for each in self.ask("/containers/json?all=1"):
            answer = self.ask(f"/containers/{each['Id']}/json")
            changes = self.ask(f"/containers/{each['Id']}/changes") or []
            state, config, host = answer["State"], answer["Config"], answer["HostConfig"]
            more = answer.get("ImageManifestDescriptor")
            yield {
                "id": answer["Id"],
                "name": answer["Name"].lstrip("/"),
                "image": answer["Image"],
                "image_name": config["Image"],
                **({"manifest": more["digest"]} if more else {}),
                "state": state["Status"],
                "exit_code": state["ExitCode"],
                "command": [answer["Path"], *answer["Args"]],
                "created": answer["Created"],
                "started": state["StartedAt"],
                "finished": state["FinishedAt"],
                "labels": config["Labels"] or {},
                "restart": host["RestartPolicy"]["Name"],
                "privileged": host["Privileged"],
                "user": config["User"],
                "hostname": config["Hostname"],
                "mounts": mounts(answer["Mounts"]),
                "changes": sorted("CAD"[change["Kind"]] + " " + change["Path"] for change in changes),
                "view": self.view(answer, f"mounts/{answer['Id']}/mount-id"),
            }

    def facts(self):
        info = self.ask("/info")  # not /version, at which a rootless daemon in the host's network hangs up
        facts = {"runtime": "docker", "version": info["ServerVersion"], "driver": self.driver, "root": info["DockerRootDir"]}
        images, containers = list(self.images()), list(self.containers())
        if self.user:
            facts["user"] = self.user
        if self.store:
            facts["containerd_root"] = self.store.root
            # A container names what its image's name points at.
            configs = {image["target"]: image["id"] for image in images}
            containers = [one | {"image": configs.get(one["image"], ""), "image_target": one["image"]} for one in containers]
        return facts | {"images": images, "containers": containers, "pods": []}


def few(docker):
    """Two images and the containers that tell the most."""
    docker(f"pull -q {WEB}")
    docker(f"pull -q {ODD}")
    docker(f"create {ALONE} --name never-started --label 'why=created only' {WEB} /bin/tool wait")
    docker(f"run {ALONE} --name changed {ODD} /bin/tool", *CHANGES)
    docker("volume create --label kept=yes named")
    write("/srv/host/file", "of the host\n")
    docker(f"run {ALONE} --name mounts -v named:/data -v /srv/host:/host:ro -v /anonymous --tmpfs /scratch {WEB}"
           " /bin/tool write /data/in-volume x write /scratch/lost x write /kept x")


def little(docker):
    """One image, and a container that changed some of it."""
    docker(f"pull -q {WEB}")
    docker(f"run {ALONE} --name changed {WEB} /bin/tool", *LITTLE)


def fill(docker):
    few(docker)
    for name in NAMES:
        docker(f"pull -q {name}")
    docker(f"load -q -i {FILES}/docker-archive.tar")
    docker(f"import -c 'CMD [\"/bin/tool\"]' {FILES}/import.tar")  # without a name
    docker(f"build -q -t built:1 {FILES}/build", env=os.environ | {"DOCKER_BUILDKIT": "0"})
    if docker.options.get("buildkit"):
        provenance = "--provenance=true" if docker.store else ""
        docker(f"build -q {ALONE} {provenance} -t built:2 {FILES}/build", env=os.environ | {"DOCKER_BUILDKIT": "1"})
    docker(f"run {ALONE} --name ended --restart on-failure:1 {BASE} /bin/tool exit 3", may_fail=True)
    docker(f"run {ALONE} --name of-old-tag {MOVED}:1 /bin/tool write /from-old x", *TO_DIRECTORY)
    docker(f"tag {MOVED}:next {MOVED}:1")
    compose = {
        "project": "shop", "service": "web", "container-number": "1", "oneoff": "False", "version": "2.20.2", "depends_on": "",
        "config-hash": "0" * 64, "project.working_dir": "/srv/shop", "project.config_files": "/srv/shop/docker-compose.yml",
    }
    labels = " ".join(f"--label com.docker.compose.{key}={value}" for key, value in compose.items())
    docker(f"run -d {ALONE} --name shop-web-1 --restart unless-stopped {labels} {WEB} /bin/tool write /ran x wait")
    docker("stop -t 2 shop-web-1")
    number = docker("image inspect -f {{.Id}} local.example/loaded:2")
    docker(f"run {ALONE} --name by-id --user 1000:1000 --hostname by-id -e A=B -w /srv {number} /bin/tool exit 0")
    docker(f"run {ALONE} --name of-build --read-only built:1 /bin/tool show /etc/built")
    docker(f"run {ALONE} --name for-commit {WEB} /bin/tool write /committed x remove /opt/dir")
    docker("commit -a nobody -m 'by hand' for-commit committed:1")
    docker("rm for-commit")
    docker(f"run -d {ALONE} --name killed committed:1 /bin/tool write /ran x wait")
    docker("kill killed")
    docker(f"create {ALONE} --name privileged --privileged --pid host -v /:/host committed:1")
    docker("rmi --force local.example/loaded:1")
    ended = lambda: docker("inspect -f '{{.RestartCount}} {{.State.Status}}' ended") == "1 exited"
    until(ended, "a container to end again")


def save(docker):
    docker(f"save -o {archive('save.docker.tar')} {WEB} registry.example/shop/web:stable {ODD} registry.example/shop/web:1.1 built:1")
    number = docker(f"image inspect -f {{{{.Id}}}} {WEB}")
    docker(f"save -o {archive('by-id.docker.tar')} {number}")
    docker(f"save -o {archive('attested.docker.tar')} registry.example/attested/app:1")
    docker(f"export -o {archive('container.export.tar')} changed")


def main():
    name, options = sys.argv[1], json.loads(sys.argv[2])
    docker = Daemon(options)
    {"few": few, "little": little}.get(options.get("fill"), fill)(docker)
    if options.get("running"):
        docker(f"run -d {ALONE} --name running --restart always registry.example/shop/web:1.1 write /tmp/running x wait")
        copy(docker.facts(), name + "-running")
        docker("rm -f running")
    if options.get("archives"):
        save(docker)
    tell(docker.facts())
    docker.stop()


if __name__ == "__main__":
    main()
