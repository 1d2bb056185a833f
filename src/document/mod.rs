//! YAML and JSON with places: parse under budgets, merge, write, compare keys, hide secrets.
//!
//! This is the one parser of both in the project: the syntax gate, the merging of layers, plans by
//! key and the settings all read the same tree. It touches nothing: bytes come in, values go out.
//!
//! It never executes or constructs what a tag names, never resolves `<<` (a key like any other),
//! and never takes memory that the input's size and the limits do not bound.

mod credentials;
mod detail;
mod emit;
mod explain;
mod json;
mod keys;
mod mask;
mod merge;
mod nearest;
mod tree;
mod yaml;

pub use credentials::{Credential, credentials, is_example};
pub use detail::{Detail, detail, may_have_lines, shown_lines, text_difference};
pub use emit::{EMITTER, emit};
pub use keys::{key_changes, on_one_line};
pub use mask::Masker;
pub use merge::{Conflict, merge};
pub use nearest::nearest;
pub(crate) use tree::key_name;
pub use tree::{Document, Kind, Node, Scalar, Style, Value};

use crate::model::{Finding, Limits};

/// Mappings and lists inside each other, whatever [`Limits::yaml_depth_max`] says: walking a tree
/// recurses, and this much fits every thread's stack.
pub const DEPTH_CAP: u64 = 200;

/// Nodes (keys, values, lists, mappings) of one file, expanded aliases included: about 100 MiB.
pub const NODES_MAX: u64 = 1_000_000;

/// Findings told about one file; those after it are left out.
const FINDINGS_MAX: usize = 1_000;

/// A format that is parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// YAML 1.2, any number of documents.
    Yaml,
    /// JSON as RFC 8259 has it: no comments, no trailing commas.
    Json,
}

impl Format {
    /// The format that a file's name promises: `.yaml`, `.yml` and `.json`, in any case.
    #[must_use]
    pub fn of_path(path: &str) -> Option<Self> {
        let (stem, extension) = path.rsplit_once('.')?;
        if stem.is_empty() || extension.contains('/') {
            return None;
        }
        if extension.eq_ignore_ascii_case("yaml") || extension.eq_ignore_ascii_case("yml") {
            Some(Self::Yaml)
        } else if extension.eq_ignore_ascii_case("json") {
            Some(Self::Json)
        } else {
            None
        }
    }

    /// A rule of this format's family: `yaml.syntax`, `json.depth`.
    fn rule(self, name: &str) -> String {
        match self {
            Self::Yaml => format!("yaml.{name}"),
            Self::Json => format!("json.{name}"),
        }
    }
}

/// Parses all documents of a file; one without any content has none.
///
/// Aliases are expanded, in so far as [`Limits::yaml_aliases_max`] allows it.
///
/// # Errors
/// The findings (all of them errors, at most 50, without `file`) that make the bytes unusable:
/// encoding, syntax, a key that is there twice, a limit that is exceeded.
pub fn parse(bytes: &[u8], format: Format, limits: &Limits) -> Result<Vec<Document>, Vec<Finding>> {
    let text = decode(bytes, format).map_err(|finding| vec![*finding])?;
    match format {
        Format::Yaml => yaml::parse(text, limits),
        Format::Json => json::parse(text, limits).map(|document| vec![document]),
    }
}

fn decode(bytes: &[u8], format: Format) -> Result<&str, Box<Finding>> {
    let refuse = |message: &str, hint: &str| {
        Box::new(Finding::error(&format.rule("encoding"), message).at(1, 1).hint(hint))
    };
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(refuse("the file is UTF-16, not UTF-8", "save it as UTF-8"));
    }
    let text = utf8(bytes, &format.rule("encoding"))?;
    match (text.strip_prefix('\u{feff}'), format) {
        (Some(rest), Format::Yaml) => Ok(rest),
        (Some(_), Format::Json) => Err(refuse(
            "the file starts with a byte order mark, which JSON does not have",
            "save it as UTF-8 without BOM",
        )),
        (None, _) => Ok(text),
    }
}

/// A file's text.
///
/// # Errors
/// A finding of this rule, at the first byte that belongs to no character.
pub(crate) fn utf8<'b>(bytes: &'b [u8], rule: &str) -> Result<&'b str, Box<Finding>> {
    std::str::from_utf8(bytes).map_err(|error| {
        let good = bytes.get(..error.valid_up_to()).unwrap_or_default();
        let (line, column) = place_of_end(&String::from_utf8_lossy(good));
        let byte = bytes.get(error.valid_up_to()).copied().unwrap_or_default();
        let message = format!("the file is not UTF-8: byte 0x{byte:02X} belongs to no character");
        let hint = "save it as UTF-8 (it may be Latin-1 or Windows-1252)";
        Box::new(Finding::error(rule, message).at(line, column).hint(hint))
    })
}

/// The line and column, both from 1, behind the last character of `text`.
fn place_of_end(text: &str) -> (u32, u32) {
    let line = text.bytes().filter(|b| *b == b'\n').count();
    let last = text.rsplit('\n').next().unwrap_or_default();
    (number(line + 1), number(last.chars().count() + 1))
}

/// A place as findings count it; what does not fit is the greatest.
fn number(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// At most `chars` characters of `text`, with `…` in place of what is left out.
fn cut(text: &str, chars: usize) -> std::borrow::Cow<'_, str> {
    match text.char_indices().nth(chars) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()).into(),
        None => text.into(),
    }
}

/// The finding for a key that is there twice in one mapping.
fn duplicate_key(format: Format, first: &Node, again: &Node, name: &str) -> Finding {
    let name = cut(name, 60).replace(char::is_control, "�");
    Finding::error(
        &format.rule("duplicate_key"),
        format!(
            "the key `{name}` is there twice: first at line {}, column {}, and again here",
            first.line, first.column
        ),
    )
    .at(again.line, again.column)
    .hint("keep one of the two: which one counts depends on the program that reads the file")
}

/// The finding for a file with more than [`NODES_MAX`] nodes.
fn too_many_nodes(format: Format) -> Finding {
    Finding::error(
        &format.rule("nodes"),
        format!("the file has more than {NODES_MAX} keys and values"),
    )
    .hint("split the file")
}

/// The finding for nesting beyond the limit.
fn too_deep(format: Format, limit: u64) -> Finding {
    Finding::error(
        &format.rule("depth"),
        format!("more than {limit} mappings and lists are inside each other"),
    )
    .hint("make the document flatter, or raise `limits.yaml_depth_max`")
}

fn depth_max(limits: &Limits) -> u64 {
    limits.yaml_depth_max.min(DEPTH_CAP)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(bytes: &[u8], format: Format) -> String {
        let findings = parse(bytes, format, &Limits::default()).unwrap_err();
        let f = &findings[0];
        format!("{:?}:{:?} {}", f.line, f.column, f)
    }

    #[test]
    fn the_format_is_known_by_the_name() {
        for (path, format) in [
            ("a/b.yaml", Some(Format::Yaml)),
            ("B.YML", Some(Format::Yaml)),
            ("x.json", Some(Format::Json)),
            ("x.jsonc", None),
            ("yaml", None),
            ("a.yaml/b", None),
        ] {
            assert_eq!(Format::of_path(path), format, "{path}");
        }
    }

    #[test]
    fn what_is_not_utf8_is_said_plainly() {
        insta::assert_snapshot!(refusal(b"\xff\xfea\0", Format::Yaml), @"Some(1):Some(1) error: the file is UTF-16, not UTF-8 [yaml.encoding]");
        insta::assert_snapshot!(refusal("a: 1\nñ: \u{e9}".as_bytes().strip_suffix(b"\xa9").unwrap(), Format::Yaml), @"Some(2):Some(4) error: the file is not UTF-8: byte 0xC3 belongs to no character [yaml.encoding]");
        insta::assert_snapshot!(refusal("\u{feff}{}".as_bytes(), Format::Json), @"Some(1):Some(1) error: the file starts with a byte order mark, which JSON does not have [json.encoding]");
    }

    #[test]
    fn a_byte_order_mark_before_yaml_moves_no_column() {
        let documents = parse("\u{feff}a: 1".as_bytes(), Format::Yaml, &Limits::default()).unwrap();
        assert_eq!((documents[0].root.line, documents[0].root.column), (1, 1));
    }

    #[test]
    fn no_setting_makes_trees_too_deep_for_the_stack() {
        let limits = Limits { yaml_depth_max: u64::MAX, ..Limits::default() };
        for (format, name) in [(Format::Yaml, "yaml"), (Format::Json, "json")] {
            let nested = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
            let deepest = usize::try_from(DEPTH_CAP).unwrap();
            let trees = parse(nested(deepest).as_bytes(), format, &limits).unwrap();
            assert!(emit(&merge(&trees[0], &trees[0]).unwrap()).len() > deepest);
            assert_eq!(key_changes(&[], &trees).len(), 1);
            let findings = parse(nested(deepest + 1).as_bytes(), format, &limits).unwrap_err();
            assert_eq!(findings[0].rule, format!("{name}.depth"));
        }
    }

    #[test]
    fn the_nodes_of_a_file_are_limited() {
        let many = format!("[{}1]", "1,".repeat(1_000_000));
        for (format, rule) in [(Format::Yaml, "yaml.nodes"), (Format::Json, "json.nodes")] {
            let findings = parse(many.as_bytes(), format, &Limits::default()).unwrap_err();
            assert_eq!(findings[0].rule, rule);
        }
    }
}
