//! Which host a credential is for, where a redirect may lead, and how a place is shown. Pure.

use reqwest::Url;

/// Scheme, host and port: what credentials are bound to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    scheme: String,
    host: String,
    port: Option<u16>,
}

impl Origin {
    /// Of a URL with a host.
    pub(super) fn of(url: &Url) -> Option<Self> {
        Some(Self {
            scheme: url.scheme().to_owned(),
            host: url.host_str()?.to_owned(),
            port: url.port_or_known_default(),
        })
    }

    /// Its host.
    pub(super) fn host(&self) -> &str {
        &self.host
    }
}

/// Whether a redirect from one to the other is followed: the same origin, or the same host from
/// plain HTTP to TLS at the usual ports. Never another host, never from TLS to plain HTTP.
pub(super) fn follows(from: &Url, to: &Url) -> bool {
    let secured = from.scheme() == "http"
        && to.scheme() == "https"
        && from.host_str() == to.host_str()
        && from.port().is_none()
        && to.port().is_none();
    secured || (Origin::of(from).is_some() && Origin::of(from) == Origin::of(to))
}

/// The URL as people may see it: without user, password, query and fragment.
pub(super) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    // these fail only for URLs without a host, which have no user either
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.set_fragment(None);
    url.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn a_redirect_stays_with_its_host() {
        let from = url("http://git.example.com/a");
        assert!(follows(&from, &url("http://git.example.com/b")));
        assert!(follows(&from, &url("http://git.example.com:80/b")));
        assert!(follows(&from, &url("https://git.example.com/a")));
        for elsewhere in [
            "http://git.example.com:8080/a",
            "https://git.example.com:8443/a",
            "https://example.com/a",
            "http://git.example.com.evil.org/a",
            "file:///etc/passwd",
        ] {
            assert!(!follows(&from, &url(elsewhere)), "{elsewhere}");
        }
        assert!(!follows(&url("https://git.example.com/a"), &from));
    }

    #[test]
    fn credentials_in_a_url_are_not_shown() {
        let text = shown(&url("https://ada:hunter2@git.example.com/a.git?token=x#y"));
        assert_eq!(text, "https://git.example.com/a.git");
    }
}
