use std::io;
use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use axum::Router;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::watch;

use super::{Api, control_routes, public_routes};

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
    pub async fn bind(api: Api, address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        tracing::info!(address = %listener.local_addr()?, "listening");
        Ok(Self { listener, routes: public_routes(api) })
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
        axum::serve(control.listener, control.routes).with_graceful_shutdown(stopped(stop.clone()));
    let open = async {
        if let Some(public) = public {
            let served =
                axum::serve(public.listener, public.routes).with_graceful_shutdown(stopped(stop));
            report(served.await);
        }
    };
    let (served, ()) = tokio::join!(private, open);
    report(served);
    drop(std::fs::remove_file(path));
}

async fn stopped(mut stop: watch::Receiver<bool>) {
    // An error means that nobody can tell us any more, which is a stop too.
    drop(stop.wait_for(|stopped| *stopped).await);
}

fn report(served: io::Result<()>) {
    if let Err(error) = served {
        tracing::error!(error = %error, "serving ended");
    }
}
