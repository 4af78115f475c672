//! Decoding of one JPEG or PNG picture.

use super::file;
use super::resize::resize;
use super::source::{ChannelOrder, Resize};
use image::codecs::{jpeg::JpegDecoder, png::PngDecoder};
use image::{DynamicImage, ImageDecoder, ImageError, Limits};
use ndarray::{ArrayView3, s};
use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// Largest picture file that is read, in bytes.
const MAX_FILE_BYTES: u64 = 1 << 28;
/// Most pixels of a picture as stored or resized.
const MAX_PIXELS: u64 = 1 << 26;

const JPEG_START: &[u8] = b"\xff\xd8\xff";
const PNG_START: &[u8] = b"\x89PNG\r\n\x1a\n";

/// A decoded picture: eight-bit values by row, column and channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Picture {
    /// Height and width.
    pub size: [usize; 2],
    channels: usize,
    values: Vec<u8>,
    is_reversed: bool,
}

impl Picture {
    /// Decodes the file `path`; the error is for a message.
    pub fn read(path: &Path, order: ChannelOrder, size: Option<Resize>) -> Result<Self, String> {
        let bytes =
            file::read_whole(path, MAX_FILE_BYTES).map_err(|error| format!("cannot be read: {error}"))?;
        let stored = Self::decode(&bytes, order)?;
        let to = resized(stored.size, size)?;
        if to == stored.size {
            return Ok(stored);
        }
        let values = resize(&stored.values, stored.channels, stored.size, to);
        Ok(Self { size: to, values, ..stored })
    }

    /// Alpha is dropped, 16-bit values are rounded to 8 bits; the orientation and colour profile that the file may name
    /// are not applied.
    pub fn decode(bytes: &[u8], order: ChannelOrder) -> Result<Self, String> {
        let rgb = guarded(|| {
            let decoder = decoder(bytes)?;
            check_pixels(size(&*decoder))?;
            if bytes.starts_with(JPEG_START) && !has_jpeg_end(bytes) {
                return Err("the JPEG data are truncated: they have no end marker".into());
            }
            Ok(DynamicImage::from_decoder(decoder).map_err(|error| damaged(&error))?.into_rgb8())
        })?;
        let size = [rgb.height() as usize, rgb.width() as usize];
        let (channels, values) = match order {
            ChannelOrder::Grey => (1, rgb.pixels().map(|pixel| luminance(pixel.0)).collect()),
            ChannelOrder::Rgb | ChannelOrder::Bgr => (3, rgb.into_raw()),
        };
        Ok(Self { size, channels, values, is_reversed: order == ChannelOrder::Bgr })
    }

    /// The values by channel (in the order asked for), row, column.
    pub fn planes(&self) -> ArrayView3<'_, u8> {
        let [height, width] = self.size;
        let view = ArrayView3::from_shape((height, width, self.channels), &self.values);
        let mut planes =
            view.expect("a picture holds as many values as its size says").permuted_axes([2, 0, 1]);
        if self.is_reversed {
            planes = planes.slice_move(s![..;-1, .., ..]);
        }
        planes
    }
}

/// Height and width of the picture `path` brought to `size`, from its header; the error is for a message.
pub(super) fn picture_size(path: &Path, to: Option<Resize>) -> Result<[usize; 2], String> {
    let bytes = file::read_whole(path, MAX_FILE_BYTES).map_err(|error| format!("cannot be read: {error}"))?;
    let stored = guarded(|| Ok(size(&*decoder(&bytes)?)))?;
    check_pixels(stored)?;
    resized(stored, to)
}

fn decoder(bytes: &[u8]) -> Result<Box<dyn ImageDecoder + '_>, String> {
    let reader = Cursor::new(bytes);
    // The content decides, not the name: ImageNet has a PNG file that is called .JPEG.
    if bytes.starts_with(JPEG_START) {
        Ok(Box::new(JpegDecoder::new(reader).map_err(|error| damaged(&error))?))
    } else if bytes.starts_with(PNG_START) {
        Ok(Box::new(PngDecoder::with_limits(reader, Limits::default()).map_err(|error| damaged(&error))?))
    } else if bytes.is_empty() {
        Err("it is empty".into())
    } else {
        Err("it is neither a JPEG nor a PNG file".into())
    }
}

/// What `decode` yields; a panic is an error. The JPEG decoder (zune-jpeg 0.5.15) has assertions that some damaged files
/// break. It keeps no state outside of the call, so nothing half-made is left behind.
fn guarded<T>(decode: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(decode))
        .unwrap_or_else(|_| Err("it is damaged: the decoder gave up".into()))
}

fn damaged(error: &ImageError) -> String {
    format!("it is damaged or not supported: {error}")
}

fn size(decoder: &dyn ImageDecoder) -> [usize; 2] {
    let (width, height) = decoder.dimensions();
    [height as usize, width as usize]
}

fn check_pixels([height, width]: [usize; 2]) -> Result<(), String> {
    if height as u64 * width as u64 > MAX_PIXELS {
        return Err(format!("it would have {height}x{width} pixels, expected at most {MAX_PIXELS}"));
    }
    Ok(())
}

/// The height and width that `stored` is brought to.
fn resized(stored: [usize; 2], to: Option<Resize>) -> Result<[usize; 2], String> {
    let size = match to {
        None => stored,
        Some(Resize::Exact(size)) => size,
        Some(Resize::Shorter(length)) => {
            let shorter = stored[0].min(stored[1]);
            stored.map(|side| (side as u64 * length as u64 / shorter.max(1) as u64) as usize)
        }
    };
    check_pixels(size).map(|()| size)
}

/// OpenCV's 8-bit conversion: ITU-R BT.601 in 15-bit fixed point.
fn luminance([red, green, blue]: [u8; 3]) -> u8 {
    ((9798 * u32::from(red) + 19235 * u32::from(green) + 3735 * u32::from(blue) + (1 << 14)) >> 15) as u8
}

/// Whether the JPEG file `bytes` has an end marker behind its first scan. The decoder fills what is missing with grey.
fn has_jpeg_end(bytes: &[u8]) -> bool {
    const START_OF_SCAN: u8 = 0xda;
    const END_OF_IMAGE: [u8; 2] = [0xff, 0xd9];
    let mut at = 2;
    // Segments in front of the scan may hold a whole picture of their own, a thumbnail.
    while let Some(&[0xff, marker, high, low]) = bytes.get(at..at + 4) {
        if marker == START_OF_SCAN {
            return bytes[at..].windows(2).any(|pair| pair == END_OF_IMAGE);
        }
        // Any number of 0xff may stand in front of a marker.
        at += if marker == 0xff { 1 } else { 2 + usize::from(u16::from_be_bytes([high, low])) };
    }
    // Not the plain sequence of segments: the decoder judges.
    bytes.windows(2).any(|pair| pair == END_OF_IMAGE)
}
