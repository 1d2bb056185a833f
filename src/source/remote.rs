use std::collections::BTreeMap;
use std::path::Path;
use std::sync::OnceLock;

use crate::config::{Reference, SourceSettings, VerifyMode, VerifyWhat};
use crate::model::{Limits, ObjectId, Revision};
use crate::objects::Mirror;
use crate::progress::Progress;

use super::advertisement::Shown;
use super::patience::Patience;
use super::push::{self, Update};
use super::reach::Reach;
use super::repository::{Into, Repository, damage};
use super::submodules;
use super::wanted::{self, Chosen};
use super::{Descent, Fetched, Head, Pushed, ShownTag, Source, SourceError};

/// Heads that are looked through for a commit that the server does not give out by its id.
const HEADS_MAX: usize = 64;

/// The repository that the settings name.
pub struct Remote {
    reach: Reach,
    limits: Limits,
    repository: Repository,
    /// What the last ask gave.
    last: Option<Chosen>,
    /// Whether the ask before that gave something else. The first one says nothing of that.
    is_new: bool,
    progress: Progress,
}

impl Remote {
    /// Prepares to ask, from threads that may block; connects to nothing yet.
    ///
    /// # Errors
    /// [`SourceError::NotGit`] for an address that cannot be one, or when no more files can be open.
    pub fn new(
        settings: &SourceSettings,
        limits: &Limits,
        state_dir: &Path,
    ) -> Result<Self, SourceError> {
        let (settings, state_dir) = (settings.clone(), state_dir.to_owned());
        let reach = Reach { settings, state_dir, reactor: OnceLock::new() };
        let repository = reach.main()?;
        let progress = Progress::default();
        Ok(Self { limits: limits.clone(), repository, reach, last: None, is_new: false, progress })
    }

    /// The error for a reference that is not there, told with what there is.
    fn not_found(&mut self, reference: &Reference, patience: Patience) -> SourceError {
        let place = self.repository.place();
        let all = match reference {
            Reference::Tag(_) | Reference::Semver(_) => "refs/tags/",
            _ => "refs/heads/",
        };
        let shown = match self.repository.references(all, patience) {
            Ok(shown) => shown,
            Err(error) => return error,
        };
        let heads = match all {
            "refs/tags/" if shown.is_empty() => self.repository.references("refs/heads/", patience),
            _ => Ok(shown.clone()),
        };
        if heads.is_ok_and(|heads| heads.is_empty()) {
            return SourceError::Empty { place };
        }
        SourceError::ReferenceNotFound {
            place,
            reference: wanted::spoken(reference),
            hint: wanted::instead(reference, &shown),
        }
    }

    /// The id under which the repository shows a head: a tag's own.
    fn shown(&self, head: &Head) -> ObjectId {
        match &self.last {
            Some(last) if last.head.revision == head.revision => last.shown,
            _ => head.tag.unwrap_or_else(|| head.revision.id()),
        }
    }

    /// What has to be signed; `None`: nothing.
    fn signed(&self) -> Option<VerifyWhat> {
        let verify = &self.reach.settings.verify;
        (verify.mode != VerifyMode::Off).then_some(verify.what)
    }

    /// The tag that shows the head, brought into the mirror. For a commit that was named by its id,
    /// any tag that names it.
    fn tag(&mut self, head: &Head, into: Into<'_>) -> Result<Option<ShownTag>, SourceError> {
        const TAGS: &str = "refs/tags/";
        let tag = if head.reference.starts_with(TAGS) {
            ShownTag { name: head.reference.clone(), id: head.tag }
        } else {
            let tags = self.repository.references(TAGS, into.patience)?;
            let names = |id: ObjectId| id == head.revision.id();
            let named = |one: &&Shown| one.peeled.is_some_and(names) && one.name.starts_with(TAGS);
            let Some(tag) = tags.iter().find(named) else { return Ok(None) };
            ShownTag { name: tag.name.clone(), id: Some(tag.id) }
        };
        if let Some(id) = tag.id {
            self.repository.tag(id, &head.revision, into)?;
        }
        Ok(Some(tag))
    }

    /// The files of a commit; one that the server does not give out by its id is looked for in the
    /// history of its branches.
    fn files(
        &mut self,
        head: &Head,
        since: Option<&Revision>,
        into: Into<'_>,
    ) -> Result<u64, SourceError> {
        let wanted = (&head.revision, self.shown(head));
        let is_last = self.last.as_ref().is_some_and(|last| last.head.revision == head.revision);
        let is_new = std::mem::take(&mut self.is_new) && is_last;
        let failed = match self.repository.files(wanted, is_new, since, into) {
            Err(error) if is_unknown(&error) => error,
            result => return result,
        };
        if head.reference != head.revision.to_string() {
            return Err(failed);
        }
        let not_found = SourceError::ReferenceNotFound {
            place: self.repository.place(),
            reference: format!("commit {}", head.revision),
            hint: "; was it pushed, and to this repository?".to_owned(),
        };
        let heads = self.repository.references("refs/heads/", into.patience)?;
        let heads: Vec<ObjectId> = heads.iter().map(|one| one.id).take(HEADS_MAX).collect();
        match self.repository.search(&head.revision, &heads, into)? {
            Some(bytes) => Ok(bytes),
            None => Err(not_found),
        }
    }
}

/// Whether the server said that it has no such object, or gives it to nobody.
fn is_unknown(error: &SourceError) -> bool {
    match error {
        SourceError::Remote { message, .. } => {
            ["not our ref", "unadvertised", "not found", "bad object", "no such"]
                .iter()
                .any(|words| message.contains(words))
        }
        SourceError::Incomplete { .. } => true,
        _ => false,
    }
}

impl Source for Remote {
    fn ask(&mut self) -> Result<Head, SourceError> {
        let patience = Patience::begin(self.reach.settings.timeout);
        self.repository.close();
        if let Reference::Commit(revision) = &self.reach.settings.reference {
            return Ok(Head::of(revision.clone()));
        }
        let Some(prefix) = wanted::prefix(&self.reach.settings.reference) else {
            return Err(SourceError::ReferenceNotFound {
                place: self.repository.place(),
                reference: wanted::spoken(&self.reach.settings.reference),
                hint: "; git allows no such name".to_owned(),
            });
        };
        let shown = self.repository.references(&prefix, patience)?;
        let Some(chosen) = wanted::choose(&self.reach.settings.reference, &shown) else {
            let reference = self.reach.settings.reference.clone();
            let error = self.not_found(&reference, patience);
            self.repository.close();
            return Err(error);
        };
        let head = chosen.head.clone();
        self.is_new = self.last.as_ref().is_some_and(|last| *last != chosen);
        // what is new is fetched next, over the same connection
        if self.last.as_ref() == Some(&chosen) {
            self.repository.close();
        }
        self.last = Some(chosen);
        Ok(head)
    }

    fn look_up(&mut self, name: &str) -> Result<Head, SourceError> {
        let patience = Patience::begin(self.reach.settings.timeout);
        self.repository.close();
        for reference in wanted::meanings(name) {
            // A name that git does not allow is nobody's.
            let Some(prefix) = wanted::prefix(&reference) else { continue };
            let shown = self.repository.references(&prefix, patience)?;
            if let Some(chosen) = wanted::choose(&reference, &shown) {
                return Ok(chosen.head);
            }
        }
        let name = name.strip_prefix("origin/").unwrap_or(name);
        let mut error = self.not_found(&Reference::Branch(name.to_owned()), patience);
        self.repository.close();
        if let SourceError::ReferenceNotFound { reference, .. } = &mut error {
            *reference = format!("branch or tag `{name}`");
        }
        Err(error)
    }

    fn fetch(
        &mut self,
        head: &Head,
        since: Option<&Revision>,
        mirror: &Mirror,
        meanwhile: &dyn Fn(),
    ) -> Result<Fetched, SourceError> {
        let patience = Patience::begin(self.reach.settings.timeout);
        let odb = mirror.repository().odb().map_err(|source| damage(mirror, source))?;
        let limits = self.limits.clone();
        let progress = self.progress.clone();
        let (limits, progress) = (&limits, &progress);
        let into = Into { mirror, odb: &odb, limits, patience, progress, meanwhile };
        let files = self.files(head, since, into)?;
        let wanted = (&head.revision, self.shown(head));
        let (descent, history) = self.repository.descent(wanted, since, into)?;
        let (what, since) = (self.signed(), since.filter(|_| descent == Descent::Descends));
        let (since, news) = match since {
            Some(since) if what == Some(VerifyWhat::All) => {
                self.repository.news(wanted, since, into)?
            }
            _ => (Vec::new(), 0),
        };
        let tag = match what {
            Some(VerifyWhat::Tag) => self.tag(head, into)?,
            _ => None,
        };
        self.repository.close();
        let bytes = files + history + news;
        Ok(Fetched { revision: head.revision.clone(), descent, bytes, since, tag })
    }

    fn submodules(
        &mut self,
        revision: &Revision,
        mirror: &Mirror,
    ) -> Result<BTreeMap<String, ObjectId>, SourceError> {
        if !self.reach.settings.submodules {
            return Ok(BTreeMap::new());
        }
        let patience = Patience::begin(self.reach.settings.timeout);
        let odb = mirror.repository().odb().map_err(|source| damage(mirror, source))?;
        let (limits, progress) = (&self.limits, &self.progress);
        let into = Into { mirror, odb: &odb, limits, patience, progress, meanwhile: &|| {} };
        let (found, _) = submodules::bring(&self.reach, mirror.commit_tree(revision)?, into)?;
        Ok(found)
    }

    fn push(
        &mut self,
        commit: &Revision,
        old: Option<&Revision>,
        reference: &str,
        mirror: &Mirror,
    ) -> Result<Pushed, SourceError> {
        let patience = Patience::begin(self.reach.settings.timeout);
        let update = Update { commit, old, reference };
        push::push(self.reach.writable()?, &update, mirror, patience)
    }

    fn report_to(&mut self, progress: Progress) {
        self.progress = progress;
    }
}
