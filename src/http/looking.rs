//! Looks: diffs, profiles and trials of documents, through the bounded view.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use serde::Deserialize;

use super::Api;
use super::access::Caller;
use super::extract::{Asked, Bytes, Named, is_json, json, not_json};
use super::paging::Paging;
use super::problem::Problem;
use super::wire::{
    DiffBody, FORMAT_VERSION, FindingBody, Page, PlanBody, PointBody, ProfileBody,
    ProfileEntryBody, TrialBody, ValidationBody,
};
use super::{orders, writing};
use crate::document::emit;
use crate::profiles;
use crate::view::{FILES_MAX, Trial, View, ViewError};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Between {
    from: Option<String>,
    to: Option<String>,
}

pub(super) async fn diff(
    State(api): State<Api>,
    caller: Caller,
    Asked(between): Asked<Between>,
) -> Result<Json<DiffBody>, Problem> {
    differing(api, caller, between).await.map(Json)
}

async fn differing(api: Api, caller: Caller, between: Between) -> Result<DiffBody, Problem> {
    let from = orders::brought(&api, &caller, between.from.as_deref().unwrap_or("live")).await?;
    let to = orders::brought(&api, &caller, between.to.as_deref().unwrap_or("desired")).await?;
    let by = caller.clone();
    api.look(&caller, move |view| {
        let (from, to) = (view.point(&from)?, view.point(&to)?);
        let (plan, told) = view.between(&from, &to)?;
        let plan = PlanBody::new(&plan, &told).seen_by(&by);
        let (from, to) = (PointBody::from(&from), PointBody::from(&to));
        Ok(DiffBody { format_version: FORMAT_VERSION, from, to, plan })
    })
    .await
}

/// A body, and the tag of the file that it is about.
pub(super) type Tagged<T> = ([(HeaderName, HeaderValue); 1], Json<T>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    pub(super) name: Option<String>,
    pub(super) at: Option<String>,
    #[serde(default)]
    pub(super) explain: bool,
}

pub(super) async fn profile(
    State(api): State<Api>,
    caller: Caller,
    Asked(which): Asked<Which>,
) -> Result<Tagged<ProfileBody>, Problem> {
    let active = api.settings.borrow().profile.clone();
    let name = which.name.clone().or(active).ok_or_else(|| {
        let detail =
            "no profile is active: set `profile` in the settings, or ask for one by `name`";
        Problem::new(StatusCode::NOT_FOUND, "no_active_profile", detail)
    })?;
    resolved(&api, caller, name, which).await
}

pub(super) async fn profile_by_id(
    State(api): State<Api>,
    caller: Caller,
    Named(id): Named,
    Asked(which): Asked<Which>,
) -> Result<Tagged<ProfileBody>, Problem> {
    resolved(&api, caller, id, which).await
}

async fn resolved(
    api: &Api,
    caller: Caller,
    name: String,
    which: Which,
) -> Result<Tagged<ProfileBody>, Problem> {
    if !profiles::is_name(&name) {
        return Err(no_name(&name));
    }
    // Before it is looked for: what is there and what is not tells of files too.
    if !caller.sees(&profiles::file_of(&name)) {
        return Err(hidden(&name));
    }
    let by = caller.clone();
    api.look(&caller, move |view| {
        let at = view.point(which.at.as_deref().unwrap_or("live"))?;
        let profile = match view.profile(&at, &name) {
            Ok(profile) => profile,
            // So does why what it extends cannot be read.
            Err(ViewError::Profile(error)) if !by.sees_all() && !error.is_of_asked() => {
                return Err(hidden(&name));
            }
            Err(error) => return Err(error.into()),
        };
        // A resolved profile shows what all its files say.
        if !profile.files.iter().all(|file| by.sees(file)) {
            return Err(hidden(&name));
        }
        let values = which.explain.then(|| profile.explain().into_iter().map(Into::into).collect());
        let own =
            view.mirror().find(at.tree, &profiles::file_of(&name)).map_err(ViewError::from)?;
        let tag = own.map_or_else(String::new, |file| file.id.to_string());
        let body = ProfileBody {
            format_version: FORMAT_VERSION,
            name: profile.name.clone(),
            at: PointBody::from(&at),
            files: profile.files.clone(),
            yaml: emit(&profile.document),
            values,
        };
        Ok(([(header::ETAG, writing::tag(&tag))], Json(body)))
    })
    .await
}

fn hidden(name: &str) -> Problem {
    let detail = format!(
        "the profile {name} is made of files that your role does not see, or cannot be made at all"
    );
    Problem::new(StatusCode::FORBIDDEN, "forbidden", detail)
}

/// What is told whoever asks for a profile by what can be no name of one.
pub(super) fn no_name(name: &str) -> Problem {
    let shown: String = name.chars().take(80).collect();
    Problem::bad_request(format!(
        "{shown:?} is not the name of a profile: letters, digits, `_`, `-` and `.`"
    ))
}

pub(super) async fn profiles(
    State(api): State<Api>,
    caller: Caller,
    Asked(paging): Asked<Paging>,
) -> Result<Json<Page<ProfileEntryBody>>, Problem> {
    let active = api.settings.borrow().profile.clone();
    let by = caller.clone();
    api.look(&caller, move |view| {
        let at = view.point("live")?;
        let files = view.profiles(&at)?;
        let seen = files.iter().filter(|file| by.sees(&file.path));
        let items = seen.map(|file| ProfileEntryBody::new(file, active.as_deref())).collect();
        paging.of_named(items, |profile: &ProfileEntryBody| &profile.id).map(Json)
    })
    .await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Path {
    path: Option<String>,
}

/// What a trial is about.
pub(super) enum Trying {
    Files(BTreeMap<String, Vec<u8>>),
    Revision(String),
}

pub(super) async fn validate(
    State(api): State<Api>,
    caller: Caller,
    Asked(Path { path }): Asked<Path>,
    body: Bytes,
) -> Result<Json<ValidationBody>, Problem> {
    let trying = trying(path, body)?;
    Ok(Json(tried(&api, caller, trying).await?))
}

/// What the gates say of it, as far as the caller sees it.
pub(super) async fn tried(
    api: &Api,
    caller: Caller,
    trying: Trying,
) -> Result<ValidationBody, Problem> {
    if let Trying::Files(files) = &trying
        && let Some(path) = files.keys().find(|path| !caller.sees(path))
    {
        let detail = format!("your role does not see {path}");
        return Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", detail));
    }
    let by = caller.clone();
    api.look(&caller, move |view| {
        let Trial { valid, findings } = match trying {
            Trying::Files(files) => view.try_files(&files)?,
            Trying::Revision(revision) => view.try_revision(&revision)?,
        };
        let seen = findings.iter().filter(|finding| by.sees_found(finding.file.as_deref()));
        Ok(ValidationBody::new(valid, seen.map(FindingBody::from).collect()))
    })
    .await
}

fn trying(path: Option<String>, body: Bytes) -> Result<Trying, Problem> {
    let Bytes { content, bytes } = body;
    if let Some(path) = path {
        let is_yaml = matches!(
            content.as_deref(),
            Some("application/yaml" | "application/x-yaml" | "text/yaml" | "text/plain") | None
        );
        if !is_yaml && !is_json(content.as_deref()) {
            let detail = "a document is `application/yaml` or `application/json`";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_a_document", detail));
        }
        return Ok(Trying::Files(BTreeMap::from([(path, bytes)])));
    }
    if !is_json(content.as_deref()) {
        return Err(match content.as_deref() {
            Some(content) if content.contains("yaml") => {
                Problem::bad_request("which file is this document? Add `?path=profiles/x.yaml`")
            }
            _ => not_json(),
        });
    }
    match json::<TrialBody>(&bytes)? {
        TrialBody { files: Some(files), revision: None } if files.len() <= FILES_MAX => {
            let files = files.into_iter().map(|(path, text)| (path, text.into_bytes()));
            Ok(Trying::Files(files.collect()))
        }
        TrialBody { files: Some(files), revision: None } => Err(Problem::bad_request(format!(
            "{} files are more than the {FILES_MAX} that are tried at once",
            files.len()
        ))),
        TrialBody { files: None, revision: Some(revision) } => Ok(Trying::Revision(revision)),
        TrialBody { .. } => {
            Err(Problem::bad_request("the body has to have either `files` or `revision`"))
        }
    }
}

/// Looks at once; more wait.
pub(super) const LOOKS_MAX: usize = 4;

impl Api {
    /// Looks through the view on a blocking thread. What goes wrong is told as far as the caller
    /// may see it.
    pub(super) async fn look<T: Send + 'static>(
        &self,
        caller: &Caller,
        look: impl FnOnce(&View) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let ended =
            |detail: &str| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail);
        let place = self.looks.clone().acquire_owned().await;
        let place = place.map_err(|_| ended("kconfigd is ending"))?;
        let (settings, journal) = (self.settings.borrow().clone(), self.journal.clone());
        let known = self.known.clone();
        let looked = tokio::task::spawn_blocking(move || {
            let view = View::open(settings, journal)?.knowing(known);
            let looked = look(&view);
            drop(place);
            looked
        });
        let looked = looked.await.map_err(|_| ended("the look ended unexpectedly"))?;
        looked.map_err(|problem| problem.seen_by(caller))
    }
}
