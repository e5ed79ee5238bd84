"""main.py WORK [--newer CACHE] OUT [NAME…]: makes the disks, two at a time. Run by make-stores.sh in namespaces of its own."""
import argparse
import concurrent.futures
import os
import shutil
import subprocess
import sys
import time
import traceback

import images
import registry
from disk import Disk, NotMade
from disks import DISKS, NEWER


class NoClient(NotMade):
    pass


def make(work, out, name, cache):
    began = time.monotonic()
    file_system, size, steps = DISKS[name]
    try:
        if name in NEWER and not cache:
            raise NotMade("it needs --newer")
        made = Disk(work, out, name, file_system, size)
        for part, options in steps:
            system = f"{cache}/{options['suite']}" if "suite" in options else "/"
            if system != "/" and not os.path.exists(system + "/made"):
                raise NotMade(f"there is no {options['suite']}")
            if part == "containerd" and not os.path.exists(work + "/cri"):
                raise NoClient("there is no client of the CRI (it is built by Go 1.23 or later, which fetches what it is made of)")
            if not made.facts:
                made.minimal(system, name)
            made.run(system, part, options)
            if options.get("upgraded"):  # it tells of what was there before, too
                made.facts = made.facts[-1:]
        made.done([name + "-running"] if any(options.get("running") for _, options in steps) else [])
        print(f"{name} ({time.monotonic() - began:.0f} s)", flush=True)
        return True
    except Exception as why:
        print(f"NOT MADE: {name}: {why if isinstance(why, NotMade) else traceback.format_exc()}", flush=True)
        subprocess.run(["umount", "-q", f"{work}/{name}.mnt"], stderr=subprocess.DEVNULL)
        # A suite that is not to be had is no failure, nor is a client that there is nothing to build with.
        return name in NEWER or isinstance(why, NoClient)


def main():
    options = argparse.ArgumentParser()
    options.add_argument("work")
    options.add_argument("--newer", metavar="CACHE")
    options.add_argument("out")
    options.add_argument("names", nargs="*")
    options = options.parse_args()
    out = os.path.abspath(options.out)
    os.makedirs(out, exist_ok=True)
    unknown = set(options.names) - set(DISKS)
    if unknown:
        raise SystemExit("no such disk: " + ", ".join(sorted(unknown)))
    work = options.work + "/memory"
    os.mkdir(work)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", work], check=True)
    if os.path.exists(options.work + "/cri"):
        shutil.copy(options.work + "/cri", work)
    os.mkdir(work + "/images")
    images.make(work + "/images")
    registry.serve(work + "/images")
    # Of a newer system none, or, if asked for, only those.
    names = options.names or [name for name in DISKS if (name in NEWER) == bool(options.newer)]
    with concurrent.futures.ThreadPoolExecutor(int(os.environ.get("JOBS", "2"))) as pool:
        done = list(pool.map(lambda name: make(work, out, name, options.newer and os.path.abspath(options.newer)), names))
    if not all(done):
        sys.exit(1)


main()
