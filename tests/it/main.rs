//! The tests of kconfigd as a whole, one binary: each module is one subject.

mod support;

mod api;
mod behaviour;
mod contract;
mod dashboard;
mod demo;
mod enemies;
mod fuzz;
mod hooks;
mod house;
mod outputs;
mod promises;
mod reload;
mod secrets;
mod shipped;
mod telling;
mod trust;
mod workbench;
