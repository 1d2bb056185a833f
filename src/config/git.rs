//! The `gitops` block.

use super::commit_status;
use super::decode::{globs, item_duration};
use super::location::{http_url, location};
use super::reader::Reader;
use super::settings::{
    Auth, HistoryRewrite, HttpAuth, Location, Reference, RenderSettings, SourceSettings,
    SyncPolicy, Tls, Window, WindowKind, WriteBack,
};
use super::values::{self, Read, shown};
use super::verify;
use crate::decide::schedule::{WindowSpec, Windows};
use crate::model::{Revision, TreePath};

/// The user name that git servers want beside a token.
const TOKEN_USERNAME: &str = "x-access-token";

pub(super) fn source(reader: &mut Reader<'_>) -> Option<SourceSettings> {
    let location = repository(reader);
    let reference = reference(reader);
    let auth = auth(reader);
    let tls = tls(reader);
    let proxy = reader
        .optional("gitops.proxy", |node| http_url(&values::text(node)?))
        .map(|url| url.as_str().trim_end_matches('/').to_owned());
    if let Some(location) = &location {
        warn_of_unused(reader, location, &auth, &tls);
    }
    let verify = verify::verify(reader, reference.as_ref());
    let commit_status = commit_status::read(reader, location.as_ref());
    Some(SourceSettings {
        interval: reader.duration("gitops.sync_interval"),
        jitter: reader.optional("gitops.jitter", values::percent).unwrap_or_default(),
        timeout: reader.duration("gitops.timeout"),
        auth,
        tls,
        proxy,
        submodules: reader.word("gitops.submodules") == "on",
        history_rewrite: match reader.word("gitops.history_rewrite") {
            "allow" => HistoryRewrite::Allow,
            _ => HistoryRewrite::Refuse,
        },
        verify,
        write_back: match reader.word("gitops.write_back.mode") {
            "branch" => WriteBack::Branch,
            "off" => WriteBack::Off,
            _ => WriteBack::Push,
        },
        webhook_secret_file: reader.path("gitops.webhook_secret_file"),
        commit_status,
        location: location?,
        reference: reference?,
    })
}

fn repository(reader: &mut Reader<'_>) -> Option<Location> {
    const KEY: &str = "gitops.repository";
    if reader.setting(KEY).is_none() {
        let hint = "name it in kconfigd.yaml, with --repository, or start with `kconfigd init`";
        reader.advise(KEY, "no repository is named", hint);
        return None;
    }
    let folder = reader.folder(KEY);
    reader.optional(KEY, |node| location(folder, &values::text(node)?))
}

fn reference(reader: &mut Reader<'_>) -> Option<Reference> {
    let keys = ["gitops.branch", "gitops.tag", "gitops.semver", "gitops.commit", "gitops.ref"];
    let Some(key) = reader.only_one(&keys) else { return Some(Reference::Head) };
    reader.optional(key, |node| {
        let text = values::text(node)?;
        match key {
            "gitops.branch" => short_name("refs/heads/", text).map(Reference::Branch),
            "gitops.tag" => short_name("refs/tags/", text).map(Reference::Tag),
            "gitops.semver" => semver::VersionReq::parse(&text)
                .map(Reference::Semver)
                .map_err(|error| format!("{} is not a semver range: {error}", shown(&text))),
            "gitops.commit" => Revision::parse(&text).map(Reference::Commit).map_err(|_| {
                format!("{} is not a full commit id (40 hexadecimal digits)", shown(&text))
            }),
            _ if text.starts_with("refs/") && git2::Reference::is_valid_name(&text) => {
                Ok(Reference::Ref(text))
            }
            _ => Err(format!("{} is not a full name such as refs/pull/7/head", shown(&text))),
        }
    })
}

fn short_name(prefix: &str, name: String) -> Read<String> {
    if let Some(short) = name.strip_prefix(prefix) {
        return Err(format!("{} is a full name; write {}", shown(&name), shown(short)));
    }
    if name.starts_with('-') || !git2::Reference::is_valid_name(&format!("{prefix}{name}")) {
        return Err(format!("{} cannot be a name in git", shown(&name)));
    }
    Ok(name)
}

fn auth(reader: &mut Reader<'_>) -> Auth {
    let ways = [
        "gitops.auth.token_file",
        "gitops.auth.bearer_token_file",
        "gitops.auth.password_file",
        "gitops.auth.netrc_file",
    ];
    const USERNAME: &str = "gitops.auth.username";
    let username = reader.text(USERNAME);
    if username.as_ref().is_some_and(|name| name.contains(':') || name.contains(char::is_control)) {
        reader.wrong(USERNAME, "a user name has no colon and no control character");
    }
    let way = reader.only_one(&ways);
    let file = way.and_then(|key| reader.path(key));
    let http = match (way, file, username) {
        (Some("gitops.auth.token_file"), Some(file), username) => {
            let username = username.unwrap_or_else(|| TOKEN_USERNAME.to_owned());
            HttpAuth::Token { username, file }
        }
        (Some("gitops.auth.password_file"), Some(file), Some(username)) => {
            HttpAuth::Password { username, file }
        }
        (Some(key @ "gitops.auth.password_file"), _, None) => {
            reader.advise(key, "a password needs a user name", "set gitops.auth.username too");
            HttpAuth::None
        }
        (Some("gitops.auth.bearer_token_file"), Some(file), _) => HttpAuth::Bearer(file),
        (Some("gitops.auth.netrc_file"), Some(file), _) => HttpAuth::Netrc(file),
        (None, _, Some(_)) => {
            let hint = "set gitops.auth.token_file or gitops.auth.password_file too";
            reader.advise(USERNAME, "a user name alone is no credential", hint);
            HttpAuth::None
        }
        _ => HttpAuth::None,
    };
    let auth = Auth {
        http,
        ssh_key_file: reader.path("gitops.auth.ssh_key_file"),
        passphrase_file: reader.path("gitops.auth.passphrase_file"),
        known_hosts_file: reader.path("gitops.auth.known_hosts_file"),
    };
    if auth.passphrase_file.is_some() && auth.ssh_key_file.is_none() {
        let key = "gitops.auth.passphrase_file";
        reader.advise(key, "a passphrase needs a key", "set gitops.auth.ssh_key_file too");
    }
    auth
}

fn tls(reader: &mut Reader<'_>) -> Tls {
    let tls = Tls {
        ca_file: reader.path("gitops.tls.ca_file"),
        client_cert_file: reader.path("gitops.tls.client_cert_file"),
        client_key_file: reader.path("gitops.tls.client_key_file"),
    };
    match (&tls.client_cert_file, &tls.client_key_file) {
        (Some(_), None) => {
            let hint = "set gitops.tls.client_key_file too";
            reader.advise("gitops.tls.client_cert_file", "a certificate needs its key", hint);
        }
        (None, Some(_)) => {
            let hint = "set gitops.tls.client_cert_file too";
            reader.advise("gitops.tls.client_key_file", "a key needs its certificate", hint);
        }
        _ => {}
    }
    tls
}

fn warn_of_unused(reader: &mut Reader<'_>, location: &Location, auth: &Auth, tls: &Tls) {
    let is_http = matches!(location, Location::Http(_));
    let is_plain = matches!(location, Location::Http(url) if url.starts_with("http:"));
    if is_plain && auth.http != HttpAuth::None {
        let message = "credentials go to an http:// URL, where everybody on the way can read them";
        reader.warn("gitops.repository", message);
    }
    if !is_http && auth.http != HttpAuth::None {
        let message = "credentials for HTTP are not used: the repository is not at an https:// URL";
        reader.warn("gitops.repository", message);
    }
    if !is_http && *tls != Tls::default() {
        let message = "gitops.tls is not used: the repository is not at an https:// URL";
        reader.warn("gitops.repository", message);
    }
    if !matches!(location, Location::Ssh { .. }) && auth.ssh_key_file.is_some() {
        let message = "is not used: the repository is not reached over ssh";
        reader.warn("gitops.auth.ssh_key_file", message);
    }
}

pub(super) fn render(reader: &mut Reader<'_>) -> RenderSettings {
    let path = reader.optional("gitops.path", |node| folder_in_tree(&values::text(node)?, true));
    let layers = reader.optional("gitops.layers", |node| {
        let layers = values::texts(node)?;
        layers.iter().map(|layer| folder_in_tree(layer, false)).collect::<Read<Vec<_>>>()
    });
    let only_for = match reader.word("needs") {
        "profile" => reader.text("profile"),
        _ => None,
    };
    if only_for.is_none() && reader.word("needs") == "profile" {
        let hint = "name the profile that this node runs, or take `needs` out";
        reader.advise("needs", "there is no `profile` whose needs could be known", hint);
    }
    RenderSettings {
        path: path.unwrap_or_default(),
        include: globs(reader, "gitops.include"),
        exclude: globs(reader, "gitops.exclude"),
        layers: layers.unwrap_or_default(),
        only_for,
    }
}

fn folder_in_tree(text: &str, may_be_root: bool) -> Read<String> {
    let plain = text.strip_suffix('/').unwrap_or(text);
    let plain = plain.strip_prefix("./").unwrap_or(plain);
    if may_be_root && matches!(plain, "" | ".") {
        return Ok(String::new());
    }
    match TreePath::parse(plain) {
        Ok(path) => Ok(path.as_str().to_owned()),
        Err(why) => Err(format!("{} is not a folder of the repository: {why}", shown(text))),
    }
}

pub(super) fn policy(reader: &mut Reader<'_>) -> SyncPolicy {
    SyncPolicy {
        auto_sync: reader.boolean("gitops.auto_sync"),
        rollback_limit: u32::try_from(reader.count("gitops.rollback_limit")).unwrap_or(u32::MAX),
        windows: reader.items("gitops.windows", "gitops.windows[]", window),
    }
}

fn window(item: &mut Reader<'_>) -> Option<Window> {
    if item.setting("gitops.windows[].kind").is_none() {
        item.wrong("gitops.windows[].kind", "is missing");
    }
    let kind = match item.word("gitops.windows[].kind") {
        "allow" => Some(WindowKind::Allow),
        "deny" => Some(WindowKind::Deny),
        _ => None,
    };
    let timezone = item.optional("gitops.windows[].timezone", values::timezone);
    let duration = item_duration(item, "gitops.windows[].duration");
    let schedule = item.required("gitops.windows[].schedule", |node| {
        let schedule = values::text(node)?;
        let spec = WindowSpec {
            allow: true,
            schedule: &schedule,
            duration: std::time::Duration::from_secs(1),
            timezone: chrono_tz::UTC,
        };
        Windows::parse(&[spec]).map_err(|error| error.to_string())?;
        Ok(schedule)
    });
    Some(Window { kind: kind?, schedule: schedule?, duration: duration?, timezone: timezone? })
}
