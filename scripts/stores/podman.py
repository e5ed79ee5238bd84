"""podman.py NAME OPTIONS: fills the stores of Podman and buildah, on the node; `user` has them in that user's own folder."""
import json
import os
import shlex
import subprocess
import sys

from inside import (ALONE, AS_USER, BASE, CHANGES, FILES, LITTLE, MOVED, NAMES, ODD, TO_DIRECTORY, WEB, archive, copy, mounts, read, run,
                    tell, write)

# What this machine lacks; a node would need none of it, so it is not on the disk.
MACHINE = """[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
pids_limit = 0
cgroups = "disabled"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "crun"
"""
POD = """apiVersion: v1
kind: Pod
metadata:
  name: played
  labels: {app: played}
  annotations: {note: by hand}
spec:
  restartPolicy: Never
  initContainers:
  - {name: first, image: "%(base)s", command: [/bin/tool, exit, "0"]}
  containers:
  - name: web
    image: %(web)s
    command: [/bin/tool]
    args: [write, /played, x, wait]
    volumeMounts: [{name: kept, mountPath: /kept}]
  volumes: [{name: kept, persistentVolumeClaim: {claimName: claimed}}]
"""
QUADLETS = {
    "web.container": """[Unit]
Description=web
[Container]
Image=%(web)s
Exec=/bin/tool wait
Volume=web.volume:/data
Label=app=web
AutoUpdate=registry
[Install]
WantedBy=multi-user.target
""",
    "web.volume": "[Volume]\nLabel=app=web\n",
    "shop.kube": "[Kube]\nYaml=/srv/pod.yaml\n",
}


class Podman:
    def __init__(self, options):
        self.options = options
        self.user = options.get("user")
        self.home = f"/home/{self.user}" if self.user else "/root"
        self.root = self.home + "/.local/share/containers/storage" if self.user else options.get("root", "/var/lib/containers/storage")
        self.driver = options["driver"]
        self.additional = options.get("additional")
        self.environment = {**os.environ, "CONTAINERS_CONF": "/run/containers.conf", "HOME": self.home}
        write("/run/containers.conf", MACHINE)
        write("/etc/containers/storage.conf", self.configuration())
        if self.user:
            for path in (self.home, "/run/user/1000"):
                os.makedirs(path, exist_ok=True)
                os.chown(path, 1000, 1000)
            if options.get("mount_program"):
                write(self.home + "/.config/containers/storage.conf", self.configuration())
                run("chown", "-R", "1000:1000", self.home + "/.config")
            self.environment["XDG_RUNTIME_DIR"] = "/run/user/1000"

    def configuration(self):
        lines = ["[storage]", f'driver = "{self.driver}"']
        if not self.user:
            lines += ['runroot = "/run/containers/storage"', f'graphroot = "{self.root}"']
        lines += ["[storage.options]"]
        if self.additional:
            lines += [f'additionalimagestores = ["{self.additional}"]']
        if self.options.get("composefs") or self.options.get("chunked"):
            lines += ['pull_options = {enable_partial_images = "true", convert_images = "true", use_hard_links = "true"}']
        lines += [f"[storage.options.{self.driver}]"]
        lines += [f'{key} = "{self.options[key]}"' for key in ("mountopt", "mount_program") if self.options.get(key)]
        if self.options.get("composefs"):
            lines += ['use_composefs = "true"']
        return "\n".join(lines) + "\n"

    def __call__(self, line, *words, program="podman", **options):
        before = AS_USER if self.user else []
        return run(*before, program, *shlex.split(line), *words, env=self.environment, cwd="/", **options)

    def ask(self, line, **options):
        return json.loads(self(line, **options) or "null") or []

    def layer(self, kind, number):
        """Of an image or a container, by the store's own records."""
        for folder in [self.root] + ([self.additional] if self.additional else []):
            for name in f"{kind}.json", f"volatile-{kind}.json":
                path = f"{folder}/{self.driver}-{kind}/{name}"
                for record in json.loads(read(path)) if os.path.exists(path) else []:
                    if record["id"] == number:
                        return record.get("layer", "")
        return ""

    def view(self, driver, kind, number):
        """Where the tree of a layer is found: of overlay layers Podman says where they lie, of others its records do."""
        if self.options.get("composefs"):  # mounted by Podman itself: of what lies there, only composefs makes a tree
            mount, unmount = ("image mount", "image umount") if kind == "images" else ("mount", "umount")
            file = f"/run/stores/{sys.argv[1]}.listed-{number}"
            with open(file, "wb") as out:
                where = self(f"{mount} {number}")
                subprocess.run([sys.executable, "/run/scripts/tree.py", "list", where], stdout=out, check=True)
            self(f"{unmount} {number}")
            return {"listed": os.path.basename(file)}
        data = driver.get("Data") or {}
        if "UpperDir" in data:
            layers = [data["UpperDir"]] + (data["LowerDir"].split(":") if data.get("LowerDir") else [])
            if self.options.get("mount_program"):
                return {"fuse": layers}
            metacopy = "metacopy=on" in self.options.get("mountopt", "")
            return {"overlay": layers, "options": ["userxattr"] if self.user else ["metacopy=on"] if metacopy else []}
        place = {"vfs": "vfs/dir", "btrfs": "btrfs/subvolumes"}[self.driver]
        layer = self.layer(kind, number)
        return {"directory": f"{self.root}/{place}/{layer}"} if layer else None  # an image may have none

    def images(self):
        listed = {each["Id"]: each for each in self.ask("image ls --no-trunc --format json")}
        for number in dict.fromkeys(self("image ls -a -q --no-trunc").split()):
            number = number.removeprefix("sha256:")
            image = self.ask(f"image inspect {number}")[0]
            if image["Id"] != number:  # a list of images, which is told by what is in it
                members = [each["digest"] for each in self.ask(f"manifest inspect {number}")["manifests"]]
                yield {"id": "sha256:" + number, "names": listed[number]["Names"], "list": members}
                continue
            yield {
                "id": "sha256:" + number,
                "names": sorted(image["RepoTags"] or []),
                "digests": sorted(image["RepoDigests"] or []),
                "shown": number in listed,
                "history_names": sorted(image.get("NamesHistory") or []),
                "created": image["Created"],
                "labels": image["Labels"] or {},
                "layers": image["RootFS"]["Layers"] or [],
                "view": self.view(image["GraphDriver"], "images", number),
            }

    def containers(self):
        for number in self("ps -a -q --no-trunc").split():
            one = self.ask(f"container inspect {number}")[0]
            changes = json.loads(self(f"diff --format json {number}", may_fail=True) or "null")
            if changes is not None:
                kinds = (("C", "changed"), ("A", "added"), ("D", "deleted"))
                changes = sorted(letter + " " + path for letter, key in kinds for path in changes.get(key) or [])
            state, config, host = one["State"], one["Config"], one["HostConfig"]
            yield {
                "id": one["Id"],
                "name": one["Name"],
                "image": "sha256:" + one["Image"] if one["Image"] else "",
                "image_name": one["ImageName"],
                "state": state["Status"],
                "exit_code": state["ExitCode"],
                "command": [one["Path"], *one["Args"]],
                "created": one["Created"],
                "started": state["StartedAt"],
                "finished": state["FinishedAt"],
                "labels": config["Labels"] or {},
                "restart": host["RestartPolicy"]["Name"],
                "privileged": host["Privileged"],
                "user": config["User"],
                "hostname": config["Hostname"],
                "pod": one.get("Pod", ""),
                "infra": one.get("IsInfra", False),
                "mounts": mounts(one["Mounts"]),
                "changes": changes,
                "view": self.view(one["GraphDriver"], "containers", one["Id"]),
            }
        for one in self.ask("containers --json", program="buildah") if self.options.get("buildah") else []:
            if one["builder"]:
                folder = f"{self.root}/overlay/" + self.layer("containers", one["id"])
                lower = read(folder + "/lower").split(":") if os.path.exists(folder + "/lower") else []
                yield {
                    "id": one["id"],
                    "name": one["containername"],
                    "image": "sha256:" + one["imageid"] if one["imageid"] else "",
                    "image_name": one["imagename"],
                    "state": "working",
                    "view": {"overlay": [folder + "/diff"] + [os.path.realpath(f"{self.root}/overlay/{each}") for each in lower]},
                }

    def pods(self):
        for number in self("pod ls -q --no-trunc").split():
            pod = self.ask(f"pod inspect {number}")
            pod = pod[0] if isinstance(pod, list) else pod
            yield {
                "id": pod["Id"],
                "name": pod["Name"],
                "state": pod["State"],
                "created": pod["Created"],
                "labels": pod.get("Labels") or {},
                "infra": pod.get("InfraContainerID", ""),
                "containers": sorted(one["Id"] for one in pod.get("Containers") or []),
            }

    def facts(self):
        version = self.ask("version --format json")["Client"]["Version"]
        facts = {"runtime": "podman", "version": version, "driver": self.driver, "root": self.root}
        facts |= {key: self.options[key] for key in ("user", "additional") if self.options.get(key)}
        return facts | {"images": list(self.images()), "containers": list(self.containers()), "pods": list(self.pods())}


def few(podman):
    """Two images and the containers that tell the most."""
    podman(f"pull -q {WEB}")
    podman(f"create {ALONE} --name never-started --label 'why=created only' {WEB} /bin/tool wait")
    if any(podman.options.get(key) for key in ("composefs", "chunked")):
        # Names that are not text, and a link where a layer below has a directory, Podman does not convert.
        podman("pull -q registry.example/shop/web:1.1")
        podman(f"run {ALONE} --name changed {WEB} /bin/tool", *LITTLE)
        podman("pull -q registry.example/odd/kinds:1")
    else:
        podman(f"pull -q {ODD}")
        podman(f"run {ALONE} --name changed {ODD} /bin/tool", *CHANGES)
    podman("volume create --label kept=yes named")
    host = podman.home + "/host" if podman.user else "/srv/host"
    write(host + "/file", "of the host\n")
    podman(f"run {ALONE} --name mounts -v named:/data -v {host}:/host:ro -v /anonymous --tmpfs /scratch {WEB}"
           " /bin/tool write /data/in-volume x write /scratch/lost x write /kept x")


def little(podman):
    """One image, and a container that changed some of it."""
    podman(f"pull -q {WEB}")
    podman(f"run {ALONE} --name changed {WEB} /bin/tool", *LITTLE)


def fill(podman):
    few(podman)
    for name in NAMES + ["registry.example/packed/zstd:1"]:
        podman(f"pull -q {name}")
    podman(f"load -q -i {FILES}/docker-archive.tar")
    podman(f"import -q -c 'CMD [\"/bin/tool\"]' {FILES}/import.tar")
    podman(f"build -q --layers --isolation chroot -t built:1 {FILES}/build")
    podman(f"run {ALONE} --name ended --restart on-failure:1 {BASE} /bin/tool exit 3", may_fail=True)
    podman(f"run {ALONE} --name of-old-tag {MOVED}:1 /bin/tool write /from-old x", *TO_DIRECTORY)
    podman(f"tag {MOVED}:next {MOVED}:1")
    labels = "--label com.docker.compose.project=shop --label com.docker.compose.service=web --label io.podman.compose.project=shop"
    unit = "--label PODMAN_SYSTEMD_UNIT=podman-compose@shop.service"
    podman(f"run -d {ALONE} --name shop_web_1 --restart always {labels} {unit} {WEB} /bin/tool write /ran x wait")
    podman("stop -t 2 shop_web_1")
    number = podman("image inspect -f {{.Id}} local.example/loaded:2")
    podman(f"run {ALONE} --name by-id --user 1000:1000 --hostname by-id -e A=B -w /srv {number} /bin/tool exit 0")
    podman(f"run {ALONE} --name of-build --read-only built:1 /bin/tool show /etc/built")
    podman(f"run {ALONE} --name for-commit {WEB} /bin/tool write /committed x remove /opt/dir")
    podman("commit -q -a nobody -m 'by hand' -f docker for-commit committed:1")
    podman("rm for-commit")
    podman(f"create {ALONE} --name privileged --privileged -v /:/host committed:1")
    podman("untag local.example/loaded:1")


def pods(podman):
    podman(f"pod create {ALONE} --name shop --label app=shop")
    podman(f"run -d --pod shop --name shop-web {WEB} /bin/tool write /in-pod x wait")
    podman(f"create --pod shop --name shop-job {BASE} /bin/tool exit 0")
    podman("pod stop -t 2 shop")
    podman("pod create --infra=false --name no-infra")
    podman(f"create {ALONE} --pod no-infra --name alone {BASE} /bin/tool wait")
    names = {"base": BASE, "web": WEB}
    write("/srv/pod.yaml", POD % names)
    # It asks for control groups, with which 4.3's pods start nothing where devices are filtered (their own group allows none).
    write("/run/containers.conf", MACHINE.replace('cgroups = "disabled"\n', ""))
    podman(f"play kube {ALONE} --start=false /srv/pod.yaml")
    write("/run/containers.conf", MACHINE)
    write("/etc/systemd/system/container-mounts.service", podman("generate systemd --new --name mounts") + "\n")
    for name, text in QUADLETS.items():
        write(f"/etc/containers/systemd/{name}", text % names)


def buildah(podman):
    """Containers that buildah works in, which Podman's own records do not have."""
    do = lambda line: podman(line, program="buildah")
    do(f"from --name working {WEB}")
    do("run --isolation chroot working -- /bin/tool write /worked x remove /opt/dir")
    do("config --label 'made=by buildah' --cmd /bin/tool working")
    do("commit -q working localhost/worked:1")
    do("run --isolation chroot working -- /bin/tool write /not-committed x")
    do("from --name nothing scratch")
    do(f"copy -q nothing {FILES}/build/added /added")
    do("commit -q nothing localhost/nothing:1")
    do("manifest create localhost/list:1")
    do(f"manifest add localhost/list:1 {WEB}")


def userns(podman):
    """Containers whose users are others on the node."""
    podman(f"run {ALONE} --userns=auto --name auto {ODD} /bin/tool", *CHANGES)
    podman(f"run {ALONE} --uidmap 0:200000:65536 --gidmap 0:300000:65536 --name mapped {WEB}"
           " /bin/tool write /etc/motd changed chmod 600 /etc/passwd remove /opt/dir write /new x")


def save(podman):
    for kind in "docker-archive", "oci-archive":
        podman(f"save -q --format {kind} -o {archive(f'save.{kind}.tar')} {ODD}")
    podman(f"save -q -m --format docker-archive -o {archive('many.docker-archive.tar')} {WEB} {ODD} built:1")
    for kind in "docker-dir", "oci-dir":
        podman(f"save -q --format {kind} -o {archive(f'save.{kind}')} {ODD}")
    podman(f"export -o {archive('container.export.tar')} changed")
    skopeo = lambda line: podman("copy -q --src-tls-verify=false " + line, program="skopeo")
    skopeo(f"containers-storage:{WEB} oci:{archive('skopeo.oci')}:web")
    skopeo(f"containers-storage:{ODD} oci:{archive('skopeo.oci')}:odd")
    skopeo(f"containers-storage:{WEB} docker-archive:{archive('skopeo.docker-archive.tar')}:{WEB}")
    skopeo(f"docker://registry.example/packed/zstd:1 oci-archive:{archive('zstd.oci-archive.tar')}:zstd")
    skopeo(f"docker://registry.example/many/layers:1 dir:{archive('skopeo.dir')}")
    skopeo(f"--all docker://registry.example/attested/app:1 oci:{archive('index.oci')}:attested")


def main():
    name, options = sys.argv[1], json.loads(sys.argv[2])
    podman = Podman(options)
    if options.get("upgraded"):
        podman("ps -a", may_fail=True)  # the first of another version says what it changes
    else:
        for image in (WEB, ODD) if podman.additional else ():
            podman(f"--root {podman.additional} --storage-driver {podman.driver} pull -q {image}")
        {"few": few, "little": little}.get(options.get("fill"), fill)(podman)
    for part in (pods, buildah, userns):
        if options.get(part.__name__):
            part(podman)
    if options.get("running"):
        podman(f"run -d {ALONE} --name running --restart always registry.example/shop/web:1.1 write /tmp/running x wait")
        copy(podman.facts(), name + "-running")
        podman("rm -f -t 2 running")
    if options.get("archives"):
        save(podman)
    tell(podman.facts())
    podman("umount -a", may_fail=True)


if __name__ == "__main__":
    main()
