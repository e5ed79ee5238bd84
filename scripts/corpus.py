#!/usr/bin/env python3
"""corpus.py ICECORE CORPUS.tar.zst: reads every input of a corpus of hostile and odd files, each in a process of its own.

Disk images are scanned as they are and all their files hashed; databases and documents are files of a node at the places
where they are looked for (of archives of thousands every tenth). Fails if one ends by a signal or with an exit code that
is not documented, takes over 5 s (hashing 60 s: a sparse file is as long as it says), or needs over 256 MiB, which it
cannot have. Prints for each kind how many there were and how they ended. Layer blobs are
what `cargo test corpus` reads.
"""
import bz2, gzip, io, lzma, os, resource, shutil, subprocess, sys, tarfile, tempfile, time

SECONDS, MEMORY, UNPACKED, OF_MANY = {"scan": 5, "hash": 60}, 256 << 20, 64 << 20, 10
EXITS = {0: "complete", 2: "usage", 3: "partial", 4: "skipped", 5: "not readable"}
DISKS = {"ext4", "qcow2", "partition", "otherimg", "vhd", "vhdx", "vmdk", "xfs", "btrfs", "ntfs"}
PLACES = {
    "bolt": ["var/lib/containerd/io.containerd.metadata.v1.bolt/meta.db"],
    "dpkg": ["var/lib/dpkg/status"],
    "apk": ["lib/apk/db/installed"],
    "sqlite": ["var/lib/rpm/rpmdb.sqlite"],
    "rpmdb": ["var/lib/rpm/rpmdb.sqlite", "var/lib/rpm/Packages.db", "var/lib/rpm/Packages"],
    "text": ["srv/node_modules/a/package.json", "etc/containerd/config.toml", "etc/os-release", "etc/fstab",
             "usr/lib/python3/dist-packages/a-1.dist-info/METADATA"],
    "zip": ["opt/lib/a-1.jar"],
    "archive_other": ["opt/lib/a-1.jar"],
    "registry": ["Windows/System32/config/SOFTWARE", "Windows/System32/config/SYSTEM"],
}
icecore, corpus = os.path.abspath(sys.argv[1]), sys.argv[2]


def unpacked(name, data):
    """The inputs that a file of the corpus holds: itself, or the members of an archive of many."""
    for suffix, reader in ((".gz", gzip.open), (".bz2", bz2.open), (".xz", lzma.open)):
        if name.endswith(suffix):
            try:
                data, name = reader(io.BytesIO(data)).read(UNPACKED), name[: -len(suffix)]
            except (OSError, EOFError, lzma.LZMAError):
                pass
    if name.endswith(".zst"):
        data, name = subprocess.run(["zstd", "-dcq"], input=data, stdout=subprocess.PIPE).stdout[:UNPACKED], name[:-4]
    if name.endswith(".tar") and name.split("/")[0] in PLACES:
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            for member in [member for member in archive if member.isfile()][::OF_MANY]:
                yield f"{name}/{member.name}", archive.extractfile(member).read()
    else:
        yield name, data


def run(*words):
    """Exit code and seconds of a command whose address space is bounded."""
    begun = time.monotonic()
    bound = lambda: resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    child = subprocess.run([icecore, *words], preexec_fn=bound, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL, env={**os.environ, "MALLOC_ARENA_MAX": "1"})
    return child.returncode, time.monotonic() - begun


def main():
    rows, bad = {}, []
    packed = subprocess.Popen(["zstd", "-dcq", corpus], stdout=subprocess.PIPE)
    with tempfile.TemporaryDirectory() as tmp, tarfile.open(fileobj=packed.stdout, mode="r|") as archive:
        for member in archive:
            name = member.name.removeprefix("./")
            kind = name.split("/")[0]
            if not member.isfile() or kind not in DISKS | PLACES.keys():
                continue
            for name, data in unpacked(name, archive.extractfile(member).read()):
                path = f"{tmp}/input"
                if kind in DISKS:
                    with open(path, "wb") as file:
                        file.write(data)
                else:
                    for place in PLACES[kind]:
                        os.makedirs(os.path.dirname(f"{path}/{place}"), exist_ok=True)
                        with open(f"{path}/{place}", "wb") as file:
                            file.write(data)
                commands = [["scan", "--no-vulnerabilities", "-f", "json", "-q", "--threads", "1", path]]
                if kind in DISKS:
                    commands.append(["hash", "-R", "--volume", "disk0", path, "/"])
                row = rows.setdefault(kind, {"inputs": 0, "seconds": 0.0})
                row["inputs"] += 1
                for command in commands:
                    code, seconds = run(*command)
                    row["seconds"], row[code] = max(row["seconds"], seconds), row.get(code, 0) + 1
                    if code not in EXITS or seconds > SECONDS[command[0]]:
                        bad.append(f"{command[0]} {name}: exit {code}, {seconds:.1f} s")
                shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)
    for kind, row in sorted(rows.items()):
        exits = ", ".join(f"{row[code]} {text}" for code, text in EXITS.items() if code in row)
        print(f"{kind:10} {row['inputs']:5} inputs, at most {row['seconds']:.2f} s: {exits}")
    print("\n".join(bad[:50]) or f"{sum(row['inputs'] for row in rows.values())} inputs, none out of bounds")
    sys.exit(bool(bad))


main()
