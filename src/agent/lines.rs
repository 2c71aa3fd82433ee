//! Bytes → lines, in bounded memory.

use std::borrow::Cow;

/// Longest line kept, in bytes. What matters to us is far shorter; what is longer (an image in a tool's answer) is
/// dropped, and the stream goes on after it.
pub(super) const LINE_BYTES: usize = 1024 * 1024;

/// Cuts a growing stream into lines.
#[derive(Debug, Default)]
pub(super) struct Lines {
    half: Vec<u8>,
    /// In a line that is too long.
    dropping: bool,
}

impl Lines {
    /// Hands every line that `bytes` ends to `take`; bytes that are no UTF-8 are replaced.
    pub(super) fn push(&mut self, mut bytes: &[u8], mut take: impl FnMut(&str)) {
        while let Some(at) = bytes.iter().position(|byte| *byte == b'\n') {
            let (line, rest) = (&bytes[..at], &bytes[at + 1..]);
            bytes = rest;
            if self.dropping {
                self.dropping = false;
            } else if self.half.is_empty() {
                if line.len() <= LINE_BYTES {
                    take(&text(line));
                }
            } else {
                if self.half.len() + line.len() <= LINE_BYTES {
                    self.half.extend_from_slice(line);
                    take(&text(&self.half));
                }
                // Given back: one long line must not keep its memory for the rest of the night.
                self.half = Vec::new();
            }
        }
        if self.dropping {
            return;
        }
        if self.half.len() + bytes.len() > LINE_BYTES {
            self.half = Vec::new();
            self.dropping = true;
        } else {
            self.half.extend_from_slice(bytes);
        }
    }

    /// The last line, if it has no end.
    pub(super) fn rest(&mut self) -> Option<String> {
        let half = std::mem::take(&mut self.half);
        (!half.is_empty()).then(|| text(&half).into_owned())
    }
}

fn text(line: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(pieces: &[&[u8]]) -> Vec<String> {
        let (mut lines, mut found) = (Lines::default(), Vec::new());
        for piece in pieces {
            lines.push(piece, |line| found.push(line.to_owned()));
        }
        found.extend(lines.rest());
        found
    }

    #[test]
    fn lines_are_put_together_from_pieces() {
        assert_eq!(lines(&[b"a\nb", b"c", b"\n\n", b"d"]), ["a", "bc", "", "d"]);
        assert_eq!(lines(&[b"a\xff\xfeb\n"]), ["a\u{fffd}\u{fffd}b"]);
        assert_eq!(lines(&[b"", b"\n"]), [""]);
    }

    #[test]
    fn a_line_that_is_too_long_is_dropped_and_no_other() {
        let long = vec![b'x'; LINE_BYTES + 1];
        assert_eq!(lines(&[b"a\n", &long, b"\nb\n"]), ["a", "b"]);
        assert_eq!(lines(&[&long[..LINE_BYTES], b"x", b"yz\nb"]), ["b"]);
        assert_eq!(lines(&[&[&long[..], b"\nb\n"].concat()]), ["b"]);
        assert_eq!(lines(&[&long[..LINE_BYTES - 1], b"x\nb"]).len(), 2, "one that just fits is kept");
        let mut kept = Lines::default();
        for _ in 0..64 {
            kept.push(&long, |_| ());
            assert!(kept.half.capacity() <= 2 * LINE_BYTES);
        }
    }
}
