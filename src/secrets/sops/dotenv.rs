use zeroize::Zeroizing;

use super::super::{Identities, Problem, SOPS_MARK, SecretsError};
use super::Bytes;
use super::section::Section;
use super::walk::Walk;
use crate::document::Format;

/// What the metadata's keys begin with.
const PREFIX: &str = "sops_";

/// The plain form of a dotenv file; `None` where nothing in it is encrypted. Comments are lost.
pub(in super::super) fn dotenv(
    bytes: &[u8],
    identities: &Identities,
) -> Result<Option<Bytes>, SecretsError> {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return Err(Problem::Section("the file is not UTF-8").into());
    };
    let lines = text.split('\n').filter(|line| !line.is_empty() && !line.starts_with('#'));
    let pairs: Vec<(&str, &str)> = lines.filter_map(|line| line.split_once('=')).collect();
    let mut metadata = Vec::new();
    for (key, value) in &pairs {
        if let Some(key) = key.strip_prefix(PREFIX) {
            metadata.push((key, value.replace("\\n", "\n")));
        }
    }
    if !metadata.iter().any(|(key, _)| *key == "mac") {
        let found = pairs.iter().find(|(_, value)| value.starts_with(SOPS_MARK));
        return match found {
            Some((key, _)) => Err(Problem::NoSection { key: super::shown(key) }.into()),
            None => Ok(None),
        };
    }
    let section = Section::of_pairs(&metadata)?;
    let key = section.data_key(identities)?;
    let mut walk = Walk::new(&section, &key, Format::Yaml)?;
    let mut out = Zeroizing::new(Vec::with_capacity(bytes.len()));
    for (key, value) in pairs.iter().filter(|(key, _)| !key.starts_with(PREFIX)) {
        let value = Zeroizing::new(value.replace("\\n", "\n"));
        let plain = walk.pair(key, &value)?;
        let plain = Zeroizing::new(plain.replace('\n', "\\n"));
        out.extend_from_slice(key.as_bytes());
        out.push(b'=');
        out.extend_from_slice(plain.as_bytes());
        out.push(b'\n');
    }
    walk.finish()?;
    Ok(Some(out))
}
