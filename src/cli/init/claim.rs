//! Who owns the bot: the first one who sends it the code that the terminal shows. Pure: time and codes come in.
//!
//! A code is random, shown only on this terminal, good for one use and ten minutes, and replaced after five wrong ones.
//! Whoever sends something else gets no answer, so that nobody learns that there is anything to claim.

use chrono::{DateTime, TimeDelta, Utc};

/// Wrong codes until the code is replaced.
const WRONG_MAX: u8 = 5;

/// A claim under way.
#[derive(Debug)]
pub(super) struct Claim {
    code: String,
    until: DateTime<Utc>,
    wrong: u8,
    good_for: TimeDelta,
}

/// A message, as far as it matters here.
#[derive(Debug, Clone, Copy)]
pub(super) struct Incoming<'a> {
    /// The sender's id.
    pub(super) sender: i64,
    /// Whether it came in a chat of the sender and the bot alone.
    pub(super) private: bool,
    /// What it says.
    pub(super) text: &'a str,
}

/// What a message did.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It was no try.
    Ignored,
    /// A wrong code; so many more until the code is replaced.
    Wrong(u8),
    /// The last wrong code: there is a new one now.
    Replaced,
    /// The right one.
    Claimed(i64),
}

impl Claim {
    /// Begins.
    pub(super) fn new(code: String, now: DateTime<Utc>, good_for: TimeDelta) -> Self {
        Self { code, until: now + good_for, wrong: 0, good_for }
    }

    /// What to send.
    pub(super) fn code(&self) -> &str {
        &self.code
    }

    /// Whether the code is no longer good.
    pub(super) fn expired(&self, now: DateTime<Utc>) -> bool {
        now >= self.until
    }

    /// Looks at a message; `fresh` makes another code.
    pub(super) fn see(&mut self, message: Incoming<'_>, now: DateTime<Utc>, fresh: impl FnOnce() -> String) -> Verdict {
        let Some(sent) = code_in(message.text).filter(|_| message.private && !self.expired(now)) else {
            return Verdict::Ignored;
        };
        if sent == self.code {
            return Verdict::Claimed(message.sender);
        }
        self.wrong += 1;
        if self.wrong < WRONG_MAX {
            return Verdict::Wrong(WRONG_MAX - self.wrong);
        }
        *self = Self::new(fresh(), now, self.good_for);
        Verdict::Replaced
    }
}

/// The code in `/start CODE`, which the link sends; a bare `/start` and other words are no try.
fn code_in(text: &str) -> Option<&str> {
    let mut words = text.split_whitespace();
    let command = words.next()?;
    let is_start = command == "/start" || command.starts_with("/start@");
    words.next().filter(|_| is_start)
}

/// The address that opens the bot with the code.
pub(super) fn link(bot: &str, code: &str) -> String {
    format!("https://t.me/{bot}?start={code}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::minutes(minute)
    }

    fn claim() -> Claim {
        Claim::new("right".into(), at(0), TimeDelta::minutes(10))
    }

    fn says(text: &str) -> Incoming<'_> {
        Incoming { sender: 7, private: true, text }
    }

    fn no_code() -> String {
        unreachable!("no new code is due")
    }

    #[test]
    fn the_right_code_in_a_private_chat_claims() {
        assert_eq!(claim().see(says("/start right"), at(1), no_code), Verdict::Claimed(7));
        assert_eq!(claim().see(says("/start@my_bot right"), at(9), no_code), Verdict::Claimed(7));
        let in_group = Incoming { private: false, ..says("/start right") };
        assert_eq!(claim().see(in_group, at(1), no_code), Verdict::Ignored);
    }

    #[test]
    fn what_is_no_try_is_ignored() {
        for text in ["", "/start", "right", "hello /start right", "/stop right", "/started right"] {
            assert_eq!(claim().see(says(text), at(1), no_code), Verdict::Ignored, "{text}");
        }
    }

    #[test]
    fn a_code_is_good_for_ten_minutes() {
        let mut claim = claim();
        assert!(!claim.expired(at(9)) && claim.expired(at(10)));
        assert_eq!(claim.see(says("/start right"), at(10), no_code), Verdict::Ignored);
    }

    #[test]
    fn five_wrong_codes_make_a_new_one_and_the_old_one_is_void() {
        let mut claim = claim();
        for left in [4, 3, 2, 1] {
            assert_eq!(claim.see(says("/start guess"), at(1), no_code), Verdict::Wrong(left));
        }
        assert_eq!(claim.see(says("/start guess"), at(5), || "second".into()), Verdict::Replaced);
        assert_eq!(claim.see(says("/start right"), at(6), no_code), Verdict::Wrong(4));
        assert_eq!(claim.see(says("/start second"), at(14), no_code), Verdict::Claimed(7));
    }

    #[test]
    fn the_link_holds_the_code() {
        assert_eq!(link("my_bot", "a1"), "https://t.me/my_bot?start=a1");
    }
}
