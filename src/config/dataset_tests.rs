use super::sample::{Folder, TEXT};
use crate::dataset::{ChannelOrder, Files, Mean, Resize};
use crate::experiment::DatasetSource;

/// [`Folder`] with the files of all kinds.
fn folder() -> Folder {
    let folder = Folder::new();
    std::fs::create_dir(folder.file("pictures")).unwrap();
    for name in ["a.bin", "b.bin.gz", "list.txt", "mean.binaryproto", "x.npy", "y.npy"] {
        std::fs::write(folder.file(name), "x").unwrap();
    }
    folder
}

/// The sample with another table `[dataset]`, which starts in line 4.
fn text(table: &str) -> String {
    let (start, rest) = TEXT.split_once("[dataset]\n").unwrap();
    let (_, rest) = rest.split_once("[formats]").unwrap();
    format!("{start}[dataset]\n{table}\n[formats]{rest}")
}

fn source(table: &str) -> DatasetSource {
    folder().resolve(&text(table), &[]).unwrap().experiment.dataset
}

fn problems(table: &str) -> String {
    folder().problems(&text(table), &[])
}

#[test]
fn batches_are_a_file_or_a_list() {
    let names = |source: DatasetSource| match source.files {
        Files::Cifar10 { images } => images.into_iter().map(|file| file.typed).collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    assert_eq!(names(source("kind = 'cifar10'\nimages = 'a.bin'\ncrop = 28")), ["a.bin"]);
    assert_eq!(names(source("kind = 'cifar10'\nimages = ['a.bin', 'b.bin.gz']")), ["a.bin", "b.bin.gz"]);
    assert_eq!(
        problems("kind = 'cifar10'\nimages = ['a.bin', 'gone.bin', 3]"),
        "c.toml:6:20: `dataset.images`: cannot read the file gone.bin: it does not exist
    help: relative paths start at the folder of the configuration file
c.toml:6:32: `dataset.images` must be a string: the path of a file, found the integer 3"
    );
    assert_eq!(
        problems("kind = 'cifar10'\nimages = []"),
        "c.toml:6:10: `dataset.images` must be the path of a file, or a list of at least one, found an empty list"
    );
}

#[test]
fn pictures_have_a_folder_an_order_and_a_size() {
    let DatasetSource { files, crop, preprocessing } = source(
        "kind = 'images'\nimages = 'pictures'\nlabels = 'list.txt'\nchannel_order = 'bgr'\nresize = [40, 50]\ncrop = 28\nmean = 'mean.binaryproto'",
    );
    let Files::Images { images, labels, channel_order, resize } = files else { panic!("{files:?}") };
    assert_eq!((images.typed.as_str(), labels.unwrap().typed.as_str()), ("pictures", "list.txt"));
    assert_eq!((channel_order, resize), (ChannelOrder::Bgr, Some(Resize::Exact([40, 50]))));
    assert_eq!(crop, Some([28, 28]));
    assert!(matches!(preprocessing.mean, Mean::Image(file) if file.typed == "mean.binaryproto"));
    let DatasetSource { files, crop, .. } = source("kind = 'images'\nimages = 'pictures'\nresize = 30");
    let Files::Images { labels, channel_order, resize, .. } = files else { panic!("{files:?}") };
    assert_eq!((labels, channel_order, resize), (None, ChannelOrder::Rgb, Some(Resize::Shorter(30))));
    assert_eq!(crop, None);
    assert_eq!(
        problems("kind = 'images'\nimages = 'x.npy'\nlabels = 'pictures'\nchannel_order = 'gray'"),
        "c.toml:6:10: `dataset.images`: cannot read the folder x.npy: it is no folder
    help: relative paths start at the folder of the configuration file
c.toml:7:10: `dataset.labels`: cannot read the file pictures: it is a folder
    help: relative paths start at the folder of the configuration file
c.toml:8:17: `dataset.channel_order` must be one of `rgb`, `bgr`, `grey`, found the string \"gray\"
    help: did you mean `grey`?"
    );
}

#[test]
fn tensors_need_no_labels() {
    let labels = |table: &str| match source(table).files {
        Files::Npy { labels, .. } => labels.map(|file| file.typed),
        other => panic!("{other:?}"),
    };
    assert_eq!(labels("kind = 'npy'\nimages = 'x.npy'"), None);
    assert_eq!(labels("kind = 'npy'\nimages = 'x.npy'\nlabels = 'y.npy'").as_deref(), Some("y.npy"));
}

#[test]
fn keys_of_other_kinds_are_refused() {
    assert_eq!(
        problems("kind = 'cifar10'\nimages = 'a.bin'\nlabels = 'y.npy'\nresize = 3\nsacle = 2"),
        "c.toml:7:1: `dataset.labels` does not apply to kind `cifar10`
    help: leave it out: the image files hold the labels
c.toml:8:1: `dataset.resize` does not apply to kind `cifar10`
    help: valid keys: `kind`, `images`, `crop`, `scale`, `mean`, `std`
c.toml:9:1: unknown key `sacle` in [dataset]
    help: did you mean `scale`? valid keys: `kind`, `images`, `crop`, `scale`, `mean`, `std`"
    );
    assert_eq!(
        problems("kind = 'mnist'\nimages = 'images.gz'\nchannel_order = 'rgb'"),
        "c.toml:4:1: missing key `dataset.labels`
    help: the file that holds the labels
c.toml:7:1: `dataset.channel_order` does not apply to kind `mnist`
    help: valid keys: `kind`, `images`, `labels`, `crop`, `scale`, `mean`, `std`"
    );
}

#[test]
fn sizes_are_positive_and_fit_each_other_and_the_network() {
    let size = |keys: &str| problems(&format!("kind = 'images'\nimages = 'pictures'\n{keys}"));
    assert_eq!(
        size("resize = 0\ncrop = [28, 28, 28]"),
        "c.toml:7:10: `dataset.resize` must be an integer from 1 to 16384, or a list of two: height and width, found the integer 0
c.toml:8:8: `dataset.crop` must be an integer from 1 to 16384, or a list of two: height and width, found a list"
    );
    assert_eq!(
        size("resize = [28, '28']"),
        "c.toml:7:15: `dataset.resize` must be an integer from 1 to 16384, found the string \"28\""
    );
    let too_large = "c.toml:8:8: `dataset.crop` of 28x30 is larger than the resized pictures
    help: `resize` comes first, then the centre is cut out";
    assert_eq!(size("resize = [40, 29]\ncrop = [28, 30]"), too_large);
    assert_eq!(size("resize = 27\ncrop = [28, 30]"), too_large);
    assert_eq!(
        size("resize = 28\ncrop = [28, 30]"),
        "c.toml:8:8: `dataset.crop` makes images of 28x30, but the network's input is 28x28
    help: height comes first, then width"
    );
    assert_eq!(
        size("resize = [28, 29]"),
        "c.toml:7:10: `dataset.resize` makes images of 28x29, but the network's input is 28x28
    help: height comes first, then width"
    );
}

#[test]
fn the_mean_is_a_number_a_list_or_an_image() {
    let mean = |value: &str| problems(&format!("kind = 'npy'\nimages = 'x.npy'\nmean = {value}"));
    let expected = "a finite binary32 number, a list of one per channel, or the path of a mean image (.binaryproto or .npy)";
    assert_eq!(
        mean("'mean.jpg'"),
        format!("c.toml:7:8: `dataset.mean` must be {expected}, found the string \"mean.jpg\"")
    );
    assert_eq!(
        mean("true"),
        format!("c.toml:7:8: `dataset.mean` must be {expected}, found the boolean true")
    );
    assert_eq!(
        mean("'gone.npy'"),
        "c.toml:7:8: `dataset.mean`: cannot read the file gone.npy: it does not exist
    help: relative paths start at the folder of the configuration file"
    );
}

#[test]
fn the_record_keeps_what_was_typed() {
    let record = |table: &str| serde_json::to_string(&source(table)).unwrap();
    assert_eq!(
        record(
            "kind = 'images'\nimages = 'pictures'\nlabels = 'list.txt'\nresize = 30\ncrop = 28\nmean = 'mean.binaryproto'"
        ),
        r#"{"kind":"images","images":"pictures","labels":"list.txt","channel_order":"rgb","resize":30,"crop":[28,28],"scale":1.0,"mean":"mean.binaryproto","std":[1.0]}"#
    );
    assert_eq!(
        record("kind = 'cifar10'\nimages = 'a.bin'\nmean = 2"),
        r#"{"kind":"cifar10","images":["a.bin"],"scale":1.0,"mean":[2.0],"std":[1.0]}"#
    );
    assert_eq!(
        record("kind = 'npy'\nimages = 'x.npy'"),
        r#"{"kind":"npy","images":"x.npy","scale":1.0,"mean":[0.0],"std":[1.0]}"#
    );
}
