//! `kconfigd policy test`: the policies' own tests, for who writes policies.

use serde::Serialize;

use super::args::{PolicyAction, PolicyArgs};
use super::exit::{Exit, Failure, chain};
use super::render::{BAD, DIM, GOOD, Output, Page};
use crate::gates::{self, Tried};
use crate::http::wire::{FORMAT_VERSION, FindingBody};
use crate::model::Limits;

/// How the tests went.
#[derive(Serialize)]
struct Body {
    format_version: u32,
    passed: usize,
    failed: usize,
    broken: Vec<FindingBody>,
    tests: Vec<TestBody>,
}

/// One test.
#[derive(Serialize)]
struct TestBody {
    name: String,
    file: String,
    line: u32,
    passed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    printed: Vec<String>,
}

/// Runs the tests. A test that fails, a file that is broken, and no test at all are errors.
pub(super) fn run(args: PolicyArgs, output: &Output) -> Result<Exit, Failure> {
    let PolicyAction::Test { paths, run } = args.action;
    let tried = gates::run_tests(&paths, &Limits::default())
        .map_err(|error| Failure::new(Exit::Error, chain(&error)))?;
    let body = Body::of(tried, run.as_deref());
    output.result(&body, |page| words(page, &body))?;
    if !body.broken.is_empty() {
        return Ok(Exit::Gate);
    }
    if body.tests.is_empty() {
        let paths: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
        let text = format!("there is no test in {}", paths.join(", "));
        let hint = "a test is a rule called `test_…` in a file of its own: policy/root_test.rego";
        return Err(Failure::new(Exit::Error, text).hint(hint));
    }
    Ok(if body.failed > 0 { Exit::Error } else { Exit::Done })
}

impl Body {
    fn of(tried: Tried, run: Option<&str>) -> Self {
        let mut tests: Vec<TestBody> = tried
            .trials
            .into_iter()
            .map(|trial| TestBody {
                name: format!("{}.{}", trial.package, trial.rule),
                file: trial.place.file,
                line: trial.place.line,
                passed: trial.passed,
                message: trial.message,
                printed: trial.printed,
            })
            .collect();
        if let Some(part) = run {
            tests.retain(|test| test.name.contains(part));
        }
        let passed = tests.iter().filter(|test| test.passed).count();
        let failed = tests.len() - passed;
        let broken = tried.broken.iter().map(FindingBody::from).collect();
        Self { format_version: FORMAT_VERSION, passed, failed, broken, tests }
    }
}

fn words(page: &mut Page, body: &Body) {
    for finding in &body.broken {
        let place = format!(
            "{}:{}:{}",
            finding.file.as_deref().unwrap_or_default(),
            finding.line.unwrap_or(1),
            finding.column.unwrap_or(1)
        );
        let word = page.styled(BAD.bold(), "broken");
        page.line(format!("{word}  {place}: {}", finding.message));
    }
    for test in &body.tests {
        let word = match test.passed {
            true => page.styled(GOOD, "passed"),
            false => page.styled(BAD.bold(), "failed"),
        };
        let place = page.styled(DIM, format!("{}:{}", test.file, test.line));
        page.line(format!("{word}  {}  {place}", test.name));
        for line in test.message.iter().chain(&test.printed).filter(|_| !test.passed) {
            page.line(format!("        {line}"));
        }
    }
    if body.broken.is_empty() && !body.tests.is_empty() {
        page.line(format!("{} passed, {} failed", body.passed, body.failed));
    }
}
