//! The command line: one file a verb; [`render`] prints, [`exit`] knows codes and hints.
//!
//! A verb that finds an agent running talks to it over the control socket; when none runs, it
//! takes the lock and does the work itself, by the same pass. Results go to stdout, everything
//! else to stderr.

mod args;
mod audit;
mod client;
mod config;
mod deliveries;
mod demo;
mod detach;
mod diff;
mod exit;
mod healthcheck;
mod history;
mod init;
mod listen;
mod log;
mod looking;
mod order;
mod policy;
mod profile;
mod progress;
mod reach;
mod render;
mod show;
mod status;
mod suspend;
mod sync;
mod validate;

use exit::Exit;

use std::process::ExitCode;

use args::{Cli, Verb};
use clap::Parser as _;
use render::Output;

use crate::memory;

/// Reads the command line, does what it says, and prints.
#[must_use]
pub fn run() -> ExitCode {
    memory::prepare();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return args::refuse(&error),
    };
    if let Verb::EvaluatePolicies(args) = &cli.verb {
        // It has no log, no threads and no runtime: whatever it evaluates may end it at any moment.
        let served = crate::rego::serve_process(args.memory_bytes_max);
        return if served.is_ok() { Exit::Done.into() } else { Exit::Error.into() };
    }
    let output = Output::new(&cli.global);
    if let Err(error) = log::set_up(&cli.global) {
        output.error(&error);
        return Exit::Configuration.into();
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .thread_keep_alive(memory::THREADS_KEPT)
        .build();
    let ended = match runtime {
        Ok(runtime) => {
            let ended = runtime.block_on(dispatch(cli, &output));
            // What still runs on blocking threads had its grace; recovery does the rest.
            runtime.shutdown_background();
            ended
        }
        Err(source) => Err(exit::Failure::io("start", "the runtime", source)),
    };
    match ended {
        Ok(exit) => exit.into(),
        Err(failure) => {
            output.failure(&failure);
            failure.exit.into()
        }
    }
}

async fn dispatch(cli: Cli, output: &Output) -> Result<Exit, exit::Failure> {
    let global = cli.global;
    if global.output.is_report()
        && !matches!(&cli.verb, Verb::Validate(args) if args.takes_reports())
    {
        let text = "-o sarif, junit and github are for `kconfigd validate DIR`";
        return Err(exit::Failure::new(Exit::Usage, text).hint("take human, json or yaml"));
    }
    match cli.verb {
        Verb::Sync(args) => sync::sync(&global, args, output).await,
        Verb::Serve(args) => sync::serve(&global, args).await,
        Verb::Plan(args) => order::plan(&global, args, output).await,
        Verb::Validate(args) => validate::run(&global, args, output).await,
        Verb::Apply(args) => order::apply(&global, args, output).await,
        Verb::Rollback(args) => order::rollback(&global, args, output).await,
        Verb::Suspend(args) => suspend::suspend(&global, args, output).await,
        Verb::Resume(args) => suspend::resume(&global, args, output).await,
        Verb::Status(args) => status::run(&global, args, output).await,
        Verb::History(args) => history::run(&global, args, output).await,
        Verb::Show(args) => show::run(&global, args, output).await,
        Verb::Diff(args) => diff::run(&global, args, output).await,
        Verb::Profile(args) => profile::run(&global, args, output).await,
        Verb::Drift(args) => order::drift(&global, args, output).await,
        Verb::Audit(args) => audit::run(&global, args, output).await,
        Verb::Deliveries(args) => deliveries::run(&global, args, output).await,
        Verb::Detach => detach::run(&global, output).await,
        Verb::Listen(args) => listening(args, output).await,
        Verb::Init(args) => init::run(&global, args, output),
        Verb::Demo(args) => demo::run(args, output).await,
        Verb::Config(args) => config::run(&global, args, output),
        Verb::Policy(args) => policy::run(args, output),
        Verb::EvaluatePolicies(_) => {
            Err(exit::Failure::new(Exit::Usage, "it is started by itself"))
        }
        Verb::Healthcheck => healthcheck::run(&global, output).await,
        Verb::Completions(args) => args::completions(args.shell),
        Verb::Man => args::man(),
    }
}

async fn listening(args: listen::ListenArgs, output: &Output) -> Result<Exit, exit::Failure> {
    let clock = std::sync::Arc::new(crate::clock::SystemClock);
    let (mut out, mut err) = (std::io::stdout(), std::io::stderr());
    listen::run(args, output.is_structured(), clock, &mut out, &mut err)
        .await
        .map_err(|error| exit::Failure::new(Exit::Error, exit::chain(&error)))?;
    Ok(Exit::Done)
}
