//! What a delivery is about. Read with lenience: it can cause a look and nothing else, so what is
//! not understood is answered with one.

use std::borrow::Cow;

use axum::http::{HeaderMap, header};
use serde::Deserialize;
use serde_json::Value;

use super::Ask;
use super::repository::other_repository;
use crate::config::{Location, Reference};

/// Where forges say what happened.
const EVENT_HEADERS: &[&str] =
    &["x-github-event", "x-forgejo-event", "x-gitea-event", "x-gitlab-event", "x-event-key"];
/// What a push is called there.
const PUSHES: &[&str] =
    &["push", "Push Hook", "Tag Push Hook", "System Hook", "repo:push", "repo:refs_changed"];
/// What is sent to see whether anybody is there.
const PINGS: &[&str] = &["ping", "diagnostics:ping"];
/// Characters of a name that are repeated in an answer.
pub(super) const SHOWN_CHARS_MAX: usize = 100;
/// Fields of a form that are looked at.
const FIELDS_MAX: usize = 16;
/// References of one push that are looked at; with more, the source is asked.
const REFERENCES_MAX: usize = 1000;
const FORM: &str = "application/x-www-form-urlencoded";

/// What of a push's payload is read.
#[derive(Default, Deserialize)]
pub(super) struct Push {
    /// GitHub, Gitea, Forgejo, GitLab.
    #[serde(rename = "ref")]
    reference: Option<String>,
    pub(super) repository: Option<Value>,
    /// GitLab's word for a repository.
    pub(super) project: Option<Value>,
    /// Bitbucket Cloud: `changes` below it.
    push: Option<Value>,
    /// Bitbucket Data Center.
    changes: Option<Value>,
}

/// What a delivery asks of who follows this reference of this repository.
pub(super) fn read(
    headers: &HeaderMap,
    body: &[u8],
    followed: &Reference,
    repository: &Location,
) -> Ask {
    let event = EVENT_HEADERS.iter().find_map(|name| headers.get(*name)?.to_str().ok());
    match event {
        Some(event) if PINGS.contains(&event) => {
            return Ask::Nothing("a ping, and its signature is right".to_owned());
        }
        None => {}
        Some(event) if PUSHES.contains(&event) => {}
        Some(_) if !has_push_events(followed) => {}
        Some(event) => return Ask::Nothing(format!("{} is no push", shown(event))),
    }
    let payload = payload(headers, body);
    let push: Push = serde_json::from_slice(&payload).unwrap_or_default();
    if let Some(other) = other_repository(&push, repository) {
        let other = shown(&other);
        return Ask::Nothing(format!("{other} was pushed to, and another repository is followed"));
    }
    let pushed = push.references();
    let Some(first) = pushed.first() else {
        return Ask::Look("the source is asked, though the payload names no reference".to_owned());
    };
    let default = push.default_branch();
    for one in &pushed {
        if other_than(followed, one, default).is_none() {
            return Ask::Look(format!("{} was pushed: the source is asked", shown(one)));
        }
    }
    let more = match pushed.len() {
        1 => String::new(),
        many => format!(" with {} others", many - 1),
    };
    let wanted = other_than(followed, first, default).unwrap_or_default();
    Ask::Nothing(format!("{}{more} was pushed, and {wanted} is followed", shown(first)))
}

impl Push {
    /// The references that it is about; none where there are too many to look at.
    fn references(&self) -> Vec<String> {
        if let Some(one) = &self.reference {
            return vec![one.clone()];
        }
        let of_cloud = self.push.as_ref().and_then(|push| push.get("changes"));
        let changes = of_cloud.or(self.changes.as_ref()).and_then(Value::as_array);
        let changes = changes.filter(|changes| changes.len() <= REFERENCES_MAX);
        let mut found = Vec::new();
        for change in changes.into_iter().flatten() {
            // A change that is not understood may be of what is followed.
            match reference_of(change) {
                Some(reference) => found.push(reference),
                None => return Vec::new(),
            }
        }
        found
    }

    fn default_branch(&self) -> Option<&str> {
        let repository = self.repository.as_ref().and_then(|one| one.get("default_branch"));
        let project = self.project.as_ref().and_then(|one| one.get("default_branch"));
        repository.or(project)?.as_str()
    }
}

/// The reference that a change of Bitbucket is about: `ref.id` of Data Center, `new` or `old` of Cloud.
fn reference_of(change: &Value) -> Option<String> {
    if let Some(id) = change.pointer("/ref/id").or_else(|| change.get("refId")) {
        return id.as_str().map(str::to_owned);
    }
    let side =
        ["new", "old"].into_iter().find_map(|side| change.get(side).filter(|s| s.is_object()))?;
    let name = side.get("name")?.as_str()?;
    match side.get("type")?.as_str()? {
        "tag" => Some(format!("refs/tags/{name}")),
        "branch" | "named_branch" => Some(format!("refs/heads/{name}")),
        _ => None,
    }
}

/// Forges tell of pushes to branches and tags; of others, such as a pull request's head, they tell
/// in events of their own.
fn has_push_events(followed: &Reference) -> bool {
    match followed {
        Reference::Ref(name) => name.starts_with("refs/heads/") || name.starts_with("refs/tags/"),
        _ => true,
    }
}

/// The JSON of a delivery: its body, or the field `payload` of a form.
fn payload<'a>(headers: &HeaderMap, body: &'a [u8]) -> Cow<'a, [u8]> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let kind = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case(FORM) {
        return Cow::Borrowed(body);
    }
    let mut fields = form_urlencoded::parse(body).take(FIELDS_MAX);
    fields.find(|(name, _)| name == "payload").map_or(
        Cow::Borrowed(b""),
        |(_, value)| match value {
            Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
            Cow::Owned(text) => Cow::Owned(text.into_bytes()),
        },
    )
}

/// What is followed, if a push to `pushed` cannot have changed it.
fn other_than(followed: &Reference, pushed: &str, default: Option<&str>) -> Option<String> {
    let one = |wanted: String| (!names(pushed, &wanted)).then(|| shown(&wanted));
    match followed {
        Reference::Head => one(format!("refs/heads/{}", default?)),
        Reference::Branch(branch) => one(format!("refs/heads/{branch}")),
        Reference::Tag(tag) => one(format!("refs/tags/{tag}")),
        Reference::Semver(range) => {
            let could_be = pushed.starts_with("refs/tags/") || !pushed.starts_with("refs/");
            (!could_be).then(|| format!("a tag in {range}"))
        }
        // Any push may bring the commit that is waited for.
        Reference::Commit(_) => None,
        Reference::Ref(_) if !has_push_events(followed) => None,
        Reference::Ref(name) => one(name.clone()),
    }
}

/// Whether `pushed` is the reference `wanted`, by its full or its short name.
fn names(pushed: &str, wanted: &str) -> bool {
    let short = wanted.strip_prefix("refs/heads/").or(wanted.strip_prefix("refs/tags/"));
    pushed == wanted || short == Some(pushed)
}

/// A name from outside: cut, and without what could move a cursor.
fn shown(name: &str) -> String {
    let mut text: String =
        name.chars().take(SHOWN_CHARS_MAX).flat_map(char::escape_debug).collect();
    if name.chars().nth(SHOWN_CHARS_MAX).is_some() {
        text.push('…');
    }
    text
}
