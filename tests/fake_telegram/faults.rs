//! What goes wrong on purpose: queued for a method or any, each with how many times.

use super::answer::Refusal;
use std::collections::VecDeque;
use std::time::Duration;

/// What a request meets.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Fault {
    /// Nothing is done, and this is the answer.
    Refuses(Refusal),
    /// Nothing is done, and no answer ever comes.
    Hangs,
    /// Nothing is done, and the connection ends.
    Drops,
    /// It is done; the answer is cut in the middle.
    Truncates,
    /// It is done; the connection ends before the answer.
    LosesAnswer,
    /// It is done after this time.
    Slow(Duration),
}

impl Fault {
    pub(crate) fn status(code: u16, description: &str) -> Self {
        Self::Refuses(Refusal::new(code, description))
    }

    pub(crate) fn too_many(seconds: u64) -> Self {
        Self::Refuses(Refusal::retry_after(seconds))
    }
}

/// What happens to the next updates that are handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Batch {
    /// Each is in it twice.
    Twice,
    /// It comes again with the next poll, confirmed or not.
    Again,
    /// Last first.
    Reversed,
    /// Not before this time has passed.
    Delayed(Duration),
}

#[derive(Debug, Default)]
pub(crate) struct Faults {
    /// A method or any, how often, what.
    queued: VecDeque<(Option<String>, usize, Fault)>,
}

impl Faults {
    pub(crate) fn queue(&mut self, method: Option<&str>, times: usize, fault: Fault) {
        self.queued.push_back((method.map(str::to_owned), times, fault));
    }

    pub(crate) fn clear(&mut self) {
        self.queued.clear();
    }

    /// The first that is meant for this method.
    pub(crate) fn take(&mut self, method: &str) -> Option<Fault> {
        let meant = |wanted: &Option<String>| wanted.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(method));
        let at = self.queued.iter().position(|(wanted, times, _)| *times > 0 && meant(wanted))?;
        let (_, times, fault) = &mut self.queued[at];
        *times -= 1;
        let fault = fault.clone();
        self.queued.retain(|(_, times, _)| *times > 0);
        Some(fault)
    }
}
