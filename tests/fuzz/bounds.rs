//! What every reader must keep to, whatever it reads: no panic, memory in proportion to the input, an end.

use cap::Cap;
use std::alloc::System;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Beyond its limit it yields no memory: the process aborts with the size that was asked for, and the input stays on disk.
#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

/// What a call may allocate however small its input, and per byte of it.
const CONSTANT_BYTES: usize = 64 << 20;
const BYTES_PER_BYTE: usize = 64;

/// Longest time that a call may take.
const LONGEST: Duration = Duration::from_secs(10);

/// The limit counts for the whole process: one call at a time.
static TURN: Mutex<()> = Mutex::new(());

struct Limit<'a> {
    _turn: MutexGuard<'a, ()>,
}

impl Limit<'_> {
    fn new(bytes: usize) -> Self {
        let limit = Self { _turn: TURN.lock().unwrap_or_else(PoisonError::into_inner) };
        ALLOCATOR.set_limit(ALLOCATOR.allocated() + bytes).expect("more than is allocated");
        limit
    }
}

impl Drop for Limit<'_> {
    fn drop(&mut self) {
        ALLOCATOR.set_limit(usize::MAX).expect("more than is allocated");
    }
}

/// The file that a target's inputs are written to. It stays where a check fails or the process aborts.
pub struct Input {
    path: PathBuf,
    calls: AtomicU64,
    accepted: AtomicU64,
    longest_us: AtomicU64,
}

impl Input {
    /// The file `name`, whose extension tells the kind.
    pub fn new(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fuzz");
        fs::create_dir_all(&folder).expect("the build folder can be written");
        let path = folder.join(format!("{}-{name}", std::process::id()));
        Self { path, calls: 0.into(), accepted: 0.into(), longest_us: 0.into() }
    }

    /// Replaces the file's content. Some file systems wait for the disk where a file is cut to nothing first.
    fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create(true).truncate(false).open(&self.path)?;
        file.write_all(bytes)?;
        file.set_len(bytes.len() as u64)
    }

    /// Lets `read` read the file with the content `bytes` and say whether it was accepted. Beside what every input may take
    /// it may allocate `extra` bytes.
    pub fn check_with(&self, bytes: &[u8], extra: usize, read: impl Fn(&Path) -> bool) {
        self.write(bytes).expect("the build folder can be written");
        let limit = Limit::new(CONSTANT_BYTES + BYTES_PER_BYTE * bytes.len() + extra);
        let timed = || {
            let start = Instant::now();
            (read(&self.path), start.elapsed())
        };
        let (is_accepted, mut elapsed) = timed();
        if elapsed > LONGEST {
            // A process that others hold up is slow once.
            elapsed = timed().1;
        }
        drop(limit);
        assert!(elapsed < LONGEST, "{elapsed:?} for {} bytes", bytes.len());
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.accepted.fetch_add(is_accepted.into(), Ordering::Relaxed);
        self.longest_us.fetch_max(elapsed.as_micros() as u64, Ordering::Relaxed);
    }

    /// [`Self::check_with`] without extra memory.
    pub fn check(&self, bytes: &[u8], read: impl Fn(&Path) -> bool) {
        self.check_with(bytes, 0, read);
    }
}

impl Drop for Input {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let name = self.path.file_name().unwrap_or_default().display();
        let [calls, accepted, longest] =
            [&self.calls, &self.accepted, &self.longest_us].map(|number| number.load(Ordering::Relaxed));
        println!("{name}: {calls} files, {accepted} accepted, {longest} us for the slowest");
        // What cannot be removed goes with the build folder.
        let _ = fs::remove_file(&self.path);
    }
}
