//! The tests of kconfigd as a whole, one binary: each module is one subject.

mod support;

mod behaviour;
mod demo;
mod house;
mod outputs;
mod promises;
mod shipped;
mod workbench;
