//! What is run and asked beside a tree: `checks`, `reload`, `health`.

use std::path::PathBuf;
use std::time::Duration;

use rustix::process::Signal;

use super::location::http_url;
use super::reader::Reader;
use super::values::{self, Read, shown};
use crate::document::Node;

/// Bytes of a check's name, which becomes part of a rule's.
const NAME_BYTES_MAX: usize = 63;

/// A program that may veto a staged tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// Its name, unique among the checks.
    pub name: String,
    /// The program and its arguments; not empty.
    pub run: Vec<String>,
    /// How long it may take.
    pub timeout: Duration,
}

/// What is told once a tree is live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reload {
    /// Its name, unique among them.
    pub name: String,
    /// gitignore-style patterns: told when one of these files changed.
    pub paths: Vec<String>,
    /// How it is told.
    pub action: Action,
    /// How long that may take.
    pub timeout: Duration,
}

/// How somebody is told to read the tree again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// A program and its arguments; not empty.
    Run(Vec<String>),
    /// A signal to the process whose number is in a file.
    Signal {
        /// The file.
        pid_file: PathBuf,
        /// The signal.
        signal: Signal,
    },
    /// A request without a body.
    Http {
        /// Where to.
        url: String,
        /// `GET`, `POST` or `PUT`.
        method: &'static str,
    },
}

/// What has to be well for a deployment to be confirmed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// What is asked, in order; empty: nothing.
    pub probes: Vec<Probe>,
    /// How long it has to hold.
    pub bake_time: Duration,
    /// How often it is asked.
    pub interval: Duration,
    /// How many failures of one probe in a row are too many; at least 1.
    pub failures: u32,
}

/// A question that has to be answered well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Its name, unique among them.
    pub name: String,
    /// What is asked.
    pub ask: Ask,
}

/// How health is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// GET has to give a status.
    Http {
        /// Where.
        url: String,
        /// The status.
        status: u16,
    },
    /// A host and a port have to take a connection.
    Tcp(String),
    /// A program has to end with 0; not empty.
    Run(Vec<String>),
}

pub(super) fn reload(reader: &mut Reader<'_>) -> Vec<Reload> {
    let mut names: Vec<String> = Vec::new();
    reader.items("reload", "reload[]", |item| {
        let name = unique(item, "reload[].name", &mut names);
        let ways = ["reload[].run", "reload[].signal.pid_file", "reload[].http.url"];
        let action = match item.only_one(&ways) {
            Some("reload[].run") => item.optional("reload[].run", argv).map(Action::Run),
            Some("reload[].http.url") => {
                let method = item.word("reload[].http.method");
                let url = item.optional("reload[].http.url", url);
                url.map(|url| Action::Http { url, method })
            }
            Some(_) => {
                let signal = signal(item.word("reload[].signal.signal"));
                let pid_file = item.path("reload[].signal.pid_file");
                pid_file.map(|pid_file| Action::Signal { pid_file, signal })
            }
            None => {
                item.wrong(
                    "reload[].run",
                    "is missing: one of `run`, `signal` and `http` is needed",
                );
                None
            }
        };
        let paths = item
            .optional("reload[].paths", |node| {
                values::list(node)?.iter().map(super::decode::glob).collect()
            })
            .unwrap_or_default();
        let timeout = item.duration("reload[].timeout");
        Some(Reload { name: name?, paths, action: action?, timeout })
    })
}

pub(super) fn health(reader: &mut Reader<'_>) -> Health {
    let mut names: Vec<String> = Vec::new();
    let probes = reader.items("health.probes", "health.probes[]", |item| {
        let name = unique(item, "health.probes[].name", &mut names);
        let ways = ["health.probes[].http.url", "health.probes[].tcp", "health.probes[].run"];
        let ask = match item.only_one(&ways) {
            Some("health.probes[].http.url") => {
                let status = item.count("health.probes[].http.status");
                let url = item.optional("health.probes[].http.url", url);
                url.map(|url| Ask::Http { url, status: u16::try_from(status).unwrap_or(200) })
            }
            Some("health.probes[].tcp") => {
                item.optional("health.probes[].tcp", host_and_port).map(Ask::Tcp)
            }
            Some(_) => item.optional("health.probes[].run", argv).map(Ask::Run),
            None => {
                let text = "is missing: one of `http`, `tcp` and `run` is needed";
                item.wrong("health.probes[].run", text);
                None
            }
        };
        Some(Probe { name: name?, ask: ask? })
    });
    Health {
        probes,
        bake_time: reader.duration("health.bake_time"),
        interval: reader.duration("health.interval"),
        failures: u32::try_from(reader.count("health.failures")).unwrap_or(u32::MAX),
    }
}

/// A name that no other item of the list has.
fn unique(item: &mut Reader<'_>, key: &'static str, names: &mut Vec<String>) -> Option<String> {
    let name = item.required(key, name)?;
    if names.contains(&name) {
        item.wrong(key, &format!("another one is called {} too", shown(&name)));
    }
    names.push(name.clone());
    Some(name)
}

fn url(node: &Node) -> Read<String> {
    let text = values::text(node)?;
    http_url(&text).map(|_| text)
}

fn host_and_port(node: &Node) -> Read<String> {
    let text = values::text(node)?;
    let port = text.rsplit_once(':').filter(|(host, _)| !host.is_empty());
    match port.and_then(|(_, port)| port.parse::<u16>().ok()) {
        Some(1..) => Ok(text),
        _ => Err(format!("{} is not a host and a port, such as 127.0.0.1:5432", shown(&text))),
    }
}

fn signal(word: &str) -> Signal {
    match word {
        "USR1" => Signal::USR1,
        "USR2" => Signal::USR2,
        "WINCH" => Signal::WINCH,
        "INT" => Signal::INT,
        "TERM" => Signal::TERM,
        _ => Signal::HUP,
    }
}

pub(super) fn checks(reader: &mut Reader<'_>) -> Vec<Check> {
    let mut names: Vec<String> = Vec::new();
    reader.items("checks", "checks[]", |item| {
        let name = item.required("checks[].name", name);
        if let Some(name) = &name {
            if names.contains(name) {
                item.wrong(
                    "checks[].name",
                    &format!("another check is called {} too", shown(name)),
                );
            }
            names.push(name.clone());
        }
        let run = item.required("checks[].run", argv);
        let timeout = item.duration("checks[].timeout");
        Some(Check { name: name?, run: run?, timeout })
    })
}

fn name(node: &Node) -> Read<String> {
    let name = values::text(node)?;
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.chars().all(allowed) {
        let what = "is not a name of letters, digits, `.`, `_` and `-`, at most 63";
        return Err(format!("{} {what}", shown(&name)));
    }
    Ok(name)
}

fn argv(node: &Node) -> Read<Vec<String>> {
    let argv = values::texts(node)?;
    if argv.first().is_none_or(String::is_empty) {
        return Err("a program and its arguments are expected, such as [nginx, -t]".to_owned());
    }
    Ok(argv)
}

#[cfg(test)]
mod tests {
    use crate::config::{Action, Ask, Settings, load_bytes};

    fn read(block: &str) -> Result<Settings, String> {
        let text =
            format!("state_dir: /s\ngitops: {{repository: /r}}\nlive: {{path: /l}}\n{block}\n");
        let loaded = load_bytes(text.as_bytes(), Vec::new());
        loaded.map(|loaded| loaded.settings).map_err(|error| error.to_string())
    }

    #[test]
    fn reloads_and_probes_are_read_with_their_defaults() {
        let settings = read(
            "reload:\n  - {name: a, run: [x]}\n  - {name: b, signal: {pid_file: /run/b.pid}}\n  \
             - {name: c, paths: [c/], http: {url: 'http://c/', method: PUT}}\nhealth:\n  probes:\n  \
             - {name: a, http: {url: 'http://a/'}}\n  - {name: b, tcp: 'localhost:1'}\n  bake_time: 2m",
        )
        .unwrap();
        assert_eq!(settings.reload[0].action, Action::Run(vec!["x".to_owned()]));
        assert_eq!(settings.reload[0].paths, ["**"]);
        let signal = rustix::process::Signal::HUP;
        let pid_file = "/run/b.pid".into();
        assert_eq!(settings.reload[1].action, Action::Signal { pid_file, signal });
        let url = "http://c/".to_owned();
        assert_eq!(settings.reload[2].action, Action::Http { url, method: "PUT" });
        let url = "http://a/".to_owned();
        assert_eq!(settings.health.probes[0].ask, Ask::Http { url, status: 200 });
        assert_eq!(settings.health.probes[1].ask, Ask::Tcp("localhost:1".to_owned()));
        assert_eq!((settings.health.bake_time.as_secs(), settings.health.failures), (120, 3));
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for (block, said) in [
            ("reload: [{name: a}]", "one of `run`, `signal` and `http`"),
            ("reload: [{name: a, run: [x], http: {url: 'http://a/'}}]", "only one of them"),
            ("reload: [{name: a, run: []}]", "a program and its arguments"),
            ("reload: [{name: a, run: [x]}, {name: a, run: [x]}]", "another one is called"),
            ("reload: [{name: a, http: {url: 'ftp://a/'}}]", "only http:// and https://"),
            ("health: {probes: [{name: a}]}", "one of `http`, `tcp` and `run`"),
            ("health: {probes: [{name: a, tcp: a}]}", "not a host and a port"),
        ] {
            let error = read(block).unwrap_err();
            assert!(error.contains(said), "{block}: {error}");
        }
    }
}
