//! The idx file format of MNIST: a magic number, big-endian extents, unsigned bytes.

use super::Error;
use super::file::{MAX_UNPACKED_BYTES, open_unpacked};
use std::io::Read;
use std::path::Path;

/// Content of an idx file of unsigned bytes.
pub(super) struct Idx {
    /// Extents, outermost first.
    pub dims: Vec<usize>,
    /// Values, row-major.
    pub values: Vec<u8>,
}

/// Element type code of unsigned bytes.
const UNSIGNED_BYTE: u8 = 0x08;

/// Reads an idx file of unsigned bytes with `rank` extents; gzip is recognised by its first bytes.
pub(super) fn read(path: &Path, rank: usize) -> Result<Idx, Error> {
    let malformed =
        |problem: String| Error::Malformed { path: path.to_owned(), expected: "idx file", problem };
    parse(open_unpacked(path)?, rank).map_err(malformed)
}

fn parse(mut reader: impl Read, rank: usize) -> Result<Idx, String> {
    let mut header = [0; 4];
    read_exactly(&mut reader, &mut header, "the magic number")?;
    if header[..2] != [0, 0] || header[2] != UNSIGNED_BYTE {
        return Err(format!(
            "expected an idx file of unsigned bytes (magic 0x000008{rank:02x}), found magic 0x{:08x}",
            u32::from_be_bytes(header)
        ));
    }
    if usize::from(header[3]) != rank {
        return Err(format!("expected {rank} extents, found {}", header[3]));
    }
    let mut dims = Vec::with_capacity(rank);
    for _ in 0..rank {
        let mut extent = [0; 4];
        read_exactly(&mut reader, &mut extent, "the extents")?;
        dims.push(u32::from_be_bytes(extent) as usize);
    }
    if dims.contains(&0) {
        return Err(format!("expected extents of at least 1, found {dims:?}"));
    }
    let expected = dims
        .iter()
        .try_fold(1u64, |product, &extent| product.checked_mul(extent as u64))
        .ok_or_else(|| format!("the extents {dims:?} overflow"))?;
    if expected > MAX_UNPACKED_BYTES {
        return Err(format!("expected at most {MAX_UNPACKED_BYTES} values, the extents are {dims:?}"));
    }
    // The vector grows with what is really there, never with what the header promises.
    let mut values = Vec::new();
    let outcome = reader.take(expected.saturating_add(1)).read_to_end(&mut values);
    if let Err(error) = outcome {
        return Err(format!("expected {expected} values, found {} and then: {error}", values.len()));
    }
    if values.len() as u64 != expected {
        let found = if values.len() as u64 > expected { "more".to_owned() } else { values.len().to_string() };
        return Err(format!("expected {expected} values, found {found}"));
    }
    Ok(Idx { dims, values })
}

fn read_exactly(reader: &mut impl Read, buffer: &mut [u8], what: &str) -> Result<(), String> {
    reader.read_exact(buffer).map_err(|error| format!("it ends within {what}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write;

    fn idx(dims: &[u32], values: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0, 0, 8, dims.len() as u8];
        bytes.extend(dims.iter().flat_map(|extent| extent.to_be_bytes()));
        bytes.extend(values);
        bytes
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn read_bytes(bytes: &[u8], rank: usize) -> Result<Idx, String> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        read(file.path(), rank).map_err(|error| error.to_string())
    }

    #[test]
    fn plain_and_gzip_give_the_same_values() {
        let values: Vec<u8> = (0..24).collect();
        let plain = idx(&[2, 3, 4], &values);
        for bytes in [plain.clone(), gzip(&plain)] {
            let read = read_bytes(&bytes, 3).unwrap();
            assert_eq!((read.dims, read.values), (vec![2, 3, 4], values.clone()));
        }
    }

    #[test]
    fn every_truncation_is_refused() {
        let plain = idx(&[2, 3, 4], &(0..24).collect::<Vec<u8>>());
        for bytes in [plain.clone(), gzip(&plain)] {
            for length in 0..bytes.len() {
                assert!(read_bytes(&bytes[..length], 3).is_err(), "{length} of {} bytes", bytes.len());
            }
        }
    }

    #[test]
    fn wrong_content_is_named() {
        let message = |bytes: &[u8], rank| read_bytes(bytes, rank).err().unwrap();
        assert!(message(&idx(&[2, 2], &[0; 4]), 1).contains("expected 1 extents, found 2"));
        assert!(message(&idx(&[2], &[0; 3]), 1).contains("expected 2 values, found more"));
        assert!(message(&idx(&[0], &[]), 1).contains("extents of at least 1"));
        assert!(message(b"PK\x03\x04....", 1).contains("found magic 0x504b0304"));
        let huge = idx(&[u32::MAX, u32::MAX, u32::MAX], &[0; 8]);
        assert!(message(&huge, 3).contains("overflow"));
        let promised = idx(&[u32::MAX], &[0; 8]);
        assert!(message(&promised, 1).contains("expected 4294967295 values, found 8"));
    }
}
