use std::io;

use regorus::Value;

use super::compile::{RuleSet, plain};
use super::evaluate::Tell;
use super::wire::{Answer, Place, Trial};

/// Lines that are kept of what a test prints, and characters of one.
const PRINTED_MAX: usize = 50;
/// Characters of one line.
const PRINTED_CHARS_MAX: usize = 500;

/// Runs the tests of a set, in the order of their packages and names.
pub(super) fn run(
    set: &mut RuleSet,
    trials: &[(String, String, Place)],
    tell: &mut Tell<'_>,
) -> io::Result<()> {
    set.engine.set_gather_prints(true);
    for (package, rule, place) in trials {
        let mut trial = Trial {
            package: package.clone(),
            rule: rule.clone(),
            place: place.clone(),
            passed: false,
            message: None,
            printed: Vec::new(),
        };
        tell(&Answer::Tries { trial: trial.clone() })?;
        set.engine.set_input(Value::new_object());
        match set.engine.eval_rule(format!("data.{package}.{rule}")) {
            Ok(Value::Bool(true)) => trial.passed = true,
            Ok(Value::Undefined | Value::Bool(false)) => {}
            Ok(_) => trial.message = Some("its value is not `true`".to_owned()),
            Err(error) => trial.message = Some(plain(&error.to_string())),
        }
        let printed = set.engine.take_prints().unwrap_or_default().into_iter().take(PRINTED_MAX);
        trial.printed = printed.map(|l| l.chars().take(PRINTED_CHARS_MAX).collect()).collect();
        tell(&Answer::Tried(trial))?;
    }
    Ok(())
}
