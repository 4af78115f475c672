//! `.npy` files (format 1.0 to 3.0, C order): tensors of images that stay on disk, labels, mean images.
//!
//! Format: NEP 1, "A Simple File Format for `NumPy` Arrays": magic, version, length of the header, the header as a Python
//! dictionary with the keys `descr`, `fortran_order` and `shape`, then the values.

mod header;

use super::Error;
use super::file;
use crate::network::Shape;
use header::{Header, Number, NumberKind};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Most bytes of labels or of a mean image that are read.
const MAX_ARRAY_BYTES: u64 = 1 << 28;
const EXPECTED: &str = ".npy file";

/// A tensor of images, extents image, channel, row, column, on disk.
#[derive(Debug)]
pub(super) struct Tensor {
    path: PathBuf,
    file: Mutex<File>,
    start: u64,
    number: Number,
    /// Number of images.
    pub images: usize,
    /// Extent of one image.
    pub shape: Shape,
}

/// The stored values of one image.
pub(super) enum Values {
    Bytes(Vec<u8>),
    Floats(Vec<f32>),
}

impl Tensor {
    /// Opens the tensor in `path`: uint8 or float32, four extents.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let (file, header) = open(path)?;
        let expected = "expected uint8 or float32 values of images x channels x height x width";
        let is_supported = matches!(
            (header.number.kind, header.number.bytes),
            (NumberKind::Float, 4) | (NumberKind::Unsigned, 1)
        );
        if !is_supported {
            return Err(malformed(path, format!("found values of type {}, {expected}", header.number)));
        }
        let &[images, channels, height, width] = header.dims.as_slice() else {
            return Err(malformed(path, format!("found extents {:?}, {expected}", header.dims)));
        };
        if header.dims.contains(&0) {
            return Err(malformed(path, format!("expected extents of at least 1, found {:?}", header.dims)));
        }
        let shape = Shape::new(channels, height, width);
        let (path, number, start) = (path.to_owned(), header.number, header.length);
        Ok(Self { path, file: Mutex::new(file), start, number, images, shape })
    }

    /// The stored values of `image`, which must be one of the tensor's, in the order channel, row, column.
    pub fn image(&self, image: usize) -> Result<Values, Error> {
        let mut bytes = vec![0; self.shape.elements() * self.number.bytes];
        let at = self.start + image as u64 * bytes.len() as u64;
        {
            let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
            file.seek(SeekFrom::Start(at))
                .and_then(|_| file.read_exact(&mut bytes))
                .map_err(|source| Error::Read { path: self.path.clone(), source })?;
        }
        if self.number.kind == NumberKind::Unsigned {
            return Ok(Values::Bytes(bytes));
        }
        let (words, _) = bytes.as_chunks::<4>();
        let value = if self.number.is_big_endian { f32::from_be_bytes } else { f32::from_le_bytes };
        Ok(Values::Floats(words.iter().map(|&word| value(word)).collect()))
    }
}

/// The classes in `path`: one extent, integers of any type from 0 to 65535.
pub(super) fn read_labels(path: &Path) -> Result<Vec<u16>, Error> {
    let (file, header) = open(path)?;
    if header.number.kind == NumberKind::Float || header.dims.len() != 1 {
        let found = format!("values of type {} with extents {:?}", header.number, header.dims);
        return Err(malformed(path, format!("found {found}, expected integers with one extent, the images")));
    }
    let bytes = values(path, file)?;
    let labels = bytes.chunks_exact(header.number.bytes).map(|word| header.number.integer(word));
    let checked = labels.enumerate().map(|(index, label)| {
        u16::try_from(label).map_err(|_| {
            malformed(path, format!("image {index} has label {label}, expected 0 to {}", u16::MAX))
        })
    });
    checked.collect()
}

/// The floating-point or uint8 values in `path` in binary32, with their extents.
pub(super) fn read_floats(path: &Path) -> Result<(Vec<usize>, Vec<f32>), Error> {
    let (file, header) = open(path)?;
    let number = header.number;
    if !matches!((number.kind, number.bytes), (NumberKind::Float, 4 | 8) | (NumberKind::Unsigned, 1)) {
        let expected = "expected float32, float64 or uint8";
        return Err(malformed(path, format!("found values of type {number}, {expected}")));
    }
    let bytes = values(path, file)?;
    Ok((header.dims, bytes.chunks_exact(number.bytes).map(|word| number.float(word)).collect()))
}

fn malformed(path: &Path, problem: String) -> Error {
    Error::Malformed { path: path.to_owned(), expected: EXPECTED, problem }
}

/// Opens `path`, its header read and the file as long as the header says.
fn open(path: &Path) -> Result<(File, Header), Error> {
    let mut file = file::open(path)?;
    let header = Header::read(&mut file).map_err(|problem| malformed(path, problem))?;
    let length = file.metadata().map_err(|source| Error::Read { path: path.to_owned(), source })?.len();
    let found = length.saturating_sub(header.length);
    match header.value_bytes() {
        Some(expected) if expected == found => Ok((file, header)),
        Some(expected) => {
            Err(malformed(path, format!("the header promises {expected} bytes of values, found {found}")))
        }
        None => Err(malformed(path, format!("the extents {:?} overflow", header.dims))),
    }
}

/// The rest of `file`, a small array.
fn values(path: &Path, file: File) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    let outcome = file.take(MAX_ARRAY_BYTES + 1).read_to_end(&mut bytes);
    outcome.map_err(|source| Error::Read { path: path.to_owned(), source })?;
    if bytes.len() as u64 > MAX_ARRAY_BYTES {
        let limit = MAX_ARRAY_BYTES >> 20;
        return Err(malformed(path, format!("expected at most {limit} MiB of labels or means")));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array, Array1, Array3, Array4};
    use ndarray_npy::{WritableElement, write_npy};

    fn written<T: WritableElement, D: ndarray::Dimension>(array: &Array<T, D>) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        write_npy(file.path(), array).unwrap();
        file
    }

    fn refusal<T>(outcome: Result<T, Error>) -> String {
        outcome.err().unwrap().to_string()
    }

    #[test]
    fn images_are_read_one_by_one() {
        let floats =
            Array4::from_shape_fn((3, 2, 4, 5), |(n, c, y, x)| (n * 1000 + c * 100 + y * 10 + x) as f32);
        let file = written(&floats);
        let tensor = Tensor::open(file.path()).unwrap();
        assert_eq!((tensor.images, tensor.shape), (3, Shape::new(2, 4, 5)));
        for image in [2, 0, 1] {
            let Values::Floats(values) = tensor.image(image).unwrap() else { panic!("floats") };
            assert!(values.iter().eq(floats.index_axis(ndarray::Axis(0), image).iter()));
        }
        let bytes = floats.mapv(|value| (value as u32 % 256) as u8);
        let Values::Bytes(values) = Tensor::open(written(&bytes).path()).unwrap().image(1).unwrap() else {
            panic!("bytes")
        };
        assert!(values.iter().eq(bytes.index_axis(ndarray::Axis(0), 1).iter()));
    }

    #[test]
    fn labels_may_be_of_any_integer_type() {
        let read = |file: tempfile::NamedTempFile| read_labels(file.path());
        assert_eq!(read(written(&Array1::from(vec![0u8, 255]))).unwrap(), [0, 255]);
        assert_eq!(read(written(&Array1::from(vec![5i8, 127]))).unwrap(), [5, 127]);
        assert_eq!(read(written(&Array1::from(vec![5u16, 65535]))).unwrap(), [5, 65535]);
        assert_eq!(read(written(&Array1::from(vec![5i32, 999]))).unwrap(), [5, 999]);
        assert_eq!(read(written(&Array1::from(vec![5i64, 999]))).unwrap(), [5, 999]);
        let negative = refusal(read(written(&Array1::from(vec![5i64, -1]))));
        assert!(negative.contains("image 1 has label -1, expected 0 to 65535"), "{negative}");
        let large = refusal(read(written(&Array1::from(vec![u64::MAX]))));
        assert!(large.contains("image 0 has label 18446744073709551615"), "{large}");
        assert!(refusal(read(written(&Array1::from(vec![1f32])))).contains("type float32"));
        assert!(refusal(read(written(&Array::<u8, _>::zeros((2, 2))))).contains("[2, 2]"));
    }

    #[test]
    fn wrong_types_ranks_and_lengths_are_named() {
        let message = refusal(Tensor::open(written(&Array3::<f32>::zeros((2, 3, 4))).path()));
        assert!(message.contains("found extents [2, 3, 4], expected uint8 or float32"), "{message}");
        let message = refusal(Tensor::open(written(&Array4::<f64>::zeros((1, 1, 2, 2))).path()));
        assert!(message.contains("found values of type float64"), "{message}");
        let message = refusal(Tensor::open(written(&Array4::<f32>::zeros((1, 0, 2, 2))).path()));
        assert!(message.contains("expected extents of at least 1"), "{message}");
        let file = written(&Array4::<f32>::zeros((2, 1, 2, 2)));
        let bytes = std::fs::read(file.path()).unwrap();
        for length in 0..bytes.len() {
            std::fs::write(file.path(), &bytes[..length]).unwrap();
            assert!(Tensor::open(file.path()).is_err(), "{length} of {} bytes", bytes.len());
        }
        std::fs::write(file.path(), [&bytes[..], &[0]].concat()).unwrap();
        assert!(refusal(Tensor::open(file.path())).contains("promises 32 bytes of values, found 33"));
    }

    #[test]
    fn a_tensor_that_shrinks_while_open_is_an_error() {
        let file = written(&Array4::<u8>::zeros((2, 1, 2, 2)));
        let tensor = Tensor::open(file.path()).unwrap();
        let length = std::fs::metadata(file.path()).unwrap().len();
        file.as_file().set_len(length - 1).unwrap();
        assert!(tensor.image(0).is_ok());
        assert!(matches!(tensor.image(1), Err(Error::Read { .. })));
    }

    #[test]
    fn float_arrays_keep_nan_and_round_doubles() {
        let (dims, values) = read_floats(written(&Array1::from(vec![0.1f64, f64::NAN])).path()).unwrap();
        assert_eq!((dims, values[0]), (vec![2], 0.1));
        assert!(values[1].is_nan());
        assert!(refusal(read_floats(written(&Array1::from(vec![1i32])).path())).contains("type int32"));
    }
}
