#!/usr/bin/env bash
# Makes disk-fixtures/inventory: package databases written by the real tools (rpmbuild, rpm, sqlite3,
# Berkeley DB's db_load) from packages of our own, each with the truth that the same tools print.
# Needs: dpkg, rpm, sqlite3, db-util, python3, zstd, mvn.
set -euo pipefail
scripts="$(cd "$(dirname "$0")" && pwd)"
out="$(dirname "$scripts")/disk-fixtures/inventory"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
mkdir -p "$out"
cd "$work"
export SOURCE_DATE_EPOCH=1700000000

# --- rpm packages: NAME [VERSION RELEASE [EXTRA LINE…]]
spec() {
  local name=$1 version=$2 release=$3; shift 3
  { printf 'Name: %s\nVersion: %s\nRelease: %s\nSummary: test\nLicense: Apache-2.0 OR MIT\nVendor: icecore tests\nBuildArch: noarch\n' "$name" "$version" "$release"
    printf '%s\n' "$@"
    printf '%%description\ntest\n%%install\nmkdir -p %%{buildroot}/opt/%s; for n in $(seq 60); do echo $n > %%{buildroot}/opt/%s/file-with-a-long-name-$n; done\n%%files\n/opt/%s\n' "$name" "$name" "$name"
  } > "$name.spec"
  rpmbuild --quiet --define "_topdir $work/rpm" --define '_build_id_links none' -bb "$name.spec"
}
spec plain 1.0 1
spec with-epoch 2.5~rc1 3.el9 'Epoch: 7'
spec from-module 5.26.3 419.module 'ModularityLabel: perl:5.26:8030:abc'
spec java-1.8.0-openjdk 1.8.0.302 0.el8

mkdir db-sqlite
rpm --define '_db_backend sqlite' --dbpath "$work/db-sqlite" --nodeps --noscripts --justdb --nosignature -i rpm/RPMS/noarch/*.rpm
rpm --define '_db_backend sqlite' --dbpath "$work/db-sqlite" -qa \
  --qf '%{NAME}\t%|EPOCH?{%{EPOCH}:}|%{VERSION}-%{RELEASE}\t%{ARCH}\t%{SOURCERPM}\t%{LICENSE}\t%{VENDOR}\t%{MODULARITYLABEL}\n' | LC_ALL=C sort > "$out/rpm.tsv"
sqlite3 db-sqlite/rpmdb.sqlite 'PRAGMA wal_checkpoint(TRUNCATE)' > /dev/null
zstd -q -19 -f db-sqlite/rpmdb.sqlite -o "$out/rpmdb.sqlite.zst"

# --- the same headers in Berkeley DB hash files, of either byte order and page size
python3 - <<'P'
import sqlite3, struct
rows = sqlite3.connect("db-sqlite/rpmdb.sqlite").execute("select hnum, blob from Packages").fetchall()
for name, order, letter, page in (("le", 1234, "<", 4096), ("be", 4321, ">", 512), ("inline", 1234, "<", 65536)):
    with open(name + ".dump", "w") as f:
        f.write(f"VERSION=3\nformat=bytevalue\ntype=hash\ndb_pagesize={page}\ndb_lorder={order}\nHEADER=END\n")
        pairs = [(0, struct.pack(letter + "I", len(rows) + 1))] + rows
        for key, value in pairs:
            f.write(f" {struct.pack(letter + 'I', key).hex()}\n {value.hex()}\n")
        f.write("DATA=END\n")
P
# --- and in rpm's ndb form, which not every distribution's rpm can write (lib/backend/ndb/rpmpkg.c)
python3 - <<'P'
import sqlite3, struct, zlib
rows = sqlite3.connect("db-sqlite/rpmdb.sqlite").execute("select hnum, blob from Packages").fetchall()
slots, blobs, block = b"", b"", 4096 // 16
for index, header in rows:
    body = b"BlbS" + struct.pack("<3I", index, 1700000000, len(header)) + header
    body += bytes(-(len(body) + 12) % 16)
    body += struct.pack("<2I", zlib.adler32(body), len(header)) + b"BlbE"
    slots += b"Slot" + bytes(12)  # a package that was removed
    slots += b"Slot" + struct.pack("<3I", index, block, len(body) // 16)
    blobs += body
    block += len(body) // 16
header = b"RpmP" + struct.pack("<4I", 0, 1, 1, len(rows) + 1) + bytes(12)
slots += (b"Slot" + bytes(12)) * ((4096 - len(header) - len(slots)) // 16)
open("Packages.db", "wb").write(header + slots + blobs)
P
zstd -q -19 -f Packages.db -o "$out/Packages.db.zst"
for name in le be inline; do
  rm -f "$name.bdb"; db_load -f "$name.dump" "$name.bdb"
  zstd -q -19 -f "$name.bdb" -o "$out/Packages-$name.zst"
done

# --- dpkg: every state that a package can be left in, a source with a version of its own, two architectures
deb() { # NAME VERSION ARCH [EXTRA LINE…]
  local name=$1 version=$2 arch=$3 dir="deb/$1-$3"; shift 3
  mkdir -p "$dir/DEBIAN" "$dir/etc"
  { printf 'Package: %s\nVersion: %s\nArchitecture: %s\nMaintainer: icecore tests <tests@example.org>\n' "$name" "$version" "$arch"
    [ $# -eq 0 ] || printf '%s\n' "$@"
    printf 'Description: test\n a line that goes on\n .\n Package: not-a-package\n'; } > "$dir/DEBIAN/control"
  echo "$name" > "$dir/etc/$name.conf"; echo "/etc/$name.conf" > "$dir/DEBIAN/conffiles"
  [ "$name" != broken ] || { printf '#!/bin/false\n' > "$dir/DEBIAN/postinst"; chmod 755 "$dir/DEBIAN/postinst"; }
  dpkg-deb --root-owner-group -b "$dir" "$dir.deb" > /dev/null
}
root="$work/root"; mkdir -p "$root/var/lib/dpkg/"{info,updates}; touch "$root/var/lib/dpkg/status"
in_root() { PATH="$PATH:/usr/sbin:/sbin" dpkg --root="$root" --force-not-root --force-script-chrootless --force-bad-path "$@" > /dev/null 2>&1; }
deb both 1:2.0-1+b2 amd64 'Multi-Arch: same' 'Source: both-src (1:2.0-1)'
deb both 1:2.0-1+b2 i386 'Multi-Arch: same' 'Source: both-src (1:2.0-1)'
deb held 3 all 'Source: held-src'
deb removed 1 all; deb purged 1 all; deb unpacked 2.0~rc1 all; deb broken 1-1 all
in_root --add-architecture i386
in_root -i deb/both-amd64.deb deb/both-i386.deb deb/held-all.deb deb/removed-all.deb deb/purged-all.deb
in_root -r removed; in_root -P purged; in_root --unpack deb/unpacked-all.deb; in_root -i deb/broken-all.deb || true
echo 'held hold' | dpkg --root="$root" --set-selections
cp "$root/var/lib/dpkg/status" "$out/dpkg-status"
dpkg-query --root="$root" -W -f '${db:Status-Status}\t${Package}\t${Version}\t${Architecture}\t${Maintainer}\t${source:Package}\t${source:Version}\n' \
  | LC_ALL=C sort > "$out/dpkg.tsv"

# --- SQLite: pages of every size, overflow chains, UTF-16, reserved bytes, a WAL that holds the last commits
python3 - <<'P'
import shutil, sqlite3
def fill(db, rows):
    db.execute("create table other(x)")
    db.execute("create table t(id integer primary key, name text, data blob, number)")
    db.executemany("insert into t values(?,?,?,?)", rows)
    db.commit()
def rows(n):
    sizes = [0, 1, 100, 400, 1000, 5000, 70000]
    return [(i * 3 - 5, f"näme {i}", bytes([i & 255]) * sizes[i % 7] if i < 14 else b"x", (None, i - 3, i * 1.5, 1 << 40)[i % 4]) for i in range(n)]
for page, encoding in ((512, "UTF-8"), (4096, "UTF-16le"), (65536, "UTF-16be")):
    db = sqlite3.connect(f"p{page}.db")
    db.execute(f"pragma page_size={page}"); db.execute(f"pragma encoding='{encoding}'")
    fill(db, rows(300)); db.close()
db = sqlite3.connect("wal-live.db")
db.execute("pragma page_size=1024"); db.execute("pragma journal_mode=wal"); db.execute("pragma wal_autocheckpoint=0")
fill(db, rows(40))
db.execute("pragma wal_checkpoint(TRUNCATE)")
db.execute("update t set name='changed' where id=1"); db.execute("delete from t where id=4"); db.commit()
db.execute("insert into t values(1000,'only in the wal',zeroblob(3000),9)"); db.commit()
# A transaction that spills to the log and is never committed.
db.execute("pragma cache_size=1"); db.execute("insert into t values(2000,'never',zeroblob(90000),9)")
shutil.copy("wal-live.db", "wal.db"); shutil.copy("wal-live.db-wal", "wal.db-wal")
P
truth() { sqlite3 -noheader -separator $'\t' "$1" "select id, name, lower(hex(substr(data,1,4))), length(data), typeof(number), case typeof(number) when 'real' then printf('%.1f', number) else number end from t order by id"; }
sqlite3 p512.db '.filectrl reserve_bytes 24' 'vacuum' > /dev/null
truth p512.db > "$out/rows.tsv"
for page in 512 4096 65536; do truth "p$page.db" | cmp - "$out/rows.tsv"; zstd -q -19 -f "p$page.db" -o "$out/p$page.db.zst"; done
zstd -q -19 -f wal.db -o "$out/wal.db.zst"; zstd -q -19 -f wal.db-wal -o "$out/wal.db-wal.zst"
truth wal.db > "$out/wal.tsv"
cat > "$out/README.md" <<'R'
Package databases and SQLite files made by `scripts/make-inventory.sh` with the real tools, from packages
and rows of our own. `rpm.tsv` is what `rpm -qa` prints for all of `rpmdb.sqlite`, `Packages.db` (ndb) and
`Packages-*` (Berkeley DB hash, little- and big-endian, and with pages so large that headers are inline); the
`rows.tsv` and `wal.tsv` are what `sqlite3` prints for table `t` of `p*.db` and of `wal.db`. The last commits of
`wal.db` are in `wal.db-wal` only, followed by frames of a transaction that was never committed.

`dpkg.tsv` is what `dpkg-query -W` prints for `dpkg-status`, the state first.
The ndb file is written by the script itself: few builds of rpm can.

The jars are made by `scripts/make-jars.sh` of unchanged ones of Maven Central, all under Apache-2.0; `jars.tsv` has the
coordinates by which Maven was asked for them, with the file and the place in it.
R
bash "$scripts/make-jars.sh"
du -cb "$out"/* | tail -1
