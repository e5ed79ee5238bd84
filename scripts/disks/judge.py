"""judge.py DIR: reads the disks of DIR/truth.tsv with programs and libraries that are none of ours, and adds their names to
each line, behind those that a script has written there (`qemu`). Who refuses a disk judges nothing; who reads something else
is an error, unless it is known here that it is wrong. `-` is left where nobody judges.

Readers: libvhdi, libvmdk and libqcow (Debian's python3-lib…), 7-Zip (7zip), and of what these cannot, dissect.hypervisor (from
PyPI; a module beside this interpreter's). Without that one `unavailable` is written where nobody else judges."""
import fnmatch, hashlib, os, subprocess, sys
from pathlib import Path

import pyqcow, pyvhdi, pyvmdk
try:
    from dissect.hypervisor.disk.vdi import VDI
    from dissect.hypervisor.disk.vhd import VHD
    from dissect.hypervisor.disk.vhdx import VHDX
    from dissect.hypervisor.disk.vmdk import VMDK
except ImportError:
    VDI = None

MIB = 1 << 20
# Where two readers that are not ours agree with ours against one, or the specification says it plainly.
WRONG = [
    ("libvhdi", "child*.vhd", "sectors behind the end of a run of the bitmap are taken from the child; 7-Zip does not"),
    ("libvmdk", "sparse-5000k.vmdk", "grains of zeros (an entry of 1) are taken for data; qemu does not"),
    ("libvmdk", "sparse-34M.vmdk", "the same"),
    ("libvmdk", "delta*.vmdk", "the same"),
    ("libqcow", "zeros-compat-1-1.qcow2", "clusters of zeros of version 3 are taken for data; qemu does not"),
    ("libqcow", "zeros.qcow2", "the same"),
    ("libqcow", "probed.qcow2", "what the child has is not seen; qemu does"),
    ("7-Zip", "damaged-directory.vmdk", "the redundant directory is not used; qemu and libvmdk use it"),
    ("dissect", "damaged-directory.vmdk", "the same"),
    ("dissect", "child*.vhd", "parents of VHD are not read"),
    ("dissect", "child*.vhdx", "runs of the bitmap are miscounted; libvhdi reads them"),
]
kept = []


class Whole:
    """What a reader reads, in pieces."""
    def __init__(self, size, at, piece=MIB):
        self.size, self.at, self.piece = size, at, piece

    def read(self, offset, length):
        pieces = range(offset, offset + length, self.piece)
        return b"".join(self.at(min(self.piece, offset + length - part), part) for part in pieces)


def named(path, name):
    return path.parent / name.replace("\\", "/").rsplit("/", 1)[-1]


def library(make, path, parent_of):
    disk = make()
    kept.append(disk)  # a child does not keep its parent
    disk.open(str(path))
    if hasattr(disk, "open_extent_data_files"):
        disk.open_extent_data_files()
    if name := getattr(disk, parent_of):
        disk.set_parent(library(make, named(path, name), parent_of))
    return disk


def by_library(make, parent_of):
    def read(path):
        disk = library(make, path, parent_of)
        # Where no block is smaller: libvhdi miscounts reads across several.
        return Whole(disk.media_size, disk.read_buffer_at_offset, 4096)
    return read


def by_dissect(path):
    match path.suffix:
        case ".vhd":
            disk = VHD(path.open("rb"))
        case ".vhdx":
            disk = VHDX(path)
        case ".vmdk":
            disk = VMDK(path)
        case ".vdi":
            # It names no parent by itself.
            parent = {"child-1.vdi": "parent.vdi", "child-2.vdi": "child-1.vdi"}.get(path.name)
            disk = VDI(path, by_dissect(path.parent / parent) if parent else None).open()
    # Not further than the last sector.
    disk.align = 512
    return disk


def at(disk):
    def read(length, offset):
        disk.seek(offset)
        return disk.read(length)
    return Whole(disk.size, read)


class Unpacked:
    """What 7-Zip unpacks of a disk."""
    def __init__(self, path):
        done = subprocess.run(["7zz", "e", "-so", "-t" + path.suffix[1:], path.name], cwd=path.parent, capture_output=True)
        if done.returncode != 0:
            raise OSError(done.stderr.decode())
        self.data, self.size = done.stdout, len(done.stdout)

    def read(self, offset, length):
        return self.data[offset:offset + length]


READERS = {
    "libvhdi": (("vhd", "vhdx"), by_library(pyvhdi.file, "parent_filename")),
    "libvmdk": (("vmdk",), by_library(pyvmdk.handle, "parent_filename")),
    "libqcow": (("qcow2",), by_library(pyqcow.file, "backing_filename")),
    "7-Zip": (("vhd", "vhdx", "vmdk", "vdi"), Unpacked),
}
if VDI:
    READERS["dissect"] = (("vhd", "vhdx", "vmdk", "vdi"), lambda path: at(by_dissect(path)))


def judged(reader, path, size, numbers, sums):
    """Whether a reader reads what is expected; `None` if it refuses the disk."""
    suffixes, make = READERS[reader]
    if path.suffix[1:] not in suffixes or (reader == "7-Zip" and size > 1 << 30):
        return None
    try:
        disk = make(path)
        found = [hashlib.sha256(disk.read(n * MIB, min(MIB, size - n * MIB))).hexdigest()[:32] for n in numbers]
        return disk.size == size and found == sums
    except Exception as refused:
        if os.environ.get("VERBOSE"):
            print(path.name, reader, type(refused).__name__, str(refused)[:200].strip(), file=sys.stderr)
        return None
    finally:
        kept.clear()


def main(folder):
    table = Path(folder) / "truth.tsv"
    lines, wrong, alone = [], 0, []
    for line in table.read_text().splitlines():
        name, options, size, sums, *judges = line.split("\t")
        judges = [] if judges in ([], ["-"]) else judges[0].split(",")
        said = dict(option.split("=") for option in options.split(",") if "=" in option)
        sums_of = sums.split(",") if sums else []
        numbers = [int(n) for n in said["mib"].split(":")] if "mib" in said else range(len(sums_of))
        for reader in () if "cut" in said or "snapshot" in said else READERS:
            if reader in judges or any(reader == one and fnmatch.fnmatch(name, disk) for one, disk, _ in WRONG):
                continue
            match judged(reader, Path(folder).resolve() / name, int(size), numbers, sums_of):
                case True:
                    judges.append(reader)
                case False:
                    print(f"{name}: {reader} reads something else", file=sys.stderr)
                    wrong += 1
        if not judges and "cut" not in said:
            alone.append(name)
            judges += [] if VDI else ["unavailable"]
        lines.append("\t".join([name, options, size, sums, ",".join(judges) or "-"]))
    table.write_text("\n".join(lines) + "\n")
    print("judged by nobody:", *alone or ["none"])
    sys.exit(wrong > 0)


main(*sys.argv[1:])
