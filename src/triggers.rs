//! What wakes the loop. Triggers carry no data: each means "look again".

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use crate::model::Trigger;

/// Wakes the loop. Rung during a pass, it causes another pass; rung often, it causes one.
#[derive(Clone, Debug, Default)]
pub struct Bell(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    rung: Mutex<Option<Trigger>>,
    notify: Notify,
}

impl Bell {
    /// Asks for a look.
    pub fn ring(&self, trigger: Trigger) {
        *self.0.rung.lock().unwrap_or_else(PoisonError::into_inner) = Some(trigger);
        self.0.notify.notify_one();
    }

    /// Waits until somebody asks for a look, and takes what was asked for last.
    pub async fn rung(&self) -> Trigger {
        loop {
            self.0.notify.notified().await;
            let taken = self.0.rung.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(trigger) = taken {
                return trigger;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_ring_before_anybody_waits_is_not_lost_and_two_are_one() {
        let bell = Bell::default();
        bell.ring(Trigger::Signal);
        bell.ring(Trigger::Webhook);
        assert_eq!(bell.rung().await, Trigger::Webhook);
        bell.ring(Trigger::Command);
        assert_eq!(bell.rung().await, Trigger::Command);
    }
}
