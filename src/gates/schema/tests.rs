use super::*;
use crate::gates::tests::told;

const SCHEMA: &str = "\
type: object
required: [name]
additionalProperties: false
properties:
  name: {type: string, minLength: 1, description: a service is found by it}
  sync_interval: {title: a duration such as 30s, type: string, pattern: '^[0-9]+s$'}
  port: {type: integer, minimum: 1, maximum: 65535}
  level: {enum: [debug, info, warn]}
  tags: {type: array, items: {type: string}, uniqueItems: true, maxItems: 3}
  api_token: {type: string, minLength: 20}
  size: {anyOf: [{type: integer}, {type: object, required: [min], properties: {min: {type: integer}}}]}
  labels: {type: object, propertyNames: {pattern: '^[a-z]+$'}, additionalProperties: {type: string}}
  address: {format: ipv4}
";

fn schema(text: &str) -> Schema {
    Schema::compile(text.as_bytes(), "s.yaml").unwrap_or_else(|found| panic!("{}", told(&found)))
}

fn said_by(schema: &Schema, text: &str) -> String {
    let masker = crate::document::Masker::new(&[], &[]).unwrap();
    let path = TreePath::parse("a.yaml").unwrap();
    let documents = document::parse(text.as_bytes(), Format::Yaml, &Limits::default()).unwrap();
    let context = Context::new(&path, Some(&masker));
    let mut found = crate::model::Findings::default();
    documents.iter().for_each(|document| {
        found.extend(schema.check(document, &context).into_iter().map(|f| f.in_file("a.yaml")));
    });
    told(&found.into_sorted())
}

#[test]
fn each_mistake_is_told_with_its_place_what_was_expected_and_advice() {
    let schema = schema(SCHEMA);
    let mut page = String::new();
    for text in [
        "name: x\nsync_intervall: 30s\n",
        "port: 80\n",
        "name: ''\n",
        "name: x\nsync_interval: 30\n",
        "name: x\nsync_interval: 5m\n",
        "name: 7\n",
        "name: x\nport: eighty\n",
        "name: x\nport: 0x1ffff\n",
        "name: x\nlevel: dbug\n",
        "name: x\ntags: [a, b, a]\n",
        "name: x\ntags: [a, b, c, d]\n",
        "name: x\napi_token: hunter2\n",
        "name: x\nsize: large\n",
        "name: x\nsize: {max: 1}\n",
        "name: x\nlabels: {Ring: a, ring: [b]}\n",
        "name: x\naddress: 1.2.3\n",
        "- name: x\n",
        "name: x\n---\nnam: y\n",
    ] {
        page.push_str(&format!("{text}{}\n", said_by(&schema, text)));
    }
    insta::assert_snapshot!(page);
}

#[test]
fn a_schema_that_is_broken_is_told_with_its_place() {
    let mut page = String::new();
    for text in [
        "type: objekt\n",
        "properties:\n  a: {type: [string, 7]}\n",
        "properties:\n  a: {pattern: '('}\n",
        "properties:\n  a: {pattern: '(?=x)'}\n",
        "properties:\n  a: {$ref: '#/$defs/b'}\n",
        "properties:\n  a: {$ref: 'https://example.com/schema.json'}\n",
        "properties:\n  a: {$ref: 'file:///etc/passwd'}\n",
        "properties:\n  a: {$ref: other.yaml}\n",
        "minimum: a\nrequired: b\n",
        "a: [1\n",
        "type: object\n---\ntype: object\n",
        "",
        "- a\n",
        "$schema: https://example.com/mine\n",
    ] {
        let found = Schema::compile(text.as_bytes(), "s.yaml").err().unwrap_or_default();
        assert!(!found.is_empty(), "{text}");
        page.push_str(&format!("{text}{}\n", told(&found)));
    }
    insta::assert_snapshot!(page);
}

#[test]
fn a_schema_that_refers_to_itself_ends() {
    for text in [
        "$ref: '#'\n",
        "properties: {a: {$ref: '#'}}\n",
        "$defs: {a: {$ref: '#/$defs/b'}, b: {$ref: '#/$defs/a'}}\n$ref: '#/$defs/a'\n",
        "allOf: [{$ref: '#'}]\n",
    ] {
        if let Ok(schema) = Schema::compile(text.as_bytes(), "s.yaml") {
            assert_eq!(said_by(&schema, "a: {a: {a: 1}}\n"), "", "{text}");
        }
    }
}

#[test]
fn what_sops_encrypted_is_not_held_against_a_schema() {
    let schema = schema(SCHEMA);
    let text = "name: x\nport: ENC[AES256_GCM,data:a,type:int]\nlevel: x\nsops:\n  mac: ENC[AES256_GCM,data:b]\n";
    let said = said_by(&schema, text);
    assert!(
        said.contains("`level`") && !said.contains("`port`") && !said.contains("sops"),
        "{said}"
    );
}

#[test]
fn scalars_are_what_yaml_1_2_says() {
    for (text, json) in [
        ("~", "null"),
        ("Null", "null"),
        ("True", "true"),
        ("no", "\"no\""),
        ("010", "10"),
        ("0o17", "15"),
        ("0xfF", "255"),
        ("0x", "\"0x\""),
        ("+1", "1"),
        ("-1", "-1"),
        ("1_000", "\"1_000\""),
        ("1.10", "1.1"),
        (".5", "0.5"),
        ("1.", "1.0"),
        ("1e3", "1000.0"),
        ("e3", "\"e3\""),
        (".", "\".\""),
        (".inf", "\".inf\""),
        ("2024-01-01", "\"2024-01-01\""),
        ("18446744073709551615", "18446744073709551615"),
        ("18446744073709551616", "1.8446744073709552e+19"),
        ("'1'", "\"1\""),
        ("!!str 1", "\"1\""),
        ("!!int \"1\"", "1"),
        ("!own 1", "\"1\""),
    ] {
        let documents =
            document::parse(format!("- {text}\n").as_bytes(), Format::Yaml, &Limits::default());
        let value = json_of(&documents.unwrap()[0]);
        assert_eq!(value, format!("[{json}]"), "{text}");
    }
}

fn json_of(document: &Document) -> String {
    instance::of(document).to_string()
}

/// A schema of parts that each refer to the next one twice.
fn doubling(keyword: &str, parts: usize) -> String {
    let mut text = String::from("$ref: '#/$defs/a0'\n$defs:\n");
    for n in 1..=parts {
        let next = format!("{{$ref: '#/$defs/a{n}'}}");
        text.push_str(&format!("  a{}: {{{keyword}: [{next}, {next}]}}\n", n - 1));
    }
    text + &format!("  a{parts}: {{type: string}}\n")
}

#[test]
fn a_schema_whose_time_would_double_without_end_is_told_at_once() {
    for keyword in ["allOf", "anyOf", "oneOf"] {
        let said = said_by(&schema(&doubling(keyword, 60)), "a: 1\n");
        assert!(said.starts_with("a.yaml:1:1: error: the schema s.yaml takes too many"), "{said}");
        assert!(!said_by(&schema(&doubling(keyword, 6)), "a: 1\n").contains("too many"));
    }
    let by_depth = "properties: {a: {allOf: [{$ref: '#'}, {$ref: '#'}]}}\n";
    let deep = "{a: ".repeat(60) + "1" + &"}".repeat(60) + "\n";
    let said = said_by(&schema(by_depth), &deep);
    assert!(said.contains("takes too many steps"), "{said}");
    let once = "properties: {a: {$ref: '#'}}\n$anchor: top\nitems: {$ref: '#top'}\n";
    assert_eq!(said_by(&schema(once), &deep), "");
    let chain: String =
        (0..5000).map(|n| format!("  a{n}: {{$ref: '#/$defs/a{}'}}\n", n + 1)).collect();
    let text = format!("$ref: '#/$defs/a0'\n$defs:\n{chain}  a5000: true\n");
    if let Ok(schema) = Schema::compile(text.as_bytes(), "s.yaml") {
        assert!(said_by(&schema, "1\n").contains("takes too many steps"));
    }
}

#[test]
fn a_large_document_is_not_taken_for_a_hostile_schema() {
    let text = "type: array\nitems: {$ref: '#/$defs/item'}\n$defs: {item: {type: object, properties: {a: {$ref: '#/$defs/n'}}}, n: {type: integer}}\n";
    let documents = "- {a: 1}\n".repeat(100_000);
    assert_eq!(said_by(&schema(text), &documents), "");
}
