pub(super) async fn run(
    _a: super::args::DemoArgs,
    _o: &super::render::Output,
) -> Result<super::Exit, super::exit::Failure> {
    Ok(super::Exit::Done)
}
