#!/usr/bin/env python3
"""make-demo-feeds.py FEEDS OUT: of the real records in FEEDS (archives as published), those about the demo node's packages.

The records are unmodified. What belongs to the demo is read from disk-fixtures/demo/truth.json.zst; of EPSS and KEV the rows of
the vulnerabilities that these records are about."""
import io
import json
import os
import re
import subprocess
import sys
import tarfile

SOURCES = {"libcurl4": "curl", "libxml2": "libxml2", "libicu72": "icu", "liblzma5": "xz-utils", "libssl3": "openssl", "libexpat1": "expat",
           "libsqlite3-0": "sqlite3", "libtasn1-6": "libtasn1-6", "zlib1g": "zlib", "gcc-12-base": "gcc-12"}
HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def wanted():
    names = {"deb": set(), "rpm": set(), "pypi": set(), "npm": set()}
    truth = subprocess.run(["zstd", "-dc", HERE + "/disk-fixtures/demo/truth.json.zst"], check=True, capture_output=True).stdout
    for image in json.loads(truth):
        for kind, rows in image["packages"].items():
            names[kind] |= {name for name, _ in rows}
    names["deb"] = {SOURCES.get(name, name) for name in names["deb"]}
    names["pypi"] = {re.sub(r"[-_.]+", "-", name).lower() for name in names["pypi"]} | {"evil"}
    return names


def members(path):
    raw = subprocess.run(["zstd", "-dc", "--long=31", path], check=True, capture_output=True).stdout
    with tarfile.open(fileobj=io.BytesIO(raw)) as tar:
        for member in tar:
            if member.isfile():
                yield member.name, tar.extractfile(member).read()


def pack(path, files):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, data in sorted(files.items()):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    subprocess.run(["zstd", "-q", "-19", "-f", "-o", path], input=buffer.getvalue(), check=True)
    print(f"{path}: {len(files)} files, {os.path.getsize(path)} bytes", file=sys.stderr)


def main(feeds, out):
    os.makedirs(out, exist_ok=True)
    names = wanted()
    rules = {
        "debian-osv": lambda eco, name: eco == "Debian:12" and name in names["deb"],
        "almalinux-osv": lambda eco, name: eco == "AlmaLinux:9" and name in names["rpm"],
        "ghsa-npm": lambda eco, name: eco == "npm" and name in names["npm"],
        "ghsa-pip": lambda eco, name: eco == "PyPI" and re.sub(r"[-_.]+", "-", name).lower() in names["pypi"],
    }
    cves = set()
    for feed, rule in rules.items():
        kept = {}
        for name, data in members(f"{feeds}/{feed}.tar.zst"):
            if name.endswith(".json"):
                record = json.loads(data)
                affected = record.get("affected", [])
                if any(rule(a["package"]["ecosystem"], a["package"]["name"]) for a in affected if a.get("package", {}).get("ecosystem")):
                    kept[name] = data
                    cves |= set(re.findall(r"CVE-\d{4}-\d+", data.decode()))
        pack(f"{out}/{feed}.tar.zst", kept)
    kept = {}
    for name, data in members(f"{feeds}/pypa.tar.zst"):
        if name.endswith(".yaml") and name.split("/")[-2] in names["pypi"]:
            kept[name] = data
            cves |= set(re.findall(r"CVE-\d{4}-\d+", data.decode()))
    pack(f"{out}/pypa.tar.zst", kept)
    for name, data in members(f"{feeds}/cisa-kev.tar.zst"):
        if name.endswith(".json") and "schema" not in name:
            catalogue = json.loads(data)
            catalogue["vulnerabilities"] = [row for row in catalogue["vulnerabilities"] if row["cveID"] in cves]
            catalogue["count"] = len(catalogue["vulnerabilities"])
            pack(f"{out}/cisa-kev.tar.zst", {name: json.dumps(catalogue, indent=1).encode()})
    kept = {}
    for name, data in members(f"{feeds}/epss.tar.zst"):
        if name.endswith(".csv"):
            rows = [row for row in data.decode().splitlines() if row.split(";")[0] in cves]
            if rows:
                kept[name] = ("\n".join(rows) + "\n").encode()
    pack(f"{out}/epss.tar.zst", kept)


main(*sys.argv[1:])
