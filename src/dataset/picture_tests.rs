use super::*;
use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ExtendedColorType, GrayImage, ImageFormat, Rgb, RgbImage, Rgba, RgbaImage};
use proptest::prelude::*;
use std::io::Cursor;
use std::path::PathBuf;

/// A picture whose values tell row, column and channel.
fn numbered(height: u32, width: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| Rgb([0, 1, 2].map(|c| (c * 70 + y * 9 + x) as u8)))
}

fn png(picture: impl Into<DynamicImage>) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.into().write_to(&mut bytes, ImageFormat::Png).unwrap();
    bytes.into_inner()
}

fn jpeg(picture: &RgbImage) -> Vec<u8> {
    let mut bytes = Vec::new();
    let encoder = JpegEncoder::new_with_quality(&mut bytes, 95);
    let (width, height) = picture.dimensions();
    { encoder }.encode(picture, width, height, ExtendedColorType::Rgb8).unwrap();
    bytes
}

/// A folder of pictures.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new(pictures: &[(&str, Vec<u8>)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in pictures {
            std::fs::write(folder.path().join(name), bytes).unwrap();
        }
        Self(folder)
    }

    fn listing(self, text: &str) -> Self {
        std::fs::write(self.0.path().join("list.txt"), text).unwrap();
        self
    }

    /// The source, with labels if there is a list.
    fn source(
        &self,
        order: ChannelOrder,
        resize: Option<Resize>,
        crop: Option<[usize; 2]>,
    ) -> Source<PathBuf> {
        let list = self.0.path().join("list.txt");
        let files = Files::Images {
            images: self.0.path().to_owned(),
            labels: list.exists().then_some(list),
            channel_order: order,
            resize,
        };
        Source { files, crop, preprocessing: Preprocessing::default() }
    }

    fn open(&self, resize: Option<Resize>, crop: Option<[usize; 2]>) -> Result<Dataset, Error> {
        Dataset::open(&self.source(ChannelOrder::Rgb, resize, crop))
    }

    fn inputs(&self, order: ChannelOrder) -> Vec<f32> {
        let dataset = Dataset::open(&self.source(order, None, None)).unwrap();
        dataset.inputs(0..dataset.images()).unwrap()
    }

    fn message(&self, error: &Error) -> String {
        error.to_string().replace(&format!("{}/", self.0.path().display()), "")
    }
}

#[test]
fn channels_come_in_the_order_asked_for() {
    let picture = RgbImage::from_vec(2, 1, vec![10, 20, 30, 40, 50, 60]).unwrap();
    let folder = Folder::new(&[("a.png", png(picture))]);
    assert_eq!(folder.inputs(ChannelOrder::Rgb), [10., 40., 20., 50., 30., 60.]);
    assert_eq!(folder.inputs(ChannelOrder::Bgr), [30., 60., 20., 50., 10., 40.]);
}

/// Expected: OpenCV 4.14.0, `cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)`.
#[test]
fn grey_is_that_of_opencv() {
    let pixels = vec![
        60, 94, 129, 180, 12, 94, 198, 142, 4, 163, 64, 108, 151, 214, 60, 251, 220, 83, 174, 136, 55, 26,
        18, 81,
    ];
    let folder = Folder::new(&[("a.png", png(RgbImage::from_vec(8, 1, pixels).unwrap()))]);
    assert_eq!(folder.inputs(ChannelOrder::Grey), [88., 72., 143., 99., 178., 214., 138., 28.]);
    let stored: Vec<u8> = (0..=255).collect();
    let folder = Folder::new(&[("a.png", png(GrayImage::from_vec(256, 1, stored.clone()).unwrap()))]);
    assert!(folder.inputs(ChannelOrder::Grey).into_iter().eq(stored.iter().map(|&value| f32::from(value))));
    assert!(folder.inputs(ChannelOrder::Rgb)[256..512].iter().copied().eq(stored.into_iter().map(f32::from)));
}

#[test]
fn alpha_is_dropped_and_sixteen_bits_become_eight() {
    let picture = RgbaImage::from_pixel(1, 1, Rgba([10, 20, 30, 0]));
    assert_eq!(Folder::new(&[("a.png", png(picture))]).inputs(ChannelOrder::Rgb), [10., 20., 30.]);
    let wide = image::ImageBuffer::from_pixel(1, 1, Rgb([0u16, 65535, 257 * 77]));
    assert_eq!(
        Folder::new(&[("a.png", png(DynamicImage::ImageRgb16(wide)))]).inputs(ChannelOrder::Rgb),
        [0., 255., 77.]
    );
}

#[test]
fn jpeg_is_recognised_by_its_content_and_near_what_was_encoded() {
    let picture = RgbImage::from_pixel(16, 16, Rgb([200, 100, 50]));
    let folder = Folder::new(&[("a.png", jpeg(&picture))]);
    for (values, expected) in folder.inputs(ChannelOrder::Rgb).chunks(256).zip([200f32, 100., 50.]) {
        assert!(values.iter().all(|value| (value - expected).abs() <= 3.0), "{values:?}");
    }
}

#[test]
fn pictures_are_resized_then_cropped() {
    let pictures = [("a.png", png(numbered(20, 10))), ("b.png", png(numbered(10, 15)))];
    let folder = Folder::new(&pictures);
    let shape = |resize, crop| folder.open(resize, crop).map(|dataset| dataset.shape());
    assert_eq!(shape(Some(Resize::Exact([4, 6])), None).unwrap(), Shape::new(3, 4, 6));
    assert_eq!(shape(Some(Resize::Shorter(5)), None).unwrap(), Shape::new(3, 10, 5), "of the first one");
    let cropped = folder.open(Some(Resize::Shorter(5)), Some([4, 4])).unwrap();
    assert_eq!(cropped.shape(), Shape::new(3, 4, 4));
    // 10 x 15 becomes 5 x 7 (7.5 rounded down); the centre of that is rows 0 to 3 and columns 1 to 4.
    let folder = Folder::new(&pictures[1..]);
    let whole = folder.open(Some(Resize::Shorter(5)), None).unwrap();
    assert_eq!(whole.shape(), Shape::new(3, 5, 7));
    let whole = whole.inputs(0..1).unwrap();
    let expected = (0..48).map(|at| whole[at / 16 * 35 + at / 4 % 4 * 7 + 1 + at % 4]);
    assert!(cropped.inputs(1..2).unwrap().into_iter().eq(expected));
}

#[test]
fn pictures_of_another_size_are_refused_by_name() {
    let folder = Folder::new(&[("a.png", png(numbered(4, 5))), ("b.png", png(numbered(5, 4)))])
        .listing("a.png 0\nb.png 1\n");
    let dataset = folder.open(None, None).unwrap();
    assert!(dataset.inputs(0..1).is_ok());
    assert_eq!(
        folder.message(&dataset.inputs(0..2).unwrap_err()),
        "`list.txt`, line 2: picture `b.png`: it is 5x4 (height x width), expected 4x5 as the first picture: \
         set `dataset.crop`, or both sides in `dataset.resize`"
    );
    let dataset = folder.open(None, Some([5, 4])).unwrap();
    assert_eq!(
        folder.message(&dataset.inputs(0..2).unwrap_err()),
        "`list.txt`, line 1: picture `a.png`: it is 4x5 (height x width), smaller than the crop of 5x4"
    );
    assert!(matches!(folder.open(Some(Resize::Exact([4, 4])), Some([5, 4])), Err(Error::Crop { .. })));
}

#[test]
fn every_truncation_of_a_picture_is_refused() {
    for bytes in [png(numbered(12, 9)), jpeg(&numbered(12, 9))] {
        let folder = Folder::new(&[("a.png", bytes.clone())]).listing("a.png 7");
        let dataset = folder.open(None, None).unwrap();
        assert!(dataset.inputs(0..1).is_ok());
        // Behind a PNG's pixels stand 12 bytes that hold nothing.
        let needed = if bytes[0] == 0x89 { bytes.len() - 16 } else { bytes.len() };
        for length in 0..needed {
            std::fs::write(folder.0.path().join("a.png"), &bytes[..length]).unwrap();
            let error = dataset.inputs(0..1).unwrap_err();
            let message = folder.message(&error);
            assert!(
                message.starts_with("`list.txt`, line 1: picture `a.png`: "),
                "{length} bytes: {message}"
            );
        }
    }
}

#[test]
fn what_is_no_picture_is_refused_by_name() {
    let folder = Folder::new(&[("a.png", b"GIF89a".to_vec()), ("b.jpg", vec![])]).listing("b.jpg\na.png\n");
    let dataset = folder.open(None, Some([1, 1])).unwrap();
    let message = |image| folder.message(&dataset.inputs(image..image + 1).unwrap_err());
    assert_eq!(message(0), "`list.txt`, line 1: picture `b.jpg`: it is empty");
    assert_eq!(message(1), "`list.txt`, line 2: picture `a.png`: it is neither a JPEG nor a PNG file");
    assert_eq!(folder.message(&folder.open(None, None).unwrap_err()), message(0), "the first header is read");
    std::fs::remove_file(folder.0.path().join("a.png")).unwrap();
    assert!(
        folder
            .message(&folder.open(None, Some([1, 1])).unwrap_err())
            .contains("line 2: picture `a.png`: cannot be read")
    );
}

#[test]
fn huge_extents_are_refused_before_anything_is_allocated() {
    let mut bytes = png(numbered(4, 4));
    bytes[16..24].copy_from_slice(&[0, 1, 0, 0, 0, 1, 0, 0]);
    let folder = Folder::new(&[("a.png", bytes)]);
    let message = folder.message(&folder.open(None, None).unwrap_err());
    assert!(message.contains("65536x65536 pixels") || message.contains("damaged"), "{message}");
    let thin = Folder::new(&[("a.png", png(numbered(1, 200)))]);
    let message = thin.message(&thin.open(Some(Resize::Shorter(16_000)), None).unwrap_err());
    assert!(message.contains("16000x3200000 pixels"), "{message}");
}

/// A progressive JPEG file of 1 x 9 pixels whose third component has more samples than the first: found by fuzzing, it
/// breaks an assertion of zune-jpeg 0.5.15.
#[test]
fn a_file_that_breaks_the_decoder_is_refused() {
    let table = |number: u8| [&[0xff, 0xdb, 0, 67, number][..], &[0; 64]].concat();
    let frame = [0xff, 0xc2, 0, 17, 8, 0, 9, 0, 1, 3, 1, 0x12, 0, 2, 0x11, 0, 3, 0x22, 0];
    let scan = [0xff, 0xda, 0, 12, 3, 1, 0, 2, 0, 3, 0, 0, 0, 0];
    let bytes = [&[0xff, 0xd8][..], &table(0), &table(1), &frame, &scan, &[0, 0xff, 0xd9]].concat();
    let refusal = Picture::decode(&bytes, ChannelOrder::Rgb).unwrap_err();
    assert!(refusal.contains("damaged"), "{refusal}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn damaged_pictures_are_decoded_or_refused(
        is_jpeg in any::<bool>(), changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut bytes = if is_jpeg { jpeg(&numbered(16, 17)) } else { png(numbered(16, 17)) };
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let folder = Folder::new(&[("a.png", bytes)]);
        if let Ok(dataset) = folder.open(Some(Resize::Exact([5, 5])), None)
            && let Ok(inputs) = dataset.inputs(0..1)
        {
            prop_assert!(inputs.len() == 75 && inputs.iter().all(|value| (0.0..=255.0).contains(value)));
        }
    }
}
