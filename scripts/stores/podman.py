"""podman.py NAME OPTIONS: fills the stores of Podman and buildah, on the node; `user` has them in that user's own folder."""
import json
import os
import subprocess
import sys

from inside import CHANGES, FILES, NAMES, TO_DIRECTORY, archive, copy, read, run, tell, until, write

TOOL = "/bin/tool"
# What this machine lacks; a node would need none of it, so it is not on the disk.
MACHINE = ('[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]\npids_limit = 0\ncgroups = "disabled"\n[engine]\n'
           'cgroup_manager = "cgroupfs"\nevents_logger = "file"\nruntime = "crun"\n')


class Podman:
    def __init__(self, options):
        self.user = options.get("user")
        self.home = f"/home/{self.user}" if self.user else "/root"
        self.root = options.get("root") or (self.home + "/.local/share/containers/storage" if self.user else "/var/lib/containers/storage")
        self.driver = options["driver"]
        lines = ["[storage]", f'driver = "{self.driver}"']
        if not self.user:
            lines += ['runroot = "/run/containers/storage"', f'graphroot = "{self.root}"']
        if options.get("additional"):
            lines += ["[storage.options]", f'additionalimagestores = ["{options["additional"]}"]']
        more = {"mountopt": options.get("mountopt"), "mount_program": options.get("mount_program")}
        if any(more.values()):
            lines += [f"[storage.options.{self.driver}]"] + [f'{key} = "{value}"' for key, value in more.items() if value]
        if options.get("composefs"):
            lines += ["[storage.options]", 'pull_options = {enable_partial_images = "true", convert_images = "true"}', "[storage.options.overlay]", 'use_composefs = "true"']
        write("/etc/containers/storage.conf", "\n".join(lines) + "\n")
        write("/run/containers.conf", MACHINE + options.get("engine", ""))
        self.environment = {**os.environ, "CONTAINERS_CONF": "/run/containers.conf", "HOME": self.home}
        self.before = []
        if self.user:
            for path in (self.home, "/run/user/1000"):
                os.makedirs(path, exist_ok=True)
                os.chown(path, 1000, 1000)
            if options.get("mount_program"):
                write(self.home + "/.config/containers/storage.conf", "\n".join(lines) + "\n")
                run("chown", "-R", "1000:1000", self.home + "/.config")
            self.environment["XDG_RUNTIME_DIR"] = "/run/user/1000"
            self.before = ["setpriv", "--reuid", "1000", "--regid", "1000", "--clear-groups"]
        self.options = options

    def __call__(self, *words, program="podman", **options):
        return run(*self.before, program, *words, env=self.environment, cwd="/", **options)

    def ask(self, *words, program="podman"):
        return json.loads(self(*words, program=program) or "[]") or []

    # Of overlay layers Podman says where they lie; of others only the store's own records do.

    def layer(self, kind, number):
        records = []
        for folder in [self.root] + ([self.options["additional"]] if self.options.get("additional") else []):
            for name in f"{kind}.json", f"volatile-{kind}.json":
                path = f"{folder}/{self.driver}-{kind}/{name}"
                if os.path.exists(path):
                    records += json.loads(read(path))
        return next((record.get("layer", "") for record in records if record["id"] == number), "")

    def view(self, driver, kind, number):
        if self.options.get("composefs"):  # mounted by Podman itself: of what lies there, only composefs makes a tree
            words = ["image"] if kind == "images" else []
            file = f"/run/stores/{sys.argv[1]}.listed-{number}"
            with open(file, "wb") as out:
                subprocess.run([sys.executable, "/run/scripts/tree.py", "list", self(*words, "mount", number)], stdout=out, check=True)
            self(*words, "umount", number)
            return {"listed": os.path.basename(file)}
        data = driver.get("Data") or {}
        if "UpperDir" in data:
            layers = [data["UpperDir"]] + (data["LowerDir"].split(":") if data.get("LowerDir") else [])
            if self.options.get("mount_program"):
                return {"fuse": layers}
            options = ["userxattr"] if self.user else ["metacopy=on"] if "metacopy=on" in (self.options.get("mountopt") or "") else []
            return {"overlay": layers, "options": options}
        layer = self.layer(kind, number)
        if not layer:  # an image that has no layer
            return None
        if kind == "overlay":
            raise SystemExit("no layers told of " + number)
        return {"directory": f"{self.root}/{'vfs/dir' if self.driver == 'vfs' else 'btrfs/subvolumes'}/{layer}"}

    def images(self):
        for number in dict.fromkeys(self("image", "ls", "-a", "-q", "--no-trunc").split()):
            number = number.removeprefix("sha256:")
            image = self.ask("image", "inspect", number)[0]
            if image["Id"] != number:  # a list of images, which is told by what is in it
                names = [name for each in self.ask("image", "ls", "--no-trunc", "--format", "json") if each["Id"] == number for name in each["Names"]]
                yield {"id": "sha256:" + number, "names": names, "list": [each["digest"] for each in self.ask("manifest", "inspect", number)["manifests"]]}
                continue
            shown = number in self("image", "ls", "-q", "--no-trunc")
            yield {"id": "sha256:" + image["Id"], "names": sorted(image["RepoTags"] or []), "digests": sorted(image["RepoDigests"] or []),
                   "shown": shown, "history_names": sorted(image.get("NamesHistory") or []), "created": image["Created"], "labels": image["Labels"] or {},
                   "layers": image["RootFS"]["Layers"] or [], "view": self.view(image["GraphDriver"], "images", image["Id"])}

    def containers(self):
        for number in self("ps", "-a", "-q", "--no-trunc").split():
            one = self.ask("container", "inspect", number)[0]
            changes = json.loads(self("diff", "--format", "json", number, may_fail=True) or "null")
            yield {"id": one["Id"], "name": one["Name"], "image": "sha256:" + one["Image"] if one["Image"] else "", "image_name": one["ImageName"],
                   "state": one["State"]["Status"], "exit_code": one["State"]["ExitCode"], "command": [one["Path"], *one["Args"]], "created": one["Created"],
                   "started": one["State"]["StartedAt"], "finished": one["State"]["FinishedAt"], "labels": one["Config"]["Labels"] or {},
                   "restart": one["HostConfig"]["RestartPolicy"]["Name"], "privileged": one["HostConfig"]["Privileged"], "user": one["Config"]["User"],
                   "hostname": one["Config"]["Hostname"], "pod": one.get("Pod", ""), "infra": one.get("IsInfra", False),
                   "mounts": [{"type": mount["Type"], "name": mount.get("Name"), "source": mount.get("Source"), "destination": mount["Destination"],
                               "writable": mount["RW"]} for mount in one["Mounts"] or []],
                   "changes": None if changes is None else sorted(
                       letter + " " + path for letter, key in (("C", "changed"), ("A", "added"), ("D", "deleted")) for path in changes.get(key) or []),
                   "view": self.view(one["GraphDriver"], "containers", one["Id"])}
        for one in self.ask("containers", "--json", program="buildah") if self.options.get("buildah") else []:
            if not one["builder"]:
                continue
            layer = self.layer("containers", one["id"])
            folder = f"{self.root}/overlay/{layer}"
            lower = read(folder + "/lower").split(":") if os.path.exists(folder + "/lower") else []
            layers = [folder + "/diff"] + [os.path.realpath(f"{self.root}/overlay/{each}") for each in lower]
            yield {"id": one["id"], "name": one["containername"], "image": "sha256:" + one["imageid"] if one["imageid"] else "", "image_name": one["imagename"],
                   "state": "working", "view": {"overlay": layers}}

    def pods(self):
        for number in self("pod", "ls", "-q", "--no-trunc").split():
            pod = self.ask("pod", "inspect", number)
            pod = pod[0] if isinstance(pod, list) else pod
            yield {"id": pod["Id"], "name": pod["Name"], "state": pod["State"], "created": pod["Created"], "labels": pod.get("Labels") or {},
                   "infra": pod.get("InfraContainerID", ""), "containers": sorted(one["Id"] for one in pod.get("Containers") or [])}

    def facts(self):
        version = self.ask("version", "--format", "json")["Client"]["Version"]
        facts = {"runtime": "podman", "version": version, "driver": self.driver, "root": self.root, "images": list(self.images()),
                 "containers": list(self.containers()), "pods": list(self.pods())}
        for key in ("user", "additional"):
            if self.options.get(key):
                facts[key] = self.options[key]
        return facts


MADE = ["--network", "none"]
WEB, ODD = "registry.example/shop/web:1.0", "registry.example/odd/things:1"


def few(podman):
    """Two images and the containers that tell the most."""
    odd = podman.options.get("odd", ODD)
    for name in WEB, odd:
        podman("pull", "-q", name)
    podman("create", *MADE, "--name", "never-started", "--label", "why=created only", WEB, TOOL, "wait")
    podman("run", *MADE, "--name", "changed", odd, TOOL, *(CHANGES if odd == ODD else [word.replace("/names/", "/odd/") for word in CHANGES]))
    podman("volume", "create", "--label", "kept=yes", "named")
    host = podman.home + "/host" if podman.user else "/srv/host"
    write(host + "/file", "of the host\n")
    podman("run", *MADE, "--name", "mounts", "-v", "named:/data", "-v", host + ":/host:ro", "-v", "/anonymous", "--tmpfs", "/scratch",
           WEB, TOOL, "write", "/data/in-volume", "x", "write", "/scratch/lost", "x", "write", "/kept", "x")


def fill(podman):
    few(podman)
    for name in NAMES + ["registry.example/packed/zstd:1"]:
        podman("pull", "-q", name)
    podman("load", "-q", "-i", FILES + "/docker-archive.tar")
    podman("import", "-q", "-c", 'CMD ["/bin/tool"]', FILES + "/import.tar")
    podman("build", "-q", "--layers", "--isolation", "chroot", "-t", "built:1", FILES + "/build")
    podman("run", *MADE, "--name", "ended", "--restart", "on-failure:1", "registry.example/base/debian:12", TOOL, "exit", "3", may_fail=True)
    podman("run", *MADE, "--name", "of-old-tag", "registry.example/moved/tag:1", TOOL, "write", "/from-old", "x", *TO_DIRECTORY)
    podman("tag", "registry.example/moved/tag:next", "registry.example/moved/tag:1")
    podman("run", "-d", *MADE, "--name", "shop_web_1", "--restart", "always", "--label", "com.docker.compose.project=shop", "--label", "com.docker.compose.service=web",
           "--label", "io.podman.compose.project=shop", "--label", "PODMAN_SYSTEMD_UNIT=podman-compose@shop.service", WEB, TOOL, "write", "/ran", "x", "wait")
    podman("stop", "-t", "2", "shop_web_1")
    podman("run", *MADE, "--name", "by-id", "--user", "1000:1000", "--hostname", "by-id", "-e", "A=B", "-w", "/srv",
           podman("image", "inspect", "-f", "{{.Id}}", "local.example/loaded:2"), TOOL, "exit", "0")
    podman("run", *MADE, "--name", "of-build", "--read-only", "built:1", TOOL, "show", "/etc/built")
    podman("run", *MADE, "--name", "for-commit", WEB, TOOL, "write", "/committed", "x", "remove", "/opt/dir")
    podman("commit", "-q", "-a", "nobody", "-m", "by hand", "-f", "docker", "for-commit", "committed:1")
    podman("rm", "for-commit")
    podman("create", *MADE, "--name", "privileged", "--privileged", "-v", "/:/host", "committed:1")
    podman("untag", "local.example/loaded:1")


def pods(podman):
    podman("pod", "create", *MADE, "--name", "shop", "--label", "app=shop")
    podman("run", "-d", "--pod", "shop", "--name", "shop-web", "registry.example/shop/web:1.0", TOOL, "write", "/in-pod", "x", "wait")
    podman("create", "--pod", "shop", "--name", "shop-job", "registry.example/base/debian:12", TOOL, "exit", "0")
    podman("pod", "stop", "-t", "2", "shop")
    podman("pod", "create", "--infra=false", "--name", "no-infra")
    podman("create", *MADE, "--pod", "no-infra", "--name", "alone", "registry.example/base/debian:12", TOOL, "wait")
    write("/srv/pod.yaml", "apiVersion: v1\nkind: Pod\nmetadata:\n  name: played\n  labels:\n    app: played\n  annotations:\n    note: by hand\nspec:\n  restartPolicy: Never\n  containers:\n"
          "  - name: web\n    image: registry.example/shop/web:1.0\n    command: [/bin/tool]\n    args: [write, /played, x, wait]\n    volumeMounts: [{name: kept, mountPath: /kept}]\n"
          "  initContainers:\n  - name: first\n    image: registry.example/base/debian:12\n    command: [/bin/tool, exit, '0']\n"
          "  volumes: [{name: kept, persistentVolumeClaim: {claimName: claimed}}]\n")
    # It asks for control groups, with which this version's pods start nothing where devices are filtered (their own group allows none).
    write("/run/containers.conf", MACHINE.replace('cgroups = "disabled"\n', ""))
    podman("play", "kube", *MADE, "--start=false", "/srv/pod.yaml")
    write("/run/containers.conf", MACHINE)
    os.makedirs("/etc/systemd/system", exist_ok=True)
    write("/etc/systemd/system/container-mounts.service", podman("generate", "systemd", "--new", "--name", "mounts") + "\n")
    write("/etc/containers/systemd/web.container", "[Unit]\nDescription=web\n[Container]\nImage=registry.example/shop/web:1.0\nExec=/bin/tool wait\nVolume=web.volume:/data\nLabel=app=web\nAutoUpdate=registry\n[Install]\nWantedBy=multi-user.target\n")
    write("/etc/containers/systemd/web.volume", "[Volume]\nLabel=app=web\n")
    write("/etc/containers/systemd/shop.kube", "[Kube]\nYaml=/srv/pod.yaml\n")


def buildah(podman):
    """Containers that buildah works in, which Podman's own records do not have."""
    do = lambda *words: podman(*words, program="buildah")
    do("from", "--name", "working", "registry.example/shop/web:1.0")
    do("run", "--isolation", "chroot", "working", "--", TOOL, "write", "/worked", "x", "remove", "/opt/dir")
    do("config", "--label", "made=by buildah", "--cmd", "/bin/tool", "working")
    do("commit", "-q", "working", "localhost/worked:1")
    do("run", "--isolation", "chroot", "working", "--", TOOL, "write", "/not-committed", "x")
    do("from", "--name", "nothing", "scratch")
    do("copy", "-q", "nothing", FILES + "/build/added", "/added")
    do("commit", "-q", "nothing", "localhost/nothing:1")
    do("manifest", "create", "localhost/list:1")
    do("manifest", "add", "localhost/list:1", "registry.example/shop/web:1.0")


def additional(podman, options):
    """Images in a store of their own, which containers of the first use."""
    podman("--root", options["additional"], "--storage-driver", podman.driver, "pull", "-q", "registry.example/odd/things:1")
    podman("--root", options["additional"], "--storage-driver", podman.driver, "pull", "-q", "registry.example/shop/web:1.0")


def save(podman):
    for kind in "docker-archive", "oci-archive":
        podman("save", "-q", "--format", kind, "-o", archive(f"save.{kind}.tar"), ODD)
    podman("save", "-q", "-m", "--format", "docker-archive", "-o", archive("many.docker-archive.tar"), WEB, ODD, "built:1")
    for kind in "docker-dir", "oci-dir":
        podman("save", "-q", "--format", kind, "-o", archive(f"save.{kind}"), ODD)
    podman("export", "-o", archive("container.export.tar"), "changed")
    skopeo = lambda *words: podman("copy", "-q", *words, program="skopeo")
    skopeo("containers-storage:" + WEB, f"oci:{archive('skopeo.oci')}:web")
    skopeo("containers-storage:" + ODD, f"oci:{archive('skopeo.oci')}:odd")
    skopeo("--dest-compress-format", "zstd", "--dest-oci-accept-uncompressed-layers", "--src-tls-verify=false", "docker://registry.example/packed/zstd:1", f"oci-archive:{archive('zstd.oci-archive.tar')}:zstd")
    skopeo("--all", "--src-tls-verify=false", "docker://registry.example/attested/app:1", f"oci:{archive('index.oci')}:attested")
    skopeo("--src-tls-verify=false", "docker://registry.example/many/layers:1", f"dir:{archive('skopeo.dir')}")
    skopeo("containers-storage:" + WEB, f"docker-archive:{archive('skopeo.docker-archive.tar')}:{WEB}")


def main():
    options = json.loads(sys.argv[2])
    podman = Podman(options)
    if options.get("additional"):
        without = Podman({**options, "additional": None})
        additional(without, options)
        podman = Podman(options)
    if options.get("nothing"):
        podman("ps", "-a", may_fail=True)  # the first of another version says what it changes
    else:
        (few if options.get("few") else fill)(podman)
    for part in (pods, buildah):
        if options.get(part.__name__):
            part(podman)
    if options.get("userns"):
        podman("run", "--network", "none", "--userns=auto", "--name", "auto", "registry.example/odd/things:1", TOOL, *CHANGES)
        podman("run", "--network", "none", "--uidmap", "0:200000:65536", "--gidmap", "0:300000:65536", "--name", "mapped", "registry.example/shop/web:1.0",
               TOOL, "write", "/etc/motd", "changed", "chmod", "600", "/etc/passwd", "remove", "/opt/dir", "write", "/new", "x")
    if options.get("running"):
        podman("run", "-d", "--network", "none", "--name", "running", "--restart", "always", "registry.example/shop/web:1.1", "write", "/tmp/running", "x", "wait")
        copy(podman.facts(), sys.argv[1] + "-running")
        podman("rm", "-f", "-t", "2", "running")
    if options.get("archives"):
        save(podman)
    tell(podman.facts())
    podman("umount", "-a", may_fail=True)


if __name__ == "__main__":
    main()
