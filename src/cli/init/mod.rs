/// x
#[derive(Debug, clap::Args)]
pub struct InitArgs {}
pub(super) fn run(
    _g: &super::args::Global,
    _a: InitArgs,
    _o: &super::render::Output,
) -> Result<super::Exit, super::exit::Failure> {
    Ok(super::Exit::Done)
}
