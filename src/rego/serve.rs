use std::collections::BTreeSet;
use std::io::{self, BufReader, BufWriter, Read, Write};

use regorus::Value;
use rustix::process::{Resource, Rlimit, Signal, setrlimit};

use super::compile::{self, RuleSet};
use super::evaluate::evaluate;
use super::trial;
use super::wire::{Answer, Place, Request, Unit, receive, send};

/// Seconds of the processor's time beyond what a request may take: the other side keeps the time,
/// and this is for when it is gone.
const SPARE_SECONDS: u64 = 2;
/// Files that may be open: the three streams, and what the C library may need.
const FILES_MAX: u64 = 16;

/// Is the child: takes its limits, then answers what comes on standard input until it ends.
///
/// # Errors
/// When the limits cannot be had, or the other side is gone.
pub fn serve_process(memory_bytes_max: u64) -> io::Result<()> {
    limit(memory_bytes_max)?;
    serve(&mut io::stdin().lock(), &mut io::stdout().lock(), &mut allow_time)
}

fn limit(memory_bytes_max: u64) -> io::Result<()> {
    // Whoever asked may be killed while this evaluates.
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    let both = |most: u64| Rlimit { current: Some(most), maximum: Some(most) };
    setrlimit(Resource::As, both(memory_bytes_max.saturating_add(mapped()?)))?;
    setrlimit(Resource::Core, both(0))?;
    setrlimit(Resource::Fsize, both(0))?;
    setrlimit(Resource::Nofile, both(FILES_MAX))?;
    Ok(())
}

/// Bytes that are mapped already: the program itself (proc(5), `VmSize`).
fn mapped() -> io::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let size = status.lines().find_map(|line| line.strip_prefix("VmSize:"));
    let kib = size.and_then(|size| size.trim().trim_end_matches(" kB").parse::<u64>().ok());
    Ok(kib.unwrap_or_default().saturating_mul(1024))
}

/// Lets the kernel end this process when the next request takes much longer than it may.
fn allow_time(budget_ms: u64) {
    let used = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime).tv_sec;
    let used = u64::try_from(used).unwrap_or_default();
    let most = used.saturating_add(budget_ms.div_ceil(1000)).saturating_add(SPARE_SECONDS);
    // The other side keeps the time; without this, the agent's end alone would end the child.
    let _second_line = setrlimit(Resource::Cpu, Rlimit { current: Some(most), maximum: None });
}

/// What there is between two requests.
#[derive(Default)]
struct Served {
    sets: Vec<RuleSet>,
    trials: Vec<Vec<(String, String, Place)>>,
    units: Vec<Unit>,
    skipped: BTreeSet<usize>,
    /// For each set, what combined rules see.
    parts: Vec<Vec<Value>>,
}

/// Answers requests until the other side closes.
///
/// # Errors
/// Those of the streams.
pub(super) fn serve(
    from: &mut impl Read,
    to: &mut impl Write,
    allow_time: &mut dyn FnMut(u64),
) -> io::Result<()> {
    let mut from = BufReader::new(from);
    let mut to = BufWriter::new(to);
    let mut served = Served::default();
    send(&mut to, &Answer::Ready)?;
    to.flush()?;
    while let Some(request) = receive::<Request<Value>>(&mut from)? {
        served.answer(request, &mut to, allow_time)?;
        send(&mut to, &Answer::Done)?;
        to.flush()?;
    }
    Ok(())
}

impl Served {
    fn answer(
        &mut self,
        request: Request<Value>,
        to: &mut impl Write,
        allow_time: &mut dyn FnMut(u64),
    ) -> io::Result<()> {
        // What is announced has to be out before it is begun.
        let mut tell = |answer: &Answer| {
            send(to, answer)?;
            match answer {
                Answer::Begins { .. } | Answer::Reads { .. } | Answer::Tries { .. } => to.flush(),
                _ => Ok(()),
            }
        };
        match request {
            Request::Load { sets } => {
                let mut broken = Vec::new();
                for (set, text) in sets.iter().enumerate() {
                    let reads = |file: &str| tell(&Answer::Reads { set, file: file.to_owned() });
                    let compiled = compile::compile(set, text, reads)?;
                    self.sets.push(compiled.set);
                    self.parts.push(Vec::new());
                    self.units.extend(compiled.units);
                    self.trials.push(compiled.trials);
                    broken.extend(compiled.broken);
                }
                tell(&Answer::Loaded { units: self.units.clone(), broken })
            }
            Request::Skip { unit } => {
                self.skipped.insert(unit);
                Ok(())
            }
            Request::Documents { documents, announced, budget_ms } => {
                allow_time(budget_ms);
                let units = asked(&self.units, &self.skipped, false);
                for (number, held) in documents.into_iter().enumerate() {
                    let units: Vec<_> = units
                        .iter()
                        .filter(|(_, u)| !held.not_for.contains(&u.set))
                        .copied()
                        .collect();
                    for (set, rules) in self.sets.iter_mut().enumerate() {
                        if !held.not_for.contains(&set) {
                            rules.take(&held.path, held.content.clone());
                        }
                    }
                    evaluate(&mut self.sets, &units, number, announced, &mut tell)?;
                }
                Ok(())
            }
            Request::Part { documents } => {
                for held in documents {
                    let part = compile::part(&held.path, held.content);
                    for (set, parts) in self.parts.iter_mut().enumerate() {
                        if !held.not_for.contains(&set) {
                            parts.push(part.clone());
                        }
                    }
                }
                Ok(())
            }
            Request::Combined { budget_ms } => {
                allow_time(budget_ms);
                let units = asked(&self.units, &self.skipped, true);
                for (set, parts) in self.sets.iter_mut().zip(&mut self.parts) {
                    set.engine.set_input(Value::from(std::mem::take(parts)));
                }
                evaluate(&mut self.sets, &units, 0, true, &mut tell)
            }
            Request::Trials { budget_ms } => {
                allow_time(budget_ms);
                let sets = self.sets.iter_mut().zip(&self.trials);
                for (set, trials) in sets {
                    trial::run(set, trials, &mut tell)?;
                }
                Ok(())
            }
        }
    }
}

/// The rules that are asked about single documents, or about all of them together.
fn asked<'u>(
    units: &'u [Unit],
    skipped: &BTreeSet<usize>,
    combined: bool,
) -> Vec<(usize, &'u Unit)> {
    let all = units.iter().enumerate();
    all.filter(|(number, unit)| unit.is_combined == combined && !skipped.contains(number)).collect()
}
