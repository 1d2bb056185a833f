use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::args::{AuditAction, AuditArgs, Global};
use super::exit::{Exit, Failure};
use super::render::{Output, Page as Printed, short};
use super::status::{nothing_there, since};
use crate::app::{audit_public_key, journal_file};
use crate::clock::{Clock as _, SystemClock};
use crate::http::wire::{AuditBody, FORMAT_VERSION, Page};
use crate::journal::{AuditFilter, Checkpoint, Journal};
use crate::model::Timestamp;

/// Records read at once for an export.
const EXPORTED_AT_ONCE: usize = 500;

/// What a verification came to.
#[derive(Serialize)]
struct VerifiedBody {
    format_version: u32,
    whole: bool,
    records: Option<u64>,
    first: Option<u64>,
    last: Option<u64>,
    checkpoints: Option<u64>,
    fault: Option<String>,
}

/// `audit`: who did what. The journal is read beside whoever writes it, so this works with and
/// without an agent.
pub(super) async fn run(
    global: &Global,
    args: AuditArgs,
    output: &Output,
) -> Result<Exit, Failure> {
    let state_dir = super::sync::state_dir(global)?;
    let journal = Journal::open_to_read(&journal_file(&state_dir))?;
    let journal = journal.ok_or_else(|| nothing_there(&state_dir))?;
    match args.action {
        None => list(&journal, &args, output),
        Some(AuditAction::Verify { checkpoint, key }) => {
            verify(&journal, &state_dir, &checkpoint, key, output)
        }
        Some(AuditAction::Checkpoint) => {
            let checkpoint = journal.checkpoint()?.ok_or_else(|| {
                Failure::new(Exit::Error, "nothing was signed yet: the trail is empty")
            })?;
            output.text(&format!("{}\n", checkpoint.to_text()))?;
            Ok(Exit::Done)
        }
        Some(AuditAction::Export) => export(&journal),
        Some(AuditAction::Key) => {
            output.text(&format!("{}\n", public_key(&state_dir)?))?;
            Ok(Exit::Done)
        }
    }
}

fn list(journal: &Journal, args: &AuditArgs, output: &Output) -> Result<Exit, Failure> {
    let moment = |text: &Option<String>| match text {
        None => Ok(None),
        Some(text) => Timestamp::parse(text).map(Some).map_err(|_| {
            Failure::new(Exit::Usage, format!("{text} is no time"))
                .hint("write it as 2026-01-31T18:00:00Z")
        }),
    };
    let filter = AuditFilter {
        before: args.before,
        name: args.name.clone(),
        action: args.of.clone(),
        outcome: args.outcome.clone(),
        since: moment(&args.since)?,
        until: moment(&args.until)?,
    };
    let limit = args.limit.max(1);
    let found = journal.audited(&filter, limit)?;
    let next = (found.len() == limit).then(|| found.last().map(|record| record.id)).flatten();
    let items = found.iter().map(AuditBody::from).collect();
    let body = Page::new(items, next);
    output.result(&body, |page| words(page, &body, SystemClock.now()))?;
    Ok(Exit::Done)
}

fn words(page: &mut Printed, body: &Page<AuditBody>, now: Timestamp) {
    if body.items.is_empty() {
        page.line("nothing was done that fits");
        return;
    }
    let rows: Vec<Vec<String>> = body.items.iter().map(|record| row(record, now)).collect();
    page.table(&["ID", "AGE", "WHO", "WHAT", "TO", "OUTCOME", "WHY"], &rows);
    if let Some(next) = body.next {
        page.line(format!("older ones: kconfigd audit --before {next}"));
    }
}

fn row(record: &AuditBody, now: Timestamp) -> Vec<String> {
    let target = record.target.as_deref().unwrap_or_default();
    let is_revision = target.len() == 40 && target.bytes().all(|b| b.is_ascii_hexdigit());
    let who = match &record.from {
        Some(from) => format!("{} ({}, {from})", record.name, record.known),
        None => record.name.clone(),
    };
    vec![
        record.id.to_string(),
        since(&record.at, now),
        who,
        record.action.clone(),
        if is_revision { short(target).to_owned() } else { target.to_owned() },
        record.outcome.clone(),
        record.reason.clone().or_else(|| record.detail.clone()).unwrap_or_default(),
    ]
}

fn verify(
    journal: &Journal,
    state_dir: &Path,
    checkpoints: &[PathBuf],
    key: Option<String>,
    output: &Output,
) -> Result<Exit, Failure> {
    let mut kept = Vec::new();
    for file in checkpoints {
        let text = std::fs::read_to_string(file)
            .map_err(|error| Failure::io("read", &file.display().to_string(), error))?;
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            kept.push(Checkpoint::parse(line).map_err(|error| {
                Failure::new(Exit::Usage, format!("{}: {error}", file.display()))
            })?);
        }
    }
    let key = match key {
        Some(key) => key,
        None => public_key(state_dir)?,
    };
    let judged = journal.verify_audit(&key, &kept)?;
    let body = match &judged {
        Ok(whole) => VerifiedBody {
            format_version: FORMAT_VERSION,
            whole: true,
            records: Some(whole.records),
            first: Some(whole.first),
            last: Some(whole.last),
            checkpoints: Some(whole.checkpoints),
            fault: None,
        },
        Err(fault) => VerifiedBody {
            format_version: FORMAT_VERSION,
            whole: false,
            records: None,
            first: None,
            last: None,
            checkpoints: None,
            fault: Some(fault.to_string()),
        },
    };
    output.result(&body, |page| match &judged {
        Ok(whole) => page.line(format!(
            "whole: {} records ({} to {}), {} checkpoints fit",
            whole.records, whole.first, whole.last, whole.checkpoints
        )),
        Err(fault) => page.line(format!("not whole: {fault}")),
    })?;
    Ok(if judged.is_ok() { Exit::Done } else { Exit::Error })
}

fn public_key(state_dir: &Path) -> Result<String, Failure> {
    audit_public_key(state_dir).map_err(|error| {
        Failure::io("read the key in", &state_dir.display().to_string(), error)
            .hint("give the public key with --key; `kconfigd audit key` prints it on the machine")
    })
}

/// Every record, a JSON object a line, the oldest first.
fn export(journal: &Journal) -> Result<Exit, Failure> {
    let mut out = std::io::stdout().lock();
    let unwritten = |error| Failure::io("write to", "standard output", error);
    let mut after = 0;
    loop {
        let records = journal.audited_after(after, EXPORTED_AT_ONCE)?;
        let Some(last) = records.last() else { break };
        after = last.id;
        for record in &records {
            let line = serde_json::to_string(&AuditBody::from(record)).unwrap_or_default();
            writeln!(out, "{line}").map_err(unwritten)?;
        }
    }
    out.flush().map_err(unwritten)?;
    Ok(Exit::Done)
}
