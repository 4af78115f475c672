//! The binary version of CIFAR-10: records of one label byte and 3 x 32 x 32 bytes, the red, green and blue plane.

use super::Error;
use super::file::{MAX_UNPACKED_BYTES, open_unpacked, read_up_to};
use crate::network::Shape;
use std::path::Path;

/// Extent of one image.
pub(super) const SHAPE: Shape = Shape { channels: 3, height: 32, width: 32 };

const PIXELS: usize = 3 * 32 * 32;
const CLASSES: u8 = 10;

/// Records of one or several files.
#[derive(Default)]
pub(super) struct Records {
    /// Stored values, image by image, channel, row, column.
    pub pixels: Vec<u8>,
    /// Class of each image.
    pub labels: Vec<u16>,
}

impl Records {
    /// Appends the records of the file `path`, plain or gzip.
    pub fn read(&mut self, path: &Path) -> Result<(), Error> {
        let malformed = |problem: String| Error::Malformed {
            path: path.to_owned(),
            expected: "CIFAR-10 file in the binary version",
            problem,
        };
        let mut stream = open_unpacked(path)?;
        let mut record = [0; 1 + PIXELS];
        for number in 1.. {
            let found = read_up_to(&mut stream, &mut record)
                .map_err(|error| malformed(format!("record {number}: {error}")))?;
            match found {
                0 if number == 1 => return Err(malformed("it is empty".into())),
                0 => break,
                found if found < record.len() => {
                    let expected = record.len();
                    return Err(malformed(format!(
                        "record {number} ends after {found} bytes, expected {expected}"
                    )));
                }
                _ => {}
            }
            let label = record[0];
            if label >= CLASSES {
                return Err(malformed(format!("record {number} has label {label}, expected 0 to 9")));
            }
            if (self.pixels.len() + PIXELS) as u64 > MAX_UNPACKED_BYTES {
                return Err(malformed(format!(
                    "with record {number} the images exceed {MAX_UNPACKED_BYTES} bytes"
                )));
            }
            self.labels.push(u16::from(label));
            self.pixels.extend_from_slice(&record[1..]);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write;

    /// Records whose pixels count up from `first`, modulo 251.
    fn records(first: usize, labels: &[u8]) -> Vec<u8> {
        let record = |(index, label): (usize, &u8)| {
            let pixel = move |at| ((first + index * PIXELS + at) % 251) as u8;
            std::iter::once(*label).chain((0..PIXELS).map(pixel)).collect::<Vec<_>>()
        };
        labels.iter().enumerate().flat_map(record).collect()
    }

    fn read(bytes: &[u8]) -> Result<Records, String> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        let mut records = Records::default();
        records.read(file.path()).map(|()| records).map_err(|error| error.to_string())
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn plain_and_gzip_files_give_labels_and_planes() {
        let plain = records(0, &[3, 9, 0]);
        for bytes in [plain.clone(), gzip(&plain)] {
            let read = read(&bytes).unwrap();
            assert_eq!(read.labels, [3, 9, 0]);
            assert_eq!(read.pixels.len(), 3 * PIXELS);
            assert_eq!(read.pixels[2 * PIXELS + 5], ((2 * PIXELS + 5) % 251) as u8);
        }
    }

    #[test]
    fn truncated_records_and_other_files_are_refused() {
        let plain = records(0, &[3, 9]);
        for length in [0, 1, PIXELS, PIXELS + 2, plain.len() - 1] {
            assert!(read(&plain[..length]).is_err(), "{length} bytes");
        }
        let message = |bytes: &[u8]| read(bytes).err().unwrap();
        assert!(message(&[]).contains("it is empty"));
        assert!(message(&plain[..4000]).contains("record 2 ends after 927 bytes, expected 3073"));
        assert!(message(&records(0, &[1, 10])).contains("record 2 has label 10, expected 0 to 9"));
        let packed = gzip(&plain);
        for length in 2..packed.len() {
            assert!(read(&packed[..length]).is_err(), "{length} of {} gzip bytes", packed.len());
        }
    }
}
