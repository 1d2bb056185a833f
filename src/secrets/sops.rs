//! Files of SOPS: every value is decrypted with AES-256-GCM, bound to the way of keys that leads
//! to it, and the MAC over all values in their order is verified before anything is handed on.

mod dotenv;
mod json;
mod section;
mod value;
mod walk;

pub(super) use dotenv::dotenv;

use zeroize::{Zeroize as _, Zeroizing};

use super::{Identities, Problem, SOPS_MARK, SecretsError};
use crate::document::{self, Document, Format, Node, Value};
use crate::model::Limits;
use section::Section;
use walk::Walk;

type Bytes = Zeroizing<Vec<u8>>;

/// Keys of the metadata: `sops` in documents, `sops_…` in dotenv files.
const SECTION: &str = "sops";

/// The plain form of a YAML or JSON file; `None` where nothing in it is encrypted. Comments are
/// lost.
pub(super) fn document(
    bytes: &[u8],
    format: Format,
    identities: &Identities,
    limits: &Limits,
) -> Result<Option<Bytes>, SecretsError> {
    // What cannot be parsed is refused by the gate of its syntax.
    let Ok(mut documents) = document::parse(bytes, format, limits) else {
        return Err(Problem::Section("the file is not well-formed").into());
    };
    let Some(section) = documents.first().and_then(|first| first.root.get(SECTION)) else {
        let found = documents.iter().find_map(|it| encrypted_value(&it.root, &mut Vec::new()));
        return match found {
            Some(key) => Err(Problem::NoSection { key: shown(&key) }.into()),
            None => Ok(None),
        };
    };
    let section = Section::of_node(section)?;
    let key = section.data_key(identities)?;
    for document in &mut documents {
        if let Value::Mapping(pairs) = &mut document.root.value {
            pairs.retain(|(key, _)| key.text() != Some(SECTION));
        }
    }
    let mut walk = Walk::new(&section, &key, format)?;
    let walked = documents.iter_mut().try_for_each(|document| walk.node(&mut document.root));
    let written = walked.and_then(|()| walk.finish()).map(|()| write(&documents, format));
    documents.iter_mut().for_each(|document| wipe(&mut document.root));
    Ok(Some(written?))
}

/// INI files of SOPS are not decrypted; one that is none is none of our business.
pub(super) fn refuse_ini(bytes: &[u8]) -> Result<(), Problem> {
    let text = String::from_utf8_lossy(bytes);
    if text.lines().any(|line| line.trim() == "[sops]") { Err(Problem::Ini) } else { Ok(()) }
}

fn write(documents: &[Document], format: Format) -> Bytes {
    let mut out = Zeroizing::new(Vec::new());
    for (n, document) in documents.iter().enumerate() {
        match format {
            Format::Json => out.extend_from_slice(json::write(&document.root).as_bytes()),
            Format::Yaml => {
                let text = Zeroizing::new(document::emit(document));
                if n > 0 && !text.starts_with("---") {
                    out.extend_from_slice(b"---\n");
                }
                out.extend_from_slice(text.as_bytes());
            }
        }
    }
    out
}

/// The name of a key in a message.
fn shown(key: &str) -> String {
    const KEY_CHARS_MAX: usize = 200;
    key.chars().take(KEY_CHARS_MAX).collect::<String>().replace(char::is_control, "�")
}

/// The way to a value that SOPS encrypted.
fn encrypted_value(node: &Node, way: &mut Vec<String>) -> Option<String> {
    match &node.value {
        Value::Scalar(scalar) => scalar.text.starts_with(SOPS_MARK).then(|| way.join(".")),
        Value::Sequence(items) => items.iter().find_map(|item| encrypted_value(item, way)),
        Value::Mapping(pairs) => pairs.iter().find_map(|(key, value)| {
            way.push(key.text().unwrap_or("?").to_owned());
            let found = encrypted_value(value, way);
            way.pop();
            found
        }),
    }
}

/// Leaves nothing readable of a document behind.
fn wipe(node: &mut Node) {
    match &mut node.value {
        Value::Scalar(scalar) => scalar.text.zeroize(),
        Value::Sequence(items) => items.iter_mut().for_each(wipe),
        Value::Mapping(pairs) => pairs.iter_mut().for_each(|(_, value)| wipe(value)),
    }
}
