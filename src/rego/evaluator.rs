use std::time::Duration;

use serde_json::Value as Json;

use super::RegoError;
use super::child::{Budget, Child, Fault};
use super::wire::{
    Answer, Broken, Held, Outrun, Place, Request, SetText, Told, Trial, Unit, Verdict, frame,
};

/// What the time of single documents is rounded up by: a thousand of them may take ten seconds more
/// than one alone.
const EACH_DOCUMENT: Duration = Duration::from_millis(10);
/// How long rules may take to be read.
const LOAD_TIME_MAX: Duration = Duration::from_secs(10);
/// Of several documents asked about with announcements, how many times what one rule may take.
const ANNOUNCED_TIMES: u32 = 10;
/// Rules that may outrun their limits before no more is asked.
const OUTRUNS_MAX: usize = 3;

/// What policies may take.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// A processor's time for one rule on one document, or on all of them together.
    pub time_max: Duration,
    /// Bytes of memory.
    pub memory_bytes_max: u64,
}

/// Sets of rules, and the child that evaluates them.
pub struct Evaluator {
    bounds: Bounds,
    /// What every child is told first.
    load: Vec<u8>,
    child: Option<Child>,
    units: Vec<Unit>,
    broken: Vec<Broken>,
    /// Rules that outran their limits, and are not asked again.
    skipped: Vec<usize>,
}

impl Evaluator {
    /// Starts a child and has it read the rules. A file that cannot be used is one of
    /// [`Self::broken`], and nothing of its set is asked.
    ///
    /// # Errors
    /// When there can be no child.
    pub fn start(sets: &[SetText], bounds: Bounds) -> Result<Self, RegoError> {
        let request: Request<Json> = Request::Load { sets: sets.to_vec() };
        let load = frame(&request)?;
        let (child, units, broken) = (None, Vec::new(), Vec::new());
        let mut evaluator = Self { bounds, load, child, units, broken, skipped: Vec::new() };
        evaluator.child = evaluator.load()?;
        Ok(evaluator)
    }

    /// The rules that are asked.
    #[must_use]
    pub fn units(&self) -> &[Unit] {
        &self.units
    }

    /// The files that cannot be used.
    #[must_use]
    pub fn broken(&self) -> &[Broken] {
        &self.broken
    }

    fn load(&mut self) -> Result<Option<Child>, RegoError> {
        let mut child = Child::start(self.bounds.memory_bytes_max)?;
        let mut read: Option<(usize, String)> = None;
        let mut loaded = None;
        let budget = Budget { stage: LOAD_TIME_MAX, total: LOAD_TIME_MAX };
        let asked = child.ask(&self.load, budget, |answer| {
            match answer {
                Answer::Reads { set, file } => read = Some((set, file)),
                Answer::Loaded { units, broken } => loaded = Some((units, broken)),
                _ => {}
            }
            false
        });
        match (asked, loaded) {
            (Ok(()), Some((units, broken))) => {
                (self.units, self.broken) = (units, broken);
                Ok(Some(child))
            }
            (Ok(()), None) => Err(RegoError::Talk(std::io::Error::other("no rules were told"))),
            (Err(Fault::Ours(error)), _) => Err(error),
            (Err(Fault::Outran(how)), _) => {
                let Some((set, file)) = read else {
                    return Err(RegoError::Ended { how: words(&how) });
                };
                let what = words(&how);
                let message =
                    format!("it takes more time or memory to be read than policies may ({what})");
                self.broken =
                    vec![Broken { set, place: Place { file, line: 1, column: 1 }, message }];
                self.units.clear();
                Ok(None)
            }
        }
    }

    /// The child, after one that was ended another one; `None` when no more is to be asked.
    fn child(&mut self) -> Result<Option<&mut Child>, RegoError> {
        if self.skipped.len() >= OUTRUNS_MAX || self.units.is_empty() {
            return Ok(None);
        }
        if self.child.is_none() {
            let mut child = self.load()?;
            if let Some(child) = &mut child {
                let budget = Budget { stage: LOAD_TIME_MAX, total: LOAD_TIME_MAX };
                for unit in &self.skipped {
                    let request: Request<Json> = Request::Skip { unit: *unit };
                    let frame = frame(&request)?;
                    child.ask(&frame, budget, |_| false).map_err(ours)?;
                }
            }
            self.child = child;
        }
        Ok(self.child.as_mut())
    }

    /// Holds each document against the rules that are not combined. A rule that outruns its limits
    /// is named, and not asked again.
    ///
    /// # Errors
    /// When there can be no child; [`RegoError::is_of_what_is_asked`] when a document is too large
    /// for one.
    pub fn documents(&mut self, documents: &[Held<Json>]) -> Result<Vec<Told>, RegoError> {
        let time_max = self.bounds.time_max;
        let count = u32::try_from(documents.len()).unwrap_or(u32::MAX);
        let total = time_max.saturating_add(EACH_DOCUMENT.saturating_mul(count));
        let mut announced = false;
        let mut outran = Vec::new();
        loop {
            // Who is asked for the first time is trusted; to find who takes too much, each rule is
            // announced before it is asked.
            let budget = match announced {
                false => Budget { stage: total, total },
                true => Budget { stage: time_max, total: total.saturating_mul(ANNOUNCED_TIMES) },
            };
            let budget_ms = milliseconds(budget.total);
            let documents = documents.to_vec();
            let request = Request::Documents { documents, announced, budget_ms };
            let frame = frame(&request)?;
            let Some(child) = self.child()? else { return Ok(outran) };
            match asked(child, &frame, budget) {
                Ok(told) => return Ok([outran, told].concat()),
                Err((Fault::Ours(error), _)) => return Err(error),
                Err((Fault::Outran(how), begun)) => {
                    self.child = None;
                    match begun {
                        Some((document, unit)) => {
                            self.skipped.push(unit);
                            outran.push(Told { document, unit, verdict: Verdict::Outran(how) });
                        }
                        None if announced => return Err(RegoError::Ended { how: words(&how) }),
                        None => {}
                    }
                    announced = true;
                }
            }
        }
    }

    /// Takes documents as parts of what combined rules see.
    ///
    /// # Errors
    /// When there can be no child, or it ended over them.
    pub fn part(&mut self, documents: Vec<Held<Json>>) -> Result<(), RegoError> {
        let request = Request::Part { documents };
        let frame = frame(&request)?;
        let budget = Budget { stage: LOAD_TIME_MAX, total: LOAD_TIME_MAX };
        match self.child()? {
            Some(child) => {
                let asked = child.ask(&frame, budget, |_| false).map_err(ours);
                if asked.is_err() {
                    self.child = None;
                }
                asked
            }
            None => Ok(()),
        }
    }

    /// Holds what came as parts against the combined rules.
    ///
    /// # Errors
    /// When there can be no child.
    pub fn combined(&mut self) -> Result<Vec<Told>, RegoError> {
        let rules = self.units.iter().filter(|unit| unit.is_combined).count();
        let stage = self.bounds.time_max;
        let total = stage.saturating_mul(u32::try_from(rules).unwrap_or(u32::MAX));
        let budget = Budget { stage, total: total.max(stage) };
        let request: Request<Json> = Request::Combined { budget_ms: milliseconds(budget.total) };
        let frame = frame(&request)?;
        let Some(child) = self.child()? else { return Ok(Vec::new()) };
        match asked(child, &frame, budget) {
            Ok(told) => Ok(told),
            Err((Fault::Ours(error), _)) => Err(error),
            Err((Fault::Outran(how), begun)) => {
                self.child = None;
                let Some((document, unit)) = begun else {
                    return Err(RegoError::Ended { how: words(&how) });
                };
                self.skipped.push(unit);
                Ok(vec![Told { document, unit, verdict: Verdict::Outran(how) }])
            }
        }
    }

    /// Runs the tests of the rules. One that outruns its limits has not passed, and is the last.
    ///
    /// # Errors
    /// When there can be no child.
    pub fn trials(&mut self) -> Result<Vec<Trial>, RegoError> {
        let mut trials = Vec::new();
        let mut begun: Option<Trial> = None;
        let stage = self.bounds.time_max;
        let budget = Budget { stage, total: Duration::MAX };
        let request: Request<Json> = Request::Trials { budget_ms: u64::MAX };
        let frame = frame(&request)?;
        if self.child.is_none() && self.broken.is_empty() {
            self.child = self.load()?;
        }
        let Some(child) = self.child.as_mut() else { return Ok(trials) };
        let asked = child.ask(&frame, budget, |answer| match answer {
            Answer::Tries { trial } => {
                begun = Some(trial);
                true
            }
            Answer::Tried(trial) => {
                trials.push(trial);
                false
            }
            _ => false,
        });
        match asked {
            Ok(()) => Ok(trials),
            Err(Fault::Ours(error)) => Err(error),
            Err(Fault::Outran(how)) => {
                self.child = None;
                let trial = begun.ok_or(RegoError::Ended { how: words(&how) })?;
                let message = Some(format!("it took more than policies may: {}", words(&how)));
                trials.push(Trial { message, ..trial });
                Ok(trials)
            }
        }
    }
}

type Asked = Result<Vec<Told>, (Fault, Option<(usize, usize)>)>;

/// What is told, or why not, and of what document and rule the last announcement was.
fn asked(child: &mut Child, frame: &[u8], budget: Budget) -> Asked {
    let mut told = Vec::new();
    let mut begun = None;
    let asked = child.ask(frame, budget, |answer| match answer {
        Answer::Begins { document, unit } => {
            begun = Some((document, unit));
            true
        }
        Answer::Told(one) => {
            told.push(one);
            false
        }
        _ => false,
    });
    asked.map(|()| told).map_err(|fault| (fault, begun))
}

fn ours(fault: Fault) -> RegoError {
    match fault {
        Fault::Ours(error) => error,
        Fault::Outran(how) => RegoError::Ended { how: words(&how) },
    }
}

fn words(how: &Outrun) -> String {
    match how {
        Outrun::Time => "time".to_owned(),
        Outrun::Space(how) => how.clone(),
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
