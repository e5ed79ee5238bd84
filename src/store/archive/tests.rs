use std::sync::Arc;

use serde_json::json;

use super::*;
use crate::{block::Memory, gap::Code};

fn tar(members: &[(&str, &[u8])], links: &[(&str, &str)]) -> Source {
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    for (name, bytes) in members {
        header.set_entry_type(tar::EntryType::Regular);
        header.set_size(bytes.len() as u64);
        tar.append_data(&mut header, name, *bytes).unwrap();
    }
    for (name, target) in links {
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_size(0);
        tar.append_link(&mut header, name, target).unwrap();
    }
    Arc::new(Memory::new(tar.into_inner().unwrap()))
}

fn config(layers: &[&[u8]]) -> Vec<u8> {
    let diff_ids: Vec<Digest> = layers.iter().map(|layer| Digest::of(layer)).collect();
    json!({"os": "linux", "architecture": "amd64", "rootfs": {"diff_ids": diff_ids}}).to_string().into_bytes()
}

#[test]
fn an_old_docker_archive_is_read_with_its_links() {
    let config = config(&[b"first", b"second"]);
    let manifest = json!([{"Config": "c.json", "RepoTags": ["a:1", "a:2"], "Layers": ["1/layer.tar", "2/layer.tar"]},
        {"Config": "lost.json", "RepoTags": ["lost:1"], "Layers": []}]);
    let manifest = manifest.to_string();
    let members: [(&str, &[u8]); 4] = [
        ("c.json", &config),
        ("0/layer.tar", b"first"),
        ("2/layer.tar", b"second"),
        ("manifest.json", manifest.as_bytes()),
    ];
    let archive = open_tar(&tar(&members, &[("1/layer.tar", "../0/layer.tar")])).unwrap().unwrap();
    assert_eq!(archive.runtime(), "docker-archive");
    let Contents { images, gaps, .. } = archive.contents();
    assert_eq!(images.len(), 1);
    assert_eq!(images[0].references.iter().collect::<Vec<_>>(), ["a:1", "a:2"]);
    for layer in &images[0].layers {
        let blob = archive.layer(layer).blob.unwrap();
        assert_eq!(
            crate::block::read_all(&blob.bytes, "layer", 99).map(|b| Digest::of(&b)).unwrap(),
            layer.diff_id
        );
    }
    assert_eq!(archive.document(&images[0].id).unwrap().unwrap(), config);
    assert_eq!(gaps.iter().map(|gap| gap.code).collect::<Vec<_>>(), [Code::BlobMissing]);
}

#[test]
fn a_layout_has_all_platforms_whose_layers_are_there() {
    let (here, elsewhere) = (config(&[b"layer"]), config(&[b"other layer"]));
    let digest = |bytes: &[u8]| Digest::of(bytes);
    let manifest = |config: &[u8], layer: &[u8]| {
        let config =
            json!({"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest(config)});
        json!({"config": config, "layers": [{"digest": digest(layer)}]}).to_string().into_bytes()
    };
    let (one, other) = (manifest(&here, b"layer"), manifest(&elsewhere, b"other layer"));
    let names = json!({"org.opencontainers.image.ref.name": "1.0"});
    let index =
        json!({"manifests": [{"digest": digest(&one), "annotations": names}, {"digest": digest(&other)}]});
    let index = index.to_string();
    let blob = |bytes: &[u8]| format!("blobs/sha256/{}", digest(bytes).hex());
    let paths = [blob(&one), blob(&other), blob(&here), blob(&elsewhere), blob(b"layer")];
    let members: [(&str, &[u8]); 7] = [
        ("oci-layout", b"{}"),
        ("index.json", index.as_bytes()),
        (&paths[0], &one),
        (&paths[1], &other),
        (&paths[2], &here),
        (&paths[3], &elsewhere),
        (&paths[4], b"layer"),
    ];
    let archive = open_tar(&tar(&members, &[])).unwrap().unwrap();
    let Contents { images, .. } = archive.contents();
    let found: Vec<_> = images.iter().map(|image| (&image.id, image.references.len())).collect();
    let mut expected = [(&digest(&here), 1), (&digest(&elsewhere), 0)].map(|(id, names)| (id.clone(), names));
    expected.sort();
    assert_eq!(found, expected.iter().map(|(id, names)| (id, *names)).collect::<Vec<_>>());
}

#[test]
fn links_of_an_archive_lead_nowhere_else_and_end() {
    let manifest = json!([{"Config": "a.json"}, {"Config": "../../etc/passwd"}]).to_string();
    let source =
        tar(&[("manifest.json", manifest.as_bytes())], &[("a.json", "b.json"), ("b.json", "a.json")]);
    let archive = open_tar(&source).unwrap().unwrap();
    let codes: Vec<Code> = archive.contents().gaps.iter().map(|gap| gap.code).collect();
    assert_eq!(codes, [Code::CorruptStructure, Code::BlobMissing]);
}

#[test]
fn what_is_no_archive_of_images_is_none() {
    assert!(open_tar(&tar(&[("etc/passwd", b"root")], &[])).unwrap().is_none());
    assert!(open_tar(&(Arc::new(Memory::new(vec![0; 4096])) as Source)).unwrap().is_none());
    let cut = tar(&[("manifest.json", b"[{")], &[]);
    assert!(open_tar(&cut).is_err());
}
