//! Compressing a part of a file so that the copy is known to be good.
//!
//! A copy is one or more gzip members (RFC 1952 §2.2: members simply follow each other), each written, synced, read back
//! and compared with what was read from the source by length and SHA-256. Left out on purpose: names and removal.

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;

const CHUNK: usize = 256 * 1024;

/// Length and hash of what a member holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sum {
    pub(super) len: u64,
    pub(super) sha256: [u8; 32],
}

/// Appends the bytes `from..to` of `source` to `copy` as one member and checks it. An error means that the source shrank
/// or that the copy is not good; the source was only read.
pub(super) fn append_member(copy: &File, source: &File, from: u64, to: u64) -> io::Result<Sum> {
    let start = (&mut &*copy).seek(SeekFrom::End(0))?;
    let mut encoder = GzEncoder::new(BufWriter::new(copy), Compression::default());
    let written = sum(to - from, |buffer, done| source.read_at(buffer, from + done), |bytes| encoder.write_all(bytes))?;
    encoder.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?;
    copy.sync_all()?;

    (&mut &*copy).seek(SeekFrom::Start(start))?;
    let mut decoder = GzDecoder::new(BufReader::new(copy));
    let read = sum(written.len, |buffer, _| decoder.read(buffer), |_| Ok(()))?;
    let ends = decoder.read(&mut [0])? == 0;
    if read != written || !ends {
        return Err(io::Error::other("the compressed copy differs from the file; the file was left as it is"));
    }
    Ok(written)
}

/// Reads exactly `len` bytes, hands them on, and sums them up.
fn sum(
    len: u64,
    mut read: impl FnMut(&mut [u8], u64) -> io::Result<usize>,
    mut then: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<Sum> {
    let mut buffer = vec![0; CHUNK];
    let mut hasher = Sha256::new();
    let mut done = 0;
    while done < len {
        let most = usize::try_from(len - done).unwrap_or(CHUNK).min(CHUNK);
        let count = match read(&mut buffer[..most], done) {
            Ok(0) => {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it became shorter while it was read"));
            }
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        hasher.update(&buffer[..count]);
        then(&buffer[..count])?;
        done += count as u64;
    }
    Ok(Sum { len, sha256: hasher.finalize().into() })
}
