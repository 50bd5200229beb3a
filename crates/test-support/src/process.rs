//! A server as a process of its own: its address, its memory, its end.

use std::{
    fs,
    io::{self, BufRead as _, BufReader},
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

/// A running server. It is killed when this is dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    address: String,
    // Kept, so that the server can go on writing to its standard output.
    _output: BufReader<ChildStdout>,
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Resident memory of a process in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// Now.
    pub now: u64,
    /// The most since the process began.
    pub peak: u64,
}

impl Process {
    /// Starts a server and waits for the line in which it prints its address.
    ///
    /// # Errors
    /// It cannot be started, or ends before it has printed its address.
    pub fn start(command: &mut Command) -> io::Result<Self> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        while output.read_line(&mut line)? > 0 {
            let last = line.split_whitespace().next_back().unwrap_or_default();
            if last.parse::<std::net::SocketAddr>().is_ok() {
                return Ok(Self {
                    address: last.to_owned(),
                    child,
                    _output: output,
                });
            }
            line.clear();
        }
        let status = child.wait()?;
        Err(io::Error::other(format!(
            "{command:?} ended with {status} before it printed its address"
        )))
    }

    /// `host:port` of its gRPC services.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Its memory; `None` when it has ended or the system does not say.
    #[must_use]
    pub fn memory(&self) -> Option<Memory> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let kilobytes = |key: &str| -> Option<u64> {
            let line = status.lines().find_map(|line| line.strip_prefix(key))?;
            line.split_whitespace().next()?.parse().ok()
        };
        Some(Memory {
            now: 1024 * kilobytes("VmRSS:")?,
            peak: 1024 * kilobytes("VmHWM:")?,
        })
    }

    /// True while it runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Asks it to stop, as `kill` does.
    pub fn terminate(&self) {
        // It may have ended already.
        let _ = Command::new("kill")
            .arg(self.child.id().to_string())
            .status();
    }

    /// Waits until it has ended; `None` when it has not within `limit`.
    pub fn ended(&mut self, limit: Duration) -> Option<ExitStatus> {
        let begun = Instant::now();
        while begun.elapsed() < limit {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Some(status);
            }
            sleep(Duration::from_millis(10));
        }
        None
    }
}
