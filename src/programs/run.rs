use std::ffi::OsString;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::group::Group;
use super::output::Output;
use super::{ProgramError, Stop};

/// How long what a program printed may still be on its way after its end. Whoever left the
/// process group may hold the pipe for ever.
const OUTPUT_AFTER_END: Duration = Duration::from_secs(1);
/// What is handed on of our own environment.
const INHERITED: [&str; 3] = ["PATH", "HOME", "LANG"];

/// What is to be run.
#[derive(Clone, Debug)]
pub struct Program<'a> {
    /// The program and its arguments; `{tree}` in them becomes the path of the tree.
    pub argv: &'a [String],
    /// The tree, which is the working folder too.
    pub tree: &'a Path,
    /// The environment beside `PATH`, `HOME` and `LANG`.
    pub environment: &'a [(&'static str, OsString)],
    /// How long it may take.
    pub timeout: Duration,
    /// How many bytes of its output are kept: the last ones.
    pub output_bytes_max: usize,
}

/// How a program ended by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Whether it says that all is well: exit code 0.
    pub well: bool,
    /// How it ended, in words: `exit status: 1`.
    pub how: String,
    /// The last of what it printed, on both streams, not masked.
    pub output: String,
}

/// Runs a program to its end. Whatever comes, nobody of its process group is left.
///
/// # Errors
/// When it gave no answer: it could not be started, did not end in time, or the agent stops.
pub fn run(program: &Program<'_>, stop: &Stop) -> Result<Ended, ProgramError> {
    let name = program.argv.first().cloned().unwrap_or_default();
    if stop.is_said() {
        return Err(ProgramError::Stopped { program: name });
    }
    let (child, output) =
        start(program).map_err(|source| ProgramError::Start { program: name.clone(), source })?;
    let mut group = Group::new(child);
    let until = Instant::now() + program.timeout;
    while !group.has_ended(&name)? {
        if stop.is_said() {
            group.end();
            return Err(ProgramError::Stopped { program: name });
        }
        if Instant::now() >= until {
            group.end();
            return Err(ProgramError::TimedOut { program: name, after: program.timeout });
        }
        group.pause(&output);
    }
    let status = group.reap().map_err(|source| ProgramError::Wait { program: name, source })?;
    // Closed or late: what there is counts.
    let _closed = output.end.recv_timeout(OUTPUT_AFTER_END);
    Ok(Ended { well: status.success(), how: status.to_string(), output: output.text() })
}

fn start(program: &Program<'_>) -> std::io::Result<(Child, Output)> {
    use std::os::unix::process::CommandExt as _;
    let tree = program.tree.to_string_lossy();
    let mut argv = program.argv.iter().map(|argument| argument.replace("{tree}", &tree));
    let (reader, writer) = std::io::pipe()?;
    let mut command = Command::new(argv.next().unwrap_or_default());
    command
        .args(argv)
        .current_dir(program.tree)
        .env_clear()
        .envs(INHERITED.iter().filter_map(|key| Some((key, std::env::var_os(key)?))))
        .envs(program.environment.iter().map(|(key, value)| (key, value)))
        .stdin(Stdio::null())
        .stdout(writer.try_clone()?)
        .stderr(writer)
        .process_group(0);
    let output = Output::read(reader, program.output_bytes_max)?;
    Ok((command.spawn()?, output))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, timeout: Duration, stop: &Stop) -> Result<Ended, ProgramError> {
        let argv = ["sh", "-c", script, "sh", "{tree}"].map(str::to_owned);
        let environment = [("KCONFIGD_TREE", OsString::from("/"))];
        let program = Program {
            argv: &argv,
            tree: Path::new("/"),
            environment: &environment,
            timeout,
            output_bytes_max: 4096,
        };
        run(&program, stop)
    }

    const LONG: Duration = Duration::from_mins(1);

    #[test]
    fn how_it_ended_and_what_it_printed_is_told() {
        let ended = shell("echo out $1; echo err >&2; pwd; exit 3", LONG, &Stop::default());
        let ended = ended.unwrap();
        assert!(!ended.well);
        assert_eq!(
            (ended.how.as_str(), ended.output.as_str()),
            ("exit status: 3", "out /\nerr\n/\n")
        );
    }

    #[test]
    fn it_gets_a_small_environment_and_no_descriptor_of_ours() {
        let held = std::fs::File::open("/proc/self/status").unwrap();
        let ended = shell("env; ls -l /proc/self/fd", LONG, &Stop::default()).unwrap();
        drop(held);
        let known =
            ["PATH=", "HOME=", "LANG=", "KCONFIGD_TREE=", "PWD=", "SHLVL=", "_=", "OLDPWD="];
        for line in ended.output.lines().filter(|l| l.contains('=')) {
            assert!(known.iter().any(|k| line.starts_with(k)), "{line}");
        }
        assert!(!ended.output.contains("/status"), "{}", ended.output);
    }

    #[test]
    fn out_of_time_the_whole_group_is_ended() {
        // The grandchild ignores what asks it to end; were it spared, it would burn a processor.
        let script = "(trap '' TERM; while :; do :; done) & echo $!; wait";
        let error = shell(script, Duration::from_millis(100), &Stop::default()).unwrap_err();
        assert!(matches!(error, ProgramError::TimedOut { .. }), "{error}");
    }

    #[test]
    fn who_is_left_behind_is_ended_with_the_program() {
        // If the grandchild lived on, its hold on the pipe would cost `OUTPUT_AFTER_END`.
        let ended = shell("sleep 1000 & echo $!", LONG, &Stop::default()).unwrap();
        let id = ended.output.trim();
        // It was told to end; the kernel may take a moment to do so.
        let began = Instant::now();
        loop {
            let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
            if stat.is_empty() || stat.contains(") Z ") {
                break;
            }
            assert!(began.elapsed() < LONG, "{stat}");
            std::thread::yield_now();
        }
    }

    #[test]
    fn what_cannot_be_started_and_what_is_stopped_says_so() {
        let argv = ["/no/such/program".to_owned()];
        let tree = Path::new("/");
        let program =
            Program { argv: &argv, tree, environment: &[], timeout: LONG, output_bytes_max: 1 };
        let error = run(&program, &Stop::default()).unwrap_err();
        assert_eq!(error.to_string(), "/no/such/program could not be started");
        let stop = Stop::default();
        stop.stop();
        assert!(matches!(shell("true", LONG, &stop), Err(ProgramError::Stopped { .. })));
    }
}
