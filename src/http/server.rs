use std::io;
use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use axum::Router;
use axum::serve::ListenerExt as _;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::watch;

use super::access::Peer;
use super::tls::{Tls, TlsError};
use super::{Api, connections, control_routes, public_routes};

/// The control socket, bound and not yet served.
pub struct Control {
    listener: UnixListener,
    routes: Router,
    path: PathBuf,
}

/// The API's address, bound and not yet served.
pub struct Public {
    listener: TcpListener,
    routes: Router,
    tls: Option<Tls>,
}

/// Why the API's address cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The system does not give it.
    #[error(transparent)]
    Address(#[from] io::Error),
    /// It has no certificate to show.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// Longest path that a socket's address can hold (`sun_path`, the closing zero left out).
const SOCKET_PATH_MAX: usize = 107;

impl Control {
    /// Binds the control socket, mode 0600. What is there is a leftover: the caller holds the
    /// state folder's lock.
    ///
    /// # Errors
    /// What the system says.
    pub fn bind(api: Api, path: &Path) -> io::Result<Self> {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = with_short_path(path, |short| UnixListener::bind(short))?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
        Ok(Self { listener, routes: control_routes(api), path: path.to_owned() })
    }
}

impl Public {
    /// Binds the address.
    ///
    /// # Errors
    /// What the system says.
    pub async fn bind(api: Api, address: SocketAddr) -> Result<Self, BindError> {
        let tls = Tls::new(api.settings.clone())?;
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let scheme = if tls.is_some() { "https" } else { "http" };
        tracing::info!(%address, "listening; the dashboard is at {scheme}://{address}/");
        Ok(Self { listener, routes: public_routes(api), tls })
    }
}

/// Calls `use_path` with a path to the same place that fits a socket's address: a long one is
/// reached through its opened folder.
///
/// # Errors
/// What the system or `use_path` says.
pub fn with_short_path<T>(
    path: &Path,
    use_path: impl FnOnce(&Path) -> io::Result<T>,
) -> io::Result<T> {
    if path.as_os_str().as_bytes().len() <= SOCKET_PATH_MAX {
        return use_path(path);
    }
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let folder = std::fs::File::open(folder)?;
    use std::os::fd::AsRawFd as _;
    use_path(&PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd())).join(name))
}

/// Serves both until told to stop; requests under way are finished.
pub async fn until_stopped(control: Control, public: Option<Public>, stop: watch::Receiver<bool>) {
    let path = control.path;
    let private =
        connections::serve(control.listener, control.routes, None, |_| Peer::Socket, stop.clone());
    let open = async {
        if let Some(public) = public {
            // An answer is small, and nothing comes after it that it could wait for.
            let listener = public.listener.tap_io(|tcp| drop(tcp.set_nodelay(true)));
            let peer = |address: &SocketAddr| Peer::Address(address.ip().to_canonical());
            connections::serve(listener, public.routes, public.tls, peer, stop).await;
        }
    };
    tokio::join!(private, open);
    drop(std::fs::remove_file(path));
}
