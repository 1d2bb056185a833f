//! Connections: how many there are, how long a request's head may take, and how they end.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::Request;
use axum::serve::Listener;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio_rustls::server::TlsStream;

use super::access::Peer;
use super::tls::{Encrypted, HANDSHAKE_TIME_MAX, Tls};

/// Connections at once; more wait in the system's queue.
const CONNECTIONS_MAX: usize = 4096;
/// The part of the files that the process may have open that connections may take; the agent needs the rest.
const FILES_PART: u64 = 2;
/// How long a connection may take to bring the head of its next request.
const HEAD_TIME_MAX: Duration = Duration::from_secs(10);
/// Bytes of a request's head, and of what is held unread of a request.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// How long requests under way are waited for at the end. No pass runs any more by then.
const ENDING_TIME_MAX: Duration = Duration::from_secs(2);

/// Serves until told to stop. Requests under way are finished, where they do not take long.
pub(super) async fn serve<L: Listener>(
    mut listener: L,
    routes: Router,
    tls: Option<Tls>,
    peer: impl Fn(&L::Addr) -> Peer,
    stop: watch::Receiver<bool>,
) {
    let places = Arc::new(Semaphore::new(connections_max()));
    let mut open = JoinSet::new();
    loop {
        let next = async {
            let place = Arc::clone(&places).acquire_owned().await.ok()?;
            Some((place, listener.accept().await))
        };
        let next = tokio::select! {
            next = next => next,
            () = stopped(stop.clone()) => None,
        };
        let Some((place, (io, address))) = next else { break };
        let (routes, peer, stop) = (routes.clone(), peer(&address), stop.clone());
        match tls.clone() {
            None => open.spawn(converse(io, routes, (peer, None), place, stop)),
            Some(tls) => open.spawn(async move {
                if let Some((io, encrypted)) = agree(io, &tls).await {
                    converse(io, routes, (peer, Some(encrypted)), place, stop).await;
                }
            }),
        };
        while open.try_join_next().is_some() {}
    }
    drop(listener);
    let ended = async { while open.join_next().await.is_some() {} };
    if tokio::time::timeout(ENDING_TIME_MAX, ended).await.is_err() {
        tracing::debug!(connections = open.len(), "connections are closed in the middle");
    }
}

/// How many there may be, by what the system lets this process have open.
fn connections_max() -> usize {
    let files = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let part = files.map_or(u64::MAX, |files| files / FILES_PART);
    usize::try_from(part).unwrap_or(CONNECTIONS_MAX).clamp(1, CONNECTIONS_MAX)
}

/// Agrees on keys with a client.
async fn agree<I>(io: I, tls: &Tls) -> Option<(TlsStream<I>, Encrypted)>
where
    I: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let acceptor = tls.acceptor().inspect_err(|error| tracing::error!(%error, "no TLS")).ok()?;
    let agreed = tokio::time::timeout(HANDSHAKE_TIME_MAX, acceptor.accept(io)).await.ok()?;
    let stream = agreed
        .inspect_err(|error| tracing::debug!(%error, "a client and we did not agree on TLS"))
        .ok()?;
    let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
    let encrypted = Encrypted(shown.map(|certificate| certificate.clone().into_owned()));
    Some((stream, encrypted))
}

async fn converse<I>(
    io: I,
    routes: Router,
    (peer, encrypted): (Peer, Option<Encrypted>),
    place: OwnedSemaphorePermit,
    stop: watch::Receiver<bool>,
) where
    I: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let routes = TowerToHyperService::new(routes);
    let answer = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer.clone());
        if let Some(encrypted) = &encrypted {
            request.extensions_mut().insert(encrypted.clone());
        }
        routes.call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME_MAX)
        .max_header_size(HEAD_BYTES_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(io), answer);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stopped(stop) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::trace!(error = %error, "a connection ended early");
    }
    drop(place);
}

async fn stopped(mut stop: watch::Receiver<bool>) {
    // An error means that nobody can tell us any more, which is a stop too.
    drop(stop.wait_for(|stopped| *stopped).await);
}
