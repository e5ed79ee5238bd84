"""What the runtimes save of their images in files and folders: which images are in one, by its own index, and the trees that the
kernel showed of them."""
import hashlib
import json
import os
import shutil
import tarfile


class Files:
    """An archive's members, or a folder's files, by their names."""

    def __init__(self, path):
        self.path = path
        self.tar = None if os.path.isdir(path) else tarfile.open(path)
        self.names = {member.name.removeprefix("./"): member for member in self.tar} if self.tar else {}

    def read(self, name):
        if self.tar:
            return self.tar.extractfile(self.names[name]).read() if name in self.names else None
        if not os.path.exists(f"{self.path}/{name}"):
            return None
        with open(f"{self.path}/{name}", "rb") as file:
            return file.read()

    def json(self, name):
        data = self.read(name)
        return None if data is None else json.loads(data)


def images(path):
    """(id, names, the diff ids of the layers) of each image in there that runs on this kind of machine."""
    files = Files(path)
    found = {}

    def add(config, names):
        document = json.loads(config)
        number = "sha256:" + hashlib.sha256(config).hexdigest()
        known, _ = found.setdefault(number, (set(), document["rootfs"]["diff_ids"]))
        known.update(name for name in names if name)

    def descend(descriptor, names):
        notes = descriptor.get("annotations") or {}
        name = notes.get("io.containerd.image.name") or notes.get("org.opencontainers.image.ref.name")
        document = files.json("blobs/sha256/" + descriptor["digest"][7:])
        if document is None or descriptor.get("platform", {}).get("architecture", "amd64") != "amd64":
            return
        for each in document.get("manifests", []):
            descend(each, names + [name])
        if "config" in document:
            add(files.read("blobs/sha256/" + document["config"]["digest"][7:]), names + [name])

    index, manifest = files.json("index.json"), files.json("manifest.json")
    if isinstance(manifest, list):  # of docker save; the newer of them have an index too
        for each in manifest:
            add(files.read(each["Config"]), each.get("RepoTags") or [])
    if index:
        for each in index["manifests"]:
            descend(each, [])
    if isinstance(manifest, dict):
        add(files.read(manifest["config"]["digest"][7:]), [])
    return [(number, sorted(names), layers) for number, (names, layers) in sorted(found.items())]


def tell(folder, out, facts):
    """Moves what lies in FOLDER to OUT/archives, each with a NAME.json beside it; FACTS are those of the store that it was saved from."""
    if not os.path.isdir(folder):
        return
    os.makedirs(out + "/archives", exist_ok=True)
    for name in sorted(os.listdir(folder)):
        here, there = f"{folder}/{name}", f"{out}/archives/{name}"
        for path in there, there + ".trees":
            shutil.rmtree(path, ignore_errors=True)
        os.makedirs(there + ".trees")
        truth = {key: facts[key] for key in ("runtime", "version", "driver")}
        truth |= {"kind": name.partition(".")[2].removesuffix(".tar"), "images": [], "containers": []}
        if truth["kind"] == "export":  # of a container's tree, which is named after it
            containers = [each for each in facts["containers"] if each["name"] == "changed"]
        else:
            containers = []
            for number, names, layers in images(here):
                image = {"id": number, "names": names, "layers": layers}
                same = next((each for each in facts["images"] if each.get("layers") == layers and "tree" in each), None)
                if same:
                    image["tree"] = keep(out, same, there, name)
                truth["images"].append(image)
        truth["containers"] = [{"id": each["id"], "name": each["name"], "tree": keep(out, each, there, name)} for each in containers]
        shutil.move(here, there)
        with open(there + ".json", "w") as file:
            file.write(json.dumps(truth, indent=1) + "\n")


def keep(out, each, there, name):
    file = os.path.basename(each["tree"])
    shutil.copy(f"{out}/{each['tree']}", f"{there}.trees/{file}")
    return f"{name}.trees/{file}"
