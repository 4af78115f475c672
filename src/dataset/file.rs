//! Opening files: only regular ones, gzip unpacked on the way.

use super::Error;
use flate2::read::MultiGzDecoder;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

/// Most bytes that an image file may unpack to in memory: a small gzip file can hold any number of them.
pub(super) const MAX_UNPACKED_BYTES: u64 = 1 << 32;

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Opens `path` if it is a regular file; a pipe or device could block or never end.
pub(super) fn open(path: &Path) -> Result<File, Error> {
    open_regular(path).map_err(|source| Error::Read { path: path.to_owned(), source })
}

/// [`open`] with the bare reason.
pub(super) fn open_regular(path: &Path) -> io::Result<File> {
    if std::fs::metadata(path)?.is_file() {
        File::open(path)
    } else {
        Err(io::Error::other("it is no regular file"))
    }
}

/// The bytes of `path`, unpacked if it is a gzip file, which its first bytes tell.
pub(super) fn open_unpacked(path: &Path) -> Result<Box<dyn Read>, Error> {
    let mut file = BufReader::new(open(path)?);
    let mut start = [0; 2];
    let found =
        read_up_to(&mut file, &mut start).map_err(|source| Error::Read { path: path.to_owned(), source })?;
    let stream = io::Cursor::new(start).take(found as u64).chain(file);
    Ok(if start == GZIP_MAGIC {
        Box::new(BufReader::new(MultiGzDecoder::new(stream)))
    } else {
        Box::new(stream)
    })
}

/// Fills `buffer` as far as `reader` goes; yields how far.
pub(super) fn read_up_to(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut found = 0;
    while found < buffer.len() {
        match reader.read(&mut buffer[found..]) {
            Ok(0) => break,
            Ok(count) => found += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

/// All bytes of the regular file `path`, at most `limit`.
pub(super) fn read_whole(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let file = open_regular(path)?;
    let length = file.metadata()?.len();
    let mut bytes = Vec::with_capacity(length.min(limit) as usize);
    file.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::Error::other(format!("it is larger than {} MiB", limit >> 20)));
    }
    Ok(bytes)
}
