use std::collections::HashMap;

use axum::http::StatusCode;

use crate::config::{ADDRESS_SHARE, Rates};
use crate::decide::rate::{Bucket, Rate};
use crate::http::problem::Problem;
use crate::meters::meters;
use crate::model::{By, Known, Timestamp};

/// Callers and addresses that are remembered, each; beyond, all who are not share one bucket.
const KEPT_MAX: usize = 10_000;

/// What a request costs us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) enum Weight {
    /// An answer out of memory and the journal.
    Read,
    /// A look at trees.
    Look,
    /// Something that changes.
    Write,
    /// A push webhook.
    Hook,
}

impl Weight {
    /// The key of the settings that limits it, and its label among the metrics.
    const fn word(self) -> &'static str {
        match self {
            Self::Read => "reads",
            Self::Look => "looks",
            Self::Write => "writes",
            Self::Hook => "hooks",
        }
    }

    const fn rate(self, rates: &Rates) -> Option<Rate> {
        match self {
            Self::Read => rates.reads,
            Self::Look => rates.looks,
            Self::Write => rates.writes,
            Self::Hook => rates.hooks,
        }
    }
}

/// How much each caller and each address may ask for still.
#[derive(Debug, Default)]
pub(super) struct Limits {
    callers: HashMap<Known, Buckets>,
    addresses: Buckets,
}

/// A bucket for each weight.
type Four = [Bucket; 4];

#[derive(Debug, Default)]
struct Buckets {
    kept: HashMap<String, Four>,
    others: Four,
}

impl Limits {
    /// One more request of a caller.
    pub(super) fn take(
        &mut self,
        rates: &Rates,
        weight: Weight,
        by: &By,
        now: Timestamp,
    ) -> Result<(), Problem> {
        let Some(rate) = weight.rate(rates) else { return Ok(()) };
        let callers = self.callers.entry(by.known).or_default();
        callers.take(&by.name, weight, rate, now).map_err(|wait| over(weight, wait, &by.name))?;
        let Some(from) = &by.from else { return Ok(()) };
        let taken = self.addresses.take(from, weight, rate.times(ADDRESS_SHARE), now);
        taken.map_err(|wait| over(weight, wait, from))
    }

    /// One more request of nobody in particular, from an address.
    pub(super) fn take_from(
        &mut self,
        rates: &Rates,
        weight: Weight,
        from: &str,
        now: Timestamp,
    ) -> Result<(), Problem> {
        let Some(rate) = weight.rate(rates) else { return Ok(()) };
        let taken = self.addresses.take(from, weight, rate, now);
        taken.map_err(|wait| over(weight, wait, from))
    }
}

impl Buckets {
    fn take(
        &mut self,
        who: &str,
        weight: Weight,
        rate: Rate,
        now: Timestamp,
    ) -> Result<(), std::time::Duration> {
        if !self.kept.contains_key(who) {
            if self.kept.len() >= KEPT_MAX {
                self.kept.retain(|_, four| !four.iter().all(|bucket| bucket.is_full(now.0)));
            }
            if self.kept.len() < KEPT_MAX {
                self.kept.insert(who.to_owned(), Four::default());
            }
        }
        let four = self.kept.get_mut(who).unwrap_or(&mut self.others);
        four.get_mut(weight as usize).map_or(Ok(()), |bucket| bucket.take(rate, now.0))
    }
}

fn over(weight: Weight, wait: std::time::Duration, who: &str) -> Problem {
    let limit = weight.word();
    meters().limited(limit);
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    let detail =
        format!("{who} asked for more than api.rate_limit.{limit} allows: wait {seconds} s");
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", detail).after(seconds)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::response::IntoResponse as _;

    use super::*;

    fn rates() -> Rates {
        let writes = Some(Rate { count: 2, within: Duration::from_secs(10) });
        Rates { reads: None, looks: None, writes, hooks: writes }
    }

    fn by(name: &str, known: Known, from: &str) -> By {
        By { name: name.to_owned(), known, from: Some(from.to_owned()) }
    }

    #[test]
    fn each_caller_has_its_own_share_and_an_address_that_of_ten() {
        let mut limits = Limits::default();
        let mut write = |by: &By| limits.take(&rates(), Weight::Write, by, Timestamp(0)).is_ok();
        let ann = by("ann", Known::Token, "192.0.2.1");
        assert_eq!([write(&ann), write(&ann), write(&ann)], [true, true, false]);
        assert!(write(&by("ann", Known::Jwt, "192.0.2.1")), "another of the same name");
        let names: Vec<String> = (0..20).map(|n| n.to_string()).collect();
        let taken = names.iter().filter(|name| write(&by(name, Known::Token, "192.0.2.1"))).count();
        assert_eq!(taken, 17, "20 an address, of which three were taken");
        assert!(write(&by("ben", Known::Token, "192.0.2.2")));
        let ann = by("ann", Known::Token, "192.0.2.3");
        assert!((0..100).all(|_| limits.take(&rates(), Weight::Read, &ann, Timestamp(0)).is_ok()));
        let problem = limits.take(&rates(), Weight::Write, &ann, Timestamp(0)).unwrap_err();
        let response = problem.into_response();
        assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(response.headers().get("retry-after").unwrap(), "5");
        assert!(limits.take(&rates(), Weight::Write, &ann, Timestamp(5000)).is_ok());
    }

    #[test]
    fn many_addresses_are_remembered_in_bounded_memory() {
        let mut limits = Limits::default();
        let mut hook = |n: usize, now| {
            limits.take_from(&rates(), Weight::Hook, &n.to_string(), Timestamp(now)).is_ok()
        };
        assert_eq!((0..KEPT_MAX + 5).filter(|n| hook(*n, 0)).count(), KEPT_MAX + 2);
        assert!(hook(KEPT_MAX + 1, 60_000) && hook(0, 60_000));
        assert!(limits.addresses.kept.len() <= KEPT_MAX);
    }
}
