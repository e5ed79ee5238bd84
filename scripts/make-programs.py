#!/usr/bin/env python3
"""make-programs.py DIR: builds programs in which package metadata is found, and packs what is read of them into DIR.

Go's are built by `go` for several systems and with several settings, without any network: NAME.zst, and in NAME.txt what
`go version -m` says of it. Of each file only what tells is kept, the rest becomes zeros: headers, the table of sections with
its names, and the build information. With `cargo-auditable` there, rust.zst and rust.txt (name, version, kind) too."""
import json, os, struct, subprocess, sys, tempfile, zlib

KEPT = 4096
LDFLAGS = "-X main.version=1.2.3 -X example.org/dep.Version=9.9.9"
# name, environment, flags
BUILDS = [
    ("linux-amd64", {}, []),
    ("stripped", {}, ["-trimpath", "-ldflags", "-s -w"]),
    ("pie", {}, ["-buildmode=pie"]),
    ("linked-by-gcc", {"CGO_ENABLED": "1"}, ["-ldflags", "-linkmode=external"]),
    ("c-shared", {"CGO_ENABLED": "1"}, ["-buildmode=c-shared"]),
    ("ldflags", {}, ["-ldflags", LDFLAGS]),
    ("no-sections", {}, []),
    ("linux-386", {"GOARCH": "386"}, []),
    ("linux-arm", {"GOARCH": "arm"}, []),
    ("linux-s390x", {"GOARCH": "s390x"}, []),
    ("linux-mips", {"GOARCH": "mips"}, []),
    ("windows-amd64", {"GOOS": "windows"}, ["-ldflags", "-s -w"]),
    ("windows-386", {"GOOS": "windows", "GOARCH": "386"}, ["-ldflags", "-s -w"]),
    ("darwin-arm64", {"GOOS": "darwin", "GOARCH": "arm64"}, ["-ldflags", "-s -w"]),
]
FILES = {
    "go.mod": "module example.org/app/v2\n\ngo 1.21\n\nrequire (\n\texample.org/dep v1.2.3\n\texample.org/gone v1.0.0\n"
              "\texample.org/other v0.1.0+incompatible\n)\n\nreplace example.org/gone => ../gone\n\n"
              "replace example.org/other v0.1.0+incompatible => example.org/fork v0.2.0\n",
    "main.go": "package main\n\nimport (\n\t_ \"example.org/dep\"\n\t_ \"example.org/gone\"\n\t_ \"example.org/other\"\n)\n\n"
               "var version string\n\nfunc main() { println(version) }\n",
    "vendor/example.org/dep/a.go": "package dep\n\nvar Version string\n",
    "vendor/example.org/gone/a.go": "package gone\n",
    "vendor/example.org/other/a.go": "package other\n",
    "vendor/modules.txt": "# example.org/dep v1.2.3\n## explicit\nexample.org/dep\n"
                          "# example.org/gone v1.0.0 => ../gone\n## explicit\nexample.org/gone\n"
                          "# example.org/other v0.1.0+incompatible => example.org/fork v0.2.0\n## explicit\nexample.org/other\n"
                          "# example.org/gone => ../gone\n# example.org/other v0.1.0+incompatible => example.org/fork v0.2.0\n",
}


def write(root, files):
    for name, text in files.items():
        os.makedirs(os.path.dirname(f"{root}/{name}"), exist_ok=True)
        with open(f"{root}/{name}", "w") as file:
            file.write(text)


def tables(data):
    """Offset and size of an ELF's table of sections, of their names, and of sections by name."""
    order, wide = "<>"[data[5] - 1], data[4] == 2
    at = struct.unpack_from(order + ("Q" if wide else "I"), data, 40 if wide else 32)[0]
    size, count, names = struct.unpack_from(order + "HHH", data, 58 if wide else 46)
    row = lambda n: struct.unpack_from(order + ("IIQQQQ" if wide else "IIIIII"), data, at + n * size)
    rows = [row(n) for n in range(count)]
    strings = rows[names][4:6]
    name = lambda start: data[strings[0] + start:].split(b"\0", 1)[0].decode()
    return (at, size * count), strings, {name(r[0]): r[4:6] for r in rows}


def hollow(data, sections=()):
    """The file with zeros for all that tells nothing."""
    ranges = [(0, KEPT)]
    if data[:4] == b"\x7fELF" and any(data[60:62] if data[4] == 2 else data[48:50]):
        table, names, known = tables(data)
        ranges += [table, names, *(known[name] for name in sections if name in known)]
    mark = data.find(b"\xff Go buildinf:")
    while mark >= 0:
        ranges.append((mark, KEPT))
        mark = data.find(b"\xff Go buildinf:", mark + 1)
    kept = bytearray(len(data))
    for start, size in ranges:
        kept[start : start + size] = data[start : start + size]
    return bytes(kept)


def without_sections(data):
    data = bytearray(data)
    struct.pack_into("<Q", data, 40, 0)
    struct.pack_into("<HH", data, 60, 0, 0)
    return bytes(data)


def save(directory, name, data, text):
    packed = subprocess.run(["zstd", "-19", "-cq"], input=data, stdout=subprocess.PIPE, check=True).stdout
    for file, content in ((f"{name}.zst", packed), (f"{name}.txt", text.encode())):
        with open(f"{directory}/{file}", "wb") as out:
            out.write(content)


def told(path):
    """What `go version -m` says, without the file's own name."""
    return subprocess.run(["go", "version", "-m", path], check=True, text=True, stdout=subprocess.PIPE).stdout.split(": ", 1)[1]


def go(directory, work):
    write(f"{work}/app", FILES)
    clean = {key: value for key, value in os.environ.items() if not key.startswith("GO")}
    clean |= {"GOFLAGS": "-mod=vendor -buildvcs=false", "GOTOOLCHAIN": "local", "GOPROXY": "off", "CGO_ENABLED": "0"}

    def build(name, env, flags):
        subprocess.run(["go", "build", "-o", f"{work}/{name}", *flags, "."], check=True, cwd=f"{work}/app", env=clean | env)
        with open(f"{work}/{name}", "rb") as file:
            data = file.read()
        if name == "no-sections":
            data = without_sections(data)
        data = hollow(data)
        with open(f"{work}/hollow", "wb") as file:
            file.write(data)
        text = told(f"{work}/{name}")
        assert told(f"{work}/hollow") == text, name
        save(directory, name, data, text)

    for row in BUILDS:
        build(*row)
    commit = {"GIT_AUTHOR_DATE": "2024-01-31T23:59:59Z", "GIT_COMMITTER_DATE": "2024-01-31T23:59:59Z"}
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org"]
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "a"]):
        subprocess.run([*git, *words], check=True, cwd=f"{work}/app", env=os.environ | commit)
    build("commit", {"GOFLAGS": "-mod=vendor"}, ["-buildvcs=true"])


def rust(directory, work):
    """A crate with a dependency of its own, a path, and one that only its build has."""
    manifest = '[package]\nname = "{}"\nversion = "{}"\nedition = "2021"\n'
    files = {f"{name}/Cargo.toml": manifest.format(name, version) for name, version in (("kept", "0.3.1"), ("built", "0.2.0"))}
    files |= {f"{name}/src/lib.rs": "pub fn f() {}\n" for name in ("kept", "built")}
    files["tool/Cargo.toml"] = manifest.format("tool", "1.4.2") + (
        '[dependencies]\nkept = { path = "../kept" }\n[build-dependencies]\nbuilt = { path = "../built" }\n[workspace]\n')
    files["tool/build.rs"], files["tool/src/main.rs"] = "fn main() { built::f() }\n", "fn main() { kept::f() }\n"
    write(work, files)
    subprocess.run(["cargo", "auditable", "build", "--release", "--offline", "-q"], check=True, cwd=f"{work}/tool",
                   env=os.environ | {"CARGO_TARGET_DIR": f"{work}/target"})
    with open(f"{work}/target/release/tool", "rb") as file:
        data = file.read()
    at, size = tables(data)[2][".dep-v0"]
    crates = json.loads(zlib.decompress(data[at : at + size]))["packages"]
    rows = (f"{c['name']}\t{c['version']}\t{c.get('kind', 'runtime')}\n" for c in crates)
    save(directory, "rust", hollow(data, [".dep-v0"]), "".join(rows))


def main():
    directory = os.path.abspath(sys.argv[1])
    os.makedirs(directory, exist_ok=True)
    with tempfile.TemporaryDirectory() as work:
        go(directory, work)
        if subprocess.run(["cargo", "auditable", "--version"], capture_output=True).returncode == 0:
            rust(directory, work)


main()
