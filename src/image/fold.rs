//! The fold: which facts of which layer are still true in the image.
//!
//! A file's facts hold if no layer above hides its path. Two cases are not decided by facts alone and are
//! read from the merged tree: a file whose neighbours come from another layer (a database whose write-ahead
//! log was changed on top of it), and an os-release that is a link to an unusual place.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use super::{Hiding, merge};
use crate::{
    FormatError, Gap,
    fs::{FileKind, GuestPath, Handle, Root},
    gap::Scope,
    inventory::{EXTRACTORS, Extraction, Extractor, Os, Package, PackageKind, Shown, is_on_the_way},
    layer::{self, FileFacts, LayerFacts, OsFile, Paths},
};

/// A package of an image, and where it shows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Located {
    /// The file that shows it.
    pub path: Arc<GuestPath>,
    /// The member of that file, if it is an archive and a member shows it.
    pub inside: Option<Arc<str>>,
    /// The number of the layer that has this file, base 0.
    pub layer: usize,
    /// The package.
    pub package: Arc<Package>,
    /// Whether none of its first modules is there: they were removed by hand, and what tells of the package was left.
    pub files_gone: bool,
    /// The package that the file came with, if the package is not of the distribution itself: one of the distribution that
    /// installed the file, or one of Node.js in whose directory the file lies.
    pub owner: Option<Arc<Package>>,
}

/// What an image holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inventory {
    /// Its distribution, if it tells one.
    pub os: Option<Os>,
    /// Its packages, sorted by path.
    pub packages: Vec<Located>,
    /// Packages that lock files and manifests name and that are not among the packages, sorted by path.
    pub declared: Vec<Located>,
    /// What the fold itself could not decide.
    pub gaps: Vec<Gap>,
}

impl Inventory {
    /// Takes the packages that a file of a layer shows.
    fn take(&mut self, path: &Arc<GuestPath>, layer: usize, shown: &[Shown], files_gone: bool) {
        for shown in shown {
            let list = if shown.package.declared { &mut self.declared } else { &mut self.packages };
            list.push(Located {
                path: Arc::clone(path),
                inside: shown.inside.clone(),
                layer,
                package: Arc::clone(&shown.package),
                files_gone,
                owner: None,
            });
        }
    }

    /// Tells owners, leaves out of the declared packages those that are there, and sorts.
    fn settle(&mut self, layers: &[Arc<LayerFacts>]) {
        own(&mut self.packages, &[], layers);
        self.packages.sort();
        leave_out(&mut self.declared, &self.packages);
    }
}

/// Leaves out of a list, which is sorted then, the packages that are there.
fn leave_out(list: &mut Vec<Located>, there: &[Located]) {
    if !list.is_empty() {
        let there: HashSet<_> = there.iter().map(identity).collect();
        list.retain(|located| !there.contains(&identity(located)));
        list.sort();
    }
}

/// Whether there are witnesses and none is there.
fn are_gone<T>(witnesses: &[T], shows: &dyn Fn(&T) -> bool) -> bool {
    !witnesses.is_empty() && !witnesses.iter().any(shows)
}

/// By what a package is the same wherever it shows.
fn identity(located: &Located) -> (PackageKind, Cow<'_, str>, &str) {
    let Package { kind, name, version, .. } = located.package.as_ref();
    (*kind, kind.normal(name), version)
}

/// Finds the owners of what is no distribution's package itself, among these packages and others. A file is its package's if
/// the layer that has the file has the package's list of files, too: what a later layer puts in its place is nobody's.
fn own(packages: &mut Vec<Located>, others: &[Located], layers: &[Arc<LayerFacts>]) {
    let owners = Owners::new(packages, others, layers);
    let owners: Vec<Option<Arc<Package>>> = packages.iter().map(|located| owners.of(located)).collect();
    for (located, owner) in packages.iter_mut().zip(owners) {
        located.owner = owner;
    }
    // What a program says of itself is what its package says, and less.
    packages.retain(|located| {
        let is_owned = located.owner.as_ref().is_some_and(|owner| owner.kind.is_os());
        located.package.kind != PackageKind::Generic || !is_owned
    });
}

/// Packages of one name by their places.
type Places<'a> = BTreeMap<&'a GuestPath, &'a Arc<Package>>;

/// The packages that files may have come with.
struct Owners<'a> {
    layers: &'a [Arc<LayerFacts>],
    /// By their names, those of languages with their kinds; and by their places, as one may be in several environments.
    installed: HashMap<(Option<PackageKind>, &'a str), Places<'a>>,
    /// Those of Node.js by their directories.
    of_node: HashMap<GuestPath, &'a Arc<Package>>,
}

impl<'a> Owners<'a> {
    fn new(packages: &'a [Located], others: &'a [Located], layers: &'a [Arc<LayerFacts>]) -> Self {
        let mut installed: HashMap<_, Places<'a>> = HashMap::new();
        for Located { path, package, .. } in others.iter().chain(packages) {
            let kind = (!package.kind.is_os()).then_some(package.kind);
            installed.entry((kind, package.name.as_str())).or_default().insert(path.as_ref(), package);
        }
        let of_node = packages
            .iter()
            .filter(|located| located.package.kind == PackageKind::Npm && located.inside.is_none())
            .filter_map(|located| Some((located.path.parent()?, &located.package)));
        Self { layers, installed, of_node: of_node.collect() }
    }

    /// The package that another one came with: one of the distribution before one of a language.
    fn of(&self, located: &Located) -> Option<Arc<Package>> {
        if located.package.kind.is_os() {
            return None;
        }
        let owned = &self.layers.get(located.layer)?.owned;
        let named = owned.of(&located.path).filter_map(|name| self.installed.get(&name));
        let mut listed: Vec<_> = named.filter_map(|places| beside(places, &located.path)).collect();
        // Its own record lists what shows it.
        listed.retain(|owner| **owner != located.package);
        let of_os = listed.iter().find(|owner| owner.kind.is_os());
        if let Some(owner) = of_os.or(listed.first()) {
            return Some(Arc::clone(owner));
        }
        // Which packages need each other in `node_modules` is another question.
        (located.package.kind != PackageKind::Npm).then(|| nearest(&self.of_node, &located.path)).flatten()
    }
}

/// Of the places of one package, what is at the one that a file lies nearest to.
fn beside<'a>(places: &Places<'a>, path: &GuestPath) -> Option<&'a Arc<Package>> {
    let shared =
        |place: &GuestPath| place.components().zip(path.components()).take_while(|(a, b)| a == b).count();
    // What begins as the path does is sorted next to it.
    let (before, behind) =
        (places.range::<&GuestPath, _>(..=path).next_back(), places.range::<&GuestPath, _>(path..).next());
    let nearest = before.into_iter().chain(behind).max_by_key(|(place, _)| shared(place));
    nearest.map(|(_, package)| *package)
}

/// The package of Node.js in whose directory a file lies.
fn nearest(of_node: &HashMap<GuestPath, &Arc<Package>>, path: &GuestPath) -> Option<Arc<Package>> {
    let mut dir = path.parent().filter(|dir| !of_node.is_empty() && !dir.is_root());
    while let Some(above) = dir {
        if let Some(package) = of_node.get(&above) {
            return Some(Arc::clone(package));
        }
        dir = above.parent();
    }
    None
}

/// Folds the facts of layers, base first. `trees` gives the layers' trees for the cases that facts cannot
/// decide; `subject` is the image, for gaps.
pub fn fold(
    layers: &[Arc<LayerFacts>],
    subject: &str,
    trees: &dyn Fn() -> Result<Vec<Handle>, FormatError>,
) -> Inventory {
    let mut inventory = Inventory::default();
    let mut split = BTreeMap::new();
    let hiding = Hiding::new(layers);
    for (number, facts) in layers.iter().enumerate() {
        for file in &facts.files {
            if hiding.top(&file.path.0).is_some_and(|top| top > number) {
                continue;
            }
            if is_split(&hiding, facts, number, file) {
                split.insert(file.path.0.clone(), (number, file.extractor.clone()));
                continue;
            }
            let path = Arc::new(file.path.0.clone());
            let files_gone = are_gone(&file.witnesses, &|path| hiding.shows(&path.0));
            inventory.take(&path, number, &file.packages, files_gone);
        }
    }
    let os = os(layers, &hiding);
    let linked = linked(layers);
    if !split.is_empty() || !linked.is_empty() || matches!(os, Found::Elsewhere(_)) {
        match trees() {
            Ok(trees) => {
                let root = Root::new(merge(&trees));
                for (place, extractor) in linked {
                    behind_links(&root, (layers, &hiding), place, extractor, subject, &mut inventory);
                }
                merged(&root, split, &os, subject, &mut inventory);
            }
            Err(error) => {
                let effect =
                    "packages whose files lie in several layers, and the distribution, may be missing";
                inventory.gaps.push(Gap::from_error(&error, Scope::Image, subject, effect));
            }
        }
    }
    if let Found::Here(os) = os {
        inventory.os = Some(os);
    }
    inventory.settle(layers);
    inventory
}

/// The packages that layers have and the image does not show, as a later layer removes or replaces the file; without those
/// that the image shows elsewhere. Sorted by path.
pub fn hidden(layers: &[Arc<LayerFacts>], inventory: &Inventory) -> Vec<Located> {
    let mut hidden = Inventory::default();
    let hiding = Hiding::new(layers);
    for (number, facts) in layers.iter().enumerate() {
        for file in &facts.files {
            if hiding.top(&file.path.0).is_some_and(|top| top > number) {
                hidden.take(&Arc::new(file.path.0.clone()), number, &file.packages, false);
            }
        }
    }
    let Inventory { mut packages, .. } = hidden;
    own(&mut packages, &inventory.packages, layers);
    leave_out(&mut packages, &inventory.packages);
    packages
}

/// Reads from the merged tree what facts cannot decide.
fn merged(
    root: &Root,
    split: BTreeMap<GuestPath, (usize, String)>,
    os: &Found,
    subject: &str,
    inventory: &mut Inventory,
) {
    for (path, (number, extractor)) in split {
        reread(root, &path, number, &extractor, subject, inventory);
    }
    let Found::Elsewhere(target) = os else { return };
    match root.read(target.as_bytes(), "os-release") {
        Ok(text) => inventory.os = text.map(|text| Os::parse(&String::from_utf8_lossy(&text))),
        Err(error) => {
            let effect = "the image's distribution is not known";
            inventory.gaps.push(Gap::from_error(&error, Scope::Image, subject, effect));
        }
    }
}

/// The databases at fixed places to which a symbolic link of some layer may lead.
fn linked(layers: &[Arc<LayerFacts>]) -> Vec<(&'static str, &'static str)> {
    let links = || layers.iter().flat_map(|facts| &facts.links);
    let places = |extractor: &&'static dyn Extractor| {
        let name = extractor.name();
        extractor.places().iter().map(move |place| (*place, name))
    };
    let all = EXTRACTORS.iter().flat_map(places);
    all.filter(|(place, _)| links().any(|link| is_on_the_way(&link.0, place))).collect()
}

/// Reads a database that lies elsewhere than it seems to: tools follow the link, a walk of files does not know the
/// place that it leads to.
fn behind_links(
    root: &Root,
    (layers, hiding): (&[Arc<LayerFacts>], &Hiding<'_>),
    place: &str,
    extractor: &str,
    subject: &str,
    into: &mut Inventory,
) {
    let effect = "packages that this file shows are missing";
    let file = match root.find(place.as_bytes()) {
        Ok(Some(file)) => file,
        Ok(None) => return,
        Err(error) => {
            return into.gaps.push(Gap::from_error(&error, Scope::Image, subject, effect).at(place));
        }
    };
    let is_known = layers.iter().any(|facts| facts.files.iter().any(|known| known.path.0 == file.path));
    if is_known || !matches!(file.stat(), Ok(stat) if stat.kind == FileKind::Regular) {
        return;
    }
    // It says what it says under the name by which its tool opens it.
    let (number, path) = (hiding.owner(&file.path).unwrap_or(0), file.path.clone());
    let opened = Handle { path: GuestPath::new(place), ..file };
    take(root, layer::extract_one(root, &opened, extractor), &path, number, subject, into);
}

/// Whether a file of a layer and its neighbours come from different layers.
fn is_split(hiding: &Hiding<'_>, facts: &LayerFacts, number: usize, file: &FileFacts) -> bool {
    let dir = file.path.0.parent().unwrap_or_default();
    file.companions.iter().any(|name| {
        let path = dir.join(name.as_bytes());
        let own = facts.shadow.has_other_than_directory(&path);
        hiding.owner(&path) != own.then_some(number)
    })
}

fn reread(
    root: &Root,
    path: &GuestPath,
    number: usize,
    extractor: &str,
    subject: &str,
    into: &mut Inventory,
) {
    let found = root.find_no_follow(path.as_bytes()).and_then(|file| match file {
        Some(file) => layer::extract_one(root, &file, extractor),
        None => Ok(Extraction::default()),
    });
    take(root, found, path, number, subject, into);
}

/// Takes what a file of the merged tree shows.
fn take(
    root: &Root,
    found: Result<Extraction, FormatError>,
    path: &GuestPath,
    number: usize,
    subject: &str,
    into: &mut Inventory,
) {
    let effect = "packages that this file shows are missing";
    match found {
        Ok(extraction) => {
            for error in &extraction.damage {
                into.gaps.push(Gap::from_error(error, Scope::Image, subject, effect).at(path.to_string()));
            }
            // What cannot be looked for may be there.
            let shows = |path: &GuestPath| !matches!(root.find_no_follow(path.as_bytes()), Ok(None));
            let files_gone = are_gone(&extraction.witnesses, &shows);
            into.take(&Arc::new(path.clone()), number, &extraction.shown, files_gone);
        }
        Err(error) => {
            into.gaps.push(Gap::from_error(&error, Scope::Image, subject, effect).at(path.to_string()))
        }
    }
}

enum Found {
    Here(Os),
    /// Behind a link to a place of which no facts are kept.
    Elsewhere(GuestPath),
    Nowhere,
}

fn os(layers: &[Arc<LayerFacts>], hiding: &Hiding<'_>) -> Found {
    for file in Os::FILES {
        match os_at(layers, hiding, &GuestPath::new(file)) {
            Some(OsFile::File(_, os)) => return Found::Here(os.clone()),
            Some(OsFile::Link(_, Paths(target))) => match os_at(layers, hiding, target) {
                Some(OsFile::File(_, os)) => return Found::Here(os.clone()),
                _ => return Found::Elsewhere(target.clone()),
            },
            None => {}
        }
    }
    Found::Nowhere
}

fn os_at<'a>(layers: &'a [Arc<LayerFacts>], hiding: &Hiding<'_>, path: &GuestPath) -> Option<&'a OsFile> {
    // An empty file says nothing, but it hides those below.
    let facts = layers.get(hiding.top(path)?)?;
    facts.os.iter().find(|file| file.path() == path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{fs::memory::Tree, layer::Walk};

    #[test]
    fn what_lies_in_the_directory_of_a_package_of_node_came_with_it() {
        let mut tree = Tree::default();
        tree.file("srv/node_modules/a/package.json", r#"{"name":"a","version":"1.0.0"}"#);
        tree.file("srv/node_modules/a/node_modules/b/package.json", r#"{"name":"b","version":"2.0.0"}"#);
        tree.file("srv/node_modules/a/py/six.dist-info/METADATA", "Name: six\nVersion: 1\n");
        tree.file("srv/six.dist-info/METADATA", "Name: six\nVersion: 2\n");
        let top = Root::new(tree.build()).top();
        let facts = Arc::new(layer::analyze(&top, Walk::whole("", Scope::Layer)));
        let inventory = fold(&[facts], "", &|| Ok(Vec::new()));
        let shown: Vec<_> = inventory
            .packages
            .iter()
            .map(|at| (at.package.name.as_str(), at.owner.as_ref().map(|owner| owner.name.as_str())))
            .collect();
        assert_eq!(shown, [("b", None), ("a", None), ("six", Some("a")), ("six", None)]);
    }

    #[test]
    fn what_a_package_brought_is_of_its_own_environment() {
        let mut tree = Tree::default();
        for (site, version) in [("opt/a/lib", 70), ("opt/b/lib", 80)] {
            let (own, other) =
                (format!("setuptools-{version}.dist-info"), "setuptools/_vendor/wheel-1.dist-info");
            tree.file(&format!("{site}/{own}/METADATA"), format!("Name: setuptools\nVersion: {version}\n"));
            tree.file(&format!("{site}/{own}/RECORD"), format!("{own}/METADATA,,\n{other}/METADATA,,\n"));
            tree.file(&format!("{site}/{other}/METADATA"), "Name: wheel\nVersion: 1\n");
        }
        let top = Root::new(tree.build()).top();
        let facts = Arc::new(layer::analyze(&top, Walk::whole("", Scope::Layer)));
        let inventory = fold(&[facts], "", &|| Ok(Vec::new()));
        let owned = |at: &Located| {
            let owner = at.owner.as_ref().map(|owner| owner.version.clone());
            (at.package.name.clone(), at.package.version.clone(), owner)
        };
        let row = |name: &str, version: &str, owner: Option<&str>| {
            (name.to_owned(), version.to_owned(), owner.map(str::to_owned))
        };
        let expected = [
            row("wheel", "1", Some("70")),
            row("setuptools", "70", None),
            row("wheel", "1", Some("80")),
            row("setuptools", "80", None),
        ];
        assert_eq!(inventory.packages.iter().map(owned).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn packages_that_are_named_are_kept_apart_from_those_that_are_there() {
        let mut tree = Tree::default();
        tree.file("srv/node_modules/a/package.json", r#"{"name":"a","version":"1.0.0"}"#);
        tree.file("srv/Foo_Bar.dist-info/METADATA", "Name: Foo_Bar\nVersion: 1\n");
        tree.file("srv/requirements.txt", "foo-bar==1\nfoo-bar==2\n");
        tree.file("srv/yarn.lock", "a@^1:\n  version \"1.0.0\"\n\nb@^2:\n  version \"2.0.0\"\n");
        let top = Root::new(tree.build()).top();
        let facts = Arc::new(layer::analyze(&top, Walk::whole("", Scope::Layer)));
        let inventory = fold(&[facts], "", &|| Ok(Vec::new()));
        let names = |packages: &[Located]| -> Vec<String> {
            packages.iter().map(|at| format!("{} {}", at.package.name, at.package.version)).collect()
        };
        assert_eq!(names(&inventory.packages), ["Foo_Bar 1", "a 1.0.0"]);
        assert_eq!(names(&inventory.declared), ["foo-bar 2", "b 2.0.0"]);
    }

    #[test]
    fn what_a_package_installed_is_its_own_until_a_layer_replaces_it() {
        const METADATA: &str = "usr/lib/python3/dist-packages/six-1.dist-info/METADATA";
        let (mut base, mut top) = (Tree::default(), Tree::default());
        base.file(
            "var/lib/dpkg/status",
            "Package: python3-six\nStatus: install ok installed\nVersion: 1-2\n\n",
        );
        base.file("var/lib/dpkg/info/python3-six.list", format!("/{METADATA}\n"));
        base.file(METADATA, "Name: six\nVersion: 1\n");
        base.file("usr/local/lib/six-2.dist-info/METADATA", "Name: six\nVersion: 2\n");
        top.file(METADATA, "Name: six\nVersion: 3\n");
        let facts = [base, top].map(|tree| {
            let top = Root::new(tree.build()).top();
            Arc::new(layer::analyze(&top, Walk::whole("", Scope::Layer)))
        });
        let owners = |layers: &[Arc<LayerFacts>]| {
            let inventory = fold(layers, "", &|| Ok(Vec::new()));
            let mut found: Vec<_> = inventory
                .packages
                .iter()
                .map(|located| {
                    let owner = located.owner.as_ref().map(|owner| owner.name.clone());
                    (located.package.name.clone(), located.package.version.clone(), owner)
                })
                .collect();
            found.sort();
            found
        };
        let row = |name: &str, version: &str, owner: Option<&str>| {
            (name.to_owned(), version.to_owned(), owner.map(str::to_owned))
        };
        let owner = Some("python3-six");
        let system = row("python3-six", "1-2", None);
        assert_eq!(owners(&facts[..1]), [system.clone(), row("six", "1", owner), row("six", "2", None)]);
        assert_eq!(owners(&facts), [system, row("six", "2", None), row("six", "3", None)]);
    }
}
