//! Bytes from the keyboard → [`Incoming`]. Memory stays bounded whatever arrives.
//!
//! Left out on purpose: what a line means.

use super::{Incoming, Memory};
use crate::chat::What;
use crate::clock::Clock;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncBufRead, AsyncBufReadExt};
use tokio::sync::mpsc::Sender;

/// Most bytes of one message; the rest of an over-long one is read and thrown away.
pub(super) const MAX_LINE_BYTES: usize = 1024 * 1024;
const CUT_OFF: &str = "\n[cut off here: one message is at most 1 MiB]";
const SENDER: &str = "terminal:owner";

/// Reads messages until the input ends or nobody listens.
pub(super) async fn forward(
    mut reader: impl AsyncBufRead + Send + Unpin + 'static,
    lines: Sender<Incoming>,
    memory: Arc<Mutex<Memory>>,
    clock: Arc<dyn Clock>,
    key_prefix: String,
) {
    let mut count = 0_u64;
    while let Some(text) = next_message(&mut reader).await {
        if text.trim().is_empty() {
            continue;
        }
        count += 1;
        let key = format!("{key_prefix}:{count}");
        let nonce = memory.lock().unwrap_or_else(PoisonError::into_inner).nonce(text.trim()).map(str::to_owned);
        let what = match nonce {
            Some(button) => What::Tap { button, tap: None },
            None => What::Text(text),
        };
        let incoming = Incoming::new(key, SENDER, what, clock.now());
        if lines.send(incoming).await.is_err() {
            return;
        }
    }
}

/// One line, with those it continues on after a `\` at its end. `None` at the end of the input; an unreadable input has
/// ended too.
async fn next_message(reader: &mut (impl AsyncBufRead + Unpin)) -> Option<String> {
    let mut bytes = Vec::new();
    let mut cut = false;
    loop {
        let start = bytes.len();
        let line = read_line(reader, &mut bytes).await;
        cut |= line.cut;
        if bytes.last() == Some(&b'\r') && !line.cut {
            bytes.pop();
        }
        let continues = !line.cut && bytes.len() > start && bytes.last() == Some(&b'\\');
        if continues {
            bytes.pop();
        }
        if line.ended && bytes.is_empty() {
            return None;
        }
        if line.ended || !continues {
            let mut text = String::from_utf8_lossy(&bytes).into_owned();
            if cut {
                text.push_str(CUT_OFF);
            }
            return Some(text);
        }
        bytes.push(b'\n');
    }
}

struct Line {
    /// The input ended.
    ended: bool,
    /// Not all of the line was kept.
    cut: bool,
}

/// Appends one line without its newline, up to the limit in all.
async fn read_line(reader: &mut (impl AsyncBufRead + Unpin), bytes: &mut Vec<u8>) -> Line {
    let mut cut = false;
    loop {
        let Ok(chunk) = reader.fill_buf().await else { return Line { ended: true, cut } };
        if chunk.is_empty() {
            return Line { ended: true, cut };
        }
        let newline = chunk.iter().position(|byte| *byte == b'\n');
        let line = &chunk[..newline.unwrap_or(chunk.len())];
        let fits = line.len().min(MAX_LINE_BYTES.saturating_sub(bytes.len()));
        cut |= fits < line.len();
        bytes.extend_from_slice(&line[..fits]);
        let used = newline.map_or(chunk.len(), |at| at + 1);
        reader.consume(used);
        if newline.is_some() {
            return Line { ended: false, cut };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::BufReader;

    async fn messages(input: &[u8]) -> Vec<String> {
        let mut reader = BufReader::with_capacity(7, input);
        let mut all = Vec::new();
        while let Some(text) = next_message(&mut reader).await {
            all.push(text);
        }
        all
    }

    #[tokio::test]
    async fn a_backslash_continues_and_the_end_ends() {
        assert_eq!(
            messages(b"one\r\ntwo \\\nand three\\\r\nfour\n\nlast").await,
            ["one", "two \nand three\nfour", "", "last"]
        );
        assert_eq!(messages(b"half\\\n").await, ["half\n"]);
        assert_eq!(messages(b"").await, [""; 0]);
        assert_eq!(messages(b"bad \xff\xfe utf-8\n").await, ["bad \u{fffd}\u{fffd} utf-8"]);
    }

    #[tokio::test]
    async fn an_endless_line_is_cut_and_the_next_one_is_whole() {
        let mut input = vec![b'x'; 3 * MAX_LINE_BYTES];
        input.extend_from_slice(b"\nnext\n");
        let read = messages(&input).await;
        assert_eq!(read.len(), 2);
        assert_eq!(read[0].len(), MAX_LINE_BYTES + CUT_OFF.len());
        assert!(read[0].ends_with(CUT_OFF));
        assert_eq!(read[1], "next");
    }

    #[tokio::test]
    async fn endless_continuations_are_bounded_too() {
        let mut input = b"xxxxxxxxxxxxxxx\\\n".repeat(200_000);
        input.extend_from_slice(b"end\n/status\n");
        let read = messages(&input).await;
        assert!(read[0].len() <= MAX_LINE_BYTES + CUT_OFF.len() + 1, "{}", read[0].len());
        assert!(read[0].ends_with(CUT_OFF));
    }
}
