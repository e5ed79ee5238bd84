//! What the path of a model's file tells: whether it is the first of the parts that a large model is split into
//! (`NAME-00001-of-00003.gguf`), and a name for a model that does not state its own.

use super::super::{Package, PackageKind};
use crate::fs::GuestPath;

/// Names that writers give the one file of a model, which is called as its directory then.
#[rustfmt::skip]
const OF_ALL: [&str; 6] = [
    "adapter_model", "consolidated", "diffusion_pytorch_model", "ggml-model", "model", "pytorch_model",
];
/// Digits of the number of a part, and of how many there are.
const DIGITS: usize = 5;

/// A model by its name. No type of purls is for models wherever they come from: it is a generic package.
pub(super) fn package(name: &str, version: Option<String>) -> Package {
    Package::new(PackageKind::Generic, format!("model/{}", name.trim()), version.unwrap_or_default())
}

/// Whether a file is a model, or the part of one that describes it.
pub(super) fn is_first(path: &GuestPath, suffix: &str) -> bool {
    let stem = path.name().strip_suffix(suffix.as_bytes());
    stem.is_some_and(|stem| part(&String::from_utf8_lossy(stem)).is_none_or(|(_, number)| number == 1))
}

/// The name of a model that states none: its file's, or its directory's.
pub(super) fn by_path(path: &GuestPath, suffix: &str) -> String {
    let file = String::from_utf8_lossy(path.name());
    let stem = file.strip_suffix(suffix).unwrap_or(&file);
    let stem = part(stem).map_or(stem, |(name, _)| name);
    let parent = path.parent().filter(|dir| OF_ALL.contains(&stem) && !dir.is_root());
    parent.map_or_else(|| stem.to_owned(), |dir| String::from_utf8_lossy(dir.name()).into_owned())
}

/// The name and the number of a part.
fn part(stem: &str) -> Option<(&str, u32)> {
    let (rest, all) = stem.rsplit_once("-of-")?;
    let (name, number) = rest.rsplit_once('-')?;
    let is_number = |text: &str| text.len() == DIGITS && text.bytes().all(|byte| byte.is_ascii_digit());
    (is_number(all) && is_number(number)).then(|| Some((name, number.parse().ok()?)))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_and_names() {
        for (path, first, name) in [
            ("srv/tiny-v1.0-Q8_0.gguf", true, "tiny-v1.0-Q8_0"),
            ("srv/big-00001-of-00009.gguf", true, "big"),
            ("srv/big-00002-of-00009.gguf", false, "big"),
            ("srv/big-2-of-9.gguf", true, "big-2-of-9"),
            ("srv/bert/model.gguf", true, "bert"),
            ("srv/bert/model-00001-of-00002.gguf", true, "bert"),
            ("model.gguf", true, "model"),
        ] {
            let path = GuestPath::new(path);
            let told = (is_first(&path, ".gguf"), by_path(&path, ".gguf"));
            assert_eq!(told, (first, name.to_owned()), "{path}");
        }
    }
}
