use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use serde_json::Value;

use super::wait::PATIENCE;
use super::{Agent, Running, wait_for};

/// Bytes from which on a body is announced and not sent.
const ANNOUNCED_FROM: usize = 1 << 20;

/// Somebody who talks to the API of a running `serve`.
#[derive(Clone, Debug)]
pub(crate) struct Api {
    pub(crate) address: SocketAddr,
    /// `None`: no token is shown.
    pub(crate) token: Option<String>,
}

/// What was answered.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// In the order they came; names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        match serde_json::from_str(&self.text) {
            Ok(value) => value,
            Err(error) => panic!("no JSON ({error}): {self:#?}"),
        }
    }
}

impl Api {
    /// Starts `serve` and talks to it with the first admin token.
    pub(crate) fn serve(agent: &Agent) -> (Running, Self) {
        let serve = agent.start(&["serve", "-v"]);
        let address = wait_for("serve listens", || {
            let said = serve.stderr();
            let (_, after) = said.split_once("address=")?;
            after.split_whitespace().next()?.parse().ok()
        });
        let token = std::fs::read_to_string(agent.state_dir().join("admin.token"));
        let token = token.expect("the first admin token").trim().to_owned();
        (serve, Self { address, token: Some(token) })
    }

    /// The same, with another token.
    pub(crate) fn with(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    /// The same, without a token.
    pub(crate) fn nobody(&self) -> Self {
        Self { token: None, ..self.clone() }
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], b"")
    }

    /// Sends JSON.
    pub(crate) fn post(&self, path: &str, body: &Value) -> Answer {
        let body = body.to_string();
        self.send("POST", path, &[("content-type", "application/json")], body.as_bytes())
    }

    /// One request on a connection of its own.
    #[track_caller]
    pub(crate) fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let mut wire = BufReader::new(self.begin(method, path, headers, body));
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            let read = wire.read_line(&mut head).expect("an answer");
            assert!(read > 0, "the connection ended in the head: {head}");
        }
        let mut text = Vec::new();
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
            .collect();
        wire.read_to_end(&mut text).expect("a body");
        let text = String::from_utf8_lossy(&text).into_owned();
        Answer { status: status.expect("a status"), headers, text }
    }

    /// Sends a request, and gives the connection on which the answer comes.
    pub(crate) fn begin(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> TcpStream {
        let mut wire = TcpStream::connect(self.address).expect("the address of serve");
        wire.set_read_timeout(Some(PATIENCE)).expect("a time limit");
        let mut head = format!("{method} {path} HTTP/1.1\r\nhost: {}\r\n", self.address);
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if let Some(token) = &self.token {
            head.push_str(&format!("authorization: Bearer {token}\r\n"));
        }
        head.push_str(&format!("content-length: {}\r\nconnection: close\r\n\r\n", body.len()));
        // A body that is too large is refused as it is announced; nobody would read it.
        let body = if body.len() > ANNOUNCED_FROM { &[] } else { body };
        wire.write_all(&[head.as_bytes(), body].concat()).expect("the request is sent");
        wire
    }
}
