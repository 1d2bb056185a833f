//! A node to deliver to: a real HTTP server on a free port that does as it is told.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// What the node does with a request.
#[derive(Clone, Debug)]
pub(super) enum Reply {
    /// Answers with a status and headers (`name: value\r\n`…).
    Status(u16, &'static str),
    /// Never answers.
    Hang,
    /// Closes the connection within the head of the answer.
    CutHead,
    /// Closes the connection within the body of a 200.
    CutBody,
}

/// A request as it arrived.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) headers: HashMap<String, String>,
    pub(super) body: Vec<u8>,
}

pub(super) struct Node {
    pub(super) url: String,
    script: Arc<Mutex<VecDeque<Reply>>>,
    requests: mpsc::UnboundedReceiver<Received>,
    _server: JoinSet<()>,
}

impl Node {
    /// Starts a node that answers by `script`, and with 204 when that has come to its end.
    pub(super) async fn start(script: impl IntoIterator<Item = Reply>) -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").await.unwrap(), script)
    }

    pub(super) fn on(listener: TcpListener, script: impl IntoIterator<Item = Reply>) -> Self {
        let script = Arc::new(Mutex::new(script.into_iter().collect()));
        let (sender, requests) = mpsc::unbounded_channel();
        let url = format!("http://{}/hooks/config", listener.local_addr().unwrap());
        let mut server = JoinSet::new();
        server.spawn(serve(listener, Arc::clone(&script), sender));
        Self { url, script, requests, _server: server }
    }

    pub(super) fn say(&self, reply: Reply) {
        self.script.lock().unwrap().push_back(reply);
    }

    pub(super) async fn request(&mut self) -> Received {
        self.requests.recv().await.unwrap()
    }

    /// The number of the deployment in the next request.
    pub(super) async fn deployment(&mut self) -> u64 {
        let body = self.request().await.body;
        let json: serde_json::Value = serde_json::from_slice(&body).unwrap();
        json["data"]["deployment"].as_u64().unwrap()
    }

    pub(super) fn has_no_request(&mut self) -> bool {
        self.requests.try_recv().is_err()
    }
}

async fn serve(
    listener: TcpListener,
    script: Arc<Mutex<VecDeque<Reply>>>,
    sender: mpsc::UnboundedSender<Received>,
) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        connections.spawn(answer(stream, Arc::clone(&script), sender.clone()));
    }
}

async fn answer(
    mut stream: TcpStream,
    script: Arc<Mutex<VecDeque<Reply>>>,
    sender: mpsc::UnboundedSender<Received>,
) {
    while let Some(received) = read(&mut stream).await {
        let _ = sender.send(received);
        let reply = script.lock().unwrap().pop_front().unwrap_or(Reply::Status(204, ""));
        let text = match reply {
            Reply::Hang => std::future::pending().await,
            Reply::CutHead => "HTTP/1.1 20".to_owned(),
            Reply::CutBody => "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{".to_owned(),
            Reply::Status(204, _) => "HTTP/1.1 204 No Content\r\n\r\n".to_owned(),
            Reply::Status(status, headers) => {
                format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\n{headers}\r\n")
            }
        };
        let whole = text.ends_with("\r\n");
        if stream.write_all(text.as_bytes()).await.is_err() || !whole {
            return;
        }
    }
}

async fn read(stream: &mut TcpStream) -> Option<Received> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let mut body = bytes.split_off(end);
    let head = String::from_utf8(bytes).unwrap();
    assert!(head.starts_with("POST /hooks/config HTTP/1.1\r\n"), "{head}");
    let headers: HashMap<_, _> = head
        .lines()
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length: usize = headers["content-length"].parse().unwrap();
    while body.len() < length {
        if stream.read_buf(&mut body).await.ok()? == 0 {
            return None;
        }
    }
    Some(Received { headers, body })
}
