use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::exit::{Exit, Failure};
use crate::app::control_socket;
use crate::http::with_short_path;

/// Talks to the running agent over its control socket.
pub(super) struct Client {
    http: reqwest::Client,
    /// Keeps the folder open through which a long path is reached.
    _folder: Option<std::fs::File>,
}

/// How long an order may take until the client stops waiting; the agent goes on.
const WAIT_SECONDS: u64 = 1800;

/// How long the agent may take to tell something that it knows: one that hangs, or is stopped, is to
/// be noticed, by a health check above all.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

impl Client {
    /// The running agent's client; `None` when none runs there.
    pub(super) async fn connect(state_dir: &Path) -> Result<Option<Self>, Failure> {
        let socket = control_socket(state_dir);
        let (path, folder) = short_path(&socket)
            .map_err(|source| Failure::io("open", &state_dir.display().to_string(), source))?;
        match tokio::net::UnixStream::connect(&path).await {
            Ok(_) => {}
            Err(error) => match error.kind() {
                std::io::ErrorKind::NotFound | std::io::ErrorKind::ConnectionRefused => {
                    return Ok(None);
                }
                _ => {
                    let what = socket.display().to_string();
                    return Err(Failure::io("talk to the agent at", &what, error).hint(
                        "run this as the user that the agent runs as, for example with sudo",
                    ));
                }
            },
        }
        let http = reqwest::Client::builder()
            .unix_socket(path)
            // Nothing goes over the network: neither a proxy nor the machine's certificates matter.
            .no_proxy()
            .tls_certs_only([])
            .timeout(Duration::from_secs(WAIT_SECONDS + 10))
            .build()
            .map_err(|error| Failure::new(Exit::Error, error.to_string()))?;
        Ok(Some(Self { http, _folder: folder }))
    }

    /// Reads.
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.answer(self.http.get(url(path)).timeout(READ_TIMEOUT)).await
    }

    /// Reads what the agent may have to ask its source for.
    pub(super) async fn look<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, String)],
    ) -> Result<T, Failure> {
        self.answer(self.http.get(with_query(&url(path), query))).await
    }

    /// Orders, and waits for the outcome.
    pub(super) async fn order<B: Serialize, T: DeserializeOwned>(
        &self,
        path: &str,
        body: &B,
    ) -> Result<T, Failure> {
        let query = [("wait", WAIT_SECONDS.to_string()), ("actor", actor())];
        self.answer(self.http.post(with_query(&url(path), &query)).json(body)).await
    }

    /// Orders something that is done at once.
    pub(super) async fn tell<B: Serialize>(&self, path: &str, body: &B) -> Result<(), Failure> {
        let query = [("actor", actor())];
        let request = self.http.post(with_query(&url(path), &query)).json(body);
        self.send(request).await.map(drop)
    }

    async fn answer<T: DeserializeOwned>(
        &self,
        request: reqwest::RequestBuilder,
    ) -> Result<T, Failure> {
        let response = self.send(request).await?;
        response.json().await.map_err(|error| {
            Failure::new(Exit::Error, format!("the agent's answer cannot be read: {error}"))
        })
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<reqwest::Response, Failure> {
        let response = request.send().await.map_err(|error| {
            let why = if error.is_timeout() { " in time".to_owned() } else { format!(": {error}") };
            Failure::new(Exit::Error, format!("the agent did not answer{why}"))
                .hint("it may have been stopped: try again, or see its log")
        })?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        let problem: serde_json::Value = response.json().await.unwrap_or_default();
        let detail = problem["detail"].as_str().map_or_else(|| status.to_string(), str::to_owned);
        Err(Failure::new(Exit::Error, detail))
    }
}

/// Who gives an order: the login name, for the history.
pub(super) fn actor() -> String {
    let user = rustix::process::getuid();
    let name = std::env::var("SUDO_USER").or_else(|_| std::env::var("USER")).ok();
    let name = name.or_else(|| crate::config::user_name(user.as_raw()));
    name.unwrap_or_else(|| format!("uid {}", user.as_raw()))
}

fn url(path: &str) -> String {
    format!("http://kconfigd{path}")
}

fn with_query(url: &str, query: &[(&str, String)]) -> String {
    match reqwest::Url::parse_with_params(url, query) {
        Ok(url) => url.to_string(),
        Err(_) => url.to_owned(),
    }
}

/// A path that fits a socket's address, and the folder that must stay open for it.
fn short_path(socket: &Path) -> std::io::Result<(std::path::PathBuf, Option<std::fs::File>)> {
    let fits = with_short_path(socket, |path| Ok(path == socket))?;
    if fits {
        return Ok((socket.to_owned(), None));
    }
    use std::os::fd::AsRawFd as _;
    let Some(folder) = socket.parent() else { return Ok((socket.to_owned(), None)) };
    let folder = match std::fs::File::open(folder) {
        Ok(folder) => folder,
        Err(_) => return Ok((socket.to_owned(), None)),
    };
    let path = format!("/proc/self/fd/{}/control.sock", folder.as_raw_fd());
    Ok((path.into(), Some(folder)))
}
