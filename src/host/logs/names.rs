//! Which file names are logs.
//!
//! Pure and strict: a name that is not clearly a log's is nobody's to clean. Left out on purpose: looking inside files.

/// What a log's name says about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LogName {
    /// The file a program writes to: `app.log`, `app.out`, `app.err`.
    Live,
    /// Set aside by some rotation, not compressed: `app.log.3`, `app.log.2024-01-01`, `app-2024-01-01.log`.
    Rotated,
    /// Compressed: `app.log.gz`, `app.log.3.gz`.
    Compressed,
}

/// What kind of log `name` names; `None` if it is no log's name.
pub(super) fn classify(name: &[u8]) -> Option<LogName> {
    if name.first().is_none_or(|&first| first == b'.') {
        return None;
    }
    if let Some(stem) = name.strip_suffix(b".gz") {
        return plain(stem).map(|_| LogName::Compressed);
    }
    plain(name)
}

fn plain(name: &[u8]) -> Option<LogName> {
    for ending in [b".log".as_slice(), b".out", b".err"] {
        if let Some(stem) = name.strip_suffix(ending) {
            let tail = &stem[stem.len().saturating_sub(11)..];
            let dated = tail.len() == 11 && matches!(tail[0], b'-' | b'.' | b'_') && is_date(&tail[1..]);
            return (!stem.is_empty()).then_some(if dated { LogName::Rotated } else { LogName::Live });
        }
    }
    let dot = name.iter().rposition(|&byte| byte == b'.')?;
    let (stem, mark) = (&name[..dot], &name[dot + 1..]);
    let numbered = (1..=4).contains(&mark.len()) && mark.iter().all(u8::is_ascii_digit);
    let is_log = stem.len() > 4 && stem.ends_with(b".log");
    (is_log && (numbered || is_date(mark))).then_some(LogName::Rotated)
}

/// `2024-01-01` or `20240101`, with a month and a day that exist.
fn is_date(text: &[u8]) -> bool {
    let digits: Vec<u8> = match text {
        [y @ .., b'-', m1, m2, b'-', d1, d2] if y.len() == 4 => [y, &[*m1, *m2, *d1, *d2]].concat(),
        plain if plain.len() == 8 => plain.to_vec(),
        _ => return false,
    };
    if !digits.iter().all(u8::is_ascii_digit) {
        return false;
    }
    let two = |at: usize| (digits[at] - b'0') * 10 + (digits[at + 1] - b'0');
    (1..=12).contains(&two(4)) && (1..=31).contains(&two(6))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_are_told_from_other_files() {
        use LogName::{Compressed, Live, Rotated};
        for (name, expected) in [
            ("app.log", Some(Live)),
            ("build.out", Some(Live)),
            ("build.err", Some(Live)),
            ("app.log.1", Some(Rotated)),
            ("app.log.2024-01-01", Some(Rotated)),
            ("app.log.20240101", Some(Rotated)),
            ("app-2024-01-01.log", Some(Rotated)),
            ("app.2024-01-01.log", Some(Rotated)),
            ("app-2024-13-01.log", Some(Live)),
            ("app.log.gz", Some(Compressed)),
            ("app.log.7.gz", Some(Compressed)),
            ("app-2024-01-01.log.gz", Some(Compressed)),
            ("two\nlines.log", Some(Live)),
            (".log", None),
            (".hidden.log", None),
            ("catalog", None),
            ("app.log.bak", None),
            ("app.log.12345", None),
            ("photo.1", None),
            ("archive.gz", None),
            ("blog", None),
            ("data.db", None),
            ("", None),
        ] {
            assert_eq!(classify(name.as_bytes()), expected, "{name:?}");
        }
        assert_eq!(classify(b"\xff\xfe.log"), Some(Live));
    }
}
