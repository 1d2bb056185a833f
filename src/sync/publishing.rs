//! Writing a file into the repository: checked as a commit of anybody else would be, then pushed. What
//! becomes live of it is for the next pass to decide, as for any other commit.

use std::collections::BTreeMap;

use super::attempt::Attempt;
use super::trusted::Trusted;
use super::{Agent, SyncError};
use crate::config::{Reference, RenderSettings, VerifyMode, WriteBack};
use crate::gates;
use crate::model::{
    AuditOutcome, AuditRecord, Before, By, Finding, ObjectId, PassOutcome, Publication, Reason,
    Report, Revision, TreePath, Trigger, Wish, sort_findings,
};
use crate::objects::{ItemKind, Mirror};
use crate::profiles;
use crate::render::{self, Input};
use crate::source::{Descent, Head, Pushed};

/// How often a push is tried again on a head that moved meanwhile.
const TRIES_MAX: usize = 5;
/// Before the name of each branch for review.
const REVIEWED: &str = "refs/heads/kconfigd/";

/// What the attempt on one head came to.
enum Tried {
    Ended(Box<Report>),
    /// The branch moved, as the server says where it says so.
    Moved(Option<String>),
}

fn conflict(reason: Reason, message: impl Into<String>) -> Tried {
    Tried::Ended(Box::new(Report::new(PassOutcome::Conflicted(reason), message)))
}

impl Agent {
    /// Commits a file to the repository; the audit trail says what became of it.
    pub(super) fn publish(
        &mut self,
        publication: &Publication,
        wish: &Wish,
        trigger: Trigger,
    ) -> Result<Report, SyncError> {
        let tried = self.publish_on_some_head(publication, wish, trigger);
        let (outcome, why, commit) = match &tried {
            Ok(report) => {
                let commit = report.revision.as_ref().map(ToString::to_string);
                match report.outcome {
                    PassOutcome::Published => (AuditOutcome::Done, None, commit),
                    PassOutcome::Conflicted(reason) => {
                        (AuditOutcome::Refused, Some(reason.as_str()), commit)
                    }
                    _ => (AuditOutcome::Failed, None, commit),
                }
            }
            // It is done once more, with a new mirror.
            Err(error) if error.mirror_damaged() => return tried,
            Err(error) => (AuditOutcome::Failed, Some(error.reason().as_str()), None),
        };
        let detail = commit.map(|id| format!("order {}: commit {id}", wish.id));
        let detail = detail.unwrap_or_else(|| format!("order {}", wish.id));
        let record = AuditRecord {
            detail: Some(detail),
            ..AuditRecord::new(self.clock.now(), By::agent(), "file.publish", outcome)
        };
        let record = record.of(publication.path.to_string()).because(why);
        self.journal.audit(&record)?;
        tried
    }

    fn publish_on_some_head(
        &mut self,
        publication: &Publication,
        wish: &Wish,
        trigger: Trigger,
    ) -> Result<Report, SyncError> {
        let mut before: Option<(Revision, String)> = None;
        for _ in 0..TRIES_MAX {
            let head = self.ask()?;
            if let Some((revision, said)) = before.take()
                && revision == head.revision
            {
                // It did not move: the words mean something that does not pass.
                let message = format!("the repository refused the commit: {said}");
                return Ok(Report::new(PassOutcome::Conflicted(Reason::PushRefused), message));
            }
            match self.publish_on(&head, publication, wish, trigger)? {
                Tried::Ended(report) => return Ok(*report),
                Tried::Moved(said) => before = said.map(|said| (head.revision, said)),
            }
        }
        let message = format!("the branch moved {TRIES_MAX} times meanwhile: try again");
        Ok(Report::new(PassOutcome::Conflicted(Reason::PushRefused), message))
    }

    fn publish_on(
        &mut self,
        head: &Head,
        publication: &Publication,
        wish: &Wish,
        trigger: Trigger,
    ) -> Result<Tried, SyncError> {
        let earlier = self.journal.pushing(wish.id)?;
        let target = match self.target(head, wish, earlier.as_ref()) {
            Ok(target) => target,
            Err(message) => return Ok(conflict(Reason::WriteBackOff, message)),
        };
        let mirror = self.mirror()?;
        if let Some(reason) = self.distrusts(head, &mirror, wish, trigger)? {
            return Ok(reason);
        }
        let path = match self.path_in_repository(&publication.path) {
            Some(path) => path,
            None => {
                return Ok(conflict(
                    Reason::WriteBackOff,
                    "with gitops.layers a profile is made of several files: write them in git",
                ));
            }
        };
        let root = mirror.commit_tree(&head.revision)?;
        let tree = mirror.with_file(root, &path, publication.content.as_deref())?;
        // Pushed before, for this order: its answer was lost, or a crash came after it.
        if let Some((commit, _)) = &earlier
            && self.shows(head, &target, commit, tree == root)
        {
            return Ok(Tried::Ended(Box::new(published(commit, publication, &target.reference))));
        }
        if let Some(report) = contradicts(&mirror, root, &path, publication)? {
            return Ok(report);
        }
        if tree == root {
            let report = published(&head.revision, publication, &head.reference);
            return Ok(Tried::Ended(Box::new(report)));
        }
        let message = words(publication, wish);
        let commit =
            mirror.commit(tree, Some(&head.revision), &wish.actor, &message, self.clock.now())?;
        let findings = match self.findings_of(&mirror, &commit, publication) {
            Ok(findings) => findings,
            // What is wrong with the rules of this machine says nothing of what is live.
            Err(SyncError::Gates(error)) if error.is_of_this_node() => {
                let why = super::error::chain(&error);
                return Ok(conflict(Reason::ValidationUnavailable, why));
            }
            Err(error) => return Err(error),
        };
        if self.rules.refuse(&findings) {
            let first = findings.first().map_or_else(String::new, ToString::to_string);
            let mut report = Report::new(PassOutcome::Conflicted(Reason::ValidationRefused), first);
            report.findings = findings;
            return Ok(Tried::Ended(Box::new(report)));
        }
        self.journal.note_pushing(wish.id, &commit, &target.reference)?;
        let old = target.is_followed.then_some(&head.revision);
        Ok(match self.source.push(&commit, old, &target.reference, &mirror) {
            Ok(Pushed::Done) => {
                let mut report = published(&commit, publication, &target.reference);
                report.findings = findings;
                Tried::Ended(Box::new(report))
            }
            Ok(Pushed::Moved(said)) => Tried::Moved(said),
            Ok(Pushed::Refused(why)) => {
                conflict(Reason::PushRefused, format!("the repository refused the commit: {why}"))
            }
            Err(error) if error.mirror_damaged() => return Err(error.into()),
            // The source was read, so following it is as well as before.
            Err(error) => {
                let why = super::error::chain(&error);
                conflict(Reason::PushRefused, format!("the commit could not be pushed: {why}"))
            }
        })
    }

    /// Why nothing is built on a head: it is not trusted, or its history was rewritten.
    fn distrusts(
        &mut self,
        head: &Head,
        mirror: &Mirror,
        wish: &Wish,
        trigger: Trigger,
    ) -> Result<Option<Tried>, SyncError> {
        let attempt = Attempt {
            revision: head.revision.clone(),
            trigger,
            wish: Some(wish),
            started_at: self.clock.now(),
            trust: self.trust_key(head),
            passes_over: None,
        };
        let fetched = self.fetch(head, mirror)?;
        if fetched.descent == Descent::Rewritten && self.refuses_rewrites() {
            let message = format!(
                "history was rewritten: {} does not descend from the last accepted commit, so nothing is built on it; if it is meant, `kconfigd apply` takes it",
                head.revision.short()
            );
            return Ok(Some(conflict(Reason::HistoryRewritten, message)));
        }
        let trusted = self.without_intent(|agent| agent.verify(mirror, &attempt, &fetched))?;
        Ok(match trusted {
            Trusted::Yes(_) => None,
            Trusted::No(report) => Some(conflict(Reason::VerificationRefused, report.message)),
        })
    }

    /// Whether a commit that was pushed before arrived: the branch shows it, or, with others on top
    /// of it, has what it brought.
    fn shows(&mut self, head: &Head, target: &Target, commit: &Revision, has_it: bool) -> bool {
        match target.is_followed {
            true => has_it || head.revision == *commit,
            // A branch that is not there was not pushed.
            false => {
                let shown = self.source.look_up(&target.reference);
                shown.is_ok_and(|shown| shown.revision == *commit)
            }
        }
    }

    /// The branch that a commit goes to, or why there is none.
    fn target(
        &self,
        head: &Head,
        wish: &Wish,
        earlier: Option<&(Revision, String)>,
    ) -> Result<Target, String> {
        let source = &self.settings.source;
        let is_signed = source.verify.mode == VerifyMode::Require;
        match source.write_back {
            WriteBack::Off => Err("gitops.write_back.mode is `off`: write it in git".to_owned()),
            WriteBack::Branch => {
                // One branch an order, however often it is tried.
                let earlier = earlier.filter(|(_, name)| name.starts_with(REVIEWED));
                let reference = earlier.map(|(_, name)| name.clone());
                let new = || format!("{REVIEWED}{}-{}", wish.id, self.clock.now().0);
                Ok(Target { reference: reference.unwrap_or_else(new), is_followed: false })
            }
            WriteBack::Push if is_signed => Err("gitops.verify wants signed commits, and those of the API are not: write it in git, or set gitops.write_back.mode to `branch` and let somebody merge it, signed".to_owned()),
            WriteBack::Push => match &source.reference {
                Reference::Head | Reference::Branch(_) | Reference::Ref(_)
                    if head.reference.starts_with("refs/heads/") =>
                {
                    Ok(Target { reference: head.reference.clone(), is_followed: true })
                }
                _ => Err(format!("{} is followed, which is no branch that could be written to", head.reference)),
            },
        }
    }

    /// Where a file of the tree is in the repository; `None` where it is in more than one place.
    fn path_in_repository(&self, path: &TreePath) -> Option<TreePath> {
        let settings = &self.settings.render;
        if !settings.layers.is_empty() {
            return None;
        }
        let folder = settings.path.trim_matches('/');
        match folder {
            "" | "." => Some(path.clone()),
            folder => TreePath::parse(&format!("{folder}/{path}")).ok(),
        }
    }

    /// What rendering and the gates say of a commit of ours, as of any other: of all that is in it,
    /// since others use what this machine does not need (`needs: profile`), and of what this machine
    /// makes of it.
    fn findings_of(
        &mut self,
        mirror: &Mirror,
        commit: &Revision,
        publication: &Publication,
    ) -> Result<Vec<Finding>, SyncError> {
        let submodules: BTreeMap<_, _> = self.source.submodules(commit, mirror)?;
        let settings = std::sync::Arc::clone(&self.settings);
        let whole = RenderSettings { only_for: None, ..settings.render.clone() };
        let (tree, mut findings) = self.judge(mirror, commit, &whole, &submodules)?;
        // A file that is refused by itself needs no word about what it makes of others.
        if let Some(tree) = tree.filter(|_| !findings.iter().any(Finding::is_error)) {
            findings.extend(self.unresolved(mirror, tree, publication)?);
        }
        if settings.render.only_for.is_some() {
            let (_, here) = self.judge(mirror, commit, &settings.render, &submodules)?;
            for finding in here {
                if !findings.contains(&finding) {
                    findings.push(finding);
                }
            }
        }
        sort_findings(&mut findings);
        Ok(findings)
    }

    fn judge(
        &self,
        mirror: &Mirror,
        commit: &Revision,
        settings: &RenderSettings,
        submodules: &BTreeMap<String, ObjectId>,
    ) -> Result<(Option<ObjectId>, Vec<Finding>), SyncError> {
        let limits = &self.settings.limits;
        let input = Input { commit, settings, submodules, limits, hint: None };
        let rendered = render::render(mirror, &input)?;
        let mut findings = rendered.findings;
        if let Some(tree) = rendered.tree.or(rendered.rest) {
            let live =
                self.live_tree().filter(|_| self.standing.rules.as_ref() == Some(&self.rules_key));
            findings.splice(0..0, gates::check(mirror, tree, live, &self.rules)?);
        }
        Ok((rendered.tree, findings))
    }

    /// Why a profile cannot be resolved: the one that is written, and the one that this machine runs.
    fn unresolved(
        &self,
        mirror: &Mirror,
        tree: ObjectId,
        publication: &Publication,
    ) -> Result<Vec<Finding>, SyncError> {
        let limits = &self.settings.limits;
        let written = publication.path.as_str();
        let written =
            written.strip_prefix(profiles::FOLDER).and_then(|name| name.strip_prefix('/'));
        let written = written.and_then(|name| name.strip_suffix(".yaml"));
        let written = written.filter(|_| publication.content.is_some());
        let mut findings = Vec::new();
        for name in written.into_iter().chain(self.settings.profile.as_deref()) {
            let read = |path: &str| mirror.read_file(tree, path, limits.file_bytes_max);
            if let Err(error) = profiles::resolve(name, limits, read)? {
                let hint = "what a profile extends has to be there, and to fit below it";
                let finding = Finding::error("profile.unresolved", error.to_string())
                    .in_file(profiles::file_of(name))
                    .hint(hint);
                if !findings.contains(&finding) {
                    findings.push(finding);
                }
            }
        }
        Ok(findings)
    }
}

struct Target {
    reference: String,
    /// Whether it is the branch that is followed, which shows the head.
    is_followed: bool,
}

/// Whether the file is not what whoever writes it thinks it is.
fn contradicts(
    mirror: &Mirror,
    root: ObjectId,
    path: &TreePath,
    publication: &Publication,
) -> Result<Option<Tried>, SyncError> {
    let found = mirror.find(root, path.as_str())?;
    let is_file = |kind: ItemKind| matches!(kind, ItemKind::File(_));
    let shown = &publication.path;
    Ok(match (publication.before, found) {
        (Before::Absent, None) => None,
        (Before::Absent, Some(_)) => {
            Some(conflict(Reason::FileExists, format!("{shown} is in the repository already")))
        }
        (Before::Present | Before::Blob(_), None) => {
            Some(conflict(Reason::FileMissing, format!("{shown} is not in the repository")))
        }
        (Before::Blob(id), Some(item)) if item.id != id => Some(conflict(
            Reason::FileChanged,
            format!(
                "{shown} was changed meanwhile: read it again as the source has it now, with `?at=desired`"
            ),
        )),
        (_, Some(item)) if !is_file(item.kind) => {
            Some(conflict(Reason::FileMissing, format!("{shown} is no file")))
        }
        (Before::Present | Before::Blob(_), Some(_)) => None,
    })
}

fn words(publication: &Publication, wish: &Wish) -> String {
    let verb = match (&publication.content, publication.before) {
        (None, _) => "remove",
        (Some(_), Before::Absent) => "add",
        (Some(_), _) => "change",
    };
    let title =
        publication.message.clone().unwrap_or_else(|| format!("{verb} {}", publication.path));
    let said = format!("{title}\n\nWritten over the API of kconfigd by {}.\n", wish.actor);
    // git takes no NUL, and nobody's terminal is to obey a commit.
    said.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect()
}

fn published(commit: &Revision, publication: &Publication, reference: &str) -> Report {
    let branch = reference.strip_prefix("refs/heads/").unwrap_or(reference);
    let message = format!("{} is written to {branch} as {}", publication.path, commit.short());
    let mut report = Report::new(PassOutcome::Published, message);
    report.revision = Some(commit.clone());
    report
}
