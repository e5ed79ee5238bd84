use super::*;
use crate::fs::memory::Tree;

fn bucket(buckets: Vec<(&str, Bucket)>) -> Bucket {
    let buckets = buckets.into_iter().map(|(key, bucket)| (key.as_bytes().to_vec(), bucket)).collect();
    Bucket { buckets, ..Bucket::default() }
}

fn snapshot(name: &str) -> Bucket {
    let values = [(b"name".to_vec(), name.as_bytes().to_vec())].into();
    Bucket { values, ..Bucket::default() }
}

fn chain(n: usize) -> String {
    format!("sha256:{n:064x}")
}

#[test]
fn layers_of_snapshotters_that_are_not_read_are_told_by_their_names() {
    let names = ["gcfs", "soci", "devmapper", "zfs"];
    let snapshotters = (0..)
        .zip(names)
        .map(|(n, name)| (name, bucket(vec![(chain(n).as_str(), snapshot(&format!("k8s.io/{n}/x")))])));
    let k8s = bucket(vec![("snapshots", bucket(snapshotters.collect()))]);
    let overlayfs = bucket(vec![(chain(9).as_str(), snapshot("moby/9/x"))]);
    let moby = bucket(vec![("snapshots", bucket(vec![("overlayfs", overlayfs)]))]);
    let meta = bucket(vec![("k8s.io", k8s), ("moby", moby)]);
    let mut gaps = Vec::new();
    let root = Root::new(Tree::default().build());
    let snapshots = Snapshots::open(&root, None, "/ctrd", &meta, &mut gaps);
    let error = |n: usize| snapshots.committed(&chain(n).parse().unwrap()).err().unwrap();
    let expected = [
        Code::LazySnapshotter,
        Code::LazySnapshotter,
        Code::UnsupportedSnapshotter,
        Code::UnsupportedSnapshotter,
    ];
    for ((n, name), code) in (0..).zip(names).zip(expected) {
        assert_eq!(error(n).code(), code, "{name}");
        assert!(error(n).detail().contains(name), "{name}");
    }
    // The other namespace's layer is unpacked, and what says where is not there.
    assert!(snapshots.committed(&chain(9).parse().unwrap()).is_err());
    assert_eq!(gaps.iter().map(|gap| gap.code).collect::<Vec<_>>(), [Code::RuntimeStateUnreadable]);
    assert!(matches!(snapshots.committed(&chain(10).parse().unwrap()), Ok(None)));
}

/// A snapshotter with these records, as if its `metadata.db` had been read.
fn opened(name: &str, tree: Tree, records: Vec<(&str, Record)>) -> Snapshots {
    let mut snapshots = Snapshots::default();
    for (name_of, record) in &records {
        let key = name_of.rsplit('/').next().unwrap();
        let whole = ("k8s.io".to_owned(), name.to_owned(), key.to_owned());
        let parent = record.parent.as_ref().map(|parent| parent.rsplit('/').next().unwrap().to_owned());
        snapshots.keys.insert(whole, Named { name: (*name_of).to_owned(), parent });
        if let Ok(chain) = key.parse() {
            snapshots.committed.insert(chain, vec![(name.to_owned(), (*name_of).to_owned())]);
        }
    }
    let records = records.into_iter().map(|(name, record)| (name.to_owned(), record)).collect();
    let state = Some((Root::new(tree.build()), records));
    snapshots.by_name.insert(name.to_owned(), Snapshotter { layout: layout(name), state });
    snapshots
}

fn record(id: u64, kind: record::Kind, parent: Option<&str>) -> Record {
    let parent = parent.map(str::to_owned);
    Record { id, kind, parent, size: None, owners: crate::store::Owners::default(), remote: false }
}

#[test]
fn what_lies_between_a_container_and_its_image_is_a_layer_of_the_container() {
    let mut tree = Tree::default();
    for id in 1..4 {
        tree.file(&format!("snapshots/{id}/fs/of-{id}"), "");
    }
    let base = format!("k8s.io/1/{}", chain(1));
    let records = vec![
        (base.as_str(), record(1, record::Kind::Committed, None)),
        ("k8s.io/2/web-init", record(2, record::Kind::Committed, Some(&base))),
        ("k8s.io/3/web", record(3, record::Kind::Active, Some("k8s.io/2/web-init"))),
    ];
    let snapshots = opened("overlayfs", tree, records);
    let layers = snapshots.active("k8s.io", "overlayfs", "web").unwrap();
    let names = layers.iter().map(|layer| layer.dir.read_dir().unwrap().entries.remove(0).name);
    assert_eq!(names.collect::<Vec<_>>(), [b"of-2", b"of-3"]);
    assert_eq!(snapshots.chain("k8s.io", "overlayfs", "web"), Some(chain(1).parse().unwrap()));
}

#[test]
fn snapshots_that_are_their_own_ancestors_end_somewhere() {
    let mut tree = Tree::default();
    tree.file("snapshots/1/fs/a", "");
    let records = vec![("k8s.io/1/a", record(1, record::Kind::Active, Some("k8s.io/1/a")))];
    let snapshots = opened("overlayfs", tree, records);
    assert_eq!(snapshots.active("k8s.io", "overlayfs", "a").err().unwrap().code(), Code::LimitReached);
    assert_eq!(snapshots.chain("k8s.io", "overlayfs", "a"), None);
}

#[test]
fn a_layer_that_is_fetched_on_demand_is_told_and_one_that_was_fetched_is_read() {
    let mut tree = Tree::default();
    tree.file("snapshots/1/fs/there", "");
    tree.file("snapshots/2/fs/placeholder", "");
    let (here, there) = (format!("k8s.io/1/{}", chain(1)), format!("k8s.io/2/{}", chain(2)));
    let remote = Record { remote: true, ..record(2, record::Kind::Committed, None) };
    let records = vec![(here.as_str(), record(1, record::Kind::Committed, None)), (there.as_str(), remote)];
    let snapshots = opened("soci", tree, records);
    assert!(snapshots.committed(&chain(1).parse().unwrap()).unwrap().is_some());
    let error = snapshots.committed(&chain(2).parse().unwrap()).err().unwrap();
    assert_eq!(error.code(), Code::LazySnapshotter);
}

#[test]
fn what_lies_between_layers_of_an_image_is_told_apart_from_what_belongs_to_nothing() {
    let mut tree = Tree::default();
    for id in 1..7 {
        tree.file(&format!("snapshots/{id}/fs/of-{id}"), "");
    }
    let (below, diff_id) = (Digest::of(b"below"), Digest::of(b"layer"));
    let top = diff_id.chain(Some(&below));
    let (base, over) = (format!("moby/1/{below}"), format!("moby/3/{top}"));
    let (left, cache) = (format!("moby/4/{}", chain(4)), "moby/5/built");
    let records = vec![
        (base.as_str(), record(1, record::Kind::Committed, None)),
        ("moby/2/c-init", record(2, record::Kind::Committed, Some(&base))),
        (over.as_str(), record(3, record::Kind::Committed, Some("moby/2/c-init"))),
        (left.as_str(), record(4, record::Kind::Committed, Some(&base))),
        (cache, record(5, record::Kind::Committed, None)),
        ("moby/6/run", record(6, record::Kind::Active, Some(cache))),
    ];
    let snapshots = opened("overlayfs", tree, records);
    let layer = LayerRef { diff_id: diff_id.clone(), chain_id: top.clone(), blob: None };
    let between = snapshots.between(&layer).unwrap();
    assert_eq!(between.iter().map(|one| one.dir.path.to_string()).collect::<Vec<_>>(), ["/snapshots/2/fs"]);
    assert_eq!(snapshots.chains(&top).unwrap(), [below.clone(), top.clone()]);
    let elsewhere = LayerRef { diff_id: Digest::of(b"other"), ..layer };
    assert_eq!(snapshots.between(&elsewhere).err().unwrap().code(), Code::CorruptStructure);
    let ids = |images: &[&Digest], container: &str| -> Vec<String> {
        let images = images.iter().copied().collect();
        let loose = snapshots.loose(&images, &|_, _, key| key == container);
        loose.into_iter().map(|layer| layer.id).collect()
    };
    assert_eq!(ids(&[&top], "run"), [chain(4)]);
    assert_eq!(ids(&[&top], ""), ["built".to_owned(), chain(4)]);
    assert_eq!(
        ids(&[&below], "run"),
        ["c-init".to_owned(), chain(4), top.to_string()]
            .map(String::from)
            .into_iter()
            .collect::<std::collections::BTreeSet<_>>()
            .into_iter()
            .collect::<Vec<_>>()
    );
}
