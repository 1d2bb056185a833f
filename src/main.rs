//! The program: process set-up, the command line, the exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    kconfigd::app::set_up_process();
    kconfigd::cli::run()
}
