use super::args::{Global, ShowArgs};
use super::exit::{Exit, Failure};
use super::render::{BAD, BOLD, DIM, GOOD, Output, Page, WARN};
use super::status::{Reading, reading};
use crate::http::wire::{
    DeploymentBody, DetailBody, FileBody, FindingBody, ImpactBody, PlanBody, ReportBody, UnitBody,
};
use crate::model::{DeploymentId, FINDINGS_SHOWN_MAX};

/// `show ID`: one deployment, whole.
pub(super) async fn run(global: &Global, args: ShowArgs, output: &Output) -> Result<Exit, Failure> {
    let state_dir = super::sync::state_dir(global)?;
    let body: DeploymentBody = match reading(&state_dir).await? {
        Reading::Agent(client) => client.get(&format!("/api/config/history/{}", args.id)).await?,
        Reading::Journal(journal) => {
            let found = journal.deployment(DeploymentId(args.id))?;
            let found = found.ok_or_else(|| {
                Failure::new(Exit::Error, format!("there is no deployment {}", args.id))
                    .hint("see `kconfigd history`")
            })?;
            (&found).into()
        }
    };
    output.result(&body, |page| deployment(page, &body))?;
    Ok(Exit::Done)
}

fn deployment(page: &mut Page, d: &DeploymentBody) {
    let title = format!("deployment {}  {}", d.deployment, d.outcome);
    let title = page.styled(BOLD, title);
    page.line(title);
    let mut row = |name: &str, value: &str| page.line(format!("  {name:<10} {value}"));
    row("revision", &d.revision);
    row("digest", d.digest.as_deref().unwrap_or("none was made"));
    row("origin", &format!("{} ({})", d.origin, d.trigger));
    if let Some(actor) = &d.actor {
        row("actor", actor);
    }
    if let Some(reason) = &d.reason {
        row("reason", reason);
    }
    row("started", &d.started_at);
    row("took", &format!("{} ms", d.duration_ms));
    let changes = d.changes;
    row(
        "changes",
        &format!(
            "{} added, {} modified, {} removed",
            changes.added, changes.modified, changes.removed
        ),
    );
    findings(page, &d.findings);
}

/// Prints how a pass ended: one line, what the gates said, the plan where one was wanted.
pub(super) fn report(output: &Output, report: &ReportBody) -> Result<(), Failure> {
    output.result(report, |page| {
        let style = match report.outcome.as_str() {
            "refused" | "failed" | "unreachable" | "unrecorded" | "declined" => BAD,
            "held" => WARN,
            _ => GOOD,
        };
        let word = page.styled(style.bold(), report.outcome.replace('_', " "));
        page.line(format!("{word}: {}", report.message));
        findings(page, &report.findings);
        if let Some(plan_body) = &report.plan {
            plan(page, plan_body);
        }
    })
}

/// Findings, each with its place and what to do; of many the first.
pub(super) fn findings(page: &mut Page, findings: &[FindingBody]) {
    for finding in findings.iter().take(FINDINGS_SHOWN_MAX) {
        let style = if finding.severity == "error" { BAD } else { WARN };
        let place = match (&finding.file, finding.line, finding.column) {
            (Some(file), Some(line), Some(column)) => format!("{file}:{line}:{column}: "),
            (Some(file), ..) => format!("{file}: "),
            _ => String::new(),
        };
        let severity = page.styled(style, &finding.severity);
        let rule = page.styled(DIM, format!("[{}]", finding.rule));
        page.line(format!("  {place}{severity}: {} {rule}", finding.message));
        if let Some(hint) = &finding.hint {
            let hint = page.styled(DIM, format!("    hint: {hint}"));
            page.line(hint);
        }
    }
    if let Some(more @ 1..) = findings.len().checked_sub(FINDINGS_SHOWN_MAX) {
        page.line(format!("  and {more} more: `-o json` tells all of them"));
    }
}

/// A plan: counts, then each file with what changes in it.
pub(super) fn plan(page: &mut Page, plan: &PlanBody) {
    let counts = plan.changes;
    if plan.files.is_empty() {
        page.line("no differences");
        return;
    }
    page.line(format!(
        "{} added, {} modified, {} removed; {} files before, {} after",
        counts.added, counts.modified, counts.removed, plan.files_before, plan.files_after
    ));
    for change in &plan.files {
        file(page, change);
    }
    let cost = plan.cost;
    let expected = cost.expected_ms.map_or_else(String::new, |ms| format!(", about {ms} ms"));
    let files = if cost.files == 1 { "file" } else { "files" };
    let (count, bytes, fsyncs) = (cost.files, cost.bytes, cost.fsyncs);
    page.line(format!("costs: {count} {files}, {bytes} bytes, {fsyncs} fsyncs{expected}"));
    impact(page, &plan.impact);
}

/// What is touched, each thing with what it needs.
fn impact(page: &mut Page, impact: &ImpactBody) {
    // Where nothing is known of any, the names of the files have said all.
    let is_known = impact.units.iter().any(|unit| unit.needs.is_some());
    let units = if is_known { impact.units.as_slice() } else { &[] };
    if is_known {
        page.line("touches:");
    }
    let width = units.iter().map(|unit| unit.unit.chars().count()).max().unwrap_or(0);
    for UnitBody { unit, needs, because } in units {
        let Some(needs) = needs else {
            page.line(format!("  {unit}"));
            continue;
        };
        let style = if needs == "nothing" { DIM } else { WARN };
        let word = page.styled(style, format!("{needs:<7}"));
        page.line(format!("  {unit:width$}  {word}  {because}"));
    }
    if is_known && impact.more > 0 {
        page.line(format!("  and {} more", impact.more));
    }
    if !impact.reloads.is_empty() {
        page.line(format!("reloads: {}", impact.reloads.join(", ")));
    }
    if !impact.nodes.is_empty() {
        page.line(format!("tells: {}", impact.nodes.join(", ")));
    }
}

fn file(page: &mut Page, file: &FileBody) {
    let (sign, style) = match &*file.kind {
        "added" => ("+", GOOD),
        "removed" => ("-", BAD),
        _ => ("~", WARN),
    };
    let name = page.styled(style, format!("{sign} {}", file.path));
    page.line(name);
    match file.detail.as_deref() {
        // An added or removed file is told by its name; its text would only hide the rest.
        _ if file.kind != "modified" => {}
        Some(DetailBody::Keys(keys)) => {
            for key in keys {
                let old = key.old.as_deref().unwrap_or("(none)");
                let new = key.new.as_deref().unwrap_or("(removed)");
                page.line(format!("    {}: {old} → {new}", key.key));
            }
        }
        Some(DetailBody::Text(text)) => {
            for line in text.lines() {
                let style = match line.as_bytes().first() {
                    Some(b'+') => GOOD,
                    Some(b'-') => BAD,
                    _ => DIM,
                };
                let line = page.styled(style, line);
                page.line(format!("    {line}"));
            }
        }
        Some(DetailBody::Binary { old, new }) => {
            let side = |side: &Option<crate::http::wire::BinaryBody>| {
                side.as_ref().map_or_else(String::new, |b| {
                    format!("{} bytes, {}", b.bytes, b.digest.get(..19).unwrap_or(&b.digest))
                })
            };
            page.line(format!("    binary: {} → {}", side(old), side(new)));
        }
        Some(DetailBody::Mode) => page.line("    the executable bit changed"),
        Some(DetailBody::Link { old, new }) => page.line(format!(
            "    link: {} → {}",
            old.as_deref().unwrap_or("(none)"),
            new.as_deref().unwrap_or("(none)")
        )),
        Some(DetailBody::Secret) => page.line("    a secret changed; it is not shown"),
        None => {}
    }
}
