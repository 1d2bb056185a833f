use std::path::Path;
use std::time::Duration;

use reqwest::{Method, redirect};
use rustix::process::{Pid, Signal, kill_process};

use super::{ProgramError, Stop};

/// How often it is looked whether the agent stops.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Bytes of a file with the number of a process.
const PID_BYTES_MAX: usize = 64;

/// Sends a request without a body and gives the status of the answer. Redirects are not followed,
/// and no proxy is between: what is asked is this machine's neighbour.
///
/// # Errors
/// When there is no answer in time, or the agent stops.
pub fn request(
    url: &str,
    method: &str,
    timeout: Duration,
    stop: &Stop,
) -> Result<u16, ProgramError> {
    let method = Method::from_bytes(method.as_bytes()).unwrap_or(Method::GET);
    let is_tls = url.starts_with("https:");
    let asked = async {
        // The process may have installed a provider already; either is ours.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = reqwest::Client::builder()
            .user_agent(concat!("kconfigd/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .no_proxy();
        let builder = if is_tls { builder } else { builder.tls_certs_only([]) };
        let answer = builder.build()?.request(method, url).send().await?;
        Ok::<_, reqwest::Error>(answer.status().as_u16())
    };
    wait(url, timeout, stop, async {
        asked.await.map_err(|error| std::io::Error::other(error.without_url()))
    })
}

/// Opens a connection to a host and a port, and closes it again.
///
/// # Errors
/// When it is not taken in time, or the agent stops.
pub fn connect(address: &str, timeout: Duration, stop: &Stop) -> Result<(), ProgramError> {
    wait(address, timeout, stop, async { tokio::net::TcpStream::connect(address).await.map(drop) })
}

/// Sends a signal to the process whose number is in a file.
///
/// # Errors
/// When the file holds no number, or there is no such process.
pub fn signal(pid_file: &Path, signal: Signal) -> Result<(), ProgramError> {
    let failed = |source| ProgramError::Reach { what: pid_file.display().to_string(), source };
    let text = std::fs::read_to_string(pid_file).map_err(failed)?;
    let number = text.get(..PID_BYTES_MAX).unwrap_or(&text).trim().parse::<i32>().ok();
    // Zero and negative numbers mean groups of processes, ours among them.
    let pid = number.filter(|number| *number > 0).and_then(Pid::from_raw);
    let pid =
        pid.ok_or_else(|| failed(std::io::Error::other("it holds no number of a process")))?;
    kill_process(pid, signal).map_err(|error| failed(error.into()))
}

/// Waits on this thread, which may block.
fn wait<T>(
    what: &str,
    timeout: Duration,
    stop: &Stop,
    work: impl Future<Output = std::io::Result<T>>,
) -> Result<T, ProgramError> {
    let failed = |source| ProgramError::Reach { what: place(what), source };
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let ended = runtime.block_on(async {
        let stopped = async {
            while !stop.is_said() {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        tokio::select! {
            ended = work => Some(ended),
            () = stopped => None,
            () = tokio::time::sleep(timeout) => {
                let text = format!("no answer within {} ms", timeout.as_millis());
                Some(Err(std::io::Error::new(std::io::ErrorKind::TimedOut, text)))
            }
        }
    });
    // A name that is still being looked up is not waited for.
    runtime.shutdown_background();
    match ended {
        Some(ended) => ended.map_err(failed),
        None => Err(ProgramError::Stopped { program: place(what) }),
    }
}

/// An address without its query, which may hold a token.
fn place(url: &str) -> String {
    url.split(['?', '#']).next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(5);

    #[test]
    fn a_port_that_takes_connections_is_told_from_one_that_does_not() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        connect(&address, SOON, &Stop::default()).unwrap();
        drop(listener);
        connect(&address, SOON, &Stop::default()).unwrap_err();
    }

    #[test]
    fn who_does_not_answer_is_not_waited_for_longer_than_told_or_when_it_is_to_stop() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/?token=x", listener.local_addr().unwrap());
        let error = request(&url, "GET", Duration::from_millis(50), &Stop::default()).unwrap_err();
        assert!(
            matches!(error, ProgramError::Reach { .. }) && !error.to_string().contains("token")
        );
        let stop = Stop::default();
        stop.stop();
        let error = request(&url, "GET", Duration::from_secs(3600), &stop).unwrap_err();
        assert!(matches!(error, ProgramError::Stopped { .. }));
    }

    #[test]
    fn a_file_without_the_number_of_one_process_signals_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pid");
        for text in ["", "0", "-1", "x", "99999999"] {
            std::fs::write(&file, text).unwrap();
            signal(&file, Signal::HUP).unwrap_err();
        }
    }
}
