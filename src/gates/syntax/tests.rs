use super::*;
use crate::model::Limits;

fn check_named(name: &str, bytes: &[u8]) -> Vec<Finding> {
    let Some(format) = Format::of_path(name) else { return Vec::new() };
    let documents = crate::document::parse(bytes, format, &Limits::default());
    judge(format, &documents).into_iter().map(|finding| finding.in_file(name)).collect()
}

fn told(name: &str, text: &str) -> String {
    let findings = check_named(name, text.as_bytes());
    if findings.is_empty() {
        return "nothing\n".to_owned();
    }
    findings
        .iter()
        .map(|f| format!("{f}\n    {}\n", f.hint.as_deref().unwrap_or("no hint")))
        .collect()
}

/// Each mistake with what is said about it, as a page to be read.
fn gallery(name: &str, mistakes: &[(&str, &str)]) -> String {
    let mut page = String::new();
    for (title, text) in mistakes {
        page.push_str(&format!("## {title}\n{}\n{}\n", visible(text), told(name, text)));
    }
    page
}

fn visible(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { '␣' } else { c }).collect()
}

#[test]
fn usual_mistakes_in_yaml_get_a_place_and_advice() {
    let page = gallery(
        "a.yaml",
        &[
            ("tab indentation", "agents:\n\tinterval: 30s\n"),
            ("tab deeper", "a:\n  b:\n  \tc: 1\n"),
            ("no colon", "agents:\n  interval 30s\n  retries: 3\n"),
            ("no space behind the colon", "agents:\n  interval:30s\n  retries: 3\n"),
            ("no space, alone", "a: 1\nb:2\n"),
            ("unclosed double quote", "name: \"kos\nport: 80\n"),
            ("unclosed single quote", "name: 'kos\nport: 80\nlist:\n  - 1\n"),
            ("apostrophe in single quotes", "text: 'it's'\n"),
            ("text behind quotes", "text: \"a\" b\n"),
            ("bad escape", "path: \"C:\\Users\"\n"),
            ("indented too deep", "a: 1\n  b: 2\n"),
            ("indented too little", "a:\n    b: 1\n  c: 2\n"),
            ("second key on a line", "a: b: c\n"),
            ("colon in a text", "note: remember: this\n"),
            ("unclosed list", "list: [1, 2\nnext: 3\n"),
            ("unclosed mapping", "map: {a: 1, b: 2\n"),
            ("wrong bracket", "list: [1, 2}\n"),
            ("missing comma", "list: [\"a\" \"b\"]\n"),
            ("stray bracket", "a: 1\n]\n"),
            ("unknown alias", "a: *base\n"),
            ("star text", "glob: *.yaml\n"),
            ("at sign", "user: @admin\n"),
            ("backtick", "cmd: `date`\n"),
            ("percent", "share: %50\n"),
            ("item and key mixed", "a: 1\n- b\n"),
            ("key in a list", "list:\n  - a\n  b: 1\n"),
            ("text behind a block sign", "text: | hello\n"),
            ("undeclared tag", "a: !e!x 1\n"),
            ("template", "port: {{ port }}\nname: {{name}}-x\n"),
            ("merge conflict", "a: 1\n<<<<<<< HEAD\nb: 2\n=======\nb: 3\n>>>>>>> topic\n"),
            ("duplicate key", "a: 1\nb:\n  c: 1\n  \"c\": 2\na: 2\n"),
            ("recursive alias", "a: &a [1, *a]\n"),
            ("control character", "a: 1\nb: \u{1}\n"),
            ("NUL hides nothing", "a: 1\n\0b: 2\n"),
            (
                "large numbers",
                "a: 18446744073709551616\nb: 18446744073709551615\nc: '18446744073709551616'\nd: -9223372036854775809\ne: 0xffffffffffffffffff\n",
            ),
        ],
    );
    insta::assert_snapshot!(page);
}

#[test]
fn usual_mistakes_in_json_get_a_place_and_advice() {
    let page = gallery(
        "a.json",
        &[
            ("empty", ""),
            ("trailing comma", "{\n  \"a\": 1,\n}\n"),
            ("trailing comma in a list", "[1, 2, ]"),
            ("missing comma", "{\n  \"a\": 1\n  \"b\": 2\n}\n"),
            ("comment", "{\n  // note\n  \"a\": 1\n}\n"),
            ("single quotes", "{'a': 1}"),
            ("unquoted key", "{a: 1}"),
            ("missing colon", "{\"a\" 1}"),
            ("missing value", "{\"a\": }"),
            ("unclosed string", "{\"ä\": \"b\n}\n"),
            ("unclosed object", "{\"a\": {\"b\": 1}"),
            ("unclosed string at the end", "\"abc"),
            ("tab in a string", "{\"a\": \"b\tc\"}"),
            ("bad escape", "{\"a\": \"C:\\dir\"}"),
            ("half a surrogate", "[\"\\ud800\"]"),
            ("leading zero", "[007]"),
            ("bare fraction", "[.5]"),
            ("plus", "[+5]"),
            ("python", "{\"a\": True, \"b\": None}"),
            ("not a number", "[NaN]"),
            ("two documents", "{}\n{}\n"),
            ("duplicate key", "{\"a\": 1, \"\\u0061\": 2}"),
            ("large number", "[18446744073709551616, 1e400]"),
        ],
    );
    insta::assert_snapshot!(page);
}

#[test]
fn good_files_and_other_files_are_not_told_of() {
    for (name, text) in [
        ("a.yaml", ""),
        ("a.yaml", "# only a comment\n"),
        ("a.yaml", "base: &b {a: 1}\nuse:\n  <<: *b\n  c: 2\n---\nsecond: !custom [1, 2]\n...\n"),
        ("a.yml", "a: 'x'\r\nb: |\r\n  text\r\n"),
        ("a.json", "{\"a\": [1, -0.5e+3, true, null, \"\\u00e9\\ud83d\\ude00\"]}\n"),
        ("a.txt", "{{{"),
    ] {
        assert_eq!(check_named(name, text.as_bytes()), [], "{text:?}");
    }
}

#[test]
fn an_alias_bomb_is_refused_without_being_expanded() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for n in 1..30 {
        let below = format!("*a{}", n - 1);
        bomb.push_str(&format!("a{n}: &a{n} [{}]\n", vec![below; 10].join(", ")));
    }
    insta::assert_snapshot!(told("a.yaml", &bomb));
}

#[test]
fn long_texts_cannot_be_multiplied_by_aliases() {
    let text = format!("a: &a {}\nb: [{}]\n", "x".repeat(100_000), vec!["*a"; 1000].join(", "));
    let findings = check_named("a.yaml", text.as_bytes());
    assert_eq!((findings.len(), &*findings[0].rule), (1, "yaml.aliases"));
}

#[test]
fn depth_and_documents_are_limited() {
    let nested = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
    let block = |n: usize| (0..n).map(|i| format!("{}a:\n", " ".repeat(i))).collect::<String>();
    let rule =
        |name: &str, text: &str| check_named(name, text.as_bytes()).first().map(|f| f.rule.clone());
    for name in ["a.yaml", "a.json"] {
        assert_eq!(rule(name, &nested(64)), None);
        assert_eq!(rule(name, &nested(65)).unwrap(), format!("{}.depth", &name[2..]));
        assert_eq!(rule(name, &nested(1_000_000)).unwrap(), format!("{}.depth", &name[2..]));
    }
    assert_eq!(rule("a.yaml", &block(64)), None);
    assert_eq!(rule("a.yaml", &block(65)).unwrap(), "yaml.depth");
    let deep_alias = format!("- &a {}\n- {}*a{}\n", nested(40), "[".repeat(40), "]".repeat(40));
    assert_eq!(rule("a.yaml", &deep_alias).unwrap(), "yaml.depth");
    assert_eq!(rule("a.yaml", &"--- 1\n".repeat(1000)), None);
    assert_eq!(rule("a.yaml", &"--- 1\n".repeat(1001)).unwrap(), "yaml.documents");
}

#[test]
fn places_count_characters_not_bytes() {
    let findings = check_named("a.yaml", "ключ: [ä, \"x\" \"y\"]\n".as_bytes());
    assert_eq!((findings[0].line, findings[0].column), (Some(1), Some(15)));
    let findings = check_named("a.json", "{\"ключ\": ['x']}".as_bytes());
    assert_eq!((findings[0].line, findings[0].column), (Some(1), Some(11)));
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_the_gate_fail(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
        check_named("a.yaml", &bytes);
        check_named("a.json", &bytes);
    }

    #[test]
    fn no_mix_of_signs_makes_the_gate_fail(text in "[-a:\\[\\]{}\"'&*!|>#%, \t\n?é\\\\]{0,60}") {
        check_named("a.yaml", text.as_bytes());
        check_named("a.json", text.as_bytes());
    }
}
