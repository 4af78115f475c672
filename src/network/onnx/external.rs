//! Tensors in other files, read within limits.

use super::error::Problem;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Component, Path, PathBuf};

/// Bytes of another file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Region {
    /// The file, inside the model's folder.
    path: PathBuf,
    /// The folder of the model.
    folder: PathBuf,
    /// First byte.
    offset: u64,
    /// Number of bytes.
    length: u64,
}

impl Region {
    /// `length` bytes from `offset` of the file `location`, a path relative to `folder` that stays inside it.
    pub fn new(folder: &Path, location: &str, offset: u64, length: u64) -> Result<Self, Problem> {
        let inside = Path::new(location)
            .components()
            .all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        if location.is_empty() || !inside {
            let expected = "a path relative to the model's folder that does not leave it";
            return Err(Problem::value("external data location", format!("\"{location}\""), expected));
        }
        Ok(Self { path: folder.join(location), folder: folder.to_owned(), offset, length })
    }

    /// Reads the bytes. The file's size is checked first, so that a wrong length allocates nothing.
    pub fn read(&self) -> Result<Vec<u8>, Problem> {
        let failed = |source| Problem::ExternalFile { path: self.path.clone(), source };
        let path = self.path.canonicalize().map_err(failed)?;
        if !path.starts_with(self.folder.canonicalize().map_err(failed)?) {
            let expected = "a file inside the model's folder";
            return Err(Problem::value("external data location", self.path.display(), expected));
        }
        let found = std::fs::metadata(&path).map_err(failed)?;
        if !found.is_file() {
            return Err(Problem::value("external data location", self.path.display(), "a regular file"));
        }
        let mut file = File::open(&path).map_err(failed)?;
        let size = file.metadata().map_err(failed)?.len();
        if self.offset.checked_add(self.length).is_none_or(|end| end > size) {
            let found = format!("{} bytes from byte {} on", self.length, self.offset);
            let expected = format!("a part of the {size} bytes of {}", self.path.display());
            return Err(Problem::value("external data", found, expected));
        }
        file.seek(SeekFrom::Start(self.offset)).map_err(failed)?;
        let mut bytes = vec![0; self.length as usize];
        file.read_exact(&mut bytes).map_err(failed)?;
        Ok(bytes)
    }
}
