"""What the parts share that run on the node (node.sh): commands, what containers do, what is told to the outside."""
import json
import os
import shlex
import subprocess
import sys
import time

FILES = "/run/stores/images"
NAMES = ["registry.example/" + name for name in (
    "base/debian:12", "shop/web:1.0", "shop/web:stable", "shop/web:1.1", "odd/things:1", "moved/tag:1", "moved/tag:next",
    "many/layers:1", "attested/app:1")]
BASE, WEB, ODD = "registry.example/base/debian:12", "registry.example/shop/web:1.0", "registry.example/odd/things:1"
MOVED = "registry.example/moved/tag"
ALONE = "--network none"
AS_USER = ["setpriv", "--reuid", "1000", "--regid", "1000", "--clear-groups"]
SITE = "/usr/local/lib/python3.11/site-packages"
# What the writable layer of a container can hold, of odd/things:1.
CHANGES = shlex.split(f"""
    write /etc/motd changed  write /new new  remove /usr/share/doc/zlib1g
    append /var/lib/dpkg/status '
Package: evil
Status: install ok installed
Maintainer: Nobody <nobody@example.org>
Architecture: amd64
Version: 9.9
Description: installed in a container'
    remove /srv/data  mkdir /srv/data  write /srv/data/new 'of a directory made again'  remove /opaque  write /opaque 'a file now'
    chmod 600 /etc/passwd  chmod 640 /etc/big  chmod 700 /odd/a/b  chown 1000 1000 /etc/debian_version
    write /usr/bin/evil x  chmod 4755 /usr/bin/evil  link /etc/motd /etc/motd.link  link /odd/text /odd/text.link
    rename /odd/empty /odd/renamed  try-rename /srv/move /srv/moved  symlink /etc/passwd /link  fifo /fifo
    try-xattr /etc/group user.changed yes  sparse /sparse 8000000  remove /odd/absolute
    write '/names/back\\slash' changed  write /odd/a/one 'no longer of three names'
    mkdir /usr/local  mkdir /usr/local/lib  mkdir /usr/local/lib/python3.11  mkdir {SITE}  mkdir {SITE}/evil-9.9.dist-info
    write {SITE}/evil-9.9.dist-info/METADATA 'Metadata-Version: 2.1
Name: evil
Version: 9.9'
""")
# A little of it, of shop/web:1.0.
LITTLE = shlex.split("""
    write /etc/motd changed  append /var/lib/dpkg/status '
Package: evil
Status: install ok installed
Maintainer: Nobody <nobody@example.org>
Architecture: amd64
Version: 9.9
Description: installed in a container'
    remove /opt/dir  remove /srv/data  mkdir /srv/data  write /srv/data/new x  chmod 600 /etc/passwd  write /usr/bin/evil x  chmod 4755 /usr/bin/evil
""")
# A file that becomes a directory: Podman's own `diff` fails of it, which is why it has a container to itself.
TO_DIRECTORY = shlex.split("remove /swap/file2dir  mkdir /swap/file2dir  write /swap/file2dir/in in")


def run(*words, may_fail=False, **options):
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)
    if done.returncode and not may_fail:
        raise SystemExit(" ".join(words) + f" ended with {done.returncode}:\n" + done.stderr.decode(errors="replace")[-3000:])
    return done.stdout.decode(errors="surrogateescape").strip()


def start(log, *words, **options):
    with open(log, "wb") as file:
        return subprocess.Popen(words, stdout=file, stderr=file, **options)


def until(check, what, seconds=30):
    end = time.monotonic() + seconds
    while not check():
        if time.monotonic() > end:
            raise SystemExit("waited in vain for " + what)
        time.sleep(0.05)


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(text)


def read(path):
    with open(path) as file:
        return file.read()


def archive(name):
    """Where what a runtime saves is left: `DISK-NAME.KIND`, a file if that ends with .tar."""
    path = f"/run/stores/{sys.argv[1]}.archives/{sys.argv[1]}-{name}"
    os.makedirs(os.path.dirname(path), exist_ok=True)
    return path


def mounts(told):
    """As Docker and Podman tell them."""
    return [{"type": each["Type"], "name": each.get("Name"), "source": each.get("Source"), "destination": each["Destination"],
             "writable": each["RW"]} for each in told or []]


def copy(facts, name):
    """Has the disk copied as it is now, with what is true of it now."""
    tell(facts, name)
    print("copy", name, flush=True)
    sys.stdin.readline()


def tell(facts, name=None):
    write(f"/run/stores/{name or sys.argv[1]}.facts.json", json.dumps(facts))
