use std::fs::{File, Permissions};
use std::io::Read as _;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use super::git::succeed;
use super::wait::wait_until;

const PROGRAM: &str = "/usr/sbin/sshd";
/// sshd of Debian wants this folder to be there; it is empty.
const PRIVILEGE_SEPARATION: &str = "/run/sshd";

/// Debian's OpenSSH server on a free port, with keys of its own, for nothing but git. Stops when
/// dropped.
pub(crate) struct Sshd {
    folder: TempDir,
    port: u16,
    user: String,
    process: Child,
}

impl Sshd {
    /// Lets in whoever has [`Sshd::key_file`], which has no passphrase.
    pub(crate) fn start() -> Self {
        Self::with_passphrase("")
    }

    /// Lets in whoever has [`Sshd::key_file`], whose passphrase is as told.
    pub(crate) fn with_passphrase(passphrase: &str) -> Self {
        assert!(
            Path::new(PROGRAM).exists(),
            "{PROGRAM} is missing: the tests of git over ssh need Debian's openssh-server; \
             tests/run installs it, or: apt-get install openssh-server"
        );
        let folder = TempDir::with_prefix("sshd-").expect("a temporary folder");
        key(&folder.path().join("host_key"), "");
        key(&folder.path().join("user_key"), passphrase);
        let user = succeed(Command::new("id").arg("-un"));
        if user == "root" {
            std::fs::create_dir_all(PRIVILEGE_SEPARATION).expect("the folder that sshd wants");
        }
        let mut sshd = Self::on_a_free_port(folder, user);
        sshd.wait_until_it_listens();
        sshd
    }

    fn on_a_free_port(folder: TempDir, user: String) -> Self {
        // sshd cannot choose a port itself. Between this and its start somebody could take it,
        // which then is told by its log.
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .and_then(|listener| listener.local_addr())
            .expect("a free port")
            .port();
        let at = |name: &str| folder.path().join(name).display().to_string();
        let git = succeed(Command::new("sh").args(["-c", "command -v git"]));
        let settings = format!(
            "ListenAddress 127.0.0.1\nPort {port}\nHostKey {}\nAuthorizedKeysFile {}\n\
             PidFile none\nStrictModes no\nUsePAM no\nPasswordAuthentication no\n\
             KbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\n\
             AcceptEnv GIT_PROTOCOL\nAllowTcpForwarding no\nX11Forwarding no\n\
             AllowAgentForwarding no\nPermitTTY no\nLogLevel VERBOSE\n\
             ForceCommand {git} shell -c \"$SSH_ORIGINAL_COMMAND\"\n",
            at("host_key"),
            at("user_key.pub"),
        );
        std::fs::write(at("sshd_config"), settings).expect("its settings");
        let log = File::create(at("log")).expect("its log");
        let process = Command::new(PROGRAM)
            .args(["-D", "-e", "-f", &at("sshd_config")])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("sshd starts");
        Self { folder, port, user, process }
    }

    fn wait_until_it_listens(&mut self) {
        wait_until("sshd answers", || {
            if let Ok(Some(status)) = self.process.try_wait() {
                panic!("sshd ended with {status}:\n{}", self.log());
            }
            greets(self.port)
        });
    }

    /// Where a repository on this machine is for clients.
    pub(crate) fn url(&self, repository: &Path) -> String {
        format!("ssh://{}@127.0.0.1:{}{}", self.user, self.port, repository.display())
    }

    /// The key that is let in.
    pub(crate) fn key_file(&self) -> PathBuf {
        self.folder.path().join("user_key")
    }

    /// Makes a key that is not let in.
    pub(crate) fn foreign_key_file(&self) -> PathBuf {
        let path = self.folder.path().join("foreign_key");
        key(&path, "");
        path
    }

    /// Writes a known_hosts file that knows this server.
    pub(crate) fn known_hosts_file(&self) -> PathBuf {
        self.known_hosts("known_hosts", "host_key.pub")
    }

    /// Writes a known_hosts file that knows another key of this server.
    pub(crate) fn changed_known_hosts_file(&self) -> PathBuf {
        key(&self.folder.path().join("other_host_key"), "");
        self.known_hosts("changed_known_hosts", "other_host_key.pub")
    }

    fn known_hosts(&self, name: &str, key: &str) -> PathBuf {
        let key = std::fs::read_to_string(self.folder.path().join(key)).expect("a public key");
        let path = self.folder.path().join(name);
        std::fs::write(&path, format!("[127.0.0.1]:{} {key}", self.port)).expect("known hosts");
        path
    }

    /// What sshd has to say.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

fn key(path: &Path, passphrase: &str) {
    let mut command = Command::new("ssh-keygen");
    command.args(["-q", "-t", "ed25519", "-C", "test", "-N", passphrase, "-f"]);
    succeed(command.arg(path));
    std::fs::set_permissions(path, Permissions::from_mode(0o600)).expect("its mode");
}

fn greets(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else { return false };
    let mut greeting = [0; 4];
    stream.set_read_timeout(Some(Duration::from_secs(5))).is_ok()
        && stream.read_exact(&mut greeting).is_ok()
        && &greeting == b"SSH-"
}
