//! The description of the API, OpenAPI 3.1, made from the table of routes and the wire types.

use std::sync::Arc;

use axum::Extension;
use axum::http::header;
use axum::response::IntoResponse;
use schemars::generate::{SchemaGenerator, SchemaSettings};
use serde_json::{Map, Value, json};

use super::problem::ProblemBody;
use super::routes::{Operation, Takes};

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
    generator.subschema_for::<ProblemBody>();
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
    let problem = generator.subschema_for::<ProblemBody>().to_value();
    answers.insert(
        "default".to_owned(),
        json!({
            "description": "What is wrong, by RFC 9457, with a stable `code`",
            "content": {"application/problem+json": {"schema": problem}},
        }),
    );
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
    if let Some(Takes { content, schema }) = operation.takes {
        let schema = schema(generator).to_value();
        described["requestBody"] =
            json!({"required": true, "content": {content: {"schema": schema}}});
    }
    described
}

fn parameters(operation: &Operation) -> Vec<Value> {
    let in_path = operation.path.split('/').filter_map(|part| {
        let name = part.strip_prefix('{')?.strip_suffix('}')?;
        Some(json!({
            "name": name, "in": "path", "required": true, "schema": {"type": "string"},
        }))
    });
    let in_query = operation.query.iter().map(|(name, meaning)| {
        json!({
            "name": name, "in": "query", "required": false, "description": meaning,
            "schema": {"type": "string"},
        })
    });
    let in_head = operation.is_write().then(|| {
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
    in_path.chain(in_query).chain(in_head).chain(held).collect()
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
