//! Bursts as an address trace that `DRAMsim3` reads (`-t FILE`): one request per line, `0xADDRESS READ|WRITE CYCLE`.

use super::Request;
use std::io::{self, Write};

/// Writes `requests`, each with the cycle of the DRAM's clock at which it may be made, in the order in which they are made;
/// returns how many there were. Cycles must not fall from one to the next: the reader takes one line after the other.
///
/// # Errors
/// Those of `writer`; [`io::ErrorKind::InvalidInput`] if a cycle falls.
pub fn write_trace(
    mut writer: impl Write,
    requests: impl IntoIterator<Item = (u64, Request)>,
) -> io::Result<u64> {
    let (mut lines, mut last) = (0, 0);
    for (cycle, Request { address, is_write }) in requests {
        if cycle < last {
            let message = format!("a request at cycle {cycle} comes after one at {last}");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        last = cycle;
        let operation = if is_write { "WRITE" } else { "READ" };
        writeln!(writer, "{address:#x} {operation} {cycle}")?;
        lines += 1;
    }
    writer.flush()?;
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a line as the trace reader does: a hexadecimal number, a word, a decimal number, apart by blanks.
    fn read(line: &str) -> (u64, Request) {
        let parts: Vec<&str> = line.split_whitespace().collect();
        let [address, operation, cycle] = parts[..] else { panic!("{line}") };
        let address = u64::from_str_radix(address.strip_prefix("0x").unwrap(), 16).unwrap();
        (cycle.parse().unwrap(), Request { address, is_write: operation == "WRITE" })
    }

    #[test]
    fn a_trace_reads_back() {
        let requests =
            [(0, 0x0, false), (0, 0x40, true), (17, 0x00de_adbe_efc0, false), (u64::MAX, u64::MAX, true)]
                .map(|(cycle, address, is_write)| (cycle, Request { address, is_write }));
        let mut trace = Vec::new();
        assert_eq!(write_trace(&mut trace, requests).unwrap(), 4);
        let text = String::from_utf8(trace).unwrap();
        assert!(text.starts_with("0x0 READ 0\n0x40 WRITE 0\n") && text.ends_with('\n'));
        assert_eq!(text.lines().map(read).collect::<Vec<_>>(), requests);
    }

    #[test]
    fn falling_cycles_are_refused() {
        let request = Request { address: 0, is_write: false };
        let error = write_trace(Vec::new(), [(5, request), (4, request)]).unwrap_err();
        assert_eq!(error.to_string(), "a request at cycle 4 comes after one at 5");
    }
}
