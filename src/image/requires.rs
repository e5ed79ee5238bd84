//! Which packages of an image need which others: the names that packages require, looked up where the ecosystem's own tool
//! would look. Of several versions in one place it is not known which one is used, and none is told.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, HashMap},
};

use super::Located;
use crate::inventory::{Package, PackageKind, Requirement};

/// For each package, the numbers of those that it needs and that are there. What a package requires may be optional, so that
/// what is not there is not told.
pub fn requires(packages: &[Located]) -> Vec<BTreeSet<usize>> {
    // Of what lock files name nothing is known.
    if packages.iter().all(|one| one.package.requires.is_empty()) {
        return vec![BTreeSet::new(); packages.len()];
    }
    let paths: Vec<Cow<'_, [u8]>> = packages.iter().map(path).collect();
    let sites: Vec<Site<'_>> =
        packages.iter().zip(&paths).map(|(one, path)| Site::of(&one.package, path)).collect();
    // Hostile paths are long, and packages require many that are not there: places have numbers, names come first.
    let mut places: HashMap<(PackageKind, &[u8]), usize> = HashMap::new();
    let mut found: HashMap<Name<'_>, BTreeMap<usize, Vec<usize>>> = HashMap::new();
    for (number, site) in sites.iter().enumerate() {
        for place in site.place.iter().chain(&site.shared) {
            let next = places.len();
            let place = *places.entry((site.kind, place)).or_insert(next);
            found.entry((site.kind, site.name.clone())).or_default().entry(place).or_default().push(number);
        }
    }
    let needed = |(own, (located, site)): (usize, (&Located, &Site<'_>))| {
        if located.package.requires.is_empty() {
            return BTreeSet::new();
        }
        let around = site.around();
        let around: Vec<usize> =
            around.filter_map(|place| places.get(&(site.kind, place))).copied().collect();
        let one = |required: &Requirement| {
            let all = found.get(&(site.kind, site.kind.normal(&required.name)))?;
            let all = around.iter().find_map(|place| all.get(place))?;
            Some(fitting(packages, all, located, required))
        };
        let needed = located.package.requires.iter().filter_map(one).flatten();
        needed.filter(|number| *number != own).collect()
    };
    packages.iter().zip(&sites).enumerate().map(needed).collect()
}

/// The kind of a package, and the name by which it is found.
type Name<'a> = (PackageKind, Cow<'a, str>);

/// Those of the packages of one name in one place that meet a requirement.
fn fitting(packages: &[Located], all: &[usize], located: &Located, required: &Requirement) -> Vec<usize> {
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
                let shared = shared.and_then(without_node_modules);
                Self { name: String::from_utf8_lossy(name), ..site(Some(place), shared) }
            }
            PackageKind::Pypi => {
                let levels = if path.ends_with(b".egg-info") { 1 } else { 2 };
                let place = above(levels).unwrap_or_default();
                // Debian's interpreters look into several.
                let dir = place.strip_suffix(b"/dist-packages");
                let is_two = |dir: &[u8]| memchr::memmem::rfind(dir, b"/python2").is_some();
                site(Some(place), dir.map(|dir| if is_two(dir) { &b"python2"[..] } else { b"python3" }))
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
    fn around(&self) -> impl Iterator<Item = &'a [u8]> {
        // Node.js looks into the directory of the package, and then upwards.
        let (path, is_npm) = (self.path, self.kind == PackageKind::Npm);
        let dirs = path.iter().enumerate().rev().filter(move |(_, byte)| is_npm && **byte == b'/');
        let dirs = dirs.filter_map(move |(at, _)| path.get(..at)).chain(is_npm.then_some(&b""[..]));
        let dirs = dirs.filter(|dir| without_node_modules(dir).is_none());
        dirs.chain(self.place.filter(|_| !is_npm)).chain(self.shared)
    }
}

/// The directory whose `node_modules` a package lies in, and the name that it has there.
fn in_node_modules(manifest: &[u8]) -> Option<(&[u8], &[u8])> {
    let dir = manifest.get(..manifest.iter().rposition(|byte| *byte == b'/')?)?;
    let ends = memchr::memrchr_iter(b'/', dir).filter_map(|at| dir.split_at_checked(at));
    ends.filter_map(|(above, name)| Some((without_node_modules(above)?, name.strip_prefix(b"/")?))).next()
}

/// The directory that a `node_modules` directory lies in.
fn without_node_modules(dir: &[u8]) -> Option<&[u8]> {
    let above = dir.strip_suffix(b"node_modules")?;
    if above.is_empty() { Some(above) } else { above.strip_suffix(b"/") }
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
                ("app/node_modules/e/package.json", "e 1 node_modules-f e"),
                ("app/node_modules/node_modules-f/package.json", "node_modules-f 1"),
            ],
        );
        let expected: [&[usize]; 10] = [&[1, 3, 5], &[0, 3], &[], &[4], &[2, 3], &[], &[7], &[2], &[9], &[]];
        assert_eq!(found, expected);
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
                ("usr/lib/python2.7/dist-packages/b_c-1.egg-info", "b-c 1 f"),
            ],
        );
        assert_eq!(found, [vec![1], vec![], vec![], vec![2, 4], vec![], vec![]]);
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
