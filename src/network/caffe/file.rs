//! Reading a file whole, within a limit.

use super::error::Error;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// The bytes of the regular file `path`, at most `limit`; `expected` is what it should hold.
pub fn read(path: &Path, limit: u64, expected: &'static str) -> Result<Vec<u8>, Error> {
    let failed = |source| Error::Read { path: path.to_owned(), source };
    let too_large = |bytes| Error::TooLarge { path: path.to_owned(), bytes, limit, expected };
    // Asked before opening: opening a pipe waits for its writer.
    let found = std::fs::metadata(path).map_err(failed)?;
    if !found.is_file() {
        return Err(Error::NotAFile { path: path.to_owned(), expected });
    }
    let file = File::open(path).map_err(failed)?;
    let length = file.metadata().map_err(failed)?.len();
    if length > limit {
        return Err(too_large(length));
    }
    let mut bytes = Vec::with_capacity(length as usize);
    // Files of length 0 may still yield bytes (procfs), and a file may grow meanwhile.
    file.take(limit + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > limit {
        return Err(too_large(bytes.len() as u64));
    }
    Ok(bytes)
}
