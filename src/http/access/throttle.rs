use std::collections::HashMap;
use std::net::IpAddr;

use crate::model::Timestamp;

/// Failures of one address in a row after which it has to wait.
const FREE_FAILURES: u32 = 5;
/// The longest that one has to wait, in milliseconds.
const WAIT_MAX_MS: u64 = 60_000;
/// How long nothing has to fail for an address to be forgotten, in milliseconds.
const FORGOTTEN_AFTER_MS: i64 = 15 * 60_000;
/// Addresses that are remembered; beyond, all who are not count as one.
const ADDRESSES_MAX: usize = 10_000;
/// Refusals that are audited within a minute; beyond, they are counted in the log alone, so that
/// nobody can fill the disk by being refused.
const AUDITED_A_MINUTE: u32 = 60;

/// Failures by address: guessing has to take long.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    failures: HashMap<IpAddr, Failures>,
    others: Failures,
    minute: i64,
    audited: u32,
}

#[derive(Clone, Copy, Debug, Default)]
struct Failures {
    count: u32,
    last: Timestamp,
    until: Timestamp,
}

impl Throttle {
    /// How long an address has to wait before it is listened to again, in whole seconds; `None`:
    /// not at all.
    pub(super) fn wait(&self, from: IpAddr, now: Timestamp) -> Option<u64> {
        let failures = self.failures.get(&from).unwrap_or(&self.others);
        let left = failures.until.0 - now.0;
        (left > 0).then(|| u64::try_from(left).unwrap_or_default().div_ceil(1000))
    }

    /// A credential of this address was wrong.
    pub(super) fn failed(&mut self, from: IpAddr, now: Timestamp) {
        if self.failures.len() >= ADDRESSES_MAX {
            self.failures.retain(|_, failures| now.0 - failures.last.0 < FORGOTTEN_AFTER_MS);
        }
        let has_room = self.failures.len() < ADDRESSES_MAX || self.failures.contains_key(&from);
        let failures =
            if has_room { self.failures.entry(from).or_default() } else { &mut self.others };
        if now.0 - failures.last.0 >= FORGOTTEN_AFTER_MS {
            *failures = Failures::default();
        }
        failures.count = failures.count.saturating_add(1);
        failures.last = now;
        let beyond = failures.count.saturating_sub(FREE_FAILURES);
        if beyond > 0 {
            let wait =
                1000_u64.checked_shl(beyond - 1).unwrap_or(WAIT_MAX_MS).clamp(1000, WAIT_MAX_MS);
            failures.until = Timestamp(now.0.saturating_add_unsigned(wait));
        }
    }

    /// A credential of this address was right.
    pub(super) fn succeeded(&mut self, from: IpAddr) {
        if !self.failures.is_empty() {
            self.failures.remove(&from);
        }
    }

    /// Whether one more refusal is audited.
    pub(super) fn may_audit(&mut self, now: Timestamp) -> bool {
        let minute = now.0.div_euclid(60_000);
        if minute != self.minute {
            (self.minute, self.audited) = (minute, 0);
        }
        self.audited = self.audited.saturating_add(1);
        self.audited <= AUDITED_A_MINUTE
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const HOST: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

    #[test]
    fn guessing_takes_longer_with_each_guess() {
        let mut throttle = Throttle::default();
        let mut waits = Vec::new();
        for _ in 0..14 {
            throttle.failed(HOST, Timestamp(1000));
            waits.push(throttle.wait(HOST, Timestamp(1000)).unwrap_or(0));
        }
        assert_eq!(waits, [0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(throttle.wait(HOST, Timestamp(61_000)), None);
        let other = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));
        assert_eq!(throttle.wait(other, Timestamp(1000)), None);
        throttle.succeeded(HOST);
        assert_eq!(throttle.wait(HOST, Timestamp(1000)), None);
    }

    #[test]
    fn many_addresses_are_remembered_in_bounded_memory() {
        let mut throttle = Throttle::default();
        for n in 0..20_000_u32 {
            throttle.failed(IpAddr::V4(Ipv4Addr::from(n)), Timestamp(5));
        }
        assert_eq!(throttle.failures.len(), ADDRESSES_MAX);
        assert!(throttle.wait(IpAddr::V4(Ipv4Addr::from(30_000)), Timestamp(5)).is_some());
        throttle.failed(HOST, Timestamp(5 + FORGOTTEN_AFTER_MS));
        assert_eq!(throttle.failures.len(), 1);
    }

    #[test]
    fn refusals_cannot_fill_the_disk() {
        let mut throttle = Throttle::default();
        let audited = (0..1000).filter(|_| throttle.may_audit(Timestamp(1))).count();
        assert_eq!(audited, AUDITED_A_MINUTE as usize);
        assert!(throttle.may_audit(Timestamp(60_000)));
    }
}
