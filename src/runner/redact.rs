//! Keeps secrets out of logs: what a run's environment holds under a name such as `…_TOKEN` is replaced in its output
//! before a byte of it reaches a disk, and so before anything else reads it.
//!
//! Left out on purpose: guessing what else may be secret, and encodings of a secret (base64, an escaped form): whoever
//! wants to betray a value they were given can always write it differently.

use memchr::memmem;
use std::collections::BTreeMap;

/// What stands in place of a secret.
const HIDDEN: &[u8] = b"[hidden]";
/// Parts of a variable's name that make its value a secret.
const NAMES: [&str; 7] = ["TOKEN", "KEY", "SECRET", "PASSWORD", "PASSWD", "CREDENTIAL", "AUTH"];
/// A shorter value is too common in any output to be hidden.
const SHORTEST: usize = 8;

/// Replaces secrets in a stream of bytes.
#[derive(Debug, Default)]
pub(super) struct Redaction {
    /// Longest first, so that of two that begin alike the longer one is hidden.
    secrets: Vec<Vec<u8>>,
    /// The end of what came, where it may be the beginning of a secret.
    held: Vec<u8>,
}

impl Redaction {
    /// For a run with this environment.
    pub(super) fn of(env: &BTreeMap<String, String>) -> Self {
        let is_secret = |name: &str| {
            let name = name.to_ascii_uppercase();
            NAMES.iter().any(|part| name.contains(part))
        };
        let values = env.iter().filter(|(name, value)| is_secret(name) && value.trim().len() >= SHORTEST);
        let mut secrets: Vec<Vec<u8>> = values.map(|(_, value)| value.trim().as_bytes().to_vec()).collect();
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        secrets.dedup();
        Self { secrets, held: Vec::new() }
    }

    /// Whether there is nothing to hide.
    pub(super) fn is_idle(&self) -> bool {
        self.secrets.is_empty()
    }

    /// What may be written of `bytes` and of what was held back before.
    pub(super) fn pass(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut data = std::mem::take(&mut self.held);
        data.extend_from_slice(bytes);
        let data = self.replaced(data);
        let keep = self.open_end(&data);
        let (out, held) = data.split_at(data.len() - keep);
        self.held = held.to_vec();
        out.to_vec()
    }

    /// What was held back, when nothing more comes.
    pub(super) fn rest(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.held)
    }

    fn replaced(&self, mut data: Vec<u8>) -> Vec<u8> {
        for secret in &self.secrets {
            let mut places = memmem::find_iter(&data, secret).peekable();
            if places.peek().is_none() {
                continue;
            }
            let (mut out, mut from) = (Vec::with_capacity(data.len()), 0);
            for place in places {
                out.extend_from_slice(&data[from..place]);
                out.extend_from_slice(HIDDEN);
                from = place + secret.len();
            }
            out.extend_from_slice(&data[from..]);
            data = out;
        }
        data
    }

    /// How many bytes at the end may be the beginning of a secret.
    fn open_end(&self, data: &[u8]) -> usize {
        let longest = |secret: &Vec<u8>| {
            let most = (secret.len() - 1).min(data.len());
            (1..=most).rev().find(|len| data.ends_with(&secret[..*len])).unwrap_or(0)
        };
        self.secrets.iter().map(longest).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn redaction() -> Redaction {
        let env = [
            ("ANTHROPIC_API_KEY", "sk-ant-canary-1"),
            ("OTHER_TOKEN", "sk-ant-canary-1234\n"),
            ("HOME", "/home/me/somewhere"),
            ("SHORT_KEY", "abc"),
        ];
        Redaction::of(&env.map(|(name, value)| (name.to_owned(), value.to_owned())).into())
    }

    fn in_pieces(text: &[u8], cuts: &[usize]) -> Vec<u8> {
        let (mut redaction, mut out, mut from) = (redaction(), Vec::new(), 0);
        for cut in cuts.iter().map(|cut| cut % (text.len() + 1)).filter(|cut| *cut >= from).collect::<Vec<_>>() {
            if cut >= from {
                out.extend(redaction.pass(&text[from..cut]));
                from = cut;
            }
        }
        out.extend(redaction.pass(&text[from..]));
        out.extend(redaction.rest());
        out
    }

    #[test]
    fn secrets_are_hidden_whole_and_nothing_else_is() {
        let text = b"key=sk-ant-canary-1, other=sk-ant-canary-1234; abc /home/me/somewhere sk-ant-canary-";
        let out = in_pieces(text, &[]);
        let expected = "key=[hidden], other=[hidden]; abc /home/me/somewhere sk-ant-canary-";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
        assert!(Redaction::of(&BTreeMap::new()).is_idle());
    }

    proptest! {
        /// However the output is cut into pieces, no secret gets through.
        #[test]
        fn no_cut_lets_a_secret_through(
            parts in prop::collection::vec("[a-k-]{0,6}|sk-ant-canary-1|sk-ant-canary-1234|sk-ant", 0..12),
            mut cuts in prop::collection::vec(0_usize..200, 0..12),
        ) {
            cuts.sort_unstable();
            let text = parts.concat();
            let out = String::from_utf8(in_pieces(text.as_bytes(), &cuts)).unwrap();
            prop_assert!(!out.contains("sk-ant-canary-1"), "{} became {}", text, out);
        }
    }
}
