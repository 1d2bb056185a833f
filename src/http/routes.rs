//! The table of routes: each with the right that it needs and its description, in one place, so that
//! no route can be without either.

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::Request;
use axum::handler::Handler;
use axum::middleware::Next;
use axum::routing::{MethodFilter, MethodRouter, on};
use schemars::generate::SchemaGenerator;
use schemars::{JsonSchema, Schema};

use super::access::{Needs, Weight, guard};
use super::dashboard::{Door, Gate, guard as show_in};
use super::once::{Write, once};
use super::tags::tagged;
use super::{Api, openapi, problem};
use crate::meters::meters;
use crate::model::Action;

/// How a type is described.
pub(super) type Describe = fn(&mut SchemaGenerator) -> Schema;

/// One method at one path.
#[derive(Clone)]
pub(super) struct Operation {
    pub(super) method: Method,
    pub(super) path: &'static str,
    /// A name that programs made from the description use for it.
    pub(super) id: &'static str,
    pub(super) summary: &'static str,
    /// `None`: open to everybody.
    pub(super) needs: Option<Action>,
    /// Which limit counts it.
    pub(super) weight: Weight,
    /// Whether its answers have tags, and are not given again to who has them.
    pub(super) is_tagged: bool,
    /// Parameters of the query and what they mean.
    pub(super) query: &'static [(&'static str, &'static str)],
    /// Headers of its own.
    pub(super) heads: &'static [Head],
    /// What its body may be; nothing: it has none.
    pub(super) takes: Vec<Takes>,
    /// Whether it may also have none.
    pub(super) may_be_empty: bool,
    pub(super) gives: Vec<Gives>,
}

/// A header of a request.
pub(super) struct Head {
    pub(super) name: &'static str,
    pub(super) is_required: bool,
    pub(super) pattern: &'static str,
    pub(super) meaning: &'static str,
}

/// What a request's body is.
#[derive(Clone, Copy)]
pub(super) struct Takes {
    pub(super) content: &'static str,
    /// `None`: a text.
    pub(super) schema: Option<Describe>,
}

/// What an answer is.
#[derive(Clone, Copy)]
pub(super) struct Gives {
    pub(super) status: u16,
    pub(super) content: &'static str,
    /// `None`: nothing, or text.
    pub(super) schema: Option<Describe>,
}

/// The methods that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    Get,
    Post,
    Put,
    Delete,
}

impl Method {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Post => "post",
            Self::Put => "put",
            Self::Delete => "delete",
        }
    }

    const fn filter(self) -> MethodFilter {
        match self {
            Self::Get => MethodFilter::GET,
            Self::Post => MethodFilter::POST,
            Self::Put => MethodFilter::PUT,
            Self::Delete => MethodFilter::DELETE,
        }
    }
}

const JSON: &str = "application/json";

fn describe<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

impl Operation {
    /// An operation that needs a right.
    pub(super) fn new(
        method: Method,
        path: &'static str,
        id: &'static str,
        needs: Action,
        summary: &'static str,
    ) -> Self {
        Self { needs: Some(needs), ..Self::open(method, path, id, summary) }
    }

    /// One that is open to everybody who reaches the address.
    pub(super) fn open(
        method: Method,
        path: &'static str,
        id: &'static str,
        summary: &'static str,
    ) -> Self {
        let weight = if matches!(method, Method::Get) { Weight::Read } else { Weight::Write };
        Self {
            method,
            path,
            id,
            summary,
            needs: None,
            weight,
            is_tagged: false,
            query: &[],
            heads: &[],
            takes: Vec::new(),
            may_be_empty: false,
            gives: Vec::new(),
        }
    }

    /// The same, whose answers stay right for a while.
    pub(super) fn tagged(self) -> Self {
        Self { is_tagged: true, ..self }.gives_nothing(304)
    }

    /// The same, which reads trees.
    pub(super) fn looks(self) -> Self {
        Self { weight: Weight::Look, ..self }
    }

    /// Whether it changes something for somebody who is known, and takes an `Idempotency-Key`.
    pub(super) fn is_write(&self) -> bool {
        self.needs.is_some() && self.weight == Weight::Write
    }

    /// The status of its answer, where it has no body.
    fn done(&self) -> u16 {
        self.gives.iter().find(|gives| gives.content.is_empty()).map_or(204, |gives| gives.status)
    }

    pub(super) fn asks(self, query: &'static [(&'static str, &'static str)]) -> Self {
        Self { query, ..self }
    }

    pub(super) fn hears(self, heads: &'static [Head]) -> Self {
        Self { heads, ..self }
    }

    pub(super) fn takes<T: JsonSchema>(mut self) -> Self {
        self.takes.push(Takes { content: JSON, schema: Some(describe::<T>) });
        self
    }

    pub(super) fn takes_text(mut self, content: &'static str) -> Self {
        self.takes.push(Takes { content, schema: None });
        self
    }

    /// What it takes may be left out.
    pub(super) fn or_nothing(self) -> Self {
        Self { may_be_empty: true, ..self }
    }

    pub(super) fn gives<T: JsonSchema>(mut self, status: u16) -> Self {
        self.gives.push(Gives { status, content: JSON, schema: Some(describe::<T>) });
        self
    }

    pub(super) fn gives_text(mut self, status: u16, content: &'static str) -> Self {
        self.gives.push(Gives { status, content, schema: None });
        self
    }

    pub(super) fn gives_nothing(self, status: u16) -> Self {
        self.gives_text(status, "")
    }
}

/// Counts the requests of a route, and how long they take.
fn counting(
    method: Method,
    path: &'static str,
) -> impl FnOnce(MethodRouter<Api>) -> MethodRouter<Api> {
    move |route| {
        route.layer(axum::middleware::from_fn(move |request: Request, next: Next| async move {
            let since = Instant::now();
            let response = next.run(request).await;
            meters().request(method.word(), path, response.status().as_u16(), since);
            response
        }))
    }
}

/// Routes while they are put together.
pub(super) struct Routes {
    api: Api,
    router: Router<Api>,
    pub(super) operations: Vec<Operation>,
}

impl Routes {
    pub(super) fn new(api: Api) -> Self {
        Self { api, router: Router::new(), operations: Vec::new() }
    }

    /// Adds an operation with what does it; the guard stands in front, unless it is open.
    pub(super) fn add<H, T>(mut self, operation: Operation, handler: H) -> Self
    where
        H: Handler<T, Api>,
        T: 'static,
    {
        let mut route: MethodRouter<Api> = on(operation.method.filter(), handler);
        if operation.is_tagged {
            route = route.layer(axum::middleware::from_fn(tagged));
        }
        if operation.is_write() {
            let write = Write { api: self.api.clone(), done: operation.done() };
            route = route.layer(axum::middleware::from_fn_with_state(write, once));
        }
        if let Some(action) = operation.needs {
            let needs = Needs { api: self.api.clone(), action, weight: operation.weight };
            route = route.layer(axum::middleware::from_fn_with_state(needs, guard));
        }
        let counted = counting(operation.method, operation.path);
        self.router = self.router.route(operation.path, counted(route));
        self.operations.push(operation);
        self
    }

    /// Adds a page of the dashboard behind its gate; pages are no part of the description.
    pub(super) fn page<H, T>(
        mut self,
        method: Method,
        path: &'static str,
        gate: Gate,
        handler: H,
    ) -> Self
    where
        H: Handler<T, Api>,
        T: 'static,
    {
        let door = Door { api: self.api.clone(), gate };
        let route: MethodRouter<Api> = on(method.filter(), handler);
        let route = route.layer(axum::middleware::from_fn_with_state(door, show_in));
        self.router = self.router.route(path, counting(method, path)(route));
        self
    }

    /// The whole, with its description at `/openapi.json`.
    pub(super) fn finish(mut self) -> Router {
        self = self.add(
            Operation::open(Method::Get, "/openapi.json", "openapi", "This description")
                .gives_text(200, JSON)
                .tagged(),
            openapi::serve,
        );
        let document: Arc<str> = openapi::document(&self.operations).into();
        let limit = usize::try_from(self.api.settings.borrow().limits.http_body_bytes_max);
        self.router
            .fallback(problem::not_found)
            .method_not_allowed_fallback(problem::not_allowed)
            .layer(axum::Extension(openapi::Document(document)))
            .layer(axum::extract::DefaultBodyLimit::max(limit.unwrap_or(usize::MAX)))
            .with_state(self.api)
    }
}
