//! Images in an archive, without any runtime: an OCI image layout (image-spec, image-layout.md) in a directory or a tar,
//! what `docker save` writes, and the directory that `skopeo copy … dir:` does.

mod docker;
mod members;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use self::members::Files;
use super::{
    Blob, Container, Contents, Image, LayerRef, LayerSources, Store, Unpacked,
    oci::{self, Manifest},
    resolve::{self, Blobs, Reference},
};
use crate::{
    Digest, FormatError, Gap,
    block::{self, Source},
    fs::Root,
    gap::Scope,
    limits,
};

/// An archive of images, opened.
pub struct Archive {
    files: Files,
    form: &'static str,
    contents: Contents,
    /// Where the blobs of a Docker archive lie, by digest.
    paths: BTreeMap<Digest, String>,
}

/// Opens an image archive that is a tar, `None` if it is none.
pub fn open_tar(source: &Source) -> Result<Option<Archive>, FormatError> {
    if !is_tar(source) {
        return Ok(None);
    }
    Files::of_tar(source).and_then(open)
}

/// Opens an image layout that is a directory, `None` if it is none.
pub fn open_directory(root: Root) -> Result<Option<Archive>, FormatError> {
    open(Files::Directory(root))
}

/// The mark of a tar (POSIX ustar, and GNU's) in its first header.
fn is_tar(source: &Source) -> bool {
    let mut mark = [0; 5];
    source.size() >= 512 && source.read_at(&mut mark, 257).is_ok() && mark == *b"ustar"
}

fn open(files: Files) -> Result<Option<Archive>, FormatError> {
    let is_layout = files.open("oci-layout")?.is_some() && files.open("index.json")?.is_some();
    // A directory with a file of that name may be anything.
    let entries = if matches!(files, Files::Tar { .. }) { docker::entries(&files)? } else { None };
    let mut archive =
        Archive { files, form: "oci-layout", contents: Contents::default(), paths: BTreeMap::new() };
    if is_copy(&archive.files)? {
        archive.form = "image-directory";
        archive.read_copy()?;
    } else if is_layout {
        archive.read_layout()?;
        archive.add_names(entries.as_deref().unwrap_or_default());
    } else if let Some(entries) = entries {
        archive.form = "docker-archive";
        let listed = docker::images(&archive.files, &entries);
        archive.paths = listed.paths.into_iter().collect();
        archive.contents.gaps = listed.gaps;
        archive.contents.images = merged(listed.images);
    } else {
        return Ok(None);
    }
    Ok(Some(archive))
}

/// Whether a directory is what containers/image calls one: a manifest, with all that it names beside it.
fn is_copy(files: &Files) -> Result<bool, FormatError> {
    const VERSION: &[u8] = b"Directory Transport Version: 1.";
    let Some(version) = files.open("version")? else { return Ok(false) };
    Ok(version.size() < 64 && block::read_all(&version, "version", 64)?.starts_with(VERSION))
}

/// One image for each id, with all its names.
fn merged(all: Vec<Image>) -> Vec<Image> {
    let mut images: BTreeMap<Digest, Image> = BTreeMap::new();
    for image in all {
        let known = images.entry(image.id.clone()).or_insert_with(|| image.clone());
        known.references.extend(image.references);
    }
    images.into_values().collect()
}

impl Archive {
    fn read_layout(&mut self) -> Result<(), FormatError> {
        let index: Manifest = self.files.json("index.json", "image index")?.unwrap_or_default();
        let name = |annotations: &BTreeMap<String, String>| {
            // containerd's has the whole name, the specification's may be a tag alone.
            let names = ["io.containerd.image.name", "org.opencontainers.image.ref.name"];
            names.iter().find_map(|name| annotations.get(*name)).cloned().unwrap_or_default()
        };
        let references =
            index.manifests.into_iter().filter(|one| !one.is_attestation()).map(|one| Reference {
                name: name(&one.annotations),
                target: one.digest,
                media_type: one.media_type,
                pinned: false,
            });
        self.contents.images = resolve::images(self, references.collect());
        Ok(())
    }

    fn read_copy(&mut self) -> Result<(), FormatError> {
        let missing = || FormatError::malformed("image directory", "no manifest.json");
        let manifest = self.files.open("manifest.json")?.ok_or_else(missing)?;
        let target = Digest::of(&block::read_all(&manifest, "image manifest", limits::TEXT_FILE_BYTES)?);
        self.paths.insert(target.clone(), "manifest.json".to_owned());
        let (name, media_type) = (String::new(), String::new());
        self.contents.images =
            resolve::images(self, vec![Reference { name, target, media_type, pinned: false }]);
        Ok(())
    }

    /// Names that a Docker archive tells beside the layout that it is.
    fn add_names(&mut self, entries: &[docker::Entry]) {
        for entry in entries {
            match docker::config(&self.files, entry) {
                Ok((id, _)) => {
                    let names = entry.repo_tags.iter().flatten().cloned();
                    if let Some(image) = self.contents.images.iter_mut().find(|image| image.id == id) {
                        image.references.extend(names);
                    }
                }
                Err(error) => {
                    let subject = entry.repo_tags.iter().flatten().next().cloned().unwrap_or_default();
                    let gap =
                        Gap::from_error(&error, Scope::Image, subject, "names of the image may be missing");
                    self.contents.gaps.push(gap);
                }
            }
        }
    }
}

impl Blobs for Archive {
    fn open(&self, digest: &Digest) -> Result<Option<Source>, FormatError> {
        match self.paths.get(digest) {
            Some(path) => self.files.open(path),
            None if self.form == "image-directory" => {
                let hex = digest.hex();
                // Of an image of several platforms each has a manifest of its own.
                Ok(self.files.open(&hex)?.or(self.files.open(&format!("{hex}.manifest.json"))?))
            }
            None => self.files.open(&format!("blobs/sha256/{}", digest.hex())),
        }
    }

    /// All platforms of an image are its own that the archive has the layers of.
    fn is_own(&self, layers: &[LayerRef]) -> bool {
        let is_there = |layer: &LayerRef| {
            // What an attestation calls layers are documents.
            let is_tar =
                |blob: &&oci::Descriptor| blob.media_type.is_empty() || blob.media_type.contains("tar");
            let blob = layer.blob.as_ref().filter(is_tar);
            blob.is_some_and(|blob| matches!(Blobs::open(self, &blob.digest), Ok(Some(_))))
        };
        !layers.is_empty() && layers.iter().all(is_there)
    }
}

impl Store for Archive {
    fn runtime(&self) -> &'static str {
        self.form
    }

    fn contents(&self) -> Contents {
        let Contents { images, gaps, .. } = &self.contents;
        Contents { images: images.clone(), gaps: gaps.clone(), ..Contents::default() }
    }

    fn layer(&self, layer: &LayerRef) -> LayerSources {
        let mut sources = LayerSources::default();
        let Some(descriptor) = &layer.blob else { return sources };
        match Blobs::open(self, &descriptor.digest) {
            Ok(Some(bytes)) => {
                let (digest, media_type) = (descriptor.digest.clone(), descriptor.media_type.clone());
                sources.blob = Some(Blob { digest, media_type, bytes });
            }
            Ok(None) => {}
            Err(error) => {
                let effect = "files and packages of this layer are missing";
                let subject = layer.diff_id.to_string();
                sources.gaps.push(Gap::from_error(&error, Scope::Layer, subject, effect));
            }
        }
        sources
    }

    fn writable_layers(&self, _: &Container) -> Result<Vec<Unpacked>, FormatError> {
        Ok(Vec::new())
    }

    fn document(&self, digest: &Digest) -> Result<Option<Vec<u8>>, FormatError> {
        Blobs::open(self, digest)?.map(|source| oci::checked(&source, digest, "image document")).transpose()
    }
}
