"""Disks: made, filled by a runtime on the node, and then read by the kernel for the truth."""
import json
import os
import subprocess
import sys
import time

import archives

HERE = os.path.dirname(os.path.abspath(__file__))
TREE = os.path.join(os.path.dirname(HERE), "tree.py")
MAKE = {
    "ext4": ["mkfs.ext4", "-q", "-m", "0"],
    "xfs": ["mkfs.xfs", "-q"],
    "btrfs": ["mkfs.btrfs", "-q"],
}


PASSWD = """root:x:0:0:root:/root:/bin/sh
nobody:x:65534:65534:nobody:/nonexistent:/bin/sh
u:x:1000:1000::/home/u:/bin/sh
containers:x:999:999::/nonexistent:/bin/false
"""


class NotMade(Exception):
    pass


def run(*words, **options):
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)
    if done.returncode:
        raise NotMade(" ".join(words[:6]) + ": " + (done.stderr or done.stdout).decode(errors="replace").strip()[-3000:])
    return done.stdout.decode()


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(text)


class Disk:
    def __init__(self, work, out, name, file_system, size):
        self.work, self.out, self.name, self.file_system = work, out, name, file_system
        self.image, self.mount = f"{work}/{name}.raw", f"{work}/{name}.mnt"
        self.facts = []
        os.mkdir(self.mount)
        run("truncate", "-s", size, self.image)
        run(*MAKE[file_system], self.image)
        run("mount", "-o", "loop", self.image, self.mount)

    def minimal(self, system, hostname):
        """What makes it a node's root, and lets programs run on it."""
        root = self.mount
        for path in "usr proc sys dev run tmp var/lib/dpkg var/tmp var/log root home mnt srv opt etc/containers etc/docker".split():
            os.makedirs(f"{root}/{path}", exist_ok=True)
        for link in ("bin", "sbin", "lib", "lib64"):
            os.symlink("usr/" + link, f"{root}/{link}")
        os.symlink("/run", root + "/var/run")
        with open(system + "/etc/os-release") as file:
            write(root + "/etc/os-release", file.read())
        write(root + "/etc/hostname", hostname + "\n")
        write(root + "/etc/hosts", "127.0.0.1 localhost registry.example\n")
        write(root + "/etc/resolv.conf", "nameserver 127.0.0.1\n")
        write(root + "/etc/passwd", PASSWD)
        write(root + "/etc/group", "root:x:0:\nnogroup:x:65534:\ndocker:x:998:\nu:x:1000:\n")
        write(root + "/etc/subuid", "u:100000:65536\ncontainers:2147483647:2147483648\n")
        write(root + "/etc/subgid", "u:100000:65536\ncontainers:2147483647:2147483648\n")
        uuid = run("blkid", "-s", "UUID", "-o", "value", self.image).strip()
        write(root + "/etc/fstab", f"UUID={uuid} / {self.file_system} defaults 0 1\n")
        write(root + "/etc/containers/policy.json", '{"default":[{"type":"insecureAcceptAnything"}]}\n')
        write(root + "/etc/containers/registries.conf", '[[registry]]\nlocation = "registry.example"\ninsecure = true\n')
        os.chmod(root + "/tmp", 0o1777)
        os.chmod(root + "/var/tmp", 0o1777)

    def run(self, system, part, options):
        """Runs a part on the node; it may ask for copies of the disk meanwhile."""
        words = ["unshare", "--mount", "--pid", "--fork", "--kill-child", f"{HERE}/node.sh", self.mount, system, self.work,
                 part, self.name, json.dumps(options)]
        with open(f"{self.work}/{self.name}.log", "w+b") as log:
            process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log)
            for line in process.stdout:
                word, _, name = line.decode().strip().partition(" ")
                if word == "copy":
                    run("sync", "-f", self.mount)
                    run("fsfreeze", "-f", self.mount)
                    run("cp", "--sparse=always", self.image, f"{self.work}/{name}.raw")
                    run("fsfreeze", "-u", self.mount)
                    process.stdin.write(b"\n")
                    process.stdin.flush()
            if process.wait():
                log.seek(0)
                raise NotMade(log.read().decode(errors="replace").strip()[-3000:])
        self.facts.append(self.told(self.name))

    def told(self, name):
        with open(f"{self.work}/{name}.facts.json") as file:
            return json.load(file)

    def done(self, names=()):
        """Unmounts it, has the kernel list what it holds, and puts everything where it belongs."""
        self.unmount()
        self.judge(self.name, self.facts)
        for name in names:
            self.judge(name, [self.told(name)])

    def unmount(self):
        for attempt in range(50):
            if not subprocess.run(["umount", self.mount], stderr=subprocess.DEVNULL).returncode:
                return
            time.sleep(0.1)
        raise NotMade("the disk is still in use")

    def judge(self, name, stores):
        """From a copy, which the kernel may recover. Of several stores the first is the file's; the others are `others` of it."""
        run("cp", "--sparse=always", f"{self.work}/{name}.raw", f"{self.work}/{name}.copy")
        run("mount", "-o", "loop", f"{self.work}/{name}.copy", self.mount)
        trees = f"{self.out}/{name}.trees"
        subprocess.run(["rm", "-rf", trees], check=True)
        os.makedirs(trees)
        try:
            for number, facts in enumerate(stores):
                for each in facts["images"] + facts["containers"]:
                    view, file = each.pop("view", None), each.pop("file", each["id"].removeprefix("sha256:"))
                    if view is not None:
                        file = f"{number}-{file}" if number else file
                        self.list(view, f"{trees}/{file}")
                        each["tree"] = f"{name}.trees/{file}"
        finally:
            subprocess.run(["umount", self.mount], check=True)
        os.unlink(f"{self.work}/{name}.copy")
        first = ("runtime", "version", "driver")
        stores = [{key: facts.pop(key) for key in first} | {"file_system": self.file_system} | facts for facts in stores]
        facts = stores[0] | ({"others": stores[1:]} if stores[1:] else {})
        write(f"{self.out}/{name}.json", json.dumps(facts, indent=1) + "\n")
        archives.tell(f"{self.work}/{name}.archives", self.out, facts)
        run("cp", "--sparse=always", f"{self.work}/{name}.raw", f"{self.out}/{name}.raw")
        os.unlink(f"{self.work}/{name}.raw")

    def list(self, view, file):
        """The tree as the kernel shows it: a directory, or layers (the uppermost first) merged by overlayfs."""
        at = lambda path: self.mount + path
        if "listed" in view:
            with open(f"{self.work}/{view['listed']}", "rb") as lines, open(file, "wb") as out:
                return out.writelines(sorted(lines))
        merged, empty = f"{self.work}/{self.name}.merged", f"{self.work}/{self.name}.empty"
        os.makedirs(merged, exist_ok=True)
        os.makedirs(empty, exist_ok=True)  # at the bottom, as one layer alone is not merged
        if "directory" in view:
            if not view["directory"].endswith("/layer.erofs"):
                return self.listing(at(view["directory"]), file)
            run("mount", "-t", "erofs", "-o", "loop,ro", at(view["directory"]), merged)
            self.listing(merged, file)
            return run("umount", merged)
        layers = [at(path) for path in view.get("overlay") or view["fuse"]] + [empty]
        images = [layer[:-2] + "layer.erofs" for layer in layers]
        for layer, image in zip(layers, images):
            if os.path.exists(image):
                run("mount", "-t", "erofs", "-o", "loop,ro", image, layer)
        # Relative names are short enough for a mount's page of options.
        base = os.path.commonpath(layers[:-1]) if len(layers) > 2 else os.path.dirname(layers[0])
        lower = ":".join([os.path.relpath(layer, base) for layer in layers[:-1]] + [empty])
        if "fuse" in view:
            run("fuse-overlayfs", "-o", f"ro,lowerdir={':'.join(layers)}", merged)
        else:
            options = ",".join(["ro", "lowerdir=" + lower, *view.get("options", [])])
            run("mount", "-t", "overlay", "overlay", "-o", options, merged, cwd=base)
        try:
            self.listing(merged, file)
        finally:
            subprocess.run(["umount", merged], check=True)
            for layer, image in zip(layers, images):
                if os.path.exists(image):
                    subprocess.run(["umount", layer], check=True)

    @staticmethod
    def listing(folder, file):
        words, environment = [sys.executable, TREE, "list", folder], os.environ | {"UNREADABLE": "1"}
        lines = subprocess.run(words, stdout=subprocess.PIPE, check=True, env=environment).stdout.splitlines(keepends=True)
        # In a directory that is of one layer only, the kernel lists the whiteouts too, and then finds nothing by these names.
        lines = [line for line in lines if not (line.startswith(b"# unreadable:") and line.endswith(b"No such file or directory\n"))]
        unreadable = [line for line in lines if line.startswith(b"#")]
        if unreadable:
            raise NotMade(unreadable[0].decode())
        with open(file, "wb") as out:
            out.writelines(sorted(lines))
