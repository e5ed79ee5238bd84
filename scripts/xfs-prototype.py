#!/usr/bin/env python3
"""xfs-prototype.py DIR: a prototype from which mkfs.xfs makes the files of DIR."""
import os, stat, sys

KINDS = {stat.S_IFREG: "-", stat.S_IFDIR: "d", stat.S_IFLNK: "l", stat.S_IFCHR: "c", stat.S_IFBLK: "b", stat.S_IFIFO: "p"}


def show(path, name):
    st = os.lstat(path)
    kind = KINDS[stat.S_IFMT(st.st_mode)]
    bits = "".join(letter if st.st_mode & bit else "-" for letter, bit in (("u", stat.S_ISUID), ("g", stat.S_ISGID)))
    line = "%s %s%s%03o %d %d" % (name, kind, bits, st.st_mode & 0o777, st.st_uid, st.st_gid)
    if kind == "-":
        line += " " + os.path.abspath(path)
    elif kind == "l":
        line += " " + os.readlink(path)
    elif kind in "cb":
        line += " %d %d" % (os.major(st.st_rdev), os.minor(st.st_rdev))
    print(line)
    if kind == "d":
        for entry in sorted(os.listdir(path)):
            show(os.path.join(path, entry), entry)
        print("$")


print("/\n0 0")
show(sys.argv[1], "")
