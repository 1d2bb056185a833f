//! The dashboard: pages for people, over the same journal, view and orders as the API.
//!
//! Pages are made here, whole, and work without a script; our own small script swaps in a page again
//! when something happened. Who signs in shows a token once and has a session after; each page needs
//! the right that its route of the API needs, and shows no more than that route does. What a form
//! asks for is ordered by [`super::orders`]. May touch what the API may, and nothing else; no page
//! asks anybody else for anything (`Content-Security-Policy`).

mod actions;
mod assets;
mod audit;
mod deployment;
mod differing;
mod form;
mod guard;
mod highlight;
mod history;
mod lines;
mod nodes;
mod overview;
mod planning;
mod profiles;
mod searching;
mod shell;
mod sign_in;
mod trying;
mod words;

use super::routes::{Method, Routes};
use super::{Api, events};
use crate::model::Action;
pub(super) use guard::{Door, Gate, Visitor, guard};

/// Adds the pages.
pub(super) fn routes(routes: Routes) -> Routes {
    let read = Gate::needs(Action::Read);
    let routes = routes
        .page(Method::Get, "/", read, overview::page)
        .page(Method::Get, "/history", read, history::page)
        .page(Method::Get, "/deployments/{id}", read, deployment::page)
        .page(Method::Get, "/diff", read, differing::page)
        .page(Method::Get, "/search", read, searching::page)
        .page(Method::Get, "/plan", Gate::needs(Action::Apply), planning::page)
        .page(Method::Post, "/plan", Gate::needs(Action::Apply), planning::plan)
        .page(Method::Get, "/try", Gate::needs(Action::Validate), trying::page)
        .page(Method::Post, "/try", Gate::needs(Action::Validate), trying::validate)
        .page(Method::Get, "/profiles", read, profiles::list)
        .page(Method::Get, "/profiles/{id}", read, profiles::page)
        .page(Method::Get, "/nodes", read, nodes::page)
        .page(Method::Get, "/audit", Gate::needs(Action::AuditRead), audit::page)
        .page(Method::Get, "/live", read, events::stream)
        .page(Method::Get, "/sign-in", Gate::Open, sign_in::page)
        .page(Method::Post, "/sign-in", Gate::Open, sign_in::enter)
        .page(Method::Post, "/sign-out", Gate::Known, sign_in::leave);
    let routes = routes
        .page(Method::Post, "/do/look", Gate::needs(Action::Apply), actions::look)
        .page(Method::Post, "/do/apply", Gate::needs(Action::Apply), actions::apply)
        .page(Method::Post, "/do/rollback", Gate::needs(Action::Rollback), actions::rollback)
        .page(Method::Post, "/do/suspend", Gate::needs(Action::Suspend), actions::suspend)
        .page(Method::Post, "/do/resume", Gate::needs(Action::Suspend), actions::resume)
        .page(Method::Post, "/do/compare", Gate::needs(Action::Repair), actions::compare)
        .page(Method::Post, "/do/repair", Gate::needs(Action::Repair), actions::repair)
        .page(Method::Post, "/do/redeliver", Gate::needs(Action::NodesWrite), actions::redeliver);
    assets::routes(routes)
}
