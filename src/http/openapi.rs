//! The description of the API, OpenAPI 3.1, made from the table of routes and the wire types.

use std::sync::Arc;

use axum::Extension;
use axum::http::header;
use axum::response::IntoResponse;
use schemars::generate::{SchemaGenerator, SchemaSettings};
use serde_json::{Map, Value, json};

use super::problem::ProblemBody;
use super::routes::{Operation, Takes};

/// Where every answer that refuses something is described.
const PROBLEM: &str = "#/components/responses/Problem";

/// The description as it is served.
#[derive(Clone)]
pub(super) struct Document(pub(super) Arc<str>);

pub(super) async fn serve(Extension(document): Extension<Document>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], document.0.to_string())
}

/// The description of these operations.
pub(super) fn document(operations: &[Operation]) -> String {
    let settings = SchemaSettings::draft2020_12()
        .with(|settings| settings.definitions_path = "/components/schemas".into());
    let mut generator = settings.into_generator();
    let mut paths = Map::new();
    for operation in operations {
        let described = described(operation, &mut generator);
        let path = paths.entry(operation.path).or_insert_with(|| json!({}));
        if let Value::Object(methods) = path {
            methods.insert(operation.method.word().to_owned(), described);
        }
    }
    let problem = generator.subschema_for::<ProblemBody>().to_value();
    let document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "kconfigd",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "The live configuration of a machine, and what is done with it. Fields and \
                operations may be added; none is renamed or taken away.",
            "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": generator.take_definitions(true),
            "responses": {"Problem": {
                "description": "What is wrong, by RFC 9457, with a stable `code`",
                "content": {"application/problem+json": {"schema": problem}},
            }},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    });
    document.to_string()
}

fn described(operation: &Operation, generator: &mut SchemaGenerator) -> Value {
    let mut answers = Map::new();
    for gives in &operation.gives {
        let mut answer = json!({"description": meaning(gives.status)});
        if !gives.content.is_empty() {
            let schema = match gives.schema {
                Some(describe) => describe(generator).to_value(),
                None => json!({}),
            };
            answer["content"] = json!({gives.content: {"schema": schema}});
        }
        answers.insert(gives.status.to_string(), answer);
    }
    for status in refusals(operation) {
        answers.entry(status).or_insert_with(|| json!({"$ref": PROBLEM}));
    }
    let mut described = json!({
        "operationId": operation.id,
        "summary": operation.summary,
        "parameters": parameters(operation),
        "responses": answers,
    });
    match operation.needs {
        Some(action) => {
            described["security"] = json!([{"token": []}]);
            described["x-kconfigd-action"] = action.as_str().into();
        }
        None => described["security"] = json!([]),
    }
    if !operation.takes.is_empty() {
        let mut content = Map::new();
        for Takes { content: kind, schema } in &operation.takes {
            let schema = match schema {
                Some(schema) => schema(generator).to_value(),
                None => json!({"type": "string"}),
            };
            content.insert((*kind).to_owned(), json!({"schema": schema}));
        }
        described["requestBody"] = json!({"required": !operation.may_be_empty, "content": content});
    }
    described
}

/// The statuses that an operation may refuse with; `default` is what else there may be, such as an
/// error of ours.
fn refusals(operation: &Operation) -> Vec<&'static str> {
    let mut statuses = vec!["default"];
    if operation.needs.is_some() {
        statuses.extend(["401", "403", "429"]);
    }
    let has_body = !operation.takes.is_empty();
    if has_body || !operation.query.is_empty() || operation.path.contains('{') {
        statuses.push("400");
    }
    if operation.path.contains('{') {
        statuses.push("404");
    }
    if operation.query.iter().any(|(name, _)| *name == "wait") {
        statuses.push("504");
    }
    if has_body {
        statuses.extend(["408", "413", "415"]);
    }
    if operation.heads.iter().any(|head| head.is_required) {
        statuses.extend(["412", "428"]);
    }
    statuses.sort_unstable();
    statuses
}

fn parameters(operation: &Operation) -> Vec<Value> {
    let in_path = operation.path.split('/').filter_map(|part| {
        let name = part.strip_prefix('{')?.strip_suffix('}')?;
        let schema = match operation.path.starts_with("/api/profiles") {
            true => json!({"type": "string", "pattern": "^[A-Za-z0-9_.-]+$"}),
            false => json!({"type": "integer", "minimum": 0, "maximum": u64::MAX}),
        };
        Some(json!({"name": name, "in": "path", "required": true, "schema": schema}))
    });
    let in_query = operation.query.iter().map(|(name, meaning)| {
        json!({
            "name": name, "in": "query", "required": false, "description": meaning,
            "schema": schema_of(name),
        })
    });
    let in_head = operation.heads.iter().map(|head| {
        json!({
            "name": head.name, "in": "header", "required": head.is_required,
            "description": head.meaning, "schema": {"type": "string", "pattern": head.pattern},
        })
    });
    let repeats = operation.is_write().then(|| {
        json!({
            "name": "Idempotency-Key", "in": "header", "required": false,
            "description": "The same key, caller and request within 24 hours: the same answer, done once",
            "schema": {"type": "string"},
        })
    });
    let held = operation.is_tagged.then(|| {
        json!({
            "name": "If-None-Match", "in": "header", "required": false,
            "description": "The `ETag` of an answer that is there already: 304 where it is still right",
            "schema": {"type": "string"},
        })
    });
    in_path.chain(in_query).chain(in_head).chain(repeats).chain(held).collect()
}

/// What a parameter of the query is; a name means the same everywhere.
fn schema_of(name: &str) -> Value {
    match name {
        "limit" | "before" => json!({"type": "integer", "minimum": 0, "maximum": u64::MAX}),
        "failed" | "explain" => json!({"type": "boolean"}),
        "since" | "until" => json!({"type": "string", "format": "date-time"}),
        "wait" => json!({"type": "string", "pattern": "^[0-9]{1,9}s?$"}),
        _ => json!({"type": "string"}),
    }
}

const fn meaning(status: u16) -> &'static str {
    match status {
        200 => "What was asked for",
        201 => "Made",
        202 => "Written down; the loop does it",
        204 => "Done",
        304 => "As it was",
        412 => "Changed meanwhile",
        503 => "Not ready",
        _ => "See the description",
    }
}
