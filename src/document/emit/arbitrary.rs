//! YAML texts that parse, in all styles, for property tests.

use proptest::prelude::*;

fn plain() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z][a-z0-9_./-]{0,8}( [a-z0-9:#]{1,4}[a-z])?",
        "-?[0-9]{1,4}(\\.[0-9]{1,3})?",
        Just("~".to_owned()),
        Just("no".to_owned()),
        Just("!!str 1".to_owned()),
        Just("!own x".to_owned()),
        Just("\"\"".to_owned()),
    ]
}

fn quoted() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -~é\t]{0,12}".prop_map(|t| format!("'{}'", t.replace('\'', "''"))),
        "([ !#-\\[\\]-~é]|\\\\n|\\\\t|\\\\\"|\\\\\\\\|\\\\0|\\\\u2028|\\\\x85){0,12}"
            .prop_map(|t| format!("\"{t}\"")),
    ]
}

fn scalar() -> BoxedStrategy<String> {
    prop_oneof![plain(), quoted()].boxed()
}

/// Literal and folded texts, in column `indent`.
fn block(indent: usize) -> impl Strategy<Value = String> {
    let pad = " ".repeat(indent + 1);
    ("[|>]", "[-+]?", prop::collection::vec("[ ]{0,2}([a-z#:'\"\t-]{1,6})?", 1..5)).prop_map(
        move |(sign, chomp, lines)| {
            let lines: String = lines.iter().map(|line| format!("\n{pad}{line}")).collect();
            format!("{sign}1{chomp}{lines}")
        },
    )
}

fn flow() -> BoxedStrategy<String> {
    let simple = prop_oneof![quoted(), "[a-z]{1,5}"];
    simple
        .prop_recursive(3, 12, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4)
                    .prop_map(|i| format!("[{}]", i.join(", "))),
                prop::collection::vec(inner, 0..4).prop_map(|items| {
                    let pairs: Vec<_> =
                        items.iter().enumerate().map(|(n, i)| format!("k{n}: {i}")).collect();
                    format!("{{{}}}", pairs.join(", "))
                }),
            ]
        })
        .boxed()
}

/// What follows `key:` or `-`, its parent in column `indent`.
fn value(indent: usize, depth: usize) -> BoxedStrategy<String> {
    let leaf = prop_oneof![
        4 => scalar().prop_map(|s| format!(" {s}\n")),
        1 => block(indent).prop_map(|s| format!(" {s}\n")),
        1 => flow().prop_map(|s| format!(" {s}\n")),
        1 => Just("\n".to_owned()),
    ];
    if depth == 0 {
        return leaf.boxed();
    }
    prop_oneof![
        2 => leaf,
        2 => mapping(indent + 2, depth - 1).prop_map(|m| format!("\n{m}")),
        1 => mapping(indent + 2, depth - 1).prop_map(|m| format!(" !tagged\n{m}")),
        1 => list(indent + 2, depth - 1).prop_map(|l| format!("\n{l}")),
    ]
    .boxed()
}

fn mapping(indent: usize, depth: usize) -> BoxedStrategy<String> {
    let pad = " ".repeat(indent);
    let key = prop_oneof![
        4 => (0..1000_u32).prop_map(|n| format!("k{n}:")),
        1 => (0..1000_u32).prop_map(|n| format!("'q {n}: #':")),
        1 => (0..1000_u32).prop_map(move |n| format!("? [c{n}]\n{}:", " ".repeat(indent))),
    ];
    prop::collection::vec((key, value(indent, depth)), 1..4)
        .prop_map(move |pairs| {
            let mut seen = std::collections::HashSet::new();
            pairs
                .into_iter()
                .filter(|(key, _)| seen.insert(key.clone()))
                .map(|(key, value)| format!("{pad}{key}{value}"))
                .collect()
        })
        .boxed()
}

fn list(indent: usize, depth: usize) -> BoxedStrategy<String> {
    let pad = " ".repeat(indent);
    prop::collection::vec(value(indent, depth), 1..4)
        .prop_map(move |items| items.into_iter().map(|item| format!("{pad}-{item}")).collect())
        .boxed()
}

/// A text of one document.
pub(in crate::document) fn yaml() -> BoxedStrategy<String> {
    prop_oneof![
        6 => mapping(0, 3),
        2 => list(0, 3),
        1 => value(0, 0).prop_map(|v| format!("---{v}")),
    ]
    .boxed()
}
