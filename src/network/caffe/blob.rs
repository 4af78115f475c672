//! Files of one blob, such as mean images (`.binaryproto`).

use super::schema::BlobProto;
use super::weights::{blob_values, stored_dims};
use crate::network::{FileError, file};
use ndarray::ArrayD;
use prost::Message;
use std::path::{Path, PathBuf};

/// Largest blob file that is read, in bytes.
const MAX_BYTES: u64 = 1 << 28;

/// Why a blob file cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BlobError {
    /// The file cannot be read whole.
    #[error(transparent)]
    File(#[from] FileError),
    /// The content is no blob.
    #[error("{}: found {found}, expected a Caffe blob (binaryproto)", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        found: String,
    },
}

/// The blob in the file `path` (`BlobProto`, the format of Caffe's mean images), in binary32, with the extents that the
/// file gives: those of the four-dimensional form are images, channels, height, width.
///
/// # Errors
///
/// A file that cannot be read, has more than 256 MiB, or is no blob with as many values as its extents say.
pub fn read_blob(path: &Path) -> Result<ArrayD<f32>, BlobError> {
    let content = |found: String| BlobError::Content { path: path.to_owned(), found };
    let bytes = file::read(path, MAX_BYTES, "a Caffe blob (binaryproto)")?;
    let blob = BlobProto::decode(bytes)
        .map_err(|error| content(format!("a truncated or damaged file or another format ({error})")))?;
    let stored = stored_dims(&blob).ok_or_else(|| content("no extents".into()))?;
    let dims = stored.iter().map(|&dim| usize::try_from(dim).ok()).collect::<Option<Vec<_>>>();
    let elements = dims.as_ref().and_then(|dims| dims.iter().try_fold(1usize, |n, &dim| n.checked_mul(dim)));
    let values = blob_values(blob).map_err(|how| content(format!("values stored as {how}")))?.into_single();
    let count = values.len();
    let shaped =
        dims.filter(|_| elements == Some(count)).and_then(|dims| ArrayD::from_shape_vec(dims, values).ok());
    shaped.ok_or_else(|| {
        let shown = &stored[..stored.len().min(8)];
        content(format!("{count} values for the extents {shown:?}"))
    })
}

#[cfg(test)]
mod tests {
    use super::super::schema::BlobShape;
    use super::*;
    use std::io::Write;

    fn read(bytes: &[u8]) -> Result<ArrayD<f32>, String> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        read_blob(file.path()).map_err(|error| error.to_string())
    }

    #[test]
    fn both_forms_of_extents_are_read() {
        let values: Vec<f32> = (0..12).map(|value| value as f32).collect();
        let legacy = BlobProto {
            num: Some(1),
            channels: Some(3),
            height: Some(2),
            width: Some(2),
            data: values.clone(),
            ..BlobProto::default()
        };
        let read_back = read(&legacy.encode_to_vec()).unwrap();
        assert_eq!((read_back.shape(), read_back[[0, 2, 0, 1]]), ([1, 3, 2, 2].as_slice(), 9.0));
        let shape = Some(BlobShape { dim: vec![3, 4] });
        let doubles = values.into_iter().map(f64::from).collect();
        let blob = BlobProto { shape, double_data: doubles, ..BlobProto::default() };
        assert_eq!(read(&blob.encode_to_vec()).unwrap()[[1, 2]], 6.0);
    }

    #[test]
    fn other_content_is_refused() {
        let blob = |dim: Vec<i64>, data| {
            BlobProto { shape: Some(BlobShape { dim }), data, ..BlobProto::default() }.encode_to_vec()
        };
        let message = |bytes: &[u8]| read(bytes).unwrap_err();
        assert!(message(&[]).contains("no extents"));
        assert!(message(b"\x89PNG\r\n\x1a\n").contains("damaged"));
        assert!(message(&blob(vec![2, 2], vec![0.0; 3])).contains("3 values for the extents [2, 2]"));
        assert!(message(&blob(vec![-1, -1], vec![0.0])).contains("1 values for the extents [-1, -1]"));
        assert!(message(&blob(vec![1 << 40, 1 << 40], vec![0.0])).contains("1 values"));
        let whole = blob(vec![2, 2], vec![0.5; 4]);
        for length in 0..whole.len() {
            assert!(read(&whole[..length]).is_err(), "{length} of {} bytes", whole.len());
        }
    }
}
