use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// A request's line and headers may have this many bytes.
const HEAD_BYTES_MAX: u64 = 64 * 1024;
/// A request's body may have this many bytes.
const BODY_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// A request, read whole.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// Which of the server's connections it came on, from 0.
    pub(crate) connection: usize,
    pub(crate) method: String,
    /// Path and query.
    pub(crate) target: String,
    /// In the order they came; names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// What becomes of the connection after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Keep,
    Close,
}

/// Answers one request on the stream it came on.
pub(crate) trait Handler: Send + Sync + 'static {
    fn answer(&self, request: &Request, out: &mut dyn Write) -> io::Result<Next>;

    /// A request was answered, with its bytes on the wire inside TLS, both ways.
    fn answered(&self, _request: &Request, _bytes_in: u64, _bytes_out: u64) {}
}

/// What went over a server's connections, inside TLS.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    pub(crate) connections: AtomicUsize,
    pub(crate) bytes_in: AtomicU64,
    pub(crate) bytes_out: AtomicU64,
}

/// An HTTP/1.1 server on loopback, a thread a connection, connections kept. Stops when dropped.
pub(crate) struct HttpServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

struct Shared {
    handler: Arc<dyn Handler>,
    tls: Option<Arc<ServerConfig>>,
    traffic: Arc<Traffic>,
    stopping: AtomicBool,
    open: Mutex<Vec<(TcpStream, JoinHandle<()>)>>,
}

impl HttpServer {
    /// Listens on `port` of 127.0.0.1, or on a free one with 0.
    pub(crate) fn start(
        port: u16,
        tls: Option<Arc<ServerConfig>>,
        traffic: Arc<Traffic>,
        handler: Arc<dyn Handler>,
    ) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).expect("a port to listen on");
        let address = listener.local_addr().expect("the port we listen on");
        let shared = Arc::new(Shared {
            handler,
            tls,
            traffic,
            stopping: AtomicBool::new(false),
            open: Mutex::new(Vec::new()),
        });
        let of_thread = Arc::clone(&shared);
        let accepting = std::thread::spawn(move || accept(&listener, &of_thread));
        Self { address, shared, accepting: Some(accepting) }
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        // Wakes the thread in accept; when it is gone already there is nobody to wake.
        drop(TcpStream::connect(self.address));
        if let Some(accepting) = self.accepting.take() {
            drop(accepting.join());
        }
        let open =
            std::mem::take(&mut *self.shared.open.lock().unwrap_or_else(PoisonError::into_inner));
        for (stream, _) in &open {
            // The peer may have closed it before us.
            drop(stream.shutdown(Shutdown::Both));
        }
        for (_, thread) in open {
            drop(thread.join());
        }
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        if shared.stopping.load(Ordering::SeqCst) {
            return;
        }
        let Ok(stream) = stream else { continue };
        let Ok(kept) = stream.try_clone() else { continue };
        let number = shared.traffic.connections.fetch_add(1, Ordering::SeqCst);
        let of_thread = Arc::clone(shared);
        let thread = std::thread::spawn(move || {
            // What ends a connection is the client's business; the test sees it there.
            drop(converse(stream, number, &of_thread));
        });
        let mut open = shared.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|(_, thread)| !thread.is_finished());
        open.push((kept, thread));
    }
}

fn converse(stream: TcpStream, number: usize, shared: &Shared) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let closing = stream.try_clone()?;
    let done = match &shared.tls {
        None => exchange(stream, number, shared),
        Some(config) => {
            let session = ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
            exchange(StreamOwned::new(session, stream), number, shared)
        }
    };
    // The other handle in `open` would keep the connection from being closed.
    drop(closing.shutdown(Shutdown::Both));
    done
}

fn exchange<S: Read + Write>(stream: S, number: usize, shared: &Shared) -> io::Result<()> {
    let counted = Counted { stream, traffic: Arc::clone(&shared.traffic), read: 0, written: 0 };
    let mut wire = BufReader::new(counted);
    while !shared.stopping.load(Ordering::SeqCst) {
        let before = (wire.get_ref().read, wire.get_ref().written);
        let Some(request) = read_request(&mut wire, number)? else { return Ok(()) };
        let next = shared.handler.answer(&request, wire.get_mut());
        let after = wire.get_ref();
        shared.handler.answered(&request, after.read - before.0, after.written - before.1);
        if next? == Next::Close {
            return Ok(());
        }
    }
    Ok(())
}

fn read_request<S: Read + Write>(
    wire: &mut BufReader<Counted<S>>,
    connection: usize,
) -> io::Result<Option<Request>> {
    let mut head = wire.by_ref().take(HEAD_BYTES_MAX);
    let mut line = String::new();
    if head.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut parts = line.split_whitespace();
    let (Some(method), Some(target)) = (parts.next(), parts.next()) else {
        return Err(invalid("no request line"));
    };
    // Behind a proxy it is a whole URL.
    let path = target.strip_prefix("http://").and_then(|rest| rest.find('/').map(|at| &rest[at..]));
    let (method, target) = (method.to_owned(), path.unwrap_or(target).to_owned());
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        if head.read_line(&mut line)? == 0 {
            return Err(invalid("the head ended early, or is too long"));
        }
        if line.trim_end().is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').ok_or_else(|| invalid("no header line"))?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut request = Request { connection, method, target, headers, body: Vec::new() };
    if request.header("expect").is_some_and(|value| value.eq_ignore_ascii_case("100-continue")) {
        wire.get_mut().write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    request.body = read_body(wire, &request)?;
    Ok(Some(request))
}

fn read_body<R: io::BufRead>(wire: &mut R, request: &Request) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    if request.header("transfer-encoding").is_some() {
        loop {
            let length = chunk_length(wire)?;
            if body.len() as u64 + length > BODY_BYTES_MAX {
                return Err(invalid("the body is too long"));
            }
            wire.by_ref().take(length).read_to_end(&mut body)?;
            // The end of the line after a chunk; after the last one there are no trailers.
            wire.read_line(&mut String::new())?;
            if length == 0 {
                return Ok(body);
            }
        }
    }
    let length = request.header("content-length").map_or(Ok(0), str::parse::<u64>);
    let length = length.map_err(|_| invalid("content-length is no number"))?;
    if length > BODY_BYTES_MAX {
        return Err(invalid("the body is too long"));
    }
    if wire.by_ref().take(length).read_to_end(&mut body)? as u64 != length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(body)
}

fn chunk_length<R: io::BufRead>(wire: &mut R) -> io::Result<u64> {
    let mut line = String::new();
    wire.read_line(&mut line)?;
    u64::from_str_radix(line.trim_end(), 16).map_err(|_| invalid("a chunk without its length"))
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// Writes an answer whose body is known, in one write.
pub(crate) fn write_whole(
    out: &mut dyn Write,
    status: u16,
    headers: &[(String, String)],
    body: &[u8],
) -> io::Result<()> {
    let mut answer = head(status, headers);
    answer.extend_from_slice(format!("content-length: {}\r\n\r\n", body.len()).as_bytes());
    answer.extend_from_slice(body);
    out.write_all(&answer)?;
    out.flush()
}

/// The status line and headers, without the empty line at the end.
pub(crate) fn head(status: u16, headers: &[(String, String)]) -> Vec<u8> {
    let mut text = format!("HTTP/1.1 {status} {}\r\n", if status < 400 { "OK" } else { "Not so" });
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.into_bytes()
}

/// A header, to be written.
pub(crate) fn header(name: &str, value: impl ToString) -> (String, String) {
    (name.to_owned(), value.to_string())
}

struct Counted<S> {
    stream: S,
    traffic: Arc<Traffic>,
    read: u64,
    written: u64,
}

impl<S: Read> Read for Counted<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.stream.read(buffer)?;
        self.read += count as u64;
        self.traffic.bytes_in.fetch_add(count as u64, Ordering::SeqCst);
        Ok(count)
    }
}

impl<S: Write> Write for Counted<S> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let count = self.stream.write(buffer)?;
        self.written += count as u64;
        self.traffic.bytes_out.fetch_add(count as u64, Ordering::SeqCst);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}
