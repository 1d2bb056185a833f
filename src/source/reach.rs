//! From an address to a repository that can be asked, with the credentials that are for it.

use std::path::PathBuf;
use std::sync::OnceLock;

use reqwest::Url;

use crate::config::{Auth, HttpAuth, Location, Reference, SourceSettings, Tls};

use super::SourceError;
use super::client::Client;
use super::http::Http;
use super::local::Local;
use super::origin::{self, Origin};
use super::patience::Patience;
use super::peer::Peer;
use super::reactor::Reactor;
use super::repository::Repository;
use super::ssh::{Address, Ssh};
use super::wire::{Service, Wire};

/// What all repositories of one source are reached with.
pub(super) struct Reach {
    pub settings: SourceSettings,
    pub state_dir: PathBuf,
    /// Made when HTTP is spoken first.
    pub reactor: OnceLock<Reactor>,
}

impl Reach {
    /// The repository that the settings name.
    pub(super) fn main(&self) -> Result<Repository, SourceError> {
        let settings = &self.settings;
        self.repository(&settings.location, &settings.auth, &settings.tls, Service::UploadPack)
    }

    /// The same one, to write to.
    pub(super) fn writable(&self) -> Result<Repository, SourceError> {
        let settings = &self.settings;
        self.repository(&settings.location, &settings.auth, &settings.tls, Service::ReceivePack)
    }

    /// Another repository, such as a submodule's. The configured credentials are for the host of
    /// the main one; any other gets what netrc has for it, or the SSH agent. A netrc entry names no
    /// scheme and no port, so it goes out over HTTPS at the usual port only: a repository must not
    /// be able to have it sent in the clear.
    pub(super) fn other(&self, location: &Location) -> Result<Repository, SourceError> {
        let (auth, tls) = (&self.settings.auth, &self.settings.tls);
        if is_same_host(&self.settings.location, location) {
            return self.repository(location, auth, tls, Service::UploadPack);
        }
        let http = match &auth.http {
            HttpAuth::Netrc(file) if is_usual_https(location) => HttpAuth::Netrc(file.clone()),
            _ => HttpAuth::None,
        };
        let known_hosts_file = auth.known_hosts_file.clone();
        let auth = Auth { http, known_hosts_file, ..Auth::default() };
        let tls = Tls { ca_file: tls.ca_file.clone(), ..Tls::default() };
        self.repository(location, &auth, &tls, Service::UploadPack)
    }

    fn repository(
        &self,
        location: &Location,
        auth: &Auth,
        tls: &Tls,
        service: Service,
    ) -> Result<Repository, SourceError> {
        let peer = |wire, place| Repository::Peer(Box::new(Peer::new(wire, place)));
        Ok(match location {
            Location::Http(text) => {
                let url = url(text).ok_or_else(|| SourceError::NotGit {
                    place: "gitops.repository".to_owned(),
                    problem: "is not a URL".to_owned(),
                })?;
                let connect = Patience::begin(self.settings.timeout).connect;
                let client = Client::new(tls.clone(), self.settings.proxy.clone(), connect);
                let place = origin::shown(&url);
                let reactor = self.reactor(&place)?;
                let http = Http::new(url, auth.http.clone(), client, reactor);
                peer(Wire::Http(http.to(service)), place)
            }
            Location::Ssh { user, host, port, path } => {
                let (user, host, path) = (user.clone(), host.clone(), path.clone());
                let address = Address { user, host, port: *port, path };
                let place = address.shown();
                let ssh = Ssh::new(address, auth.clone(), self.state_dir.clone());
                peer(Wire::Ssh(ssh.to(service)), place)
            }
            Location::Path(path) => Repository::Local(Local::at(path.clone())),
            Location::Embedded => {
                let branch = match &self.settings.reference {
                    Reference::Branch(branch) => branch,
                    _ => "main",
                };
                Repository::Local(Local::embedded(&self.state_dir, branch))
            }
        })
    }

    fn reactor(&self, place: &str) -> Result<Reactor, SourceError> {
        if let Some(reactor) = self.reactor.get() {
            return Ok(reactor.clone());
        }
        let made = Reactor::new().map_err(|source| SourceError::Unreachable {
            place: place.to_owned(),
            doing: "preparing to wait for answers",
            source: source.into(),
        })?;
        Ok(self.reactor.get_or_init(|| made).clone())
    }
}

fn url(text: &str) -> Option<Url> {
    Url::parse(text).ok().filter(Url::has_host)
}

fn is_usual_https(location: &Location) -> bool {
    let Location::Http(text) = location else { return false };
    url(text).is_some_and(|url| url.scheme() == "https" && url.port().is_none())
}

/// Whether credentials for the one are for the other: the same scheme, host and port.
fn is_same_host(one: &Location, other: &Location) -> bool {
    match (one, other) {
        (Location::Http(one), Location::Http(other)) => {
            let origin = |text: &str| url(text).as_ref().and_then(Origin::of);
            origin(one).is_some() && origin(one) == origin(other)
        }
        (
            Location::Ssh { host: one, port: its, .. },
            Location::Ssh { host: other, port: others, .. },
        ) => one.eq_ignore_ascii_case(other) && its.unwrap_or(22) == others.unwrap_or(22),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_for_one_scheme_host_and_port() {
        let web = |text: &str| Location::Http(text.to_owned());
        let main = web("https://git.example.com/a");
        assert!(is_same_host(&main, &web("https://GIT.example.com:443/b")));
        for other in ["http://git.example.com/a", "https://git.example.com:8443/a", "https://x/a"] {
            assert!(!is_same_host(&main, &web(other)), "{other}");
        }
        assert!(is_usual_https(&web("https://git.example.com:443/a")));
        assert!(!is_usual_https(&web("http://git.example.com/a")));
        assert!(!is_usual_https(&web("https://git.example.com:8443/a")));
        let ssh = |host: &str, port| Location::Ssh {
            user: None,
            host: host.to_owned(),
            port,
            path: "/a".to_owned(),
        };
        assert!(is_same_host(&ssh("a", None), &ssh("a", Some(22))));
        assert!(!is_same_host(&ssh("a", None), &ssh("a", Some(23))));
        assert!(!is_same_host(&ssh("a", None), &ssh("b", None)));
    }
}
