//! The HTTP wire: one client whose connection is kept between polls, our own redirects and time
//! limits.

use std::io::{self, Read};
use std::pin::pin;
use std::time::Duration;

use bytes::{Buf, Bytes};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, LOCATION};
use reqwest::{Method, Response, StatusCode, Url};

use super::SourceError;
use super::client::Client;
use super::credentials;
use super::origin::{self, Origin};
use super::patience::Patience;
use super::reactor::Reactor;
use super::retry_after::retry_after;
use super::wire::Service;
use crate::config::HttpAuth;

/// Redirects followed for one request.
const REDIRECTS_MAX: usize = 5;

/// Bytes read after the end of an answer, so that its connection can be used again.
const REST_BYTES_MAX: usize = 64 * 1024;

/// Bytes of the largest answer whose connection is kept.
const KEPT_AFTER_BYTES_MAX: u64 = 128 * 1024;

/// A repository at a URL.
pub(super) struct Http {
    reactor: Reactor,
    client: Client,
    auth: HttpAuth,
    service: Service,
    configured: Url,
    /// Where it is now: `configured`, or where a redirect led.
    current: Url,
}

/// The part of a repository's address that git adds.
#[derive(Clone, Copy)]
enum Route {
    Advertisement(Service),
    Rpc(Service),
}

impl Route {
    const fn service(self) -> Service {
        match self {
            Self::Advertisement(service) | Self::Rpc(service) => service,
        }
    }

    fn suffix(self) -> String {
        match self {
            Self::Advertisement(_) => "/info/refs".to_owned(),
            Self::Rpc(service) => format!("/{}", service.name()),
        }
    }

    /// The content that the answer has to say that it is.
    fn answer(self) -> String {
        let name = self.service().name();
        match self {
            Self::Advertisement(_) => format!("application/x-{name}-advertisement"),
            Self::Rpc(_) => format!("application/x-{name}-result"),
        }
    }

    fn at(self, repository: &Url) -> Url {
        let mut url = repository.clone();
        url.set_path(&format!("{}{}", repository.path().trim_end_matches('/'), self.suffix()));
        if let Self::Advertisement(service) = self {
            url.set_query(Some(&format!("service={}", service.name())));
        }
        url
    }
}

impl Http {
    /// A repository at `url`; `auth` is for this origin and no other.
    pub(super) fn new(url: Url, auth: HttpAuth, client: Client, reactor: Reactor) -> Self {
        let service = Service::UploadPack;
        Self { reactor, client, auth, service, current: url.clone(), configured: url }
    }

    /// The same, speaking to the other service.
    pub(super) fn to(self, service: Service) -> Self {
        Self { service, ..self }
    }

    /// What the server can do.
    pub(super) fn advertisement(&mut self, patience: Patience) -> Result<Answer, SourceError> {
        // What takes has no newer protocol.
        let v2 = self.service == Service::UploadPack;
        self.exchange(Route::Advertisement(self.service), &[], v2, patience, None)
    }

    /// Sends a request, and does `meanwhile` once it is on its way, for each try. On a connection that has
    /// to be made first it is done before that.
    pub(super) fn request(
        &mut self,
        body: &[u8],
        v2: bool,
        patience: Patience,
        meanwhile: Option<&dyn Fn()>,
    ) -> Result<Answer, SourceError> {
        self.exchange(Route::Rpc(self.service), body, v2, patience, meanwhile)
    }

    /// Forgets where a redirect led.
    pub(super) fn forget(&mut self) {
        self.current = self.configured.clone();
    }

    /// Ends the connection where an answer as large as this was read from it: the HTTP library keeps a
    /// buffer with it that grew with the answer, to half a megabyte. With TLS it is kept: the next one
    /// would need the machine's certificates, which take as much.
    pub(super) fn end_after(&mut self, answer_bytes: u64) {
        if answer_bytes > KEPT_AFTER_BYTES_MAX && !self.client.is_with_tls() {
            self.client.end_connections();
            self.reactor.settle();
        }
    }

    fn place(&self) -> String {
        origin::shown(&self.current)
    }

    fn exchange(
        &mut self,
        route: Route,
        body: &[u8],
        v2: bool,
        mut patience: Patience,
        meanwhile: Option<&dyn Fn()>,
    ) -> Result<Answer, SourceError> {
        for _ in 0..=REDIRECTS_MAX {
            let (response, chunk) = self.send(route, body, v2, &mut patience, meanwhile)?;
            if !response.status().is_redirection() {
                self.check(route, &response)?;
                let (reactor, place) = (self.reactor.clone(), self.place());
                return Ok(Answer { reactor, place, response, chunk, patience });
            }
            self.current = self.redirected(route, &response)?;
        }
        Err(SourceError::NotGit {
            place: self.place(),
            problem: format!("redirects more than {REDIRECTS_MAX} times"),
        })
    }

    fn send(
        &mut self,
        route: Route,
        body: &[u8],
        v2: bool,
        patience: &mut Patience,
        meanwhile: Option<&dyn Fn()>,
    ) -> Result<(Response, Bytes), SourceError> {
        let place = self.place();
        let authorization = self.authorization()?;
        let client = self.client.get(&self.current)?;
        self.reactor.settle();
        let mut attempt = || {
            let url = route.at(&self.current);
            let mut request = match route {
                Route::Advertisement(_) => client.request(Method::GET, url),
                Route::Rpc(service) => client
                    .request(Method::POST, url)
                    .header(CONTENT_TYPE, format!("application/x-{}-request", service.name()))
                    .body(body.to_vec()),
            };
            if v2 {
                request = request.header("git-protocol", "version=2");
            }
            if let Some(value) = &authorization {
                request = request.header(AUTHORIZATION, value);
            }
            // the answer's first bytes are waited for at once: a small one is whole then
            let exchange = async {
                let mut response = request.send().await?;
                let first = match response.status() {
                    StatusCode::OK => response.chunk().await?,
                    _ => None,
                };
                Ok::<_, reqwest::Error>((response, first.unwrap_or_default()))
            };
            let mut exchange = pin!(exchange);
            if let Some(meanwhile) = meanwhile {
                if let Some(answer) = self.reactor.turned(exchange.as_mut()) {
                    return Ok(answer);
                }
                patience.meanwhile(meanwhile);
            }
            patience.wait(&self.reactor, &place, "waiting for the answer", exchange)
        };
        let failed = match attempt()? {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        // a kept connection that the server has closed meanwhile shows itself only in use
        let stale = !failed.is_connect() && !failed.is_timeout() && !failed.is_builder();
        let failed = if stale {
            match attempt()? {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            }
        } else {
            failed
        };
        Err(unreachable(failed, &place, *patience))
    }

    /// The credentials, if this is the origin that they are for.
    fn authorization(&self) -> Result<Option<HeaderValue>, SourceError> {
        match Origin::of(&self.configured) {
            Some(origin) if Origin::of(&self.current).as_ref() == Some(&origin) => {
                credentials::authorization(&self.auth, origin.host())
            }
            _ => Ok(None),
        }
    }

    fn redirected(&self, route: Route, response: &Response) -> Result<Url, SourceError> {
        let not_git = |problem: &str| SourceError::NotGit {
            place: self.place(),
            problem: problem.to_owned(),
        };
        let target = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
        let mut to = target
            .and_then(|text| route.at(&self.current).join(text).ok())
            .ok_or_else(|| not_git("redirects to no address"))?;
        if !origin::follows(&self.current, &to) {
            return Err(SourceError::RedirectRefused {
                place: self.place(),
                to: origin::shown(&to),
            });
        }
        let Some(path) = to.path().strip_suffix(&route.suffix()).map(str::to_owned) else {
            return Err(not_git("redirects to a page that is not git's"));
        };
        to.set_path(&path);
        to.set_query(None);
        to.set_fragment(None);
        Ok(to)
    }

    fn check(&self, route: Route, response: &Response) -> Result<(), SourceError> {
        let (place, status, headers) = (self.place(), response.status(), response.headers());
        let wait = retry_after(headers);
        match status {
            StatusCode::OK => {}
            StatusCode::TOO_MANY_REQUESTS => {
                let status = status.as_u16();
                return Err(SourceError::Busy { place, status, retry_after: wait });
            }
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN if wait.is_none() => {
                return Err(SourceError::Refused {
                    place,
                    answer: status.to_string(),
                    advice: if self.auth == HttpAuth::None {
                        "set `gitops.auth`, for example `token_file`"
                    } else if self.current != self.configured {
                        "it redirected to where they are not sent; set `gitops.repository` to it"
                    } else {
                        "check what the files in `gitops.auth` hold; they are read at each use"
                    },
                });
            }
            StatusCode::NOT_FOUND | StatusCode::GONE => {
                return Err(SourceError::NoRepository { place });
            }
            status if status.is_server_error() || status == StatusCode::FORBIDDEN => {
                let status = status.as_u16();
                return Err(SourceError::Busy { place, status, retry_after: wait });
            }
            status => {
                let problem = format!("answers {status}, which git servers do not");
                return Err(SourceError::NotGit { place, problem });
            }
        }
        let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
        if kind.split(';').next().map(str::trim) == Some(&route.answer()) {
            return Ok(());
        }
        let problem = if matches!(route, Route::Advertisement(_)) && kind.starts_with("text/plain")
        {
            "serves the files of a repository (git's dumb HTTP), which is not supported; \
             put git-http-backend or another git server in front of it"
        } else {
            "does not answer as a git server does; is it the address that `git clone` takes?"
        };
        Err(SourceError::NotGit { place, problem: problem.to_owned() })
    }
}

/// An answer's bytes as they arrive.
pub(super) struct Answer {
    reactor: Reactor,
    place: String,
    response: Response,
    chunk: Bytes,
    patience: Patience,
}

impl Answer {
    /// Reads what little is left, so that the connection is kept.
    pub(super) fn rest(mut self) {
        let mut scrap = [0; 1024];
        let mut left = REST_BYTES_MAX;
        while let Ok(read @ 1..) = self.read(&mut scrap) {
            match left.checked_sub(read) {
                Some(less) => left = less,
                None => return,
            }
        }
    }
}

impl Read for Answer {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.chunk.is_empty() {
            let (patience, place) = (self.patience, self.place.as_str());
            let next = self.response.chunk();
            match patience.wait(&self.reactor, place, "reading the answer", next) {
                Ok(Ok(Some(chunk))) => self.chunk = chunk,
                Ok(Ok(None)) => return Ok(0),
                Ok(Err(error)) => {
                    return Err(io::Error::other(unreachable(error, place, patience)));
                }
                Err(error) => return Err(io::Error::other(error)),
            }
        }
        let length = buffer.len().min(self.chunk.len());
        self.chunk.split_to(length).copy_to_slice(buffer.get_mut(..length).unwrap_or_default());
        Ok(length)
    }
}

fn unreachable(error: reqwest::Error, place: &str, patience: Patience) -> SourceError {
    let (doing, limit): (_, Duration) = if error.is_connect() {
        ("connecting", patience.connect)
    } else {
        ("reading the answer", patience.silence)
    };
    if error.is_timeout() {
        return SourceError::TimedOut { place: place.to_owned(), doing, limit };
    }
    let source = error.without_url().into();
    SourceError::Unreachable { place: place.to_owned(), doing, source }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write as _};
    use std::net::TcpListener;
    use std::sync::mpsc;
    use std::thread;

    use super::*;

    const LONG: Duration = Duration::from_secs(20);

    /// Takes one request.
    fn take(connection: &mut impl BufRead) {
        let mut length = 0;
        loop {
            let mut line = String::new();
            connection.read_line(&mut line).unwrap();
            let line = line.trim_end().to_lowercase();
            if let Some(text) = line.strip_prefix("content-length:") {
                length = text.trim().parse().unwrap();
            }
            if line.is_empty() {
                break;
            }
        }
        connection.read_exact(&mut vec![0; length]).unwrap();
    }

    #[test]
    fn what_is_done_meanwhile_is_done_while_the_server_works() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/config.git", listener.local_addr().unwrap());
        let (taken, is_taken) = mpsc::channel();
        let (answer, may_answer) = mpsc::channel();
        let server = thread::spawn(move || {
            let mut connection = BufReader::new(listener.accept().unwrap().0);
            for number in 0..2 {
                take(&mut connection);
                taken.send(number).unwrap();
                may_answer.recv_timeout(LONG).unwrap();
                let answer = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\
                    content-type: application/x-git-upload-pack-result\r\n\r\n0000";
                connection.get_mut().write_all(answer.as_bytes()).unwrap();
            }
        });
        let client = Client::new(crate::config::Tls::default(), None, LONG);
        let reactor = Reactor::new().unwrap();
        let mut http = Http::new(Url::parse(&url).unwrap(), HttpAuth::None, client, reactor);
        answer.send(()).unwrap();
        http.request(b"0000", true, Patience::begin(LONG), None).unwrap().rest();
        assert_eq!(is_taken.recv_timeout(LONG), Ok(0));
        // On a connection that is there: it has the request before, and the answer waits for this.
        let meanwhile = || {
            assert_eq!(is_taken.recv_timeout(LONG), Ok(1));
            answer.send(()).unwrap();
        };
        http.request(b"0000", true, Patience::begin(LONG), Some(&meanwhile)).unwrap().rest();
        server.join().unwrap();
    }
}
