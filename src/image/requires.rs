//! Which packages of an image need which others: the names that packages require, looked up where the ecosystem's own tool
//! would look. Of several versions in one place it is not known which one is used, and none is told.

use std::{
    borrow::Cow,
    collections::{BTreeSet, HashMap},
};

use super::Located;
use crate::inventory::{Package, PackageKind, Requirement};

/// For each package, the numbers of those that it needs and that are there. What a package requires may be optional, so that
/// what is not there is not told.
pub fn requires(packages: &[Located]) -> Vec<BTreeSet<usize>> {
    let paths: Vec<Cow<'_, [u8]>> = packages.iter().map(path).collect();
    let sites: Vec<Site<'_>> =
        packages.iter().zip(&paths).map(|(one, path)| Site::of(&one.package, path)).collect();
    let mut found: HashMap<Key<'_>, Vec<usize>> = HashMap::new();
    for (number, (located, site)) in packages.iter().zip(&sites).enumerate() {
        for place in site.place.iter().chain(&site.shared) {
            found.entry((located.package.kind, place, site.name.clone())).or_default().push(number);
        }
    }
    let mut places: Vec<_> = found.keys().map(|(kind, place, _)| (*kind, *place)).collect();
    places.sort_unstable();
    places.dedup();
    let needed = |(located, site): (&Located, &Site<'_>)| {
        if located.package.requires.is_empty() {
            return BTreeSet::new();
        }
        let around = site.around();
        let around: Vec<&[u8]> = around
            .iter()
            .map(Cow::as_ref)
            .filter(|place| places.binary_search(&(located.package.kind, place)).is_ok())
            .collect();
        let one = |required: &Requirement| find(packages, &found, located, &around, required);
        located.package.requires.iter().flat_map(one).collect()
    };
    packages.iter().zip(&sites).map(needed).collect()
}

/// The kind of a package, a place where it is found, and the name by which it is found there.
type Key<'a> = (PackageKind, &'a [u8], Cow<'a, str>);

/// The packages that meet a requirement: those of the first place that has one of its name.
fn find(
    packages: &[Located],
    found: &HashMap<Key<'_>, Vec<usize>>,
    located: &Located,
    around: &[&[u8]],
    required: &Requirement,
) -> Vec<usize> {
    let (kind, name) = (located.package.kind, located.package.kind.normal(&required.name));
    let Some(all) = around.iter().find_map(|place| found.get(&(kind, *place, name.clone()))) else {
        return Vec::new();
    };
    let all = || all.iter().filter_map(|number| Some((*number, packages.get(*number)?.package.as_ref())));
    let is_of_its_arch = all().any(|(_, one)| one.arch == located.package.arch);
    let fitting = all().filter(|(_, one)| match &required.version {
        Some(version) => one.version == *version,
        None => !is_of_its_arch || one.arch == located.package.arch,
    });
    let fitting: Vec<_> = fitting.collect();
    let is_certain =
        fitting.iter().all(|(_, one)| fitting.first().is_some_and(|(_, first)| one.version == first.version));
    if is_certain { fitting.into_iter().map(|(number, _)| number).collect() } else { Vec::new() }
}

/// Where a package shows, with the member of an archive.
fn path(located: &Located) -> Cow<'_, [u8]> {
    let path = located.path.as_bytes();
    let inside = located.inside.as_deref();
    inside.map_or(Cow::Borrowed(path), |inside| Cow::Owned([path, b"!/", inside.as_bytes()].concat()))
}

/// Where a package is found, and by which name.
struct Site<'a> {
    kind: PackageKind,
    path: &'a [u8],
    place: Option<&'a [u8]>,
    /// A wider place, which is looked at last.
    shared: Option<&'a [u8]>,
    name: Cow<'a, str>,
}

const NODE_MODULES: &[u8] = b"node_modules";

impl<'a> Site<'a> {
    fn of(package: &'a Package, path: &'a [u8]) -> Self {
        let (kind, name) = (package.kind, package.kind.normal(&package.name));
        let above = |levels: usize| path.rsplitn(levels.saturating_add(1), |byte| *byte == b'/').nth(levels);
        let site = |place, shared| Self { kind, path, place, shared, name: name.clone() };
        match kind {
            // By the name of the directory, which may be another than the package's.
            PackageKind::Npm => {
                let Some((place, name)) = in_node_modules(path) else { return site(None, None) };
                let shared = memchr::memmem::find(place, b"/.pnpm/").and_then(|at| place.get(..at));
                Self { name: String::from_utf8_lossy(name), ..site(Some(place), shared) }
            }
            PackageKind::Pypi => {
                let levels = if path.ends_with(b".egg-info") { 1 } else { 2 };
                let place = above(levels).unwrap_or_default();
                // Debian's interpreters look into several.
                site(Some(place), place.ends_with(b"/dist-packages").then_some(b"dist-packages"))
            }
            PackageKind::Gem => {
                let dir = above(1).unwrap_or_default();
                // RubyGems looks into all of its directories.
                site(Some(dir.strip_suffix(b"/default").unwrap_or(dir)), Some(b""))
            }
            PackageKind::Alpm => site(above(2), None),
            PackageKind::Conda => site(above(1), None),
            // One database, or a file a package.
            PackageKind::Deb if !path.ends_with(b"/status") => site(above(1), None),
            _ => site(Some(path), None),
        }
    }

    /// The places where the package's tool looks for what it needs, in this order.
    fn around(&self) -> Vec<Cow<'a, [u8]>> {
        let own = self.place.map(Cow::Borrowed).into_iter().chain(self.shared.map(Cow::Borrowed));
        if self.kind != PackageKind::Npm {
            return own.collect();
        }
        // Node.js looks into the directory of the package, and then upwards.
        let dirs = self.path.iter().enumerate().rev().filter(|(_, byte)| **byte == b'/');
        let dirs = dirs.filter_map(|(at, _)| self.path.get(..at)).chain([b"".as_slice()]);
        let dirs = dirs.filter(|dir| dir.rsplit(|byte| *byte == b'/').next() != Some(NODE_MODULES));
        let places = dirs.map(|dir| match dir {
            b"" => Cow::Borrowed(NODE_MODULES),
            dir => Cow::Owned([dir, b"/", NODE_MODULES].concat()),
        });
        places.chain(self.shared.map(Cow::Borrowed)).collect()
    }
}

/// The `node_modules` directory in which a package lies, and the name that it has there.
fn in_node_modules(manifest: &[u8]) -> Option<(&[u8], &[u8])> {
    let dir = manifest.get(..manifest.iter().rposition(|byte| *byte == b'/')?)?;
    let at = memchr::memmem::rfind(dir, NODE_MODULES)?.checked_add(NODE_MODULES.len())?;
    let (place, name) = dir.split_at_checked(at)?;
    Some((place, name.strip_prefix(b"/")?))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::fs::GuestPath;

    /// A package `name version requirement…` of some kind at a path.
    fn located(kind: PackageKind, path: &str, package: &str) -> Located {
        let (path, inside) =
            path.split_once("!/").map_or((path, None), |(path, inside)| (path, Some(inside)));
        let mut words = package.split(' ');
        let mut package = Package::new(kind, words.next().unwrap(), words.next().unwrap());
        package.requires = words
            .map(|word| {
                let (name, version) =
                    word.split_once('=').map_or((word, None), |(name, one)| (name, Some(one)));
                Requirement { name: name.to_owned(), version: version.map(str::to_owned) }
            })
            .collect();
        Located {
            path: Arc::new(GuestPath::new(path)),
            inside: inside.map(Arc::from),
            layer: 0,
            package: Arc::new(package),
            files_gone: false,
            owner: None,
        }
    }

    /// The numbers of what each of these needs.
    fn numbers(kind: PackageKind, packages: &[(&str, &str)]) -> Vec<Vec<usize>> {
        let packages: Vec<_> = packages.iter().map(|(path, package)| located(kind, path, package)).collect();
        requires(&packages).into_iter().map(|all| all.into_iter().collect()).collect()
    }

    #[test]
    fn node_looks_into_the_package_and_then_upwards() {
        let found = numbers(
            PackageKind::Npm,
            &[
                ("app/node_modules/a/package.json", "a 1 b c none"),
                ("app/node_modules/a/node_modules/b/package.json", "b 2 c a"),
                ("app/node_modules/b/package.json", "b 1"),
                // An alias.
                ("app/node_modules/c/package.json", "other 1 @s/d"),
                ("app/node_modules/@s/d/package.json", "@s/d 1 c b"),
                ("node_modules/none/package.json", "none 1 a"),
                ("app/x.asar!/node_modules/a/package.json", "a 3 c"),
                ("app/x.asar!/node_modules/c/package.json", "c 3 b"),
            ],
        );
        assert_eq!(found, [vec![1, 3, 5], vec![0, 3], vec![], vec![4], vec![2, 3], vec![], vec![7], vec![2]]);
    }

    #[test]
    fn links_of_pnpm_are_known_if_there_is_one_version() {
        let at =
            |dir: &str, name: &str| format!("app/node_modules/.pnpm/{dir}/node_modules/{name}/package.json");
        let (a, b, c, other) = (at("a@1", "a"), at("b@1", "b"), at("c@1", "c"), at("c@2", "c"));
        let found = numbers(PackageKind::Npm, &[(&a, "a 1 b c"), (&b, "b 1"), (&c, "c 1"), (&other, "c 2")]);
        assert_eq!(found, [vec![1], vec![], vec![], vec![]]);
    }

    #[test]
    fn python_looks_into_one_environment() {
        let found = numbers(
            PackageKind::Pypi,
            &[
                ("opt/v/lib/python3.11/site-packages/a-1.dist-info/METADATA", "a 1 B_c d"),
                ("opt/v/lib/python3.11/site-packages/b_c-1.dist-info/METADATA", "b-c 1"),
                ("usr/lib/python3/dist-packages/d.egg-info/PKG-INFO", "d 1"),
                ("usr/local/lib/python3.11/dist-packages/e-1.dist-info/METADATA", "e 1 d f b-c"),
                ("usr/lib/python3/dist-packages/f-1.egg-info", "f 1"),
            ],
        );
        assert_eq!(found, [vec![1], vec![], vec![], vec![2, 4], vec![]]);
    }

    #[test]
    fn of_several_versions_none_is_told_but_one_that_is_named() {
        let home = "usr/share/gems/specifications";
        let found = numbers(
            PackageKind::Gem,
            &[
                (&format!("{home}/a-1.gemspec"), "a 1 b c"),
                (&format!("{home}/b-1.gemspec"), "b 1"),
                (&format!("{home}/b-2.gemspec"), "b 2"),
                ("usr/lib/ruby/gems/3.1.0/specifications/default/c-1.gemspec", "c 1"),
            ],
        );
        assert_eq!(found, [vec![3], vec![], vec![], vec![]]);
        let crates = ["a 1 b=2 c=1", "b 1", "b 2", "c 1 b=1"].map(|package| ("bin/tool", package));
        assert_eq!(numbers(PackageKind::Cargo, &crates), [vec![2, 3], vec![], vec![], vec![1]]);
    }

    #[test]
    fn of_several_architectures_its_own() {
        let mut all =
            ["a 1 b", "b 1", "b 1"].map(|one| located(PackageKind::Deb, "var/lib/dpkg/status", one));
        for (one, arch) in all.iter_mut().zip(["i386", "amd64", "i386"]) {
            Arc::make_mut(&mut one.package).arch = Some(arch.to_owned());
        }
        assert_eq!(requires(&all), [BTreeSet::from([2]), BTreeSet::new(), BTreeSet::new()]);
    }
}
