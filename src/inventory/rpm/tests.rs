use super::*;
use crate::inventory::testing;

/// A header of these tags, of one value each: number, type, data.
pub(super) fn header(tags: &[(u32, u32, &[u8])]) -> Vec<u8> {
    let tags: Vec<_> = tags.iter().map(|(tag, kind, value)| (*tag, *kind, *value, 1)).collect();
    header_of(&tags)
}

/// A header of these tags: number, type, data, how many values.
fn header_of(tags: &[(u32, u32, &[u8], u32)]) -> Vec<u8> {
    let (mut index, mut data) = (Vec::new(), Vec::new());
    for (tag, kind, value, count) in tags {
        let at = u32::try_from(data.len()).unwrap();
        for word in [*tag, *kind, at, *count] {
            index.extend(word.to_be_bytes());
        }
        data.extend(*value);
    }
    let mut bytes = Vec::new();
    for length in [tags.len(), data.len()] {
        bytes.extend(u32::try_from(length).unwrap().to_be_bytes());
    }
    [bytes, index, data].concat()
}

#[test]
fn wants_the_databases_of_the_known_places() {
    testing::wants(
        &Rpm,
        &[
            "var/lib/rpm/rpmdb.sqlite",
            "var/lib/rpm/Packages",
            "usr/lib/sysimage/rpm/Packages.db",
            "usr/share/rpm/rpmdb.sqlite",
        ],
        &[
            "var/lib/rpm/rpmdb.sqlite-wal",
            "var/lib/rpm/rpmdb.sqlite-shm",
            "var/lib/rpm/Index.db",
            "var/lib/rpm/Name",
            "srv/repo/Packages",
            "srv/var/lib/rpm/rpmdb.sqlite",
            "var/lib/rpm/old/Packages",
        ],
    );
}

#[test]
fn a_header_becomes_a_package() {
    let bytes = header(&[
        (header::NAME, 6, b"perl-libs\0"),
        (header::VERSION, 6, b"5.26.3\0"),
        (header::RELEASE, 6, b"419.el8\0"),
        (header::EPOCH, 4, &[0, 0, 0, 4]),
        (header::VENDOR, 6, b"Red Hat, Inc.\0"),
        (header::LICENSE, 6, b"GPL+\0"),
        (header::ARCH, 6, b"x86_64\0"),
        (header::SOURCERPM, 6, b"perl-x-5.26.3-419.el8.src.rpm\0"),
        (header::MODULARITYLABEL, 6, b"perl:5.26:1:c\0"),
        (header::DIRINDEXES, 4, &[0, 0, 0, 1]),
        (header::BASENAMES, 8, b"x.so\0"),
        (header::DIRNAMES, 8, b"/a/\0"),
    ]);
    let package = Package {
        arch: Some("x86_64".into()),
        source: Some(SourcePackage { name: "perl-x".into(), version: "5.26.3-419.el8".into() }),
        license: Some("GPL+".into()),
        vendor: Some("Red Hat, Inc.".into()),
        module: Some("perl:5.26:1:c".into()),
        ..Package::new(PackageKind::Rpm, "perl-libs", "4:5.26.3-419.el8")
    };
    let read = read_header(&bytes, 0).unwrap().unwrap();
    assert_eq!(read.package, package);
    assert!(read.files.unwrap_err().detail().contains("a file of a directory that is not there"));
}

#[test]
fn who_serves_a_requirement() {
    let mut database = Database::default();
    for (name, requires, provides, files) in [
        ("a", "libc.so.6()(64bit)\0/usr/sbin/useradd\0rpmlib(X)\0(b if c)\0", "a\0", "x\0"),
        ("glibc", "\0", "glibc\0libc.so.6()(64bit)\0", "y\0"),
        ("shadow", "glibc\0", "shadow\0", "useradd\0"),
    ] {
        let count = |text: &str| u32::try_from(text.matches('\0').count()).unwrap();
        let bytes = header_of(&[
            (header::NAME, 6, format!("{name}\0").as_bytes(), 1),
            (header::VERSION, 6, b"1\0", 1),
            (header::RELEASE, 6, b"2\0", 1),
            (header::REQUIRENAME, 8, requires.as_bytes(), count(requires)),
            (header::PROVIDENAME, 8, provides.as_bytes(), count(provides)),
            (header::DIRINDEXES, 4, &[0; 4], 1),
            (header::BASENAMES, 8, files.as_bytes(), 1),
            (header::DIRNAMES, 8, b"/usr/sbin/\0", 1),
        ]);
        database.take(read_header(&bytes, 0));
    }
    let Database { mut found, requires } = database;
    requires.resolve(&mut found);
    assert_eq!(testing::requirements(&found), ["a: glibc shadow", "glibc:", "shadow: glibc"]);
}

#[test]
fn files_have_their_directories() {
    let bytes = header(&[
        (header::NAME, 6, b"a\0"),
        (header::VERSION, 6, b"1\0"),
        (header::RELEASE, 6, b"2\0"),
        (header::DIRINDEXES, 4, &[0, 0, 0, 0]),
        (header::BASENAMES, 8, b"x.so\0"),
        (header::DIRNAMES, 8, b"/usr/lib64/\0"),
    ]);
    let files = read_header(&bytes, 0).unwrap().unwrap().files;
    let key = crate::inventory::owned::key(&GuestPath::new("lib64/x.so"));
    assert_eq!(files.unwrap(), Owner { files: vec![key], ..Owner::new("a") });
}

#[test]
fn keys_are_no_packages_and_a_header_needs_a_version() {
    let key = header(&[(header::NAME, 6, b"gpg-pubkey\0")]);
    assert!(read_header(&key, 0).unwrap().is_none());
    let bad = header(&[(header::NAME, 6, b"a\0"), (header::VERSION, 6, b"1\0")]);
    assert_eq!(read_header(&bad, 16).err().unwrap().detail(), "rpm header at offset 0x10: no RELEASE");
    let plain =
        header(&[(header::NAME, 6, b"a\0"), (header::VERSION, 6, b"1\0"), (header::RELEASE, 6, b"2\0")]);
    assert_eq!(read_header(&plain, 0).unwrap().unwrap().package.version, "1-2", "no epoch, none printed");
}

#[test]
fn source_file_names() {
    let parts = |file| source(file).map(|s| (s.name, s.version));
    let some = |name: &str, version: &str| Some((name.to_owned(), version.to_owned()));
    assert_eq!(parts("bash-4.2.46-34.el7.src.rpm"), some("bash", "4.2.46-34.el7"));
    assert_eq!(
        parts("java-1.8.0-openjdk-1.8.0.302.b08-0.el8_4.nosrc.rpm"),
        some("java-1.8.0-openjdk", "1.8.0.302.b08-0.el8_4")
    );
    for bad in ["(none)", "", "a.src.rpm", "a-1.src.rpm", "a-1-2.rpm"] {
        assert_eq!(parts(bad), None, "{bad}");
    }
}
