use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum};

use super::exit::{Exit, Failure};
use super::init::InitArgs;
use super::listen::ListenArgs;
use super::validate::ValidateArgs;

/// GitOps for machines: a git repository becomes the live configuration of this machine, verified,
/// applied as a whole, kept in a history, and told to the nodes over signed webhooks.
#[derive(Debug, Parser)]
#[command(
    name = "kconfigd",
    version,
    about,
    long_about = None,
    disable_help_subcommand = true,
    after_help = "Start with `kconfigd demo`, or `kconfigd init`. Exit codes: docs/exit-codes.md."
)]
pub(super) struct Cli {
    #[command(flatten)]
    pub(super) global: Global,
    #[command(subcommand)]
    pub(super) verb: Verb,
}

/// What every verb takes.
#[derive(Clone, Debug, Args)]
pub(super) struct Global {
    /// Settings [default: ./kconfigd.yaml, then /etc/kconfigd/kconfigd.yaml]
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Where the journal, the mirror and the control socket are
    #[arg(long, global = true, value_name = "DIR")]
    pub(super) state_dir: Option<PathBuf>,
    /// How results are printed
    #[arg(short, long, global = true, value_enum, default_value_t = Format::Human)]
    pub(super) output: Format,
    /// Whether results are coloured
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto)]
    pub(super) color: Color,
    /// How the log is written to stderr
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text)]
    pub(super) log_format: LogFormat,
    /// Say more (twice: still more)
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(super) verbose: u8,
    /// Say only what went wrong
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(super) quiet: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people; not stable
    Human,
    /// One JSON object
    Json,
    /// The same as YAML
    Yaml,
    /// What `validate` found, for code scanning
    Sarif,
    /// What `validate` found, as a report of tests
    Junit,
    /// What `validate` found, as commands of GitHub's workflows
    Github,
}

impl Format {
    /// Whether only `validate` can print it.
    pub(super) fn is_report(self) -> bool {
        matches!(self, Self::Sarif | Self::Junit | Self::Github)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Color {
    /// On a terminal
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum LogFormat {
    /// Lines for people
    Text,
    /// A JSON object a line
    Json,
}

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Sidecar: pull, check, apply and notify at the interval; --once: one pass, then exit
    Sync(SyncArgs),
    /// Standalone service: the same, with the HTTP address
    Serve(SourceArgs),
    /// What would change, and what that touches
    Plan(PlanArgs),
    /// The gates alone, for the configuration repository's own CI; no agent is needed
    Validate(ValidateArgs),
    /// Make a revision live now, though it is held
    Apply(ApplyArgs),
    /// Back to an earlier deployment
    Rollback(RollbackArgs),
    /// Stop applying, until `resume` or a time
    Suspend(SuspendArgs),
    /// Go on applying
    Resume(ReasonArgs),
    /// How things stand
    Status(StatusArgs),
    /// The deployments, newest first
    History(HistoryArgs),
    /// One deployment, whole
    Show(ShowArgs),
    /// What differs between two deployments
    Diff(DiffArgs),
    /// What somebody else changed in the live tree
    Drift(DriftArgs),
    /// A profile of the live tree with what it extends, and where each value comes from
    Profile(ProfileArgs),
    /// Events on their way to the nodes
    Deliveries(DeliveriesArgs),
    /// Who did what, and whether that trail is whole
    Audit(AuditArgs),
    /// The live path becomes a plain folder; kconfigd lets go of it
    Detach,
    /// A receiver for trying: verifies signatures, prints events
    Listen(ListenArgs),
    /// A first kconfigd.yaml and a configuration repository to start from
    Init(InitArgs),
    /// The whole story on this machine, nothing needed
    Demo(DemoArgs),
    /// Check the settings, or print their schema
    Config(ConfigArgs),
    /// Work on policies: rules in Rego
    Policy(PolicyArgs),
    /// The process that evaluates policies; kconfigd starts it
    #[command(name = crate::rego::VERB, hide = true)]
    EvaluatePolicies(EvaluateArgs),
    /// For a container's HEALTHCHECK: asks the running agent
    Healthcheck,
    /// Completions for a shell
    Completions(CompletionsArgs),
    /// The manual page
    Man,
}

/// Enough to start without a file.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct SourceArgs {
    /// The repository to follow
    #[arg(long, value_name = "URL")]
    pub(super) repository: Option<String>,
    /// The branch of it
    #[arg(long, value_name = "NAME")]
    pub(super) branch: Option<String>,
    /// The path that consumers open
    #[arg(long, value_name = "PATH")]
    pub(super) live: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct SyncArgs {
    #[command(flatten)]
    pub(super) source: SourceArgs,
    /// One pass, then exit
    #[arg(long)]
    pub(super) once: bool,
    /// Do everything but make it live
    #[arg(long)]
    pub(super) dry_run: bool,
    /// With --once: how long deliveries are tried
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    pub(super) deliver_timeout: std::time::Duration,
}

#[derive(Debug, Args)]
pub(super) struct PlanArgs {
    #[command(flatten)]
    pub(super) source: SourceArgs,
    /// A commit, or a branch or tag of the source: `v1.2.3`, `origin/my-branch`
    /// [default: the source's head]
    #[arg(value_name = "REV", verbatim_doc_comment)]
    pub(super) revision: Option<String>,
    /// Exit with 2 when there are differences
    #[arg(long)]
    pub(super) detailed_exitcode: bool,
}

#[derive(Debug, Args)]
pub(super) struct ApplyArgs {
    #[command(flatten)]
    pub(super) source: SourceArgs,
    /// The revision [default: the source's head]
    #[arg(value_name = "REV")]
    pub(super) revision: Option<String>,
    /// Why, for the history and the events
    #[arg(long, value_name = "TEXT")]
    pub(super) reason: Option<String>,
    /// How long deliveries are tried when no agent runs
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    pub(super) deliver_timeout: std::time::Duration,
}

#[derive(Debug, Args)]
pub(super) struct RollbackArgs {
    /// A deployment's number or a revision [default: the previous one]
    #[arg(value_name = "TO")]
    pub(super) to: Option<String>,
    /// Suspend afterwards
    #[arg(long)]
    pub(super) hold: bool,
    /// Why, for the history and the events
    #[arg(long, value_name = "TEXT")]
    pub(super) reason: Option<String>,
    /// How long deliveries are tried when no agent runs
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    pub(super) deliver_timeout: std::time::Duration,
}

#[derive(Debug, Args)]
pub(super) struct SuspendArgs {
    /// Until when: RFC 3339, or from now on: 2h, 7d
    #[arg(long, value_name = "TIME")]
    pub(super) until: Option<String>,
    /// Why
    #[arg(long, value_name = "TEXT")]
    pub(super) reason: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct ReasonArgs {
    /// Why
    #[arg(long, value_name = "TEXT")]
    pub(super) reason: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct StatusArgs {
    /// Exit with 0 in sync, 17 held or suspended, 1 degraded
    #[arg(long)]
    pub(super) exit_code: bool,
}

#[derive(Debug, Args)]
pub(super) struct HistoryArgs {
    /// How many
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(super) limit: usize,
    /// Only those before this number
    #[arg(long, value_name = "ID")]
    pub(super) before: Option<u64>,
}

#[derive(Debug, Args)]
pub(super) struct ProfileArgs {
    /// Which one; the active one (`profile` in the settings) where none is given
    #[arg(value_name = "NAME")]
    pub(super) name: Option<String>,
    /// One value a line, with the file and line that gave it
    #[arg(long)]
    pub(super) explain: bool,
}

#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    /// The deployment's number
    #[arg(value_name = "ID")]
    pub(super) id: u64,
}

#[derive(Debug, Args)]
pub(super) struct DiffArgs {
    /// A deployment's number, a revision, or `live`
    #[arg(value_name = "A")]
    pub(super) from: String,
    /// The other one
    #[arg(value_name = "B")]
    pub(super) to: String,
}

#[derive(Debug, Args)]
pub(super) struct DriftArgs {
    /// Put the live tree right
    #[arg(long)]
    pub(super) repair: bool,
    /// Exit with 2 when there is some
    #[arg(long)]
    pub(super) detailed_exitcode: bool,
}

#[derive(Debug, Args)]
pub(super) struct DeliveriesArgs {
    /// Only those that were given up
    #[arg(long)]
    pub(super) failed: bool,
    /// How many
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub(super) limit: u32,
    #[command(subcommand)]
    pub(super) action: Option<DeliveriesAction>,
}

#[derive(Debug, Subcommand)]
pub(super) enum DeliveriesAction {
    /// Send one again
    Redeliver {
        /// The delivery's number
        #[arg(value_name = "ID")]
        id: u64,
    },
}

#[derive(Debug, Args)]
pub(super) struct AuditArgs {
    /// Only by this one, exactly
    #[arg(long, value_name = "WHO")]
    pub(super) name: Option<String>,
    /// Only this, such as `order.apply`; `order.` is all that begins so
    #[arg(long = "action", value_name = "WHAT")]
    pub(super) of: Option<String>,
    /// Only what was `done`, `ordered`, `refused` or `failed`
    #[arg(long, value_name = "OUTCOME")]
    pub(super) outcome: Option<String>,
    /// From then on, RFC 3339
    #[arg(long, value_name = "TIME")]
    pub(super) since: Option<String>,
    /// Until then, RFC 3339
    #[arg(long, value_name = "TIME")]
    pub(super) until: Option<String>,
    /// How many
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub(super) limit: usize,
    /// Those before this one
    #[arg(long, value_name = "ID")]
    pub(super) before: Option<u64>,
    #[command(subcommand)]
    pub(super) action: Option<AuditAction>,
}

#[derive(Debug, Subcommand)]
pub(super) enum AuditAction {
    /// Whether no record was edited, removed, put elsewhere or cut off; needs no agent
    Verify {
        /// Checkpoints that were kept elsewhere, one a line
        #[arg(long, value_name = "FILE")]
        checkpoint: Vec<PathBuf>,
        /// The public key, in base64 [default: of the key in the state folder]
        #[arg(long, value_name = "KEY")]
        key: Option<String>,
    },
    /// The newest signed checkpoint, to be kept elsewhere
    Checkpoint,
    /// The public key that checkpoints are signed with
    Key,
    /// Every record, a JSON object a line, the oldest first
    Export,
}

#[derive(Debug, Args)]
pub(super) struct DemoArgs {
    /// Leave it running to play with
    #[arg(long)]
    pub(super) keep: bool,
}

#[derive(Debug, Args)]
pub(super) struct ConfigArgs {
    #[command(subcommand)]
    pub(super) action: ConfigAction,
}

#[derive(Debug, Subcommand)]
pub(super) enum ConfigAction {
    /// Read the settings as the agent would, and say what they come to
    Check,
    /// Print their JSON Schema
    Schema,
}

#[derive(Debug, Args)]
pub(super) struct PolicyArgs {
    #[command(subcommand)]
    pub(super) action: PolicyAction,
}

#[derive(Debug, Subcommand)]
pub(super) enum PolicyAction {
    /// Run the policies' own tests: rules called `test_…`; needs no settings and no agent
    Test {
        /// Files and folders with rules, tests and data (YAML, JSON)
        #[arg(value_name = "PATH", default_value = "policy")]
        paths: Vec<PathBuf>,
        /// Only tests whose package and name hold this
        #[arg(long, value_name = "TEXT")]
        run: Option<String>,
    },
}

#[derive(Debug, Args)]
pub(super) struct EvaluateArgs {
    /// Bytes of memory that it may take
    pub(super) memory_bytes_max: u64,
}

#[derive(Debug, Args)]
pub(super) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub(super) shell: clap_complete::Shell,
}

fn duration(text: &str) -> Result<std::time::Duration, String> {
    crate::config::parse_duration(text).ok_or_else(|| "write 500ms, 30s, 5m, 24h or 7d".to_owned())
}

/// Prints what clap has to say. Help and version are no errors.
pub(super) fn refuse(error: &clap::Error) -> ExitCode {
    // Nothing can be done about a closed terminal.
    drop(error.print());
    if error.use_stderr() { Exit::Usage.into() } else { Exit::Done.into() }
}

/// Prints completions.
pub(super) fn completions(shell: clap_complete::Shell) -> Result<Exit, Failure> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "kconfigd", &mut text);
    print(&text)
}

/// Prints the manual page.
pub(super) fn man() -> Result<Exit, Failure> {
    let mut text = Vec::new();
    clap_mangen::Man::new(Cli::command())
        .render(&mut text)
        .map_err(|source| Failure::io("write", "the manual page", source))?;
    print(&text)
}

fn print(text: &[u8]) -> Result<Exit, Failure> {
    std::io::stdout()
        .write_all(text)
        .map_err(|source| Failure::io("write to", "standard output", source))?;
    Ok(Exit::Done)
}
