use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};
use serde_json::{Value, json};

use super::{Operation, codes, document};
use crate::api::served;
use crate::support::Repo;
use crate::support::api::{Answer, Api};

/// Requests that are tried.
const CASES: u32 = 1000;

/// A request that the document does not allow.
#[derive(Clone, Debug)]
struct Wrong {
    method: String,
    path: String,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    /// Whether no token is shown.
    nobody: bool,
}

/// What chance says.
#[derive(Clone, Debug)]
struct Chance {
    operation: usize,
    way: usize,
    which: usize,
    odd: String,
    number: i64,
}

fn chance() -> impl Strategy<Value = Chance> {
    let odd = prop_oneof![
        "[ -~]{0,40}",
        "\\PC{0,20}",
        "[\\x00-\\x1f\\x7f]{1,8}",
        "[a-z]{1,3}".prop_map(|text| text.repeat(2000)),
        Just("../../../etc/passwd".to_owned()),
        Just("\u{202e}\u{0}\u{feff}".to_owned()),
    ];
    (any::<usize>(), any::<usize>(), any::<usize>(), odd, any::<i64>()).prop_map(
        |(operation, way, which, odd, number)| Chance { operation, way, which, odd, number },
    )
}

/// In a path or a query: everything but letters and digits by its number.
fn encoded(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}

/// Names that are no profile and no number, as they stand in a path.
fn bad_ids(chance: &Chance) -> Vec<String> {
    let fixed = [
        "..",
        ".",
        "%2e%2e",
        "%2E%2E%2F%2e%2e",
        "%00",
        "a%00b",
        "a%2Fb",
        "%ff%fe",
        "-1",
        "1e9",
        "0x10",
        "%20",
        "nul%0a",
        "99999999999999999999999",
        "%F0%9F%92%A9",
        "..%5c..",
        "%252e%252e",
        "~",
        "con%3a",
        "..;",
        "1%2b1",
    ];
    let mut ids: Vec<String> = fixed.iter().map(ToString::to_string).collect();
    ids.push("x".repeat(5000));
    ids.push(encoded(&format!("~{}", chance.odd)));
    ids
}

/// Values that are not of a parameter's type.
fn bad_values(schema: &Value, odd: &str) -> Vec<String> {
    let texts: &[&str] = match (&schema["type"], &schema["format"], &schema["pattern"]) {
        (Value::String(kind), _, _) if kind == "integer" => &[
            "",
            "abc",
            "-1",
            "1.5",
            "1e3",
            "0x1",
            "99999999999999999999999",
            "%00",
            "1%20",
            "null",
        ],
        (Value::String(kind), _, _) if kind == "boolean" => {
            &["", "yes", "2", "TRUE", "null", "%00"]
        }
        (_, Value::String(_), _) => {
            &["", "yesterday", "2026-13-01T00:00:00Z", "2026-01-01", "0", "%00", "9999999999"]
        }
        (_, _, Value::String(_)) => {
            &["", "soon", "-1", "1h", "1.5", "%00", "999999999999999999999s"]
        }
        _ => return Vec::new(),
    };
    let mut values: Vec<String> = texts.iter().map(ToString::to_string).collect();
    values.push(encoded(&format!("~{odd}")));
    values
}

/// A value of a type that a schema does not have.
fn of_another_type(schema: &Value, number: i64, odd: &str) -> Option<String> {
    let types: Vec<&str> = match &schema["type"] {
        Value::String(kind) => vec![kind],
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => return None,
    };
    let has = |kind: &str| types.contains(&kind);
    let (list, text) = (json!([number, odd]).to_string(), json!(odd).to_string());
    let numbers =
        ["-1", "1.5", "1e400", "99999999999999999999999999", "-99999999999999999999999999"];
    if has("integer") {
        let at = number.unsigned_abs() as usize % (numbers.len() + 2);
        return Some(numbers.get(at).map_or(text, ToString::to_string));
    }
    let others = [
        (!has("boolean"), "true".to_owned()),
        (true, number.to_string()),
        (!has("array"), list),
        (!has("object"), format!("{{{text}: 1}}")),
        (!has("string"), text),
    ];
    let mut others: Vec<String> =
        others.into_iter().filter(|(fits, _)| *fits).map(|(_, value)| value).collect();
    let at = number.unsigned_abs() as usize % others.len();
    Some(others.swap_remove(at))
}

const NOT_JSON: [&str; 9] = [
    "text/html",
    "application/xml",
    "",
    "multipart/form-data; boundary=x",
    "json",
    "application/octet-stream",
    "application/x-www-form-urlencoded",
    "image/png",
    "application/jso",
];

/// Bodies that are no object in JSON.
fn bad_bodies(odd: &str) -> Vec<Vec<u8>> {
    let mut bodies: Vec<Vec<u8>> = [
        "[]",
        "[[]]",
        "\"text\"",
        "5",
        "true",
        "{",
        "{\"a\":",
        "nope",
        "{}}",
        "{\"reason\": \"\u{1}\"}",
        "{'reason': 1}",
        "{\"reason\": 1,}",
        "// {}",
        "{\"reason\": \"\\ud800\"}",
        " ",
        "\u{feff}{}",
        "NaN",
    ]
    .iter()
    .map(|text| text.as_bytes().to_vec())
    .collect();
    bodies.push(b"{\"reason\": \"\xff\xfe\"}".to_vec());
    bodies.push("[".repeat(100_000).into_bytes());
    bodies.push("{\"a\":".repeat(10_000).into_bytes());
    bodies.push(format!("~{odd}").into_bytes());
    bodies
}

/// A request that is wrong for certain, in one way of those that an operation can be asked wrongly.
fn wrong(operation: &Operation, document: &Value, chance: &Chance) -> Wrong {
    let is_open = operation.described["security"] == json!([]);
    let at = |path: &str| {
        path.replace("{id}", if path.starts_with("/api/profiles") { "dev" } else { "1" })
    };
    let mut right = Wrong {
        method: operation.method.clone(),
        path: at(&operation.path),
        headers: Vec::new(),
        body: Vec::new(),
        nobody: is_open,
    };
    if operation.parameters("header").iter().any(|(name, _)| name == "If-Match") {
        right.headers.push(("if-match", "*".to_owned()));
    }
    let pick = |list: &[String]| list[chance.which % list.len()].clone();
    let mut ways: Vec<Wrong> = Vec::new();
    // No such method, no such path, nobody.
    ways.push(Wrong { method: "PATCH".to_owned(), ..right.clone() });
    let nowhere = format!("/api/{}", encoded(&format!("~{}", chance.odd)));
    ways.push(Wrong { path: nowhere, ..right.clone() });
    if !is_open {
        let mut strange = right.clone();
        strange.nobody = true;
        if chance.which.is_multiple_of(2) {
            strange.headers.push(("authorization", "Basic YTpi".to_owned()));
        }
        ways.push(strange);
    }
    if operation.path.contains("{id}") {
        let id = pick(&bad_ids(chance));
        ways.push(Wrong { path: operation.path.replace("{id}", &id), ..right.clone() });
    }
    let asked = operation.parameters("query");
    if !asked.is_empty() {
        // One that is mistyped would otherwise be as if it was not there.
        ways.push(Wrong { path: format!("{}?nobody_knows=1", right.path), ..right.clone() });
    }
    let typed: Vec<_> = asked.iter().filter(|(_, s)| !bad_values(s, "").is_empty()).collect();
    if !typed.is_empty() {
        let (name, schema) = typed[chance.way % typed.len()];
        let value = pick(&bad_values(schema, &chance.odd));
        ways.push(Wrong { path: format!("{}?{name}={value}", right.path), ..right.clone() });
        ways.push(Wrong { path: format!("{}?{name}=1&{name}=1", right.path), ..right.clone() });
    }
    if let Some(schema) = operation.body(document) {
        let json = |body: Vec<u8>| {
            let mut wrong = Wrong { body, ..right.clone() };
            wrong.headers.push(("content-type", "application/json".to_owned()));
            wrong
        };
        let bodies = bad_bodies(&chance.odd);
        ways.push(json(bodies[chance.which % bodies.len()].clone()));
        let unknown = format!("~{}", chance.odd);
        ways.push(json(json!({unknown: chance.number}).to_string().into_bytes()));
        let fields = schema["properties"].as_object().expect("fields");
        let (name, field) = fields.iter().nth(chance.which % fields.len()).expect("a field");
        if let Some(value) = of_another_type(field, chance.number, &chance.odd) {
            ways.push(json(format!("{{\"{name}\": {value}}}").into_bytes()));
        }
        let mut kind = Wrong { body: b"{}".to_vec(), ..right.clone() };
        kind.headers.push(("content-type", NOT_JSON[chance.which % NOT_JSON.len()].to_owned()));
        ways.push(kind);
    }
    ways.swap_remove(chance.way % ways.len())
}

fn send(api: &Api, wrong: &Wrong) -> Answer {
    let headers: Vec<(&str, &str)> =
        wrong.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let api = if wrong.nobody { api.nobody() } else { api.clone() };
    api.send(&wrong.method, &wrong.path, &headers, &wrong.body)
}

fn judge(
    answer: &Answer,
    operation: &Operation,
    document: &Value,
    codes: &[String],
) -> Result<(), String> {
    if !(400..500).contains(&answer.status) {
        return Err("it is not refused".to_owned());
    }
    if answer.header("content-type") != Some("application/problem+json") {
        return Err("it is no problem of RFC 9457".to_owned());
    }
    let code = answer.json()["code"].as_str().unwrap_or_default().to_owned();
    if !codes.contains(&code) {
        return Err(format!("docs/api.md does not tell of `{code}`"));
    }
    // Another method, or a path that is none, is described nowhere.
    if ["method_not_allowed", "not_found"].contains(&code.as_str()) {
        return Ok(());
    }
    operation.judge(document, answer)
}

#[test]
fn every_operation_refuses_what_the_document_does_not_allow() {
    let repo = Repo::new();
    let first = repo.commit(&[("profiles/dev.yaml", "a: 1\n")]);
    let (_agent, mut serve, api) = served(&repo, "");
    let (document, codes) = (document(&api), codes());
    let operations = Operation::all(&document);
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let ran = runner.run(&chance(), |chance| {
        let operation = &operations[chance.operation % operations.len()];
        let wrong = wrong(operation, &document, &chance);
        let answer = send(&api, &wrong);
        judge(&answer, operation, &document, &codes).map_err(|why| {
            let shown = format!("{answer:?}").chars().take(600).collect::<String>();
            TestCaseError::fail(format!("{}: {why}\n{wrong:?}\n{shown}", operation.id))
        })
    });
    if let Err(TestError::Fail(why, chance)) = ran {
        panic!("{why}\n{chance:?}");
    }
    ran.expect("the cases are made");
    // Nothing of it was done, and it goes on.
    let status = api.get("/api/config/status").json();
    assert_eq!((&status["state"], &status["live"]["revision"]), (&json!("in_sync"), &json!(first)));
    assert_eq!(api.get("/api/config/history").json()["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(repo.tip("main"), first, "nothing was written");
    assert!(serve.is_running());
    assert!(!serve.stderr().contains("panicked"), "{}", serve.stderr());
}
