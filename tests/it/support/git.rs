use std::path::Path;
use std::process::{Command, Output};

/// `git` that knows nothing of this machine's settings, users and credentials.
pub(crate) fn git(folder: &Path) -> Command {
    let mut git = Command::new("git");
    seal(&mut git);
    git.current_dir(folder);
    git
}

/// Takes all that a machine may have set away from a git process.
pub(crate) fn seal(command: &mut Command) {
    command.env_clear();
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.envs([
        ("HOME", "/nonexistent"),
        ("GIT_CONFIG_NOSYSTEM", "1"),
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
        ("GIT_TERMINAL_PROMPT", "0"),
        ("GIT_ASKPASS", "/bin/false"),
        ("GIT_AUTHOR_NAME", "Author"),
        ("GIT_AUTHOR_EMAIL", "author@example.com"),
        ("GIT_AUTHOR_DATE", "1767225600 +0000"),
        ("GIT_COMMITTER_NAME", "Author"),
        ("GIT_COMMITTER_EMAIL", "author@example.com"),
        ("GIT_COMMITTER_DATE", "1767225600 +0000"),
        ("LANG", "C.UTF-8"),
        ("TZ", "UTC"),
    ]);
}

/// Runs a command; fails with what it said when it does not succeed. Gives its standard output.
#[track_caller]
pub(crate) fn succeed(command: &mut Command) -> String {
    let output = run(command);
    assert!(
        output.status.success(),
        "{command:?} ended with {}:\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("UTF-8 on standard output").trim_end().to_owned()
}

/// Runs a command; fails when it succeeds. Gives its standard error.
#[track_caller]
pub(crate) fn refused(command: &mut Command) -> String {
    let output = run(command);
    assert!(!output.status.success(), "{command:?} was to fail");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[track_caller]
fn run(command: &mut Command) -> Output {
    let program = command.get_program().to_owned();
    match command.output() {
        Ok(output) => output,
        Err(error) => panic!(
            "{} cannot be started: {error}; tests/run installs what the tests need",
            program.display()
        ),
    }
}
