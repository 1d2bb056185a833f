use std::io::{self, BufRead as _, BufReader, Read as _, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use super::Shared;
use crate::support::git::{seal, succeed};
use crate::support::http::{self, Next, Request};

/// Answers up to this size are sent with their length, longer ones in chunks of it.
const CHUNK_BYTES: u64 = 64 * 1024;

/// Lets `git http-backend` (CGI, RFC 3875) answer.
pub(super) fn answer(shared: &Shared, request: &Request, out: &mut dyn Write) -> io::Result<Next> {
    let mut child = Ended(start(shared, request)?);
    let mut stdin = child.0.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?;
    let stdout = child.0.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
    std::thread::scope(|scope| {
        scope.spawn(move || {
            // It may answer without having read everything.
            drop(stdin.write_all(&request.body));
        });
        relay(BufReader::new(stdout), out)
    })
}

/// Goes on to the client what the program says.
fn relay(mut from: BufReader<impl io::Read>, out: &mut dyn Write) -> io::Result<Next> {
    let mut status = 200;
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        if from.read_line(&mut line)? == 0 {
            http::write_whole(out, 500, &[], b"git http-backend said nothing\n")?;
            return Ok(Next::Keep);
        }
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        if name.eq_ignore_ascii_case("status") {
            status = value.split(' ').next().and_then(|code| code.parse().ok()).unwrap_or(500);
        } else {
            headers.push(http::header(name, value));
        }
    }
    let mut chunk = Vec::new();
    from.by_ref().take(CHUNK_BYTES).read_to_end(&mut chunk)?;
    if (chunk.len() as u64) < CHUNK_BYTES {
        http::write_whole(out, status, &headers, &chunk)?;
        return Ok(Next::Keep);
    }
    headers.push(http::header("transfer-encoding", "chunked"));
    out.write_all(&http::head(status, &headers))?;
    out.write_all(b"\r\n")?;
    while !chunk.is_empty() {
        write!(out, "{:x}\r\n", chunk.len())?;
        out.write_all(&chunk)?;
        out.write_all(b"\r\n")?;
        chunk.clear();
        from.by_ref().take(CHUNK_BYTES).read_to_end(&mut chunk)?;
    }
    out.write_all(b"0\r\n\r\n")?;
    out.flush()?;
    Ok(Next::Keep)
}

fn start(shared: &Shared, request: &Request) -> io::Result<Child> {
    let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
    let mut command = Command::new(program());
    seal(&mut command);
    command
        .env("GIT_PROJECT_ROOT", &shared.root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("REQUEST_METHOD", &request.method)
        .env("PATH_INFO", path)
        .env("QUERY_STRING", query)
        .env("CONTENT_TYPE", request.header("content-type").unwrap_or_default())
        .env("CONTENT_LENGTH", request.body.len().to_string())
        .env("REMOTE_ADDR", "127.0.0.1")
        .env("REMOTE_USER", "tester")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    if let Some(encoding) = request.header("content-encoding") {
        command.env("HTTP_CONTENT_ENCODING", encoding);
    }
    if let Some(protocol) = request.header("git-protocol").filter(|_| !shared.without_v2) {
        command.env("GIT_PROTOCOL", protocol);
    }
    command.spawn()
}

fn program() -> &'static PathBuf {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let folder = succeed(Command::new("git").arg("--exec-path"));
        let program = PathBuf::from(folder).join("git-http-backend");
        assert!(
            program.exists(),
            "{} is missing: the tests need the whole of git; tests/run installs it",
            program.display()
        );
        program
    })
}

/// A child that does not outlive the answer to its request.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        // It has usually ended by itself.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}
