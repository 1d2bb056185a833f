use super::audit;
use super::error::query;
use super::open::{all_meta, write_meta};
use super::outbox;
use super::problems;
use super::wire::{self, WireBake, WireHeld, WireLive, WireQuarantine, WireSource, WireSuspension};
use super::{Journal, JournalError};
use crate::model::{
    AuditOutcome, AuditRecord, Bake, By, Desired, DriftKind, DriftState, DriftedPath, Event, Held,
    LiveState, OpenProblem, Quarantine, Reason, Revision, SourceState, State, Suspension,
    Timestamp,
};

/// How things stand: what a pass begins with and what `status` tells.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Standing {
    /// What is recorded as live.
    pub live: Option<LiveState>,
    /// The live path at which something of ours was live last.
    pub place: Option<String>,
    /// Which repository and reference the accepted commit belongs to.
    pub line: Option<String>,
    /// The last accepted commit of that line.
    pub accepted: Option<Revision>,
    /// What made of the live commit its tree.
    pub recipe: Option<String>,
    /// The rules that the live tree passed.
    pub rules: Option<String>,
    /// The head that an operator's decision passed over.
    pub passed_over: Option<Revision>,
    /// The source's head as it was seen last.
    pub desired: Option<Desired>,
    /// What waits.
    pub held: Option<Held>,
    /// An operator's stop.
    pub suspended: Option<Suspension>,
    /// What is not tried again by itself.
    pub quarantine: Vec<Quarantine>,
    /// How the source does.
    pub source: SourceState,
    /// What was found changed in the live tree.
    pub drift: DriftState,
    /// What is still to be seen of what is live.
    pub bake: Option<Bake>,
    /// Why what is live is known to be unhealthy.
    pub unhealthy: Option<String>,
    /// The state that the last pass left, with its reason and sentence.
    pub state: Option<(State, Option<Reason>, String)>,
    /// The problems that were there then.
    pub problems: Vec<OpenProblem>,
}

impl Journal {
    /// Reads how things stand.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn standing(&self) -> Result<Standing, JournalError> {
        let connection = self.reader();
        // One look at all of it, whoever else writes; and one lock of the file instead of many.
        let look = connection.unchecked_transaction().map_err(query("read how things stand"))?;
        let mut meta = all_meta(&look).map_err(query("read how things stand"))?;
        let mut read = |key| meta.remove(key);
        let live = read("live");
        let held = read("held");
        let suspension = read("suspension");
        let source = read("source");
        let quarantine = look
            .prepare_cached("SELECT * FROM quarantine ORDER BY since DESC")
            .and_then(|mut statement| {
                statement
                    .query_map([], WireQuarantine::from_row)?
                    .collect::<rusqlite::Result<Vec<_>>>()
            })
            .map_err(query("read the quarantine"))?;
        Ok(Standing {
            live: live.and_then(|text| wire::from_json::<WireLive>(&text)?.into_live()),
            place: read("place"),
            line: read("line"),
            accepted: read("accepted").and_then(|text| Revision::parse(&text).ok()),
            recipe: read("recipe"),
            rules: read("rules"),
            passed_over: read("passed_over").and_then(|text| Revision::parse(&text).ok()),
            desired: read("desired").and_then(|text| desired_from(&text)),
            held: held.and_then(|text| wire::from_json::<WireHeld>(&text)?.into_held()),
            suspended: suspension
                .and_then(|text| Some(wire::from_json::<WireSuspension>(&text)?.into())),
            quarantine: quarantine
                .into_iter()
                .filter_map(WireQuarantine::into_quarantine)
                .collect(),
            source: source
                .and_then(|text| Some(wire::from_json::<WireSource>(&text)?.into()))
                .unwrap_or_default(),
            drift: read("drift").map(|text| drift_from(&text)).unwrap_or_default(),
            bake: read("bake").and_then(|text| Some(wire::from_json::<WireBake>(&text)?.into())),
            unhealthy: read("unhealthy"),
            state: read("state").and_then(|text| state_from(&text)),
            problems: read(problems::KEY)
                .map(|text| problems::from_text(&text))
                .unwrap_or_default(),
        })
    }

    /// Records the source's head.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn note_desired(
        &self,
        desired: &Desired,
        events: &[(Event, Vec<String>)],
    ) -> Result<(), JournalError> {
        let text = wire::to_json(&(desired.revision.to_string(), desired.detected_at.0));
        self.note("desired", Some(&text), events)
    }

    /// Records how the source does.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn note_source(
        &self,
        source: &SourceState,
        events: &[(Event, Vec<String>)],
    ) -> Result<(), JournalError> {
        self.note("source", Some(&wire::to_json(&WireSource::from(source))), events)
    }

    /// Records the live path at which something of ours is live.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn note_place(&self, place: &str) -> Result<(), JournalError> {
        self.note("place", Some(place), &[])
    }

    /// Records what waits, or that nothing does.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn note_held(
        &self,
        held: Option<&Held>,
        events: &[(Event, Vec<String>)],
    ) -> Result<(), JournalError> {
        let text = held.map(|held| wire::to_json(&WireHeld::from(held)));
        self.note("held", text.as_deref(), events)
    }

    /// Records what was found changed in the live tree.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn note_drift(
        &self,
        drift: &DriftState,
        events: &[(Event, Vec<String>)],
    ) -> Result<(), JournalError> {
        let paths: Vec<_> = drift.paths.iter().map(|p| (&p.path, p.kind.as_str())).collect();
        let text = wire::to_json(&(drift.checked_at.map(|t| t.0), paths));
        self.note("drift", Some(&text), events)
    }

    /// Stops the agent from applying.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn suspend(&self, suspension: &Suspension, by: By) -> Result<(), JournalError> {
        let text = wire::to_json(&WireSuspension::from(suspension));
        let until = suspension.until.map(|until| format!("until {until}"));
        let record = AuditRecord {
            detail: until,
            ..AuditRecord::new(suspension.since, by, "agent.suspend", AuditOutcome::Done)
        };
        self.audited_note("suspension", Some(&text), &record.because(suspension.reason.as_deref()))
    }

    /// Lets it go on.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn resume(&self, by: By, reason: Option<&str>, now: Timestamp) -> Result<(), JournalError> {
        let record = AuditRecord::new(now, by, "agent.resume", AuditOutcome::Done);
        self.audited_note("suspension", None, &record.because(reason))
    }

    fn audited_note(
        &self,
        key: &'static str,
        value: Option<&str>,
        record: &AuditRecord,
    ) -> Result<(), JournalError> {
        self.transaction("note how things stand", |tx| {
            write_meta(tx, key, value)?;
            self.mark(tx, None)?;
            audit::append(tx, self.sealer(), record)
        })
    }

    fn note(
        &self,
        key: &'static str,
        value: Option<&str>,
        events: &[(Event, Vec<String>)],
    ) -> Result<(), JournalError> {
        self.transaction("note how things stand", |tx| {
            write_meta(tx, key, value)?;
            for (event, nodes) in events {
                outbox::record(tx, event, nodes)?;
            }
            Ok(())
        })
    }
}

fn desired_from(text: &str) -> Option<Desired> {
    let (revision, at): (String, i64) = wire::from_json(text)?;
    Some(Desired { revision: Revision::parse(&revision).ok()?, detected_at: Timestamp(at) })
}

fn drift_from(text: &str) -> DriftState {
    let (checked_at, paths): (Option<i64>, Vec<(String, String)>) =
        wire::from_json(text).unwrap_or_default();
    let paths = paths
        .into_iter()
        .filter_map(|(path, kind)| Some(DriftedPath { path, kind: DriftKind::from_word(&kind)? }));
    DriftState { checked_at: checked_at.map(Timestamp), paths: paths.collect() }
}

fn state_from(text: &str) -> Option<(State, Option<Reason>, String)> {
    let (state, reason, message): (String, Option<String>, String) = wire::from_json(text)?;
    Some((State::from_word(&state)?, reason.and_then(|r| Reason::from_word(&r)), message))
}
