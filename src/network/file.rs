//! Reading a file whole, within a limit.

use memmap2::MmapMut;
use prost::bytes::Bytes;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Why a file cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// The file cannot be opened or read.
    #[error("{}: cannot be read: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A folder, a pipe, a device.
    #[error("{}: found something that is not a regular file, expected {expected}", path.display())]
    NotAFile {
        /// The file.
        path: PathBuf,
        /// What the file should hold.
        expected: &'static str,
    },
    /// The file is larger than any of its kind can be.
    #[error("{}: found {bytes} bytes, expected {expected} of at most {limit} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
        /// The largest size accepted.
        limit: u64,
        /// What the file should hold.
        expected: &'static str,
    },
}

/// Files from this size on are read into pages of their own, which the system gets back as soon as the bytes are dropped: an
/// allocator may keep them while the packed weights are made.
const LEAST_MAPPED_BYTES: u64 = 4 << 20;

/// The bytes of the regular file `path`, at most `limit`; `expected` is what it should hold.
pub(super) fn read(path: &Path, limit: u64, expected: &'static str) -> Result<Bytes, FileError> {
    let failed = |source| FileError::Read { path: path.to_owned(), source };
    let too_large = |bytes| FileError::TooLarge { path: path.to_owned(), bytes, limit, expected };
    // Asked before opening: opening a pipe waits for its writer.
    if !std::fs::metadata(path).map_err(failed)?.is_file() {
        return Err(FileError::NotAFile { path: path.to_owned(), expected });
    }
    let mut file = File::open(path).map_err(failed)?;
    let length = file.metadata().map_err(failed)?.len();
    if length > limit {
        return Err(too_large(length));
    }
    if length >= LEAST_MAPPED_BYTES {
        return read_mapped(&mut file, length as usize).map_err(failed);
    }
    let mut bytes = Vec::with_capacity(length as usize);
    // Files of length 0 may still yield bytes (procfs), and a file may grow meanwhile.
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > limit {
        return Err(too_large(bytes.len() as u64));
    }
    Ok(bytes.into())
}

fn read_mapped(file: &mut File, length: usize) -> io::Result<Bytes> {
    let mut pages = MmapMut::map_anon(length)?;
    file.read_exact(&mut pages)?;
    Ok(Bytes::from_owner(pages))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_and_large_files_are_read_whole() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for length in [0, 1, LEAST_MAPPED_BYTES as usize - 1, LEAST_MAPPED_BYTES as usize + 5] {
            let bytes: Vec<u8> = (0..length).map(|index| (index % 251) as u8).collect();
            std::fs::write(file.path(), &bytes).unwrap();
            assert_eq!(read(file.path(), u64::MAX, "anything").unwrap(), bytes);
            let refused = read(file.path(), length as u64, "anything");
            assert!(refused.is_ok(), "exactly the limit");
            if let Some(limit) = (length as u64).checked_sub(1) {
                let refused = read(file.path(), limit, "anything").unwrap_err();
                assert!(matches!(refused, FileError::TooLarge { bytes, .. } if bytes == length as u64));
            }
        }
    }
}
