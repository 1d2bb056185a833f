use super::keys::{child_path, index, value_of};
use super::{Document, Kind, Node, Value};

/// A key that one layer has as a mapping and another as something else: which of them is meant
/// cannot be known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{key}` is {over_kind} (line {over_line}, column {over_column}) over {base_kind} \
     (line {base_line}, column {base_column})"
)]
pub struct Conflict {
    /// The key's dotted path; empty for the whole document.
    pub key: String,
    /// Where the value is in the lower layer: line, from 1.
    pub base_line: u32,
    /// Its column in characters, from 1.
    pub base_column: u32,
    /// What it is there.
    pub base_kind: Kind,
    /// Where the value is in the upper layer: line, from 1.
    pub over_line: u32,
    /// Its column in characters, from 1.
    pub over_column: u32,
    /// What it is there.
    pub over_kind: Kind,
}

/// Lays `over` over `base`, as RFC 7396 does with JSON: mappings are merged key by key, null
/// deletes, lists and single values are replaced. Keys are compared by their text. The order is
/// base's, new keys come behind; scalars keep their text and style.
///
/// Unlike the RFC: an `over` that is null as a whole (a file in which all is commented out) leaves
/// the base as it is.
///
/// # Errors
/// When a mapping meets a list or a single value; the RFC would drop one of them silently.
pub fn merge(base: &Document, over: &Document) -> Result<Document, Conflict> {
    if over.root.is_null() {
        return Ok(base.clone());
    }
    Ok(Document { root: node(&base.root, &over.root, "")? })
}

fn node(base: &Node, over: &Node, path: &str) -> Result<Node, Conflict> {
    match (&base.value, &over.value) {
        (Value::Mapping(below), Value::Mapping(above)) => {
            let value = Value::Mapping(mapping(below, above, path)?);
            let tag = over.tag.clone().or_else(|| base.tag.clone());
            Ok(Node { line: over.line, column: over.column, tag, value })
        }
        (Value::Mapping(_), _) | (_, Value::Mapping(_)) if !base.is_null() => Err(Conflict {
            key: path.to_owned(),
            base_line: base.line,
            base_column: base.column,
            base_kind: base.kind(),
            over_line: over.line,
            over_column: over.column,
            over_kind: over.kind(),
        }),
        _ => Ok(without_nulls(over)),
    }
}

fn mapping(
    base: &[(Node, Node)],
    over: &[(Node, Node)],
    path: &str,
) -> Result<Vec<(Node, Node)>, Conflict> {
    let (above, below) = (index(over), index(base));
    let mut merged = Vec::with_capacity(base.len().max(over.len()));
    for (key, value) in base {
        match value_of(key, over, &above) {
            None => merged.push((key.clone(), value.clone())),
            Some(new) if new.is_null() => {}
            Some(new) => merged.push((key.clone(), node(value, new, &child_path(path, key))?)),
        }
    }
    for (key, value) in over {
        if !value.is_null() && value_of(key, base, &below).is_none() {
            merged.push((key.clone(), without_nulls(value)));
        }
    }
    Ok(merged)
}

/// A value that is laid over nothing: the nulls in its mappings have nothing to delete.
fn without_nulls(node: &Node) -> Node {
    let value = match &node.value {
        Value::Mapping(pairs) => Value::Mapping(
            pairs
                .iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(key, value)| (key.clone(), without_nulls(value)))
                .collect(),
        ),
        other => other.clone(),
    };
    Node { line: node.line, column: node.column, tag: node.tag.clone(), value }
}

#[cfg(test)]
mod tests {
    use super::super::{Format, emit, parse};
    use super::*;
    use crate::model::Limits;

    fn document(text: &str) -> Document {
        parse(text.as_bytes(), Format::Yaml, &Limits::default()).unwrap().remove(0)
    }

    fn merged(base: &str, over: &str) -> String {
        emit(&merge(&document(base), &document(over)).unwrap())
    }

    #[test]
    fn the_examples_of_rfc_7396_that_mix_no_kinds() {
        for (base, over, result) in [
            (r#"{"a":"b"}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
            (r#"{"a":"b"}"#, r#"{"b":"c"}"#, r#"{"a":"b","b":"c"}"#),
            (r#"{"a":"b"}"#, r#"{"a":null}"#, "{}"),
            (r#"{"a":"b","b":"c"}"#, r#"{"a":null}"#, r#"{"b":"c"}"#),
            (r#"{"a":["b"]}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
            (r#"{"a":"c"}"#, r#"{"a":["b"]}"#, r#"{"a":["b"]}"#),
            (r#"{"a":{"b":"c"}}"#, r#"{"a":{"b":"d","c":null}}"#, r#"{"a":{"b":"d"}}"#),
            (r#"{"a":[{"b":"c"}]}"#, r#"{"a":[1]}"#, r#"{"a":[1]}"#),
            (r#"["a","b"]"#, r#"["c","d"]"#, r#"["c","d"]"#),
            (r#"{"e":null}"#, r#"{"a":1}"#, r#"{"e":null,"a":1}"#),
            ("{}", r#"{"a":{"bb":{"ccc":null}}}"#, r#"{"a":{"bb":{}}}"#),
        ] {
            assert_eq!(merged(base, over), emit(&document(result)), "{base} with {over}");
        }
    }

    #[test]
    fn scalars_keep_their_text_and_order_is_the_bases() {
        let base = "version: 1.10\nmode: 0600\nflag: no\nname: 'x'\n";
        let over = "new: |\n  a\n  b\nmode: 0o644\n\"flag\": off\n";
        insta::assert_snapshot!(merged(base, over), @r"
        version: 1.10
        mode: 0o644
        flag: off
        name: 'x'
        new: |
          a
          b
        ");
    }

    #[test]
    fn an_empty_upper_layer_changes_nothing() {
        assert_eq!(merged("a: 1\nb: ~\n", "---\n# b: 2\n"), "a: 1\nb: ~\n");
    }

    #[test]
    fn a_mapping_over_something_else_names_both_places() {
        let conflict = |base: &str, over: &str| {
            merge(&document(base), &document(over)).unwrap_err().to_string()
        };
        insta::assert_snapshot!(conflict("agents:\n  list:\n    - a\n", "agents: {list: {a: 1}}"), @"`agents.list` is a mapping (line 1, column 16) over a list (line 3, column 5)");
        insta::assert_snapshot!(conflict("a.b: {x: 1}", "a.b: 5"), @r#"`"a.b"` is a single value (line 1, column 6) over a mapping (line 1, column 6)"#);
        assert_eq!(merged("a:\n", "a: {b: 1}"), "a:\n  b: 1\n");
    }

    proptest::proptest! {
        #[test]
        fn merging_a_document_into_nothing_or_itself_gives_it(text in super::super::emit::arbitrary::yaml()) {
            let one = Document { root: without_nulls(&document(&text).root) };
            if one.root.kind() == Kind::Mapping {
                let same = merge(&one, &one).unwrap();
                proptest::prop_assert!(same.root.means_the_same(&one.root));
                let from_nothing = merge(&document("{}"), &one).unwrap();
                proptest::prop_assert!(from_nothing.root.means_the_same(&one.root));
            }
        }
    }
}
