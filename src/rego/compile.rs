use std::collections::BTreeMap;

use regorus::unstable::{Rule, RuleHead};
use regorus::{Engine, Value};

use super::older;
use super::wire::{Broken, Place, SetText, SourceText, Unit};

/// Characters that are kept of what the language says is wrong.
const MESSAGE_CHARS_MAX: usize = 300;
/// Under `data`: where rules find the name of the file that they are asked about.
const FILE_NAME: &str = "conftest.file";
/// The line that makes the rules of a package see all files together.
const COMBINED_LINE: &str = "# kconfigd: combine";

/// Rules that can be asked.
pub(super) struct RuleSet {
    pub(super) engine: Engine,
    /// Packages with an `exception` rule.
    pub(super) with_exceptions: Vec<String>,
    /// What is under `data`, where rules ask for the name of the file there, as conftest tells it.
    with_file_name: Option<Value>,
}

/// What the files of a set come to.
pub(super) struct Compiled {
    pub(super) set: RuleSet,
    pub(super) units: Vec<Unit>,
    pub(super) trials: Vec<(String, String, Place)>,
    pub(super) broken: Vec<Broken>,
}

fn object<const N: usize>(members: [(&str, Value); N]) -> Value {
    members
        .into_iter()
        .map(|(key, value)| (Value::from(key), value))
        .collect::<std::collections::BTreeMap<_, _>>()
        .into()
}

/// A document as combined rules see it.
pub(super) fn part(path: &str, contents: Value) -> Value {
    object([("path", path.into()), ("contents", contents)])
}

/// Whether the rules of a file see all files together: its package is `combined` or below it, or it
/// has a line `# kconfigd: combine`.
#[must_use]
pub fn is_combined(text: &str) -> bool {
    text.lines().map(str::trim).any(|line| {
        line == COMBINED_LINE
            || line
                .strip_prefix("package ")
                .and_then(|rest| rest.trim_start().strip_prefix("combined"))
                .is_some_and(|rest| !rest.starts_with(|c: char| c == '_' || c.is_alphanumeric()))
    })
}

/// Whether a file has tests alone, by its name.
#[must_use]
pub fn is_of_tests(name: &str) -> bool {
    name.ends_with("_test.rego")
}

/// Reads the rules of a set; `reads` is told of each file before it is read.
pub(super) fn compile<E>(
    number: usize,
    text: &SetText,
    mut reads: impl FnMut(&str) -> Result<(), E>,
) -> Result<Compiled, E> {
    let mut engine = Engine::new();
    engine.set_strict_builtin_errors(false);
    older::add(&mut engine);
    let mut broken = Vec::new();
    for file in &text.files {
        reads(&file.name)?;
        if let Err(fault) = add(&mut engine, file) {
            broken.push(Broken { set: number, ..fault });
        }
    }
    let first = text.files.first().map_or("", |file| file.name.as_str());
    let mut with_file_name = None;
    let added = Value::from_json_str(&text.data).and_then(|data| {
        let asks = text.files.iter().any(|file| file.text.contains(FILE_NAME));
        with_file_name = asks.then(|| data.clone());
        engine.add_data(data)
    });
    if let Err(error) = added {
        broken.push(told(number, &text.files, first, &error.to_string()));
    }
    let (units, trials, with_exceptions) = rules(number, &mut engine, &text.files);
    let mut set = RuleSet { engine, with_exceptions, with_file_name };
    if broken.is_empty()
        && let Err(message) = set.try_out()
    {
        broken.push(told(number, &text.files, first, &message));
    }
    Ok(Compiled { set, units, trials, broken })
}

impl RuleSet {
    /// Takes a document as the input of the next rules.
    pub(super) fn take(&mut self, path: &str, content: Value) {
        if let Some(data) = &self.with_file_name {
            let (folder, name) = path.rsplit_once('/').unwrap_or((".", path));
            let file = object([("name", name.into()), ("dir", folder.into())]);
            self.engine.clear_data();
            for data in [data.clone(), object([("conftest", object([("file", file)]))])] {
                // It was an object when it was added first; `conftest` in it is theirs, then.
                if self.engine.add_data(data).is_err() {
                    tracing::debug!("data of policies has `conftest.file` of its own");
                }
            }
        }
        self.engine.set_input(content);
    }

    /// Has all rules prepared, which is when most of what is wrong with them together is found.
    fn try_out(&mut self) -> Result<(), String> {
        self.engine.set_input(Value::new_object());
        let tried = self.engine.eval_query("true".to_owned(), false);
        tried.map(drop).map_err(|error| error.to_string())
    }
}

/// Adds a file by the language's first or second version: there are many of both.
fn add(engine: &mut Engine, file: &SourceText) -> Result<(), Broken> {
    let mut read = |v0: bool| {
        engine.set_rego_v0(v0);
        let read = engine.add_policy(file.name.clone(), file.text.clone());
        read.map(drop).map_err(|error| error.to_string())
    };
    let Err(second) = read(false) else { return Ok(()) };
    let files = std::slice::from_ref(file);
    let second = told(0, files, &file.name, &second);
    if file.text.contains("import rego.v1") {
        return Err(second);
    }
    let Err(first) = read(true) else { return Ok(()) };
    let first = told(0, files, &file.name, &first);
    // Whichever came further is the one that is meant.
    let place = |broken: &Broken| (broken.place.line, broken.place.column);
    Err(if place(&first) > place(&second) { first } else { second })
}

type Rules = (Vec<Unit>, Vec<(String, String, Place)>, Vec<String>);

/// The rules that are asked, the tests, and the packages with exceptions.
fn rules(number: usize, engine: &mut Engine, files: &[SourceText]) -> Rules {
    let combined: Vec<&str> =
        files.iter().filter(|f| is_combined(&f.text)).map(|f| f.name.as_str()).collect();
    let mut found: BTreeMap<(String, String), (Place, bool)> = BTreeMap::new();
    let mut combined_packages = Vec::new();
    for module in engine.get_modules() {
        let package = module.package.refr.span().text().to_owned();
        let file = module.package.span.source.get_path();
        if combined.contains(&file.as_str()) {
            combined_packages.push(package.clone());
        }
        for rule in &module.policy {
            let Some(name) = name_of(rule) else { continue };
            let span = rule.span();
            let place = Place { file: file.clone(), line: span.line, column: span.col };
            found.entry((package.clone(), name)).or_insert((place, false)).1 |= true;
        }
    }
    let (mut units, mut trials, mut exceptions) = (Vec::new(), Vec::new(), Vec::new());
    for ((package, rule), (place, _)) in found {
        let is_combined = combined_packages.contains(&package);
        match rule.as_str() {
            "exception" => exceptions.push(package),
            name if name.starts_with("test_") => trials.push((package, rule, place)),
            name if is_asked(name) => {
                let warns = name.starts_with("warn");
                units.push(Unit { set: number, package, rule, place, is_combined, warns });
            }
            _ => {}
        }
    }
    (units, trials, exceptions)
}

/// Whether it is a rule whose results are findings: `deny`, `warn`, `violation`, or one of these
/// with `_` and more behind it.
fn is_asked(name: &str) -> bool {
    ["deny", "warn", "violation"].iter().any(|kind| {
        name.strip_prefix(kind).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
    })
}

/// The name of a rule; `None` for functions, defaults and names with parts.
fn name_of(rule: &Rule) -> Option<String> {
    let Rule::Spec { head, .. } = rule else { return None };
    let (RuleHead::Compr { refr, .. } | RuleHead::Set { refr, .. }) = head else { return None };
    let text = refr.span().text();
    let end = text.find(|c: char| !(c == '_' || c.is_ascii_alphanumeric())).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    (!name.is_empty() && !rest.starts_with('.')).then(|| name.to_owned())
}

/// What the language says is wrong, taken apart.
fn told(set: usize, files: &[SourceText], otherwise: &str, message: &str) -> Broken {
    let place = place_in(files.iter().map(|file| file.name.as_str()), message);
    let place = place.unwrap_or_else(|| Place { file: otherwise.to_owned(), line: 1, column: 1 });
    Broken { set, place, message: plain(message) }
}

/// The place that a message names.
pub(super) fn place_in<'f>(
    files: impl IntoIterator<Item = &'f str>,
    message: &str,
) -> Option<Place> {
    for file in files {
        let Some((_, rest)) = message.split_once(&format!("--> {file}:")) else { continue };
        let mut numbers = rest.split(|c: char| !c.is_ascii_digit());
        let line = numbers.next()?.parse().ok()?;
        let column = numbers.next()?.parse().ok()?;
        return Some(Place { file: file.to_owned(), line, column });
    }
    None
}

/// A message on one line, without the excerpt of the file.
pub(super) fn plain(message: &str) -> String {
    let last = message.rsplit_once("\nerror: ").map_or(message, |(_, last)| last);
    let line = last.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    let line = line.trim_start_matches("error: ");
    line.chars().filter(|c| !c.is_control()).take(MESSAGE_CHARS_MAX).collect()
}
