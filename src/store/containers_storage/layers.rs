//! The layers of one storage driver: their records, which lie in the store and in its additional image stores, and what
//! they are for images.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Setting, big_data,
    driver::{self, Driver},
    owners::nested,
    records::{self, ContainerRecord, LayerRecord, Record, is_plain, shown},
};
use crate::{
    Digest, Gap, bytes,
    error::FormatError,
    fs::{Owners, Root},
    gap::{Code, Scope},
    limits,
    store::{Form, LayerRef, LooseLayer, TarSplit, Unpacked},
};

/// A directory that holds records and layers: the store's own, or an additional image store.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) root: Root,
    /// Where it is on the node, for messages.
    pub(super) path: String,
}

/// All layers of a driver.
pub(super) struct Layers {
    pub(super) driver: Driver,
    pub(super) places: Vec<Place>,
    form: Form,
    owners: Owners,
    records: BTreeMap<String, Layer>,
    /// Chain id → the layers that it stands for. Several may: copies with other owners, or of several manifests.
    chains: BTreeMap<Digest, Vec<String>>,
    /// The layers that are in a chain of an image.
    of_images: BTreeSet<String>,
}

struct Layer {
    /// The number of the place that it is in.
    place: usize,
    record: LayerRecord,
}

impl Layers {
    /// Reads the records of a driver's layers in all places.
    pub(super) fn read(driver: Driver, places: &[Place], setting: &Setting, gaps: &mut Vec<Gap>) -> Self {
        let mut layers = Self {
            driver,
            places: places.to_vec(),
            form: form(driver, places, setting, gaps),
            owners: setting.owners.clone(),
            records: BTreeMap::new(),
            chains: BTreeMap::new(),
            of_images: BTreeSet::new(),
        };
        for (number, place) in places.iter().enumerate() {
            let effect = "layers that only it names are missing";
            for file in ["layers.json", "volatile-layers.json"] {
                for (id, record) in layers.list::<LayerRecord>(place, "layers", file, effect, gaps) {
                    layers.records.entry(id).or_insert(Layer { place: number, record });
                }
            }
        }
        layers
    }

    /// The records of a list of this driver in a place.
    pub(super) fn list<T: Record>(
        &self,
        place: &Place,
        kind: &'static str,
        file: &str,
        effect: &str,
        gaps: &mut Vec<Gap>,
    ) -> BTreeMap<String, T> {
        let path = format!("{}-{kind}/{file}", self.driver.name());
        let mut lost = |error: FormatError| {
            gaps.push(Gap::from_error(&error, Scope::Runtime, &place.path, effect).at(&path));
        };
        match records::list(&place.root, &path, kind) {
            Ok(None) => BTreeMap::new(),
            Ok(Some(listed)) => {
                listed.damage.into_iter().for_each(&mut lost);
                listed.records
            }
            Err(error) => {
                lost(error);
                BTreeMap::new()
            }
        }
    }

    /// The layer at `top` and those below it as far as they are known, top first; and why there are no more.
    pub(super) fn descent(&self, top: &str) -> (Vec<&LayerRecord>, Option<FormatError>) {
        let mut found = Vec::new();
        let mut seen = BTreeSet::new();
        let mut id = top;
        while !id.is_empty() {
            let Some(layer) = self.records.get(id) else {
                let what = format!("layer {:?} is not in layers.json", shown(id));
                return (found, Some(FormatError::Unsupported { code: Code::SnapshotMissing, what }));
            };
            if !seen.insert(id) {
                let problem = format!("layer {id:?} is below itself");
                return (found, Some(FormatError::malformed("layers.json", problem)));
            }
            if found.len() >= limits::IMAGE_LAYERS {
                let what = format!("more than {} layers below {:?}", limits::IMAGE_LAYERS, shown(top));
                return (found, Some(FormatError::limit(what)));
            }
            found.push(&layer.record);
            id = &layer.record.parent;
        }
        (found, None)
    }

    /// The layers below one, base first, for a container whose image is lost. They stand for what they are.
    pub(super) fn below(&mut self, layer: &str) -> Result<Vec<LayerRef>, FormatError> {
        let (records, broken) = self.descent(layer);
        if let Some(error) = broken {
            return Err(error);
        }
        let mut layers: Vec<(String, LayerRef)> = Vec::new();
        for record in records.into_iter().skip(1).rev() {
            let below = layers.last().map(|(_, below)| &below.chain_id);
            let diff_id: Option<Digest> = record.diff_digest.parse().ok();
            // One that no tar made has its id only.
            let chain_id = diff_id.as_ref().map(|diff_id| diff_id.chain(below));
            let chain_id = chain_id.unwrap_or_else(|| Digest::of(record.id.as_bytes()));
            let diff_id = diff_id.unwrap_or_else(|| chain_id.clone());
            layers.push((record.id.clone(), LayerRef { diff_id, chain_id, blob: None }));
        }
        layers.iter().for_each(|(id, layer)| self.stands_for(id, &layer.chain_id));
        Ok(layers.into_iter().map(|(_, layer)| layer).collect())
    }

    /// The layers of the store itself on which no image and no container lies; `containers` are those that containers write.
    /// Directories of layers without a record are some, too.
    pub(super) fn loose<'a>(&'a self, containers: impl Iterator<Item = &'a str>) -> Vec<LooseLayer> {
        let mut used: BTreeSet<&str> = BTreeSet::new();
        let mut todo: Vec<&str> = self.of_images.iter().map(String::as_str).chain(containers).collect();
        while let Some(id) = todo.pop() {
            if used.insert(id) {
                todo.extend(self.record(id).map(|record| record.parent.as_str()).filter(|id| !id.is_empty()));
            }
        }
        let own = self.records.iter().filter(|(id, layer)| layer.place == 0 && !used.contains(id.as_str()));
        let size = |layer: &Layer| Some(layer.record.diff_size).filter(|size| *size > 0);
        let loose = own.map(|(id, layer)| LooseLayer { id: id.clone(), size: size(layer) });
        let place = self.driver.layers().zip(self.places.first());
        // What cannot be listed is told with the layers that are in it.
        let listing = place.and_then(|(path, place)| place.root.list(path.as_bytes()).ok().flatten());
        let entries = listing.map(|(_, listing)| listing.entries).unwrap_or_default();
        let names = entries.into_iter().filter(|entry| bytes::is_hex_id(&entry.name));
        let names = names.map(|entry| String::from_utf8_lossy(&entry.name).into_owned());
        let unknown = names.filter(|name| !self.records.contains_key(name) && !used.contains(name.as_str()));
        loose.chain(unknown.map(|id| LooseLayer { id, size: None })).collect()
    }

    /// A layer's record.
    pub(super) fn record(&self, id: &str) -> Option<&LayerRecord> {
        self.records.get(id).map(|layer| &layer.record)
    }

    /// Notes that a layer is what a chain of DiffIDs stands for.
    pub(super) fn stands_for(&mut self, id: &str, chain: &Digest) {
        self.of_images.insert(id.to_owned());
        let known = self.chains.entry(chain.clone()).or_default();
        if known.len() < limits::LAYER_COPIES && known.iter().all(|other| other != id) {
            known.push(id.to_owned());
        }
    }

    /// The layer that a chain of DiffIDs stands for, `None` if there never was one.
    pub(super) fn of_chain(&self, chain: &Digest) -> Result<Option<Unpacked>, FormatError> {
        let mut failure = None;
        for id in self.chains.get(chain).into_iter().flatten() {
            match self.unpacked(id, None) {
                Ok(unpacked) => return Ok(Some(unpacked)),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        failure.map_or(Ok(None), Err)
    }

    /// What the tar of such a layer is made of again, `None` if nothing of it is kept.
    pub(super) fn tar_split(&self, chain: &Digest) -> Result<Option<TarSplit>, FormatError> {
        for id in self.chains.get(chain).into_iter().flatten() {
            let path = format!("{}-layers/{id}.tar-split.gz", self.driver.name());
            if let Some(list) = big_data::open(&self.place(id)?.root, &path)? {
                return Ok(Some(TarSplit { list, dir: self.directory(id)? }));
            }
        }
        Ok(None)
    }

    /// A layer's files; of a container's, with the owners that it has.
    pub(super) fn unpacked(
        &self,
        id: &str,
        container: Option<&ContainerRecord>,
    ) -> Result<Unpacked, FormatError> {
        let layer = self.records.get(id);
        if layer.is_some_and(|layer| layer.record.flags.contains_key("incomplete")) {
            let what = format!("layer {id} was not complete when the disk was copied");
            return Err(FormatError::Unsupported { code: Code::SnapshotMissing, what });
        }
        let dir = self.directory(id)?;
        let mut form = self.form.clone();
        if self.driver.is_whole() {
            // Without its record it is not known what is below it.
            let layer = layer.ok_or_else(|| self.unknown(id))?;
            let below = Some(&layer.record.parent).filter(|parent| !parent.is_empty());
            form = Form::Whole(below.map(|parent| self.directory(parent)).transpose()?);
        }
        let none: (&[_], &[_]) = (&[], &[]);
        let own = layer.map_or(none, |layer| (&layer.record.uidmap, &layer.record.gidmap));
        let theirs = container.map_or(none, |container| (&container.uidmap, &container.gidmap));
        let (users, groups) = if own == none { theirs } else { own };
        Ok(Unpacked { dir, form, owners: nested(&self.owners, users, groups) })
    }

    fn directory(&self, id: &str) -> Result<crate::fs::Handle, FormatError> {
        if !is_plain(id) {
            return Err(FormatError::corrupt(
                "layers.json",
                0,
                format!("{:?} is no layer's name", shown(id)),
            ));
        }
        self.driver.directory(&self.place(id)?.root, id)
    }

    /// Where a layer is; the store itself, of one that has no record.
    fn place(&self, id: &str) -> Result<&Place, FormatError> {
        let place = self.records.get(id).map_or(0, |layer| layer.place);
        self.places.get(place).ok_or_else(|| self.unknown(id))
    }

    fn unknown(&self, id: &str) -> FormatError {
        let what = format!("layer {:?} is not in {}-layers/layers.json", shown(id), self.driver.name());
        FormatError::Unsupported { code: Code::SnapshotMissing, what }
    }
}

/// What lies in a directory of a driver's layers; of whole trees the one below is still to be told.
fn form(driver: Driver, places: &[Place], setting: &Setting, gaps: &mut Vec<Gap>) -> Form {
    if driver.is_whole() {
        return Form::Whole(None);
    }
    let mut used = None;
    for place in places {
        match driver::has_mount_program(&place.root) {
            Ok(note) => used = used.max(note),
            Err(error) => {
                let effect = "what layers removed may be taken for files with other names";
                gaps.push(Gap::from_error(&error, Scope::Runtime, &place.path, effect));
            }
        }
    }
    // Before there was that note, users without privileges had nothing but fuse-overlayfs.
    match used.unwrap_or(setting.mount_program || setting.is_unprivileged) {
        true => Form::FuseOverlay,
        false if setting.is_unprivileged => Form::UserOverlay,
        false => Form::Overlay,
    }
}
