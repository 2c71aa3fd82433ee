//! A path in JSON: text where it is UTF-8, else `{"hex": "…"}`, so that no file name is beyond us.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    Text(String),
    Bytes { hex: String },
}

impl From<&Path> for Written {
    fn from(path: &Path) -> Self {
        path.to_str().map_or_else(
            || {
                let mut hex = String::new();
                for byte in path.as_os_str().as_bytes() {
                    // Writing to a String can't fail.
                    let _ = write!(hex, "{byte:02x}");
                }
                Self::Bytes { hex }
            },
            |text| Self::Text(text.to_owned()),
        )
    }
}

impl Written {
    fn path(self) -> Option<PathBuf> {
        let hex = match self {
            Self::Text(text) => return Some(text.into()),
            Self::Bytes { hex } => hex,
        };
        let pairs = hex.as_bytes().chunks(2);
        let bytes: Option<Vec<u8>> = pairs
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok().filter(|p| p.len() == 2)?, 16).ok())
            .collect();
        Some(OsString::from_vec(bytes?).into())
    }
}

pub(super) fn serialize<S: Serializer>(path: &Path, to: S) -> Result<S::Ok, S::Error> {
    Written::from(path).serialize(to)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<PathBuf, D::Error> {
    Written::deserialize(from)?.path().ok_or_else(|| D::Error::custom("a path's hex is not pairs of hex digits"))
}

/// The same for a path that may be absent (`null`).
pub(super) mod optional {
    use std::path::PathBuf;

    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

    use super::Written;

    #[expect(clippy::ref_option, reason = "serde's `with` hands over a reference to the field")]
    pub(in crate::runner) fn serialize<S: Serializer>(path: &Option<PathBuf>, to: S) -> Result<S::Ok, S::Error> {
        path.as_deref().map(Written::from).serialize(to)
    }

    pub(in crate::runner) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<PathBuf>, D::Error> {
        Option::<Written>::deserialize(from)?
            .map(|w| w.path().ok_or_else(|| D::Error::custom("a path's hex is not pairs of hex digits")))
            .transpose()
    }
}

/// The same for several paths.
pub(super) mod list {
    use std::path::PathBuf;

    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

    use super::Written;

    pub(in crate::runner) fn serialize<S: Serializer>(paths: &[PathBuf], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(paths.iter().map(|path| Written::from(path.as_path())))
    }

    pub(in crate::runner) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<PathBuf>, D::Error> {
        let path = |w: Written| w.path().ok_or_else(|| D::Error::custom("a path's hex is not pairs of hex digits"));
        Vec::<Written>::deserialize(from)?.into_iter().map(path).collect()
    }
}
