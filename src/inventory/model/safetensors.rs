//! Models in safetensors ("Safetensors", "Format"): the length of a header, the header in JSON, then the tensors. The format has no
//! name or version; a title and a licence are there by the keys of ModelSpec (`modelspec.…`), which trainers of image models
//! write.

use serde::Deserialize;

use super::naming;
use crate::{
    block,
    bytes::le64,
    error::FormatError,
    fs::{FileKind, GuestPath},
    inventory::{Extraction, Extractor, File},
    limits, num,
};

const HEADER: &str = "safetensors header";
const SUFFIX: &str = ".safetensors";
/// What Git leaves in the place of a large file that was not fetched.
const POINTER: &[u8] = b"version ";

/// Models of Hugging Face's libraries and others.
pub(in crate::inventory) struct Safetensors;

impl Extractor for Safetensors {
    fn name(&self) -> &'static str {
        "safetensors"
    }

    fn version(&self) -> u32 {
        1
    }

    fn wants(&self, path: &GuestPath, kind: FileKind) -> bool {
        kind == FileKind::Regular && naming::is_first(path, SUFFIX)
    }

    fn extract(&self, file: &File<'_>) -> Result<Extraction, FormatError> {
        let mut found = Extraction::default();
        let start = block::read_vec(file.content(), HEADER, 0, POINTER.len())?;
        if start == POINTER {
            return Ok(found);
        }
        let length = le64(&start, 0).unwrap_or(0);
        if length > limits::SAFETENSORS_HEADER_BYTES {
            let bound = limits::SAFETENSORS_HEADER_BYTES;
            return Err(FormatError::limit(format!("{HEADER} of {length} bytes, more than {bound}")));
        }
        let text = block::read_vec(file.content(), HEADER, 8, num::to_usize(length))?;
        let header: Header = serde_json::from_slice(&text)
            .map_err(|error| FormatError::malformed(HEADER, error.to_string()))?;
        let about = header.metadata.unwrap_or_default();
        let title = about.title.filter(|title| !title.trim().is_empty());
        let name = title.unwrap_or_else(|| naming::by_path(file.path(), SUFFIX));
        let mut package = naming::package(&name, None);
        package.license = about.license.filter(|license| !license.is_empty());
        found.add(package);
        Ok(found)
    }
}

/// What is read of a header.
#[derive(Deserialize)]
struct Header {
    #[serde(rename = "__metadata__")]
    metadata: Option<About>,
}

#[derive(Deserialize, Default)]
struct About {
    #[serde(rename = "modelspec.title")]
    title: Option<String>,
    #[serde(rename = "modelspec.license")]
    license: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::{Package, PackageKind, testing};

    fn extract(header: &str) -> Result<Extraction, FormatError> {
        let length = u64::try_from(header.len()).unwrap().to_le_bytes();
        let bytes = [&length[..], header.as_bytes(), b"tensors"].concat();
        testing::extract(&Safetensors, "srv/bert/model.safetensors", &bytes, &[])
    }

    #[test]
    fn wants_models_and_the_first_of_their_parts() {
        testing::wants(
            &Safetensors,
            &["a.safetensors", "a-00001-of-00002.safetensors"],
            &["a-00002-of-00002.safetensors", "model.safetensors.index.json"],
        );
    }

    #[test]
    fn a_title_or_the_directory() {
        let tensor = r#""a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}"#;
        let bert = Package::new(PackageKind::Generic, "model/bert", "");
        for metadata in
            ["", r#""__metadata__":{"format":"pt"},"#, r#""__metadata__":{"modelspec.title":" "},"#]
        {
            let found = extract(&format!("{{{metadata}{tensor}}}  ")).unwrap();
            assert_eq!(found.packages().as_slice(), std::slice::from_ref(&bert), "{metadata}");
        }
        let titled = Package {
            license: Some("MIT".to_owned()),
            ..Package::new(PackageKind::Generic, "model/Pictures XL", "")
        };
        let metadata = r#""__metadata__":{"modelspec.title":"Pictures XL","modelspec.license":"MIT"}"#;
        assert_eq!(extract(&format!("{{{tensor},{metadata}}}")).unwrap().packages(), [titled]);
    }

    #[test]
    fn what_is_no_header_is_an_error_but_for_what_stands_for_a_model() {
        for header in ["", "[]", "{", r#"{"__metadata__":1}"#] {
            assert!(extract(header).is_err(), "{header}");
        }
        let of = |bytes: &[u8]| testing::extract(&Safetensors, "a.safetensors", bytes, &[]);
        assert!(of(&[0xff; 16]).is_err() && of(b"abc").is_err());
        assert!(of(b"version https://git-lfs.github.com/spec/v1\n").unwrap().shown.is_empty());
    }

    proptest::proptest! {
        #[test]
        fn never_panics(header in "([{}\\[\\],:0]|\"__metadata__\"|\"modelspec.title\")*") {
            let _ = extract(&header);
        }
    }
}
