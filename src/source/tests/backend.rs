//! A small HTTP server in front of the real `git http-backend`, which counts what it is asked.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

/// What the server is to do besides serving.
#[derive(Clone, Default)]
pub(super) struct Manner {
    /// The value of `Authorization` that it wants.
    pub authorization: Option<String>,
    /// It knows protocol v0 only.
    pub old: bool,
    /// It closes the connection after each answer, without saying so.
    pub hangs_up: bool,
    /// Answers this instead, for paths that start with the first: status line and headers.
    pub instead: Option<(String, String)>,
}

/// One exchange as it went over the wire.
#[derive(Clone, Debug)]
pub(super) struct Exchange {
    pub line: String,
    pub authorization: Option<String>,
    pub bytes: usize,
    pub connection: usize,
}

/// A running server.
pub(super) struct Backend {
    pub url: String,
    pub manner: Arc<Mutex<Manner>>,
    exchanges: Arc<Mutex<Vec<Exchange>>>,
}

impl Backend {
    /// Serves the repositories below `root`.
    pub(super) fn start(root: &Path) -> Self {
        Self::start_with(root, None)
    }

    /// The same over TLS, as `localhost`.
    pub(super) fn start_with(root: &Path, tls: Option<Arc<rustls::ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let url = match tls {
            None => format!("http://{address}"),
            Some(_) => format!("https://localhost:{}", address.port()),
        };
        let manner = Arc::new(Mutex::new(Manner::default()));
        let exchanges = Arc::new(Mutex::new(Vec::new()));
        let state = (root.to_owned(), manner.clone(), exchanges.clone());
        thread::spawn(move || {
            for (number, stream) in listener.incoming().enumerate() {
                let (root, manner, exchanges) = state.clone();
                let tls = tls.clone();
                thread::spawn(move || {
                    let stream = stream.unwrap();
                    stream.set_nodelay(true).unwrap();
                    match tls {
                        None => serve(stream, number, &root, &manner, &exchanges),
                        Some(tls) => {
                            let server = rustls::ServerConnection::new(tls).unwrap();
                            let stream = rustls::StreamOwned::new(server, stream);
                            serve(stream, number, &root, &manner, &exchanges)
                        }
                    }
                });
            }
        });
        Self { url, manner, exchanges }
    }

    /// What was asked since the last call.
    pub(super) fn taken(&self) -> Vec<Exchange> {
        std::mem::take(&mut self.exchanges.lock().unwrap())
    }
}

fn serve<S: Read + Write>(
    stream: S,
    connection: usize,
    root: &Path,
    manner: &Mutex<Manner>,
    exchanges: &Mutex<Vec<Exchange>>,
) -> Option<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head).ok()? == 0 {
                return None;
            }
        }
        let header = |name: &str| {
            head.lines().skip(1).find_map(|line| {
                let (key, value) = line.split_once(':')?;
                key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
            })
        };
        let length = header("content-length").map_or(0, |text| text.parse().unwrap());
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let line = head.lines().next()?.to_owned();
        let path = line.split(' ').nth(1)?.to_owned();
        let manner = manner.lock().unwrap().clone();
        let authorization = header("authorization");
        let answer = match &manner.instead {
            Some((prefix, answer)) if path.starts_with(prefix) => {
                format!("HTTP/1.1 {answer}\r\ncontent-length: 0\r\n\r\n").into_bytes()
            }
            _ if manner.authorization.is_some() && manner.authorization != authorization => {
                b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n".to_vec()
            }
            _ => {
                let protocol = header("git-protocol").filter(|_| !manner.old);
                git(root, &line, protocol, header("content-type"), &body)
            }
        };
        exchanges.lock().unwrap().push(Exchange {
            line,
            authorization,
            bytes: head.len() + body.len() + answer.len(),
            connection,
        });
        reader.get_mut().write_all(&answer).and_then(|()| reader.get_mut().flush()).ok()?;
        if manner.hangs_up {
            return None;
        }
    }
}

fn git(
    root: &Path,
    line: &str,
    protocol: Option<String>,
    kind: Option<String>,
    body: &[u8],
) -> Vec<u8> {
    let mut words = line.split(' ');
    let (method, target) = (words.next().unwrap(), words.next().unwrap());
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut command = Command::new("git");
    command
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("REQUEST_METHOD", method)
        .env("PATH_INFO", path)
        .env("QUERY_STRING", query)
        .env("CONTENT_TYPE", kind.unwrap_or_default())
        .env("CONTENT_LENGTH", body.len().to_string())
        .env("GIT_CONFIG_COUNT", "1")
        .env("GIT_CONFIG_KEY_0", "safe.directory")
        .env("GIT_CONFIG_VALUE_0", "*")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    if let Some(protocol) = protocol {
        command.env("GIT_PROTOCOL", protocol);
    }
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(body).unwrap();
    let output = child.wait_with_output().unwrap().stdout;
    let end = output.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
    let (head, content) = output.split_at(end);
    let head = String::from_utf8(head.to_vec()).unwrap();
    let status = head.lines().find_map(|line| line.strip_prefix("Status: ")).unwrap_or("200 OK");
    let length = content.len();
    let mut answer =
        format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n{head}").into_bytes();
    answer.extend_from_slice(content);
    answer
}
