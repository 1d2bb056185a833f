//! Routes: what the outside may ask of a running agent.
//!
//! The same routes on the control socket (guarded by file mode: whoever may open it is admin) and on
//! TCP, where every caller has a role; on TCP alone the push webhooks. May touch the journal, the board,
//! and the bounded view; never the source, the trees or a pass: what is wanted is written to the journal,
//! then the loop is woken.
//!
//! The table of routes, each with the right that it needs, is [`api_routes`]; its description is served
//! at `/openapi.json`.

mod access;
mod body;
mod connections;
mod dashboard;
mod events;
mod extract;
mod hooks;
mod looking;
mod metrics;
mod once;
mod openapi;
pub mod orders;
mod paging;
pub mod parties;
mod probes;
mod problem;
mod reading;
mod routes;
mod search;
mod server;
mod stamp;
pub mod standing;
mod tags;
mod tls;
pub mod wire;
mod writing;

pub use access::Access;
pub use events::Feed;
pub(crate) use hooks::{Ask, judge};
pub use server::{BindError, Control, Public, until_stopped, with_short_path};
pub use tls::{TlsError, can_be_used};

use std::sync::{Arc, Mutex};

use axum::Router;
use tokio::sync::{Semaphore, watch};

use crate::board::Board;
use crate::clock::Clock;
use crate::config::Settings;
use crate::journal::Journal;
use crate::model::Action;
use crate::triggers::Bell;
use crate::view::Known;
use routes::{Head, Method, Operation, Routes};
use wire::{
    AuditBody, DeliveryBody, DeploymentBody, DiffBody, NodeBody, Page, ProfileBody,
    ProfileEntryBody, ReportBody, SearchBody, StatusBody, TrialBody, ValidationBody,
};
use writing::{ProfileWriteBody, WrittenBody};

/// What routes may use.
#[derive(Clone)]
pub struct Api {
    /// The journal.
    pub journal: Journal,
    /// What the agent shows of itself.
    pub board: Board,
    /// Wakes the loop.
    pub bell: Bell,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The settings of now.
    pub settings: watch::Receiver<Arc<Settings>>,
    /// Who may call.
    pub access: Access,
    /// What happens.
    pub feed: Feed,
    /// This machine, as the `source` of events.
    pub name: Arc<str>,
    /// Whether the process ends.
    pub stop: watch::Receiver<bool>,
    looks: Arc<Semaphore>,
    under_way: once::UnderWay,
    of_journal: Arc<Mutex<reading::OfJournal>>,
    known: Known,
}

/// What an [`Api`] is made of.
pub struct Parts {
    /// The journal.
    pub journal: Journal,
    /// What the agent shows of itself.
    pub board: Board,
    /// Wakes the loop.
    pub bell: Bell,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The settings of now.
    pub settings: watch::Receiver<Arc<Settings>>,
    /// Who may call.
    pub access: Access,
    /// This machine, as the `source` of events.
    pub name: String,
    /// Whether the process ends.
    pub stop: watch::Receiver<bool>,
}

impl Api {
    /// Puts it together.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let Parts { journal, board, bell, clock, settings, access, name, stop } = parts;
        Self {
            journal,
            board,
            bell,
            clock,
            settings,
            access,
            feed: Feed::default(),
            name: name.into(),
            stop,
            under_way: once::UnderWay::default(),
            looks: Arc::new(Semaphore::new(looking::LOOKS_MAX)),
            of_journal: Arc::default(),
            known: Known::default(),
        }
    }
}

/// Everything, for those who may open the control socket.
fn control_routes(api: Api) -> Router {
    api_routes(api).finish()
}

/// The same for those who show a token, and what anybody who reaches the address may ask.
fn public_routes(api: Api) -> Router {
    let hook = Operation::open(
        Method::Post,
        "/hooks/git",
        "gitHook",
        "A forge's push webhook: verified by its signature, then the source is asked",
    );
    let hook = hook
        .takes_text("application/json")
        .takes_text("application/x-www-form-urlencoded")
        .gives::<hooks::Answer>(200)
        .gives::<hooks::Answer>(202);
    dashboard::routes(api_routes(api).add(hook, hooks::git)).finish()
}

const IF_MATCH: Head = Head {
    name: "If-Match",
    is_required: true,
    pattern: "^(\\*|\"[0-9a-f]{40}\")$",
    meaning: "The `ETag` of the profile as it was read, or `*`",
};
const LAST_EVENT: Head = Head {
    name: "Last-Event-ID",
    is_required: false,
    pattern: "",
    meaning: "The last event that was heard",
};
const YAML: &str = "application/yaml";

const WAIT: (&str, &str) = ("wait", "Seconds to wait for the outcome, such as `30s`");
const LIMIT: (&str, &str) = ("limit", "Items of a page, at most 200");
const BEFORE: (&str, &str) = ("before", "Where the page begins: `next` of the one before");
const CURSOR: (&str, &str) = ("cursor", "The same: `cursor` of the one before");

fn api_routes(api: Api) -> Routes {
    let routes = Routes::new(api);
    changing(auditing(profiling(reading(probing(routes)))))
}

fn probing(routes: Routes) -> Routes {
    let open = |path, id, summary| Operation::open(Method::Get, path, id, summary);
    let text = "text/plain; charset=utf-8";
    routes
        .add(
            open("/healthz", "healthz", "Whether the process answers").gives_text(200, text),
            probes::healthz,
        )
        .add(
            open("/readyz", "readyz", "Whether a tree is live")
                .gives_text(200, text)
                .gives_text(503, text),
            probes::readyz,
        )
        .add(
            open("/metrics", "metrics", "What Prometheus asks for")
                .gives_text(200, metrics::CONTENT_TYPE),
            metrics::metrics,
        )
}

fn reading(routes: Routes) -> Routes {
    let get = |path, id, summary| Operation::new(Method::Get, path, id, Action::Read, summary);
    routes
        .add(
            get("/api/config/status", "status", "How things stand").gives::<StatusBody>(200),
            reading::status,
        )
        .add(
            get("/api/config/health", "health", "Whether the loop turns and a tree is live, and how fresh it is")
                .gives::<probes::HealthBody>(200)
                .gives::<probes::HealthBody>(503),
            probes::health,
        )
        .add(
            get("/api/config/history", "history", "Deployments, newest first")
                .asks(&[LIMIT, BEFORE, CURSOR])
                .gives::<Page<DeploymentBody>>(200)
                .tagged(),
            reading::history,
        )
        .add(
            get("/api/config/history/{id}", "deployment", "One deployment")
                .gives::<DeploymentBody>(200)
                .tagged(),
            reading::deployment,
        )
        .add(
            get("/api/config/diff", "diff", "How two trees differ, in files and keys, and what that touches")
                .looks()
                .asks(&[
                    ("from", "`live` (where nothing is said), `desired`, a deployment's number, a revision, or a branch or tag of the source"),
                    ("to", "The same; `desired` where nothing is said"),
                ])
                .gives::<DiffBody>(200)
                .tagged(),
            looking::diff,
        )
        .add(
            get("/api/config/search", "search", "Where a tree says something, in names and lines of files")
                .looks()
                .asks(&[
                    ("q", "What to look for, whatever its case, in 2 to 200 characters; no secret is found"),
                    ("at", "The tree, as for a diff; `live` where nothing is said"),
                ])
                .gives::<SearchBody>(200)
                .tagged(),
            search::search,
        )
        .add(
            get("/api/events", "events", "What happens, as server-sent events")
                .asks(&[
                    ("types", "Types of events, with commas between them; all where nothing is said"),
                    ("last_event_id", "The last one that was heard, as the header `Last-Event-ID`"),
                ])
                .hears(&[LAST_EVENT])
                .gives_text(200, "text/event-stream"),
            events::stream,
        )
        .add(
            get("/api/nodes", "nodes", "Who is told, and how their deliveries went")
                .asks(&[LIMIT, CURSOR])
                .gives::<Page<NodeBody>>(200)
                .tagged(),
            reading::nodes,
        )
        .add(
            get("/api/deliveries", "deliveries", "Events on their way, newest first")
                .asks(&[LIMIT, BEFORE, CURSOR, ("failed", "`true`: those that were given up")])
                .gives::<Page<DeliveryBody>>(200)
                .tagged(),
            reading::deliveries,
        )
}

fn profiling(routes: Routes) -> Routes {
    let get = |path, id, summary| Operation::new(Method::Get, path, id, Action::Read, summary);
    let write = |method, path, id, summary| {
        Operation::new(method, path, id, Action::ProfilesWrite, summary)
    };
    const AT: (&str, &str) = ("at", "The tree, as for a diff; `live` where nothing is said");
    const EXPLAIN: (&str, &str) = ("explain", "`true`: which file and line gave each value");
    routes
        .add(
            get(
                "/api/config/profile",
                "profile",
                "The active profile with all that it extends in it",
            )
            .looks()
            .asks(&[("name", "Another profile"), AT, EXPLAIN])
            .gives::<ProfileBody>(200),
            looking::profile,
        )
        .add(
            get("/api/profiles", "profiles", "The profiles of the live tree")
                .looks()
                .asks(&[LIMIT, CURSOR])
                .gives::<Page<ProfileEntryBody>>(200)
                .tagged(),
            looking::profiles,
        )
        .add(
            get("/api/profiles/{id}", "profileById", "A profile with all that it extends in it")
                .looks()
                .asks(&[AT, EXPLAIN])
                .gives::<ProfileBody>(200),
            looking::profile_by_id,
        )
        .add(
            write(Method::Post, "/api/profiles", "createProfile", "Add a profile, as a commit")
                .takes::<ProfileWriteBody>()
                .gives::<WrittenBody>(201),
            writing::create,
        )
        .add(
            write(
                Method::Put,
                "/api/profiles/{id}",
                "replaceProfile",
                "Change a profile, as a commit; needs `If-Match`",
            )
            .hears(&[IF_MATCH])
            .takes::<ProfileWriteBody>()
            .takes_text(YAML)
            .gives::<WrittenBody>(200),
            writing::replace,
        )
        .add(
            write(
                Method::Delete,
                "/api/profiles/{id}",
                "removeProfile",
                "Take a profile away, as a commit; needs `If-Match`",
            )
            .hears(&[IF_MATCH])
            .gives_nothing(204),
            writing::remove,
        )
        .add(
            Operation::new(
                Method::Put,
                "/api/config/validate",
                "validate",
                Action::Validate,
                "What the gates say of a document, of files, or of a revision; nothing is kept",
            )
            .looks()
            .asks(&[("path", "The body is this file of the tree")])
            .takes::<TrialBody>()
            .takes_text(YAML)
            .gives::<ValidationBody>(200),
            looking::validate,
        )
}

fn auditing(routes: Routes) -> Routes {
    routes.add(
        Operation::new(
            Method::Get,
            "/api/audit",
            "audit",
            Action::AuditRead,
            "Who did what, newest first",
        )
        .asks(&[
            LIMIT,
            BEFORE,
            CURSOR,
            ("name", "Who, exactly"),
            ("action", "What; with a dot at the end, all that begins so"),
            ("outcome", "`done`, `ordered`, `refused` or `failed`"),
            ("since", "From then on, RFC 3339"),
            ("until", "Until then, RFC 3339"),
        ])
        .gives::<Page<AuditBody>>(200),
        reading::audit,
    )
}

fn changing(routes: Routes) -> Routes {
    let post = |path, id, action, summary| Operation::new(Method::Post, path, id, action, summary);
    let order = |path, id, action, summary| {
        post(path, id, action, summary)
            .asks(&[WAIT])
            .takes::<orders::OrderBody>()
            .or_nothing()
            .gives::<ReportBody>(200)
            .gives::<orders::OrderedBody>(202)
    };
    routes
        .add(
            post("/api/config/sync", "sync", Action::Apply, "Ask the source now")
                .asks(&[WAIT])
                .gives::<ReportBody>(200)
                .gives_nothing(202),
            orders::look,
        )
        .add(
            order(
                "/api/config/apply",
                "apply",
                Action::Apply,
                "Make a revision live, or say what that would do",
            ),
            orders::apply,
        )
        .add(
            order(
                "/api/config/rollback",
                "rollback",
                Action::Rollback,
                "Go back to an earlier deployment",
            ),
            orders::rollback,
        )
        .add(
            order(
                "/api/config/drift",
                "drift",
                Action::Repair,
                "Compare the live tree with what it should be, and put it right",
            ),
            orders::drift,
        )
        .add(
            post(
                "/api/config/suspend",
                "suspend",
                Action::Suspend,
                "Apply nothing until it is resumed",
            )
            .takes::<orders::OrderBody>()
            .or_nothing()
            .gives_nothing(204),
            orders::suspend,
        )
        .add(
            post("/api/config/resume", "resume", Action::Suspend, "Apply again")
                .takes::<orders::OrderBody>()
                .or_nothing()
                .gives_nothing(204),
            orders::resume,
        )
        .add(
            post(
                "/api/deliveries/{id}/redeliver",
                "redeliver",
                Action::NodesWrite,
                "Send a delivery again",
            )
            .gives_nothing(202),
            orders::redeliver,
        )
}
