#!/usr/bin/python3
"""hive.py make software|system|many FILE: makes a registry hive; what is in it is written by hivex (python3-hivex).
hive.py list FILE: a line for each key and value as hivex reads them: path, value, type, data in hexadecimal."""
import struct, sys

import hivex

SZ, EXPAND_SZ, BINARY, DWORD, QWORD = 1, 2, 3, 4, 11


def empty():
    """A hive of a root key without values, which hivex can begin with: it makes none from nothing."""
    def cell(data):
        data += bytes(-(len(data) + 4) % 8)
        return struct.pack("<i", -len(data) - 4) + data
    def key(security):
        return cell(struct.pack("<2sHQIIIIIIIIIIIIIIIHH", b"nk", 0x2C, 0, 0, 0xFFFFFFFF, 0, 0, 0xFFFFFFFF, 0xFFFFFFFF, 0, 0xFFFFFFFF,
                                security, 0xFFFFFFFF, 0, 0, 0, 0, 0, 4, 0) + b"ROOT")
    security = 32 + len(key(0))
    descriptor = struct.pack("<BBHIIII", 1, 0, 0x8000, 0, 0, 0, 0)
    cells = key(security) + cell(struct.pack("<2sHIIII", b"sk", 0, security, security, 1, len(descriptor)) + descriptor)
    free = 4096 - 32 - len(cells)
    cells += struct.pack("<i", free) + bytes(free - 4)
    head = bytearray(struct.pack("<4sIIQIIIIIII", b"regf", 1, 1, 0, 1, 3, 0, 1, 32, 4096, 1) + bytes(460))
    sum = 0
    for (word,) in struct.iter_unpack("<I", head[:508]):
        sum ^= word
    head[508:512] = struct.pack("<I", sum)
    return bytes(head) + bytes(4096 - 512) + struct.pack("<4sIIQQI", b"hbin", 0, 4096, 0, 0, 0) + cells


def text(value):
    return (value + "\0").encode("utf-16-le")


def fill(hive, kind):
    def key(path):
        node = hive.root()
        for name in path.split("\\"):
            node = hive.node_get_child(node, name) or hive.node_add_child(node, name)
        return node
    def put(path, values):
        hive.node_set_values(key(path), [dict(key=name, t=kind, value=data) for name, kind, data in values])
    if kind == "software":
        put("Microsoft\\Windows NT\\CurrentVersion", [
            ("ProductName", SZ, text("Windows Server 2022 Datacenter")), ("CurrentVersion", SZ, text("6.3")),
            ("CurrentBuild", SZ, text("20348")), ("CurrentBuildNumber", SZ, text("20348")), ("DisplayVersion", SZ, text("21H2")),
            ("ReleaseId", SZ, text("2009")), ("UBR", DWORD, struct.pack("<I", 2340)), ("InstallationType", SZ, text("Server Core")),
            ("CurrentMajorVersionNumber", DWORD, struct.pack("<I", 10)), ("CurrentMinorVersionNumber", DWORD, struct.pack("<I", 0)),
            ("EditionID", SZ, text("ServerDatacenter")), ("SystemRoot", SZ, text("C:\\Windows"))])
        put("Classes", [("", SZ, text("the default value"))])
    elif kind == "system":
        put("Select", [(name, DWORD, struct.pack("<I", n)) for name, n in
                       (("Current", 1), ("Default", 1), ("Failed", 0), ("LastKnownGood", 1))])
        put("ControlSet001\\Control\\ComputerName\\ComputerName", [("ComputerName", SZ, text("AKSWIN000002"))])
        put("ControlSet001\\Services\\Tcpip", [("ImagePath", EXPAND_SZ, text("System32\\drivers\\tcpip.sys"))])
    else:
        for i in range(400):
            key("many\\key %04d" % i)
        put("many", [("value %03d" % i, BINARY, bytes([i % 256]) * i) for i in range(120)])
        put("values", [("large", BINARY, b"0123456789abcdef" * 1000), ("empty", SZ, b""), ("quad", QWORD, struct.pack("<Q", 1 << 40)),
                       ("one", BINARY, b"1"), ("four", BINARY, b"four"), ("\u00e4\u20ac", SZ, text("\u00e4\u20ac\U0001f600"))])
        key("letters\\\u00e4\\\u20ac")


def listing(hive, node, path):
    for value in hive.node_values(node):
        kind, data = hive.value_value(value)
        print(path, hive.value_key(value), kind, data.hex(), sep="\t")
    for child in hive.node_children(node):
        below = path + "\\" + hive.node_name(child)
        print(below, "", "", "", sep="\t")
        listing(hive, child, below)


def main():
    sys.setrecursionlimit(10000)
    sys.stdout.reconfigure(encoding="utf-8", errors="surrogatepass")
    if sys.argv[1] == "list":
        hive = hivex.Hivex(sys.argv[2])
        return listing(hive, hive.root(), "")
    with open(sys.argv[3], "wb") as file:
        file.write(empty())
    hive = hivex.Hivex(sys.argv[3], write=True)
    fill(hive, sys.argv[2])
    hive.commit(None)


main()
