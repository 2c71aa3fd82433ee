//! What git prints with `-z`: records that end in NUL, whose paths may hold anything else.

/// The records, without the empty rest after the last one.
pub(super) fn records(listed: &[u8]) -> impl Iterator<Item = &[u8]> {
    listed.split(|byte| *byte == 0).filter(|record| !record.is_empty())
}

/// The head of a record of `ls-tree` or `ls-files -s`, and its path.
pub(super) fn entry(record: &[u8]) -> Option<(&[u8], &[u8])> {
    let tab = record.iter().position(|byte| *byte == b'\t')?;
    Some((&record[..tab], &record[tab + 1..]))
}
