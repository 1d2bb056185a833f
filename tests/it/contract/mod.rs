//! The document at `/openapi.json`, driven against the running service: what it says is answered, and
//! what it does not allow is refused.

mod refused;
mod valid;

use serde_json::{Value, json};

use crate::support::api::{Answer, Api};

/// One operation of the document.
#[derive(Clone, Debug)]
struct Operation {
    id: String,
    method: String,
    path: String,
    described: Value,
}

impl Operation {
    fn all(document: &Value) -> Vec<Self> {
        let paths = document["paths"].as_object().expect("paths");
        let each = |(path, methods): (&String, &Value)| {
            let methods = methods.as_object().expect("methods").clone();
            methods
                .into_iter()
                .map(|(method, described)| Self {
                    id: described["operationId"].as_str().expect("a name").to_owned(),
                    method: method.to_uppercase(),
                    path: path.clone(),
                    described,
                })
                .collect::<Vec<_>>()
        };
        paths.iter().flat_map(each).collect()
    }

    fn parameters(&self, place: &str) -> Vec<(String, Value)> {
        let all = self.described["parameters"].as_array().into_iter().flatten();
        let here = all.filter(|parameter| parameter["in"] == place);
        here.map(|p| (p["name"].as_str().unwrap_or_default().to_owned(), p["schema"].clone()))
            .collect()
    }

    /// The schema of its body in JSON, with what it refers to in its place.
    fn body(&self, document: &Value) -> Option<Value> {
        let schema = &self.described["requestBody"]["content"]["application/json"]["schema"];
        let name = schema["$ref"].as_str()?.strip_prefix("#/components/schemas/")?;
        Some(document["components"]["schemas"][name].clone())
    }

    /// What is wrong with an answer, by the document.
    fn judge(&self, document: &Value, answer: &Answer) -> Result<(), String> {
        let status = answer.status.to_string();
        let answers = &self.described["responses"];
        let mut told = match &answers[&status] {
            Value::Null => &answers["default"],
            told => told,
        };
        if let Some(name) = told["$ref"].as_str() {
            let name = name.strip_prefix("#/components/responses/").ok_or("a strange reference")?;
            told = &document["components"]["responses"][name];
        }
        if told.is_null() {
            return Err(format!("{status} is not described"));
        }
        let Some(content) = told["content"].as_object() else {
            let is_empty = answer.text.is_empty();
            return is_empty.then_some(()).ok_or_else(|| "a body that is not described".to_owned());
        };
        let kind = answer.header("content-type").unwrap_or_default();
        let same = |one: &str| one.split(';').next().map(str::trim) == kind.split(';').next();
        let (_, told) = content
            .iter()
            .find(|(one, _)| same(one))
            .ok_or_else(|| format!("{kind:?} is not described"))?;
        if !kind.contains("json") {
            return Ok(());
        }
        let body = serde_json::from_str(&answer.text).map_err(|error| error.to_string())?;
        holds(document, &told["schema"], &body)
    }
}

/// Whether a value is what a schema of the document says.
fn holds(document: &Value, schema: &Value, value: &Value) -> Result<(), String> {
    let whole = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "components": document["components"],
        "allOf": [schema],
    });
    let schema = jsonschema::validator_for(&whole).map_err(|error| error.to_string())?;
    let wrong: Vec<String> =
        schema.iter_errors(value).map(|e| format!("{}: {e}", e.instance_path())).collect();
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
}

fn document(api: &Api) -> Value {
    api.nobody().get("/openapi.json").json()
}

/// Every code that docs/api.md has in its table of errors.
fn codes() -> Vec<String> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/api.md");
    let docs = std::fs::read_to_string(path).expect("docs/api.md");
    let (_, after) = docs.split_once("\n## Errors\n").expect("the errors");
    let (table, _) = after.split_once("\n## ").expect("what comes after");
    let rows = table.lines().filter(|line| line.starts_with("| ") && line.contains('`'));
    let codes = rows.flat_map(|row| row.split('`').skip(1).step_by(2));
    let is_code = |code: &&str| code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    codes.filter(is_code).map(str::to_owned).collect()
}
