//! What a delivery is about. Read with lenience: it can cause a look and nothing else, so what is
//! not understood is answered with one.

use std::borrow::Cow;

use axum::http::{HeaderMap, header};
use serde::Deserialize;

use super::Ask;
use crate::config::Reference;

/// Where forges say what happened.
const EVENT_HEADERS: &[&str] = &["x-github-event", "x-forgejo-event", "x-gitea-event"];
/// Characters of a name that are repeated in an answer.
const SHOWN_CHARS_MAX: usize = 100;
/// Fields of a form that are looked at.
const FIELDS_MAX: usize = 16;
const FORM: &str = "application/x-www-form-urlencoded";

/// What of a push's payload is read.
#[derive(Default, Deserialize)]
struct Push {
    #[serde(rename = "ref")]
    reference: Option<String>,
    repository: Option<Repository>,
}

#[derive(Deserialize)]
struct Repository {
    default_branch: Option<String>,
}

/// What a delivery asks of who follows this reference.
pub(super) fn read(headers: &HeaderMap, body: &[u8], followed: &Reference) -> Ask {
    let event = EVENT_HEADERS.iter().find_map(|name| headers.get(*name)?.to_str().ok());
    match event {
        Some("ping") => return Ask::Nothing("a ping, and its signature is right".to_owned()),
        Some("push") | None => {}
        Some(_) if !has_push_events(followed) => {}
        Some(event) => return Ask::Nothing(format!("{} is no push", shown(event))),
    }
    let payload = payload(headers, body);
    let push: Push = serde_json::from_slice(&payload).unwrap_or_default();
    let Some(pushed) = push.reference else {
        return Ask::Look("the source is asked, though the payload names no reference".to_owned());
    };
    let default = push.repository.and_then(|repository| repository.default_branch);
    match other_than(followed, &pushed, default.as_deref()) {
        None => Ask::Look(format!("{} was pushed: the source is asked", shown(&pushed))),
        Some(wanted) => {
            let pushed = shown(&pushed);
            Ask::Nothing(format!("{pushed} was pushed, and {wanted} is followed"))
        }
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
