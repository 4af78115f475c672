//! Which pictures there are: a list of paths with or without labels, or all pictures of a folder.

use super::error::Place;
use super::{Error, file};
use rayon::prelude::*;
use std::path::{Path, PathBuf};

/// Largest list that is read, in bytes: a few million pictures.
const MAX_LIST_BYTES: u64 = 1 << 28;
const EXTENSIONS: [&str; 3] = ["jpg", "jpeg", "png"];

/// Pictures of a data set.
#[derive(Debug)]
pub(super) struct List {
    folder: PathBuf,
    /// The text file that names them.
    text: Option<PathBuf>,
    entries: Vec<Entry>,
    /// Class of each picture, if the list says.
    pub labels: Option<Vec<u16>>,
}

/// One picture.
#[derive(Debug)]
struct Entry {
    /// Path from the folder, or an absolute one.
    path: PathBuf,
    /// Line in the list, from 1; 0 without a list.
    line: usize,
}

impl List {
    /// The pictures that the text file `list` names, one per line, with paths that start at `folder`.
    pub fn read(folder: &Path, list: &Path) -> Result<Self, Error> {
        let bytes = file::read_whole(list, MAX_LIST_BYTES)
            .map_err(|source| Error::Read { path: list.to_owned(), source })?;
        let text = String::from_utf8(bytes).map_err(|error| {
            let line = 1 + error.as_bytes()[..error.utf8_error().valid_up_to()]
                .split_inclusive(|byte| *byte == b'\n')
                .filter(|line| line.ends_with(b"\n"))
                .count();
            Error::Line { path: list.to_owned(), line, problem: "it is not UTF-8 text".into() }
        })?;
        let mut entries = Vec::new();
        let mut labels = Vec::new();
        let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim()));
        for (line, typed) in lines.filter(|(_, typed)| !typed.is_empty()) {
            let refused = |problem: String| Error::Line { path: list.to_owned(), line, problem };
            let (path, label) = path_and_label(folder, typed).map_err(refused)?;
            if let Some(first) = entries.first()
                && labels.is_empty() == label.is_some()
            {
                let Entry { line, .. } = first;
                let (has, had) = if label.is_some() { ("a", "none") } else { ("no", "one") };
                return Err(refused(format!(
                    "it has {has} label, line {line} has {had}: label all pictures or none"
                )));
            }
            labels.extend(label);
            entries.push(Entry { path: path.into(), line });
        }
        if entries.is_empty() {
            return Err(Error::Empty { path: list.to_owned(), expected: "one `path label` per line" });
        }
        let labels = (!labels.is_empty()).then_some(labels);
        Ok(Self { folder: folder.to_owned(), text: Some(list.to_owned()), entries, labels })
    }

    /// The JPEG and PNG files directly in `folder`, told by their extension, in the byte order of their names.
    pub fn of_folder(folder: &Path) -> Result<Self, Error> {
        let failed = |source| Error::Read { path: folder.to_owned(), source };
        let mut names = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(failed)? {
            names.push(PathBuf::from(entry.map_err(failed)?.file_name()));
        }
        names.retain(|name| {
            name.extension()
                .is_some_and(|found| EXTENSIONS.iter().any(|known| found.eq_ignore_ascii_case(known)))
        });
        if names.is_empty() {
            let expected = "files that end in .jpg, .jpeg or .png";
            return Err(Error::Empty { path: folder.to_owned(), expected });
        }
        names.sort_unstable();
        let entries = names.into_iter().map(|path| Entry { path, line: 0 }).collect();
        Ok(Self { folder: folder.to_owned(), text: None, entries, labels: None })
    }

    /// Number of pictures, at least 1.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// The file of picture `index`.
    pub fn path(&self, index: usize) -> PathBuf {
        self.folder.join(&self.entries[index].path)
    }

    /// Picture `index`, for messages.
    pub fn place(&self, index: usize) -> Place {
        let line = self.text.as_ref().map(|text| (text.clone(), self.entries[index].line));
        Place { file: self.path(index), line }
    }

    /// Refuses pictures that are no regular files: a long run must not end at the last one.
    pub fn check_files(&self) -> Result<(), Error> {
        let problem = |index: usize| match std::fs::metadata(self.path(index)) {
            Ok(metadata) if metadata.is_file() => None,
            Ok(_) => Some((index, "it is no regular file".to_owned())),
            Err(error) => Some((index, format!("cannot be read: {error}"))),
        };
        let mut missing: Vec<_> = (0..self.len()).into_par_iter().filter_map(problem).collect();
        let others = match missing.len() {
            0 => return Ok(()),
            1 => String::new(),
            count => format!(" (so are {} others of {})", count - 1, self.len()),
        };
        let (index, problem) = missing.swap_remove(0);
        Err(Error::Picture { place: self.place(index), problem: problem + &others })
    }
}

/// Splits `path label`. A last word that is no number belongs to the path if there is such a file.
fn path_and_label<'t>(folder: &Path, typed: &'t str) -> Result<(&'t str, Option<u16>), String> {
    let Some((path, last)) = typed.rsplit_once([' ', '\t']) else {
        return Ok((typed, None));
    };
    if last.bytes().all(|byte| byte.is_ascii_digit()) {
        let label =
            last.parse().map_err(|_| format!("label {} is not in 0 to {}", shortened(last), u16::MAX))?;
        return Ok((path.trim_end(), Some(label)));
    }
    if folder.join(typed).is_file() {
        return Ok((typed, None));
    }
    Err(format!("expected `path label` with an integer label, found the label {:?}", shortened(last)))
}

fn shortened(text: &str) -> String {
    text.chars().take(30).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    struct Folder(tempfile::TempDir);

    impl Folder {
        fn with(files: &[&str]) -> Self {
            let folder = tempfile::tempdir().unwrap();
            for name in files {
                std::fs::write(folder.path().join(name), "x").unwrap();
            }
            Self(folder)
        }

        fn read(&self, text: impl AsRef<[u8]>) -> Result<List, String> {
            let list = self.0.path().join("list.txt");
            std::fs::write(&list, text).unwrap();
            List::read(self.0.path(), &list)
                .map_err(|error| error.to_string().replace(&format!("{}/", self.0.path().display()), ""))
        }
    }

    fn names(list: &List) -> Vec<&str> {
        list.entries.iter().map(|entry| entry.path.to_str().unwrap()).collect()
    }

    #[test]
    fn lines_hold_paths_with_or_without_labels() {
        let folder = Folder::with(&["my cat.png"]);
        let list = folder.read("a/b.JPEG 3\r\n\n  c 1.png\t65535  \nd.jpg  0").unwrap();
        assert_eq!(names(&list), ["a/b.JPEG", "c 1.png", "d.jpg"]);
        assert_eq!(list.labels, Some(vec![3, 65535, 0]));
        assert_eq!(list.place(1).line.unwrap().1, 3, "blank lines count");
        let list = folder.read("b.png\nmy cat.png\n").unwrap();
        assert_eq!(names(&list), ["b.png", "my cat.png"]);
        assert_eq!(list.labels, None);
    }

    #[test]
    fn wrong_lines_are_named() {
        let folder = Folder::with(&[]);
        let message = |text: &str| folder.read(text).unwrap_err();
        assert_eq!(
            message("a.png 1\nb.png cat\n"),
            "`list.txt`, line 2: expected `path label` with an integer label, found the label \"cat\""
        );
        assert_eq!(message("a.png 65536"), "`list.txt`, line 1: label 65536 is not in 0 to 65535");
        assert!(message("a.png -1").contains("found the label \"-1\""));
        assert_eq!(
            message("a.png 1\n\nb.png"),
            "`list.txt`, line 3: it has no label, line 1 has one: label all pictures or none"
        );
        assert_eq!(
            message("a.png\nb.png 2"),
            "`list.txt`, line 2: it has a label, line 1 has none: label all pictures or none"
        );
        assert!(message("\n \n").contains("names no picture"));
        assert_eq!(
            folder.read(b"a.png 1\n\xff\xd8\xff").unwrap_err(),
            "`list.txt`, line 2: it is not UTF-8 text"
        );
    }

    #[test]
    fn pictures_of_a_folder_are_sorted_and_others_left_out() {
        let folder = Folder::with(&["b.PNG", "a10.jpg", "a2.jpeg", "list.csv", "png"]);
        std::fs::create_dir(folder.0.path().join("inner")).unwrap();
        let list = List::of_folder(folder.0.path()).unwrap();
        assert_eq!(names(&list), ["a10.jpg", "a2.jpeg", "b.PNG"]);
        assert!(list.labels.is_none());
        let empty = List::of_folder(&folder.0.path().join("inner")).unwrap_err();
        assert!(matches!(empty, Error::Empty { .. }), "{empty}");
        assert!(matches!(List::of_folder(&folder.0.path().join("none")), Err(Error::Read { .. })));
    }

    #[test]
    fn missing_pictures_are_counted_and_the_first_one_named() {
        let folder = Folder::with(&["a.png"]);
        let list = folder.read("a.png 1\ngone.png 2\n. 3\nalso_gone.png 4").unwrap();
        let message = list.check_files().unwrap_err().to_string();
        assert!(message.contains("list.txt`, line 2: picture `"), "{message}");
        assert!(message.contains("gone.png`: cannot be read"), "{message}");
        assert!(message.ends_with("(so are 2 others of 4)"), "{message}");
        assert!(folder.read("a.png 1").unwrap().check_files().is_ok());
        assert!(
            folder.read(". 1").unwrap().check_files().unwrap_err().to_string().contains("no regular file")
        );
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[a-z0-9./ \t\r\n\\-]{0,80}") {
            let folder = Folder::with(&[]);
            if let Ok(list) = folder.read(&text) {
                prop_assert!(list.labels.is_none_or(|labels| labels.len() == list.entries.len()));
            }
        }
    }
}
