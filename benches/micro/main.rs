//! Micro-benchmarks of the parts of a pass: `cargo bench`, or `cargo bench -- digests`.
//!
//! What a whole pass costs, beside other tools, is measured by `tests/bench`.

mod digests;
mod gates;
mod layers;
mod planning;
mod repository;
mod staging;

fn main() {
    divan::main();
}
