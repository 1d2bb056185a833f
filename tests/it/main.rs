//! The tests of kconfigd as a whole, one binary: each module is one subject.

mod support;

mod alerts;
mod api;
mod behaviour;
mod breakers;
mod contract;
mod dashboard;
mod demo;
mod enemies;
mod forges;
mod fuzz;
mod hooks;
mod house;
mod monitoring;
mod outputs;
mod promises;
mod reload;
mod secrets;
mod shipped;
mod telling;
mod trust;
mod workbench;
