use proptest::prelude::*;

use super::super::{Format, parse};
use super::*;
use crate::model::Limits;

fn document(text: &str) -> Document {
    let mut documents = parse(text.as_bytes(), Format::Yaml, &Limits::default())
        .unwrap_or_else(|findings| panic!("{text}\n{findings:#?}"));
    assert_eq!(documents.len(), 1, "{text:?}");
    documents.remove(0)
}

fn again(text: &str) -> String {
    emit(&document(text))
}

#[test]
fn text_and_quotes_are_kept() {
    let text = "\
plain: 1.10
empty:
single: 'it''s # one'
double: \"a\\tb\"
'quoted key': no
literal: |
  a
    b
  c
keep: |+
  a

strip: |-
  a
indented: |2
    a
  b
folded: >
  one long line

  and another
list:
  - a
  - - nested
    - !tag x
  - key: value
    other: {}
  - []
  - |
    text
tagged: !set
  a: 1
? - complex
  - key
: value
";
    assert_eq!(again(text), text);
}

#[test]
fn what_block_style_cannot_hold_is_quoted() {
    for (text, expected) in [
        ("a: b\n  c\n\n  d\n", "a: \"b c\\nd\"\n"),
        ("---\n", "---\n"),
        ("--- |\n  x\n", "--- |\n  x\n"),
        ("{}", "{}\n"),
        ("[]", "[]\n"),
        ("!x {}", "--- !x {}\n"),
        ("!x [1]", "--- !x\n  - 1\n"),
        ("? |\n  a\n: 1\n", "\"a\\n\": 1\n"),
        ("{a: [b, {c: d}], e: }", "a:\n  - b\n  - c: d\ne:\n"),
        ("{\"a\": \"b\"}", "\"a\": \"b\"\n"),
        ("? \n: 1", "?\n: 1\n"),
        ("a: !!str\n", "a: !!str\n"),
        ("%TAG !e! tag:e.org,2000:\n---\na: !e!x y\n", "a: !<tag:e.org,2000:x> y\n"),
    ] {
        assert_eq!(again(text), expected, "{text}");
        assert!(document(expected).root.means_the_same(&document(text).root), "{text}");
    }
}

#[test]
fn long_keys_are_written_in_a_way_that_can_be_read() {
    let text = format!("? '{}'\n: 1\n", "k".repeat(1100));
    assert_eq!(again(&text), text);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn what_is_written_parses_to_the_same_tree(text in arbitrary::yaml()) {
        let one = document(&text);
        let written = emit(&one);
        let other = document(&written);
        prop_assert!(one.root.means_the_same(&other.root), "{text}\n=>\n{written}");
        prop_assert_eq!(&written, &emit(&other));
    }

    #[test]
    fn whatever_parses_can_be_written(text in "[-a1:\\[\\]{}\"'&*!|>#, \t\n?é\\\\~]{0,30}") {
        if let Ok(documents) = parse(text.as_bytes(), Format::Yaml, &Limits::default()) {
            for one in documents {
                let written = emit(&one);
                let other = document(&written);
                prop_assert!(one.root.means_the_same(&other.root), "{text:?}\n=>\n{written}");
            }
        }
    }
}

proptest! {
    #[test]
    fn texts_of_json_stay_texts_when_they_lose_the_quotes_that_say_nothing(
        text in prop_oneof!["\\PC{0,12}", "[a-z:# ,\\-?&*!|>%@`'\"{}\\[\\]\n\t~=.0-9]{0,8}", "(off|yes|null|1e3|0x1f|2001-01-01|a: b|c:|<<)"]
    ) {
        let json = serde_json::json!({ text.as_str(): [text.as_str()], "v": text.as_str() }).to_string();
        let limits = Limits::default();
        let read = parse(json.as_bytes(), Format::Json, &limits).unwrap().remove(0);
        let written = emit(&Document { root: read.root.clone().unquoted() });
        let again = parse(written.as_bytes(), Format::Yaml, &limits).unwrap().remove(0);
        prop_assert!(again.root.means_the_same(&read.root), "{written}");
    }
}
