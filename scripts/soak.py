#!/usr/bin/env python3
"""Random file systems in use against the kernel: unshare -m scripts/soak.py KIND SECONDS DIR [SEED]
KIND is xfs, ext4 or btrfs; xfs-damage, ext4-damage and btrfs-damage also change bytes of each copy. A case is one seed: options of mkfs and of
mount, processes that change the tree, and copies of the image that are taken meanwhile, each at one instant (a clone of the
image's file), or after a shutdown. The kernel then mounts a clone of each copy, which recovers it, and its listing is compared
with what $ICECORE (target/release/icecore) shows of the copy as it was. A case that differs is kept in DIR/findings: the images, and what
was found. With CASE=1 in the environment only the case of SEED itself is run. Needs root, python3, mkfs of the kind and of XFS. What
the kernel writes at its own time is not in the seed: the images are what counts."""
import collections, fcntl, hashlib, json, os, random, resource, shutil, signal, stat, struct, subprocess, sys, time

from soak_work import Options, Work, clone, libc, run, set_features

ICECORE = os.environ.get("ICECORE", "target/release/icecore")
SECONDS, BYTES = 10, 512 << 20  # of one run
METADATA = b"XFSB", b"XAGF", b"XAGI", b"IN", b"XDB3", b"XDD3", b"3BMA", b"XARM", b"XSLM", b"n0", b"user."


def theirs(root):
    """The kernel's listing: what is said of each path."""
    found, todo, hashed = {}, [os.fsencode(root)], {}
    while todo:
        path = todo.pop()
        st = os.lstat(path)
        key = (path[len(root):] or b"/").decode()
        row = {"mode": "%04o" % (st.st_mode & 0o7777), "uid": st.st_uid, "gid": st.st_gid, "links": st.st_nlink, "size": st.st_size,
               "mtime": "%d.%09d" % divmod(st.st_mtime_ns, 10**9), "kind": stat.S_IFMT(st.st_mode)}
        xattrs = {n: os.getxattr(path, n, follow_symlinks=False).hex() for n in os.listxattr(path, follow_symlinks=False)}
        if xattrs:
            row["xattrs"] = xattrs
        if stat.S_ISDIR(st.st_mode):
            todo += [os.path.join(path, e) for e in os.listdir(path)]
        elif stat.S_ISLNK(st.st_mode):
            row["target"] = os.readlink(path).decode()
        elif stat.S_ISREG(st.st_mode):
            inode = (st.st_dev, st.st_ino)
            if inode not in hashed:
                with open(path, "rb") as f:
                    hashed[inode] = hashlib.file_digest(f, "sha256").hexdigest()
            row["sha256"] = hashed[inode]
        elif row["kind"] in (stat.S_IFCHR, stat.S_IFBLK):
            row["rdev"] = "%d:%d" % (os.major(st.st_rdev), os.minor(st.st_rdev))
        found[key] = row
    return found


KINDS = {"regular": stat.S_IFREG, "directory": stat.S_IFDIR, "symlink": stat.S_IFLNK, "char-device": stat.S_IFCHR, "block-device": stat.S_IFBLK,
         "fifo": stat.S_IFIFO, "socket": stat.S_IFSOCK}


def ours(images, work):
    """icecore's listing, what it tells besides, and what is wrong with how it ran."""
    found, told, wrong = {}, [], []
    for command in ("stat", "hash"):
        began = time.monotonic()
        with open(work + "/out", "w+") as out, open(work + "/err", "w+") as err:
            limits = lambda: (resource.setrlimit(resource.RLIMIT_CPU, (60, 60)), resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30)))
            process = subprocess.Popen([ICECORE, command, "-R", "--json", *images, "/"], stdout=out, stderr=err, preexec_fn=limits)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = status
            code, took = os.waitstatus_to_exitcode(status), time.monotonic() - began
            out.seek(0)
            err.seek(0)
            told += err.read().splitlines()
            for row in map(json.loads, out):
                row["kind"] = KINDS.get(row.get("kind"), row.get("kind"))
                found.setdefault(row.pop("path"), {}).update({k: v for k, v in row.items() if command == "stat" or k == "sha256"})
        if code not in (0, 2, 3) or usage.ru_utime + usage.ru_stime > SECONDS or usage.ru_maxrss << 10 > BYTES:
            wrong.append("%s ended with %d after %.1f s (%.1f of the processor) with %d KiB" % (command, code, took, usage.ru_utime + usage.ru_stime, usage.ru_maxrss))
    return found, told, wrong


def differences(mine, kernel, recovered, metadata, fast):
    """A line for each path that differs; times that the kernel set when it recovered the copy are its own."""
    for path in sorted(mine.keys() | kernel.keys()):
        a, b = mine.get(path), kernel.get(path)
        if a is None or b is None:
            yield path, "only " + ("the kernel has it" if a is None else "icecore has it")
            continue
        keys = a.keys() | b.keys()
        now = float(b["mtime"]) >= recovered
        for key in sorted(keys - ({"mtime"} if now else set()) - ({"size"} if now and fast and b["kind"] == stat.S_IFDIR else set()) - ({"sha256"} if metadata else set())):
            if a.get(key) != b.get(key):
                yield path, "%s: icecore %s, the kernel %s" % (key, str(a.get(key))[:300], str(b.get(key))[:300])


class Case:
    def __init__(self, kind, seed, top, damage):
        self.kind, self.seed, self.r, self.damage = kind, seed, random.Random(seed), damage
        self.work, self.mnt, self.found, self.top = top + "/host", top + "/mnt", [], top
        self.options = Options(kind, self.r)
        self.copies, self.loops, self.counts = [], [], {"copies": 0, "paths": 0, "dirty": 0, "refused": 0, "harmed": 0}

    def images(self, name):
        return ["%s/%s.img%s" % (self.work, name, ".%d" % (n + 1) if n else "") for n in range(self.options.devices)]

    def attach(self, images):
        self.loops = [run("losetup", "-f", "--show", image).strip() for image in images]

    def detach(self):
        for loop in self.loops:
            run("losetup", "-d", loop, check=False)
        self.loops = []

    def mount(self, options):
        if self.kind == "btrfs":
            run("btrfs", "device", "scan", "--forget", check=False)
            options = options + ["device=" + loop for loop in self.loops[1:]]
        if self.kind == "xfs":
            options = options + ["nouuid"]
        run("mount", "-t", self.kind, "-o", ",".join(["rw"] + options), self.loops[0], self.mnt)

    def unmount(self):
        for _ in range(50):
            if not libc.umount2(os.fsencode(self.mnt), 0):
                break
            time.sleep(0.1)
        self.detach()

    def start(self):
        images = self.images("image")
        for image in images:
            open(image, "wb").truncate(self.options.size)
        self.attach(images)
        run(*self.options.mkfs, *self.loops)
        if self.options.features:
            set_features(self.loops[0], self.options.features)
        self.mount(self.options.mount)

    def copy(self, name):
        fd = os.open(self.mnt, os.O_RDONLY)
        if self.options.frozen:
            fcntl.ioctl(fd, 0xC0045877, 0)
        for image, to in zip(self.images("image"), self.images(name)):
            clone(image, to)
        if self.options.frozen:
            fcntl.ioctl(fd, 0xC0045878, 0)
        os.close(fd)
        self.copies.append(name)

    def use(self):
        """Changes the tree by processes, and takes copies meanwhile."""
        workers = []
        for n in range(self.r.choice((1, 1, 2, 3))):
            seed = self.r.randrange(1 << 32)
            if not (pid := os.fork()):
                try:
                    signal.signal(signal.SIGTERM, signal.SIG_DFL)
                    os.dup2(os.open("/dev/null", os.O_WRONLY), 2)
                    Work(self.mnt + "/", self.kind, seed).run()
                finally:
                    os._exit(1)
            workers.append(pid)
        signals = lambda signal: [os.kill(pid, signal) for pid in workers]
        try:
            for n in range(self.r.choice((1, 2, 3))):
                time.sleep(self.r.choice((0.3, 1, 2.5)) * self.r.random() + 0.1)
                pause = self.options.devices > 1 or self.r.random() < 0.3
                if pause:
                    signals(signal.SIGSTOP)
                    time.sleep(0.3)
                self.copy("copy%d" % n)
                if pause:
                    signals(signal.SIGCONT)
            end = self.r.choice(("nothing", "nothing", "shutdown", "shutdown", "shutdown with its log", "shutdown after a sync"))
            if self.kind != "btrfs" and end != "nothing" and not self.options.frozen:
                how = {"shutdown": 2, "shutdown with its log": 1, "shutdown after a sync": 0}[end]
                time.sleep(self.r.random())
                fd = os.open(self.mnt, os.O_RDONLY)
                fcntl.ioctl(fd, 0x8004587D, struct.pack("I", how))
                os.close(fd)
                signals(signal.SIGKILL)
                [os.waitpid(pid, 0) for pid in workers]
                workers = []
                self.unmount()
                for image, to in zip(self.images("image"), self.images("after")):
                    clone(image, to)
                self.copies.append("after")
        finally:
            signals(signal.SIGKILL)
            [os.waitpid(pid, 0) for pid in workers]
            self.unmount()

    def recovered(self, copies):
        """When the kernel mounted a clone of a copy, and its listing; or, without one, why it refuses."""
        for image, to in zip(copies, self.images("judged")):
            clone(image, to)
        self.attach(self.images("judged"))
        began = time.time()
        try:
            self.mount([])
            try:
                return began, theirs(self.mnt), None
            finally:
                self.unmount()
        except (RuntimeError, OSError) as error:
            self.detach()
            return began, None, str(error)

    def judge(self, name):
        copies = self.images(name)
        recovered, kernel, refusal = self.recovered(copies)
        mine, told, wrong = ours(copies, self.work)
        self.counts["copies"] += 1
        self.counts["dirty"] += any(open(a, "rb").read(1 << 26) != open(b, "rb").read(1 << 26) for a, b in zip(copies, self.images("judged")))
        fast = any("fast_commit" in word for word in self.options.mkfs)
        if kernel is None:
            self.counts["refused"] += 1
            wrong.append("the kernel refuses: %s; icecore shows %d paths and tells %s" % (refusal, len(mine), told[:4]))
        else:
            self.counts["paths"] += len(kernel)
            wrong += ["told: " + line for line in told if "the kernel recorded errors" not in line]  # as after a shutdown
            wrong += ["%s: %s" % line for line in differences(mine, kernel, recovered, False, fast)]
        if wrong:
            return self.keep(name, copies, wrong)
        for n in range(8 if self.damage and kernel and self.options.summed else 0):
            self.harm(name, n, kernel, recovered, fast)

    def harm(self, name, n, kernel, recovered, fast):
        """What damage of a copy changes must be told."""
        images, notes = self.images("harmed"), []
        for image, to in zip(self.images(name), images):
            clone(image, to)
        for _ in range(self.r.choice((1, 1, 5, 40, 200))):
            with open(self.r.choice(images), "r+b") as file:
                for _ in range(2000):  # where something is written: metadata rather than other things
                    file.seek(at := self.r.randrange(self.options.size // 4096) * 4096)
                    page = file.read(4096)
                    if any(page) and (self.r.random() < 0.1 or any(word in page for word in METADATA)):
                        break
                notes.append(at + self.r.choice([i for i in range(4096) if page[i]] or [0]))
                file.seek(notes[-1])
                file.write(self.r.randbytes(self.r.choice((1, 1, 4, 64))))
        mine, told, wrong = ours(images, self.work)
        self.counts["harmed"] += 1
        silent = []
        for path, line in differences(mine, kernel, recovered, self.kind != "btrfs", fast):
            parents = ["/" + "/".join(path.split("/")[1:n]) for n in range(1, path.count("/") + 2)]
            if not any("icecore: %s: " % p in t or ": /" not in t for t in told for p in parents):  # or it is of the whole volume
                silent.append("silent: %s: %s" % (path, line))
        if silent:  # a log that ends where it is damaged was not written whole: as the kernel has it
            recovered, kernel, _ = self.recovered(images)
            if kernel and not list(differences(mine, kernel, recovered, self.kind != "btrfs", fast)):
                silent = []
        if wrong + silent:
            self.keep("%s-harmed%d" % (name, n), images, ["changed at %s" % notes[:50]] + told[:20] + wrong + silent)

    def keep(self, name, images, wrong):
        place = "%s/findings/%s-%d-%s" % (self.top, self.kind, self.seed, name)
        self.found.append(place)
        print("%s: %d lines, first %s" % (place, len(wrong), wrong[0][:300]), flush=True)
        with open(place + ".txt", "w") as out:
            print(*self.options.mkfs, hex(self.options.features), "| mount", *self.options.mount, file=out)
            print(*wrong, sep="\n", file=out)
        if shutil.disk_usage(self.top).free > 8 << 30:
            for n, image in enumerate(images):
                run("zstd", "-q", "-f", image, "-o", "%s.img%s.zst" % (place, ".%d" % (n + 1) if n else ""))

    def run(self):
        try:
            self.start()
        except RuntimeError as error:
            self.detach()
            print("seed %d is not made: %s" % (self.seed, str(error).split("\n")[0]), flush=True)
            return
        self.use()
        for name in self.copies:
            self.judge(name)
        for name in os.listdir(self.work):
            os.unlink(self.work + "/" + name)


def main():
    kind, seconds, top = sys.argv[1], int(sys.argv[2]), os.path.realpath(sys.argv[3])
    seed = int(sys.argv[4]) if len(sys.argv) > 4 else random.randrange(1 << 32)
    for name in ("host", "mnt", "findings"):
        os.makedirs(top + "/" + name, exist_ok=True)
    with open(top + "/host.img", "wb") as host:
        host.truncate(12 << 30)
    run("mkfs.xfs", "-q", "-f", "-m", "reflink=1", top + "/host.img")
    run("mount", "-o", "loop,discard", top + "/host.img", top + "/host")
    os.environ.update(TEST_DIR="1", TEST_DEV="1", QA_CHECK_FS="1")  # mkfs.xfs makes nothing below 300 MB otherwise
    print("seed %d" % seed, flush=True)
    counts, cases, findings, end = collections.Counter(), 0, 0, time.monotonic() + seconds
    try:
        while time.monotonic() < end:
            case = Case(kind.split("-")[0], seed, top, kind.endswith("-damage"))
            case.run()
            counts.update(case.counts)
            cases, findings, seed = cases + 1, findings + len(case.found), seed + 1
            if os.environ.get("CASE"): break
    finally:
        run("umount", "-q", top + "/mnt", check=False)
        run("umount", "-l", top + "/host", check=False)
        os.unlink(top + "/host.img")
    print("%s: %d cases, %s, %d findings" % (kind, cases, ", ".join("%d %s" % (v, k) for k, v in counts.items()), findings), flush=True)
    sys.exit(findings > 0)


if __name__ == "__main__":
    main()
