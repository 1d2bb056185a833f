//! `POST /hooks/git`: a forge says that somebody pushed.
//!
//! Whoever knows the secret may ask for a look, and nothing more: no text of the request decides
//! what becomes live. Without a right signature nothing of the body is looked at.

mod push;
mod repository;
mod secrets;
mod signature;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use schemars::JsonSchema;
use serde::Serialize;

use super::access::Peer;
use super::problem::Problem;
use super::wire::FORMAT_VERSION;
use super::{Api, body};
use crate::config::{Location, Reference};
use crate::model::{Timestamp, Trigger};

/// What the forge is told; it shows this beside the delivery.
#[derive(Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(super) struct Answer {
    /// [`FORMAT_VERSION`].
    format_version: u32,
    /// Whether the source is asked now.
    accepted: bool,
    /// Why, or why not.
    reason: String,
}

/// What a delivery with a right signature asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    /// To look at the source, and why.
    Look(String),
    /// For nothing, and why.
    Nothing(String),
}

pub(super) async fn git(
    State(api): State<Api>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let settings = api.settings.borrow().clone();
    if let Some(Extension(Peer::Address(from))) = peer {
        api.access.admit_hook(&settings.api.rates, from, api.clock.now())?;
    }
    let Some(file) = settings.source.webhook_secret_file.clone() else {
        return Err(Problem::new(
            StatusCode::NOT_FOUND,
            "webhooks_off",
            "no secret is set, so no push webhook is taken: write one to a file, name the file in \
             gitops.webhook_secret_file, and send kconfigd SIGHUP",
        ));
    };
    let claims = signature::claims(&headers)?;
    let bytes_max = settings.limits.http_body_bytes_max;
    let body = body::read(&headers, body, bytes_max, body::BODY_TIME_MAX).await?;
    let body = verified(file, claims, body, api.clock.now()).await?;
    let source = &settings.source;
    let ask = push::read(&headers, &body, &source.reference, &source.location);
    tracing::debug!(?ask, "a push webhook");
    let (status, accepted, reason) = match ask {
        Ask::Look(reason) => {
            api.bell.ring(Trigger::Webhook);
            (StatusCode::ACCEPTED, true, reason)
        }
        Ask::Nothing(reason) => (StatusCode::OK, false, reason),
    };
    let answer = Answer { format_version: FORMAT_VERSION, accepted, reason };
    Ok((status, Json(answer)).into_response())
}

/// Gives the body back if one of the secrets signed it. On a blocking thread: a file is read, and
/// the body may be large.
async fn verified(
    file: PathBuf,
    claims: Vec<signature::Claim>,
    body: Vec<u8>,
    now: Timestamp,
) -> Result<Vec<u8>, Problem> {
    let verified = tokio::task::spawn_blocking(move || {
        let secrets = secrets::read(&file)?;
        Ok::<_, secrets::Unreadable>(
            signature::matches(&secrets, &claims, &body, now).then_some(body),
        )
    });
    let internal = |detail: &str| {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "webhook_secret_unreadable", detail)
    };
    match verified.await {
        Ok(Ok(Some(body))) => Ok(body),
        Ok(Ok(None)) => {
            tracing::debug!("a push webhook with a wrong signature");
            Err(signature::Unverified::Wrong.into())
        }
        Ok(Err(error)) => {
            // The path is for the log, not for whoever reaches the address.
            tracing::error!(error = %error, cause = %error.cause(), "push webhooks cannot be verified");
            Err(internal("the secret cannot be read; kconfigd's log says why"))
        }
        Err(_) => Err(internal("verifying the signature was broken off")),
    }
}

/// All that is made of a delivery once it is read: for tests that try what comes from outside.
/// `None`: it is not believed.
#[must_use]
pub(crate) fn judge(
    headers: &HeaderMap,
    body: &[u8],
    secret: &[u8],
    followed: &Reference,
) -> Option<Ask> {
    let claims = signature::claims(headers).ok()?;
    let secret = secrets::Secret::new(secret);
    let followed_at = Location::Http("https://forge.example/edge/config.git".to_owned());
    signature::matches(&[secret], &claims, body, Timestamp::default())
        .then(|| push::read(headers, body, followed, &followed_at))
}
