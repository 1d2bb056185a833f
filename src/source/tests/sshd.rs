//! A real sshd on a port of its own, with keys of its own.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Where Debian and most others have it.
const SSHD: &str = "/usr/sbin/sshd";

/// A running server; ended when dropped.
pub(super) struct Sshd {
    child: Child,
    pub port: u16,
    pub known_hosts: PathBuf,
    /// A key that the server knows.
    pub key: PathBuf,
    /// The same, with the passphrase `open sesame`.
    pub locked: PathBuf,
    /// A key that it does not know.
    pub stranger: PathBuf,
}

impl Sshd {
    /// Starts it with its files in `folder`. `v2`: it lets git's protocol version through.
    pub(super) fn start(folder: &Path, v2: bool) -> Self {
        assert!(Path::new(SSHD).exists(), "these tests need OpenSSH's server: {SSHD}");
        fs::create_dir_all(folder).unwrap();
        // its private folder; only root's sshd needs it, and only root can make it
        let _ = fs::create_dir_all("/run/sshd");
        let keygen = |name: &str, passphrase: &str| {
            let path = folder.join(name);
            let made = Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", passphrase, "-f"])
                .arg(&path)
                .status();
            assert!(made.unwrap().success());
            path
        };
        let host = keygen("host", "");
        let (key, locked) = (keygen("key", ""), keygen("locked", "open sesame"));
        let stranger = keygen("stranger", "");
        let public = |path: &Path| fs::read_to_string(path.with_extension("pub")).unwrap();
        let authorized = folder.join("authorized");
        fs::write(&authorized, public(&key) + &public(&locked)).unwrap();
        fs::set_permissions(&authorized, fs::Permissions::from_mode(0o600)).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let known_hosts = folder.join("known_hosts");
        fs::write(&known_hosts, format!("[127.0.0.1]:{port} {}", public(&host))).unwrap();
        let config = folder.join("config");
        let accept = if v2 { "AcceptEnv GIT_PROTOCOL\n" } else { "" };
        let text = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nAuthorizedKeysFile {}\n\
             StrictModes no\nUsePAM no\nPermitRootLogin yes\nPidFile none\n{accept}",
            host.display(),
            authorized.display(),
        );
        fs::write(&config, text).unwrap();
        let child = Command::new(SSHD)
            .args(["-D", "-e", "-f"])
            .arg(&config)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let until = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < until, "sshd does not listen");
            std::thread::yield_now();
        }
        Self { child, port, known_hosts, key, locked, stranger }
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
