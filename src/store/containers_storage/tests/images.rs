use super::*;

#[test]
fn an_image_is_what_its_configuration_and_layers_are() {
    for driver in ["overlay", "vfs", "btrfs"] {
        let mut made = Made::new(driver);
        let web = made.image("web:1", &["base", "web"]);
        let app = made.image("app:1", &["base", "app"]);
        let store = made.open();
        assert!(store.contents.gaps.is_empty(), "{:?}", store.contents.gaps);
        assert_eq!(store.contents.images.len(), 2);
        let found = image(&store, "web:1");
        assert_eq!((&found.id, found.platform.as_str()), (&web.id, "linux/amd64"));
        assert_eq!(found.manifests, [web.manifest.clone()].into());
        assert_eq!(found.labels["of"], "image");
        assert!(found.gaps.is_empty(), "{:?}", found.gaps);
        assert_eq!(files(&store, found), names(&["base", "web"]));
        assert_eq!(files(&store, image(&store, "app:1")), names(&["base", "app"]));
        let blob = found.layers[1].blob.as_ref().unwrap();
        assert_eq!((blob.digest.clone(), blob.size), (Digest::of(b"gzip web"), 7));
        for digest in [&web.id, &web.manifest, &app.id] {
            let bytes = store.document(digest).unwrap().unwrap();
            assert_eq!(Digest::of(&bytes), *digest);
        }
        assert_eq!(store.document(&Digest::of(b"x")).unwrap(), None);
        assert_eq!(store.runtime(), "containers-storage");
        let form = store.layer(&found.layers[1]).snapshot.unwrap().form;
        let is_as_it_should = match driver {
            "overlay" => matches!(form, Form::Overlay),
            _ => matches!(form, Form::Whole(Some(_))),
        };
        assert!(is_as_it_should, "{driver}");
    }
}

#[test]
fn of_several_manifests_the_one_counts_whose_blobs_were_pulled() {
    let mut made = Made::new("overlay");
    let web = made.image("web:1", &["base"]);
    let config = made.tree.contains(&GuestPath::new(document("overlay", &web.record, &web.id.to_string())));
    assert!(config);
    // The main manifest is another one of the same configuration.
    let config = json!({"os": "linux", "architecture": "amd64", "config": {"Labels": {"of": "image"}},
        "created": "2026-01-01T00:00:00Z", "rootfs": {"type": "layers", "diff_ids": [Digest::of(b"base")]}});
    let zstd = manifest(&config.to_string(), &["base"], "zstd");
    let digest = Digest::of(zstd.as_bytes());
    made.document(&web.record, "manifest", &zstd);
    made.images[0]["big-data-digests"]["manifest"] = json!(digest);
    let store = made.open();
    let found = image(&store, "web:1");
    assert_eq!(found.id, web.id);
    assert!(found.gaps.is_empty(), "{:?}", found.gaps);
    assert_eq!(found.manifests, [web.manifest, digest].into());
    assert_eq!(found.layers[0].blob.as_ref().unwrap().digest, Digest::of(b"gzip base"));
}

#[test]
fn a_list_of_manifests_names_the_images_that_it_lists() {
    let mut made = Made::new("overlay");
    let web = made.image("web:1", &["base"]);
    for (name, child) in [("here:1", web.manifest.clone()), ("elsewhere:1", Digest::of(b"elsewhere"))] {
        let list = json!({"schemaVersion": 2, "manifests": [{"digest": child}]}).to_string();
        let digest = Digest::of(list.as_bytes());
        made.images.push(json!({"id": id(name), "names": [name], "big-data-names": ["manifest"],
            "big-data-digests": {"manifest": digest}}));
        made.document(&id(name), "manifest", &list);
    }
    let store = made.open();
    assert_eq!(store.contents.images.len(), 2);
    assert_eq!(image(&store, "here:1").references, ["here:1".to_owned(), "web:1".to_owned()].into());
    assert_eq!(codes(&image(&store, "elsewhere:1").gaps), [Code::BlobMissing]);
}

#[test]
fn images_and_layers_of_additional_image_stores_are_the_stores_own() {
    let (mut own, mut other) = (Made::new("overlay"), Made::new("overlay"));
    let base = other.image("base:1", &["base"]);
    own.container("c", &base, &json!({"image-name": "base:1"}));
    let image_stores = vec![Root::new(other.tree().build())];
    let store = own.open_as(&Setting { image_stores, ..Setting::default() });
    // But for Podman's own database, which is not there.
    let gaps: Vec<Code> = store.contents.gaps.iter().map(|gap| gap.code).collect();
    assert_eq!(gaps, [Code::RuntimeStateUnreadable], "{:?}", store.contents.gaps);
    assert_eq!(files(&store, image(&store, "base:1")), names(&["base"]));
    let container = &store.contents.containers[0];
    assert_eq!(container.image.as_ref(), Some(&base.id));
    assert_eq!(store.writable_layers(container).unwrap().len(), 1);
}

#[test]
fn overlays_are_of_the_form_that_made_them() {
    let form = |setting: Setting, note: Option<&str>| {
        let mut made = Made::new("overlay");
        made.image("web:1", &["base"]);
        if let Some(note) = note {
            made.tree.file("overlay/.has-mount-program", note);
        }
        let store = made.open_as(&setting);
        match store.layer(&image(&store, "web:1").layers[0]).snapshot.unwrap().form {
            Form::Overlay => "root",
            Form::UserOverlay => "user",
            Form::FuseOverlay => "fuse",
            Form::Whole(_) => "whole",
        }
    };
    let of =
        |is_unprivileged, mount_program| Setting { is_unprivileged, mount_program, ..Setting::default() };
    assert_eq!(form(of(false, false), None), "root");
    assert_eq!(form(of(false, false), Some("true")), "fuse");
    assert_eq!(form(of(false, true), None), "fuse");
    assert_eq!(form(of(false, true), Some("false")), "root");
    assert_eq!(form(of(true, false), Some("false")), "user");
    assert_eq!(form(of(true, false), Some("true")), "fuse");
    assert_eq!(form(of(true, false), None), "fuse");
}

#[test]
fn a_copy_of_the_top_layer_with_other_owners_stands_in_for_it() {
    let mut made = Made::new("overlay");
    let web = made.image("web:1", &["base", "web"]);
    made.layers.push(json!({"id": "mapped", "parent": web.layers[0],
        "uidmap": [{"container_id": 0, "host_id": 200000, "size": 65536}]}));
    made.tree.file("overlay/mapped/diff/mapped", "");
    made.images[0]["mapped-layers"] = json!(["mapped", "gone"]);
    made.tree.remove(&GuestPath::new(format!("overlay/{}/diff", web.layers[1])));
    let store = made.open();
    let found = image(&store, "web:1");
    assert_eq!(files(&store, found), names(&["base", "mapped"]));
    assert_eq!(store.layer(&found.layers[1]).snapshot.unwrap().owners.user(200_001), 1);
}

#[test]
fn a_lost_image_has_the_layers_that_its_container_lies_on_and_others_are_named() {
    let mut made = Made::new("overlay");
    let (web, other) = (made.image("web:1", &["base", "web"]), made.image("other:1", &["base", "other"]));
    made.container("c", &web, &json!({}));
    made.images.clear();
    let store = made.open();
    let [lost] = store.contents.images.as_slice() else { panic!("{:?}", store.contents.images) };
    assert_eq!((&lost.id, lost.is_lost, codes(&lost.gaps)), (&web.id, true, vec![Code::BlobMissing]));
    assert_eq!(files(&store, lost), names(&["base", "web"]));
    assert_eq!(store.contents.containers[0].image.as_ref(), Some(&web.id));
    let loose: Vec<&str> = store.contents.loose.iter().map(|layer| layer.id.as_str()).collect();
    assert_eq!(loose, [other.layers[1].as_str()]);
    // Others may be lost without a container.
    assert_eq!(codes(&store.contents.gaps), [Code::RuntimeStateUnreadable]);
}
