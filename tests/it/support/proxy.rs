use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

/// A request's line and headers may have this many bytes.
const HEAD_BYTES_MAX: u64 = 64 * 1024;

/// An HTTP proxy on a free port: CONNECT for https, whole URLs for http. Stops when dropped.
pub(crate) struct Proxy {
    port: u16,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    stopping: AtomicBool,
    asked: Mutex<Vec<String>>,
    open: Mutex<Vec<TcpStream>>,
}

impl Proxy {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port to listen on");
        let port = listener.local_addr().expect("the port we listen on").port();
        let shared = Arc::<Shared>::default();
        let of_thread = Arc::clone(&shared);
        let accepting = std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if of_thread.stopping.load(Ordering::SeqCst) {
                    return;
                }
                let shared = Arc::clone(&of_thread);
                // What ends a connection is seen by its two ends.
                std::thread::spawn(move || drop(shared.pass_on(&stream)));
            }
        });
        Self { port, shared, accepting: Some(accepting) }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The first line of what each connection asked for.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.shared.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        // Wakes the thread in accept.
        drop(TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)));
        if let Some(accepting) = self.accepting.take() {
            drop(accepting.join());
        }
        for stream in &*self.shared.open.lock().unwrap_or_else(PoisonError::into_inner) {
            drop(stream.shutdown(Shutdown::Both));
        }
    }
}

impl Shared {
    fn pass_on(&self, client: &TcpStream) -> io::Result<()> {
        let mut from = BufReader::new(client);
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut limited = from.by_ref().take(HEAD_BYTES_MAX);
            if limited.read_until(b'\n', &mut head)? == 0 || head.len() as u64 > HEAD_BYTES_MAX {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        let text = String::from_utf8_lossy(&head).into_owned();
        let asked = text.lines().next().unwrap_or_default();
        let place = asked.split(' ').nth(1).unwrap_or_default();
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).push(asked.to_owned());
        let authority = place.trim_start_matches("http://").split('/').next().unwrap_or_default();
        let mut server = TcpStream::connect(authority)?;
        self.open
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend([client.try_clone()?, server.try_clone()?]);
        if asked.starts_with("CONNECT ") {
            (&mut &*client).write_all(b"HTTP/1.1 200 Connected\r\n\r\n")?;
        } else {
            // Servers take requests with whole URLs too (RFC 9112, section 3.2.2).
            server.write_all(&head)?;
        }
        server.write_all(from.buffer())?;
        std::thread::scope(|scope| {
            scope.spawn(|| copy(&server, client));
            copy(client, &server);
        });
        Ok(())
    }
}

/// Copies until one end closes, and closes the other.
fn copy(mut from: &TcpStream, mut to: &TcpStream) {
    // The peers see what went wrong.
    drop(io::copy(&mut from, &mut to));
    drop(to.shutdown(Shutdown::Write));
}
