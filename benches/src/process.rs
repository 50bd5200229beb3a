//! Servers under test: real processes of the release binary, killed when the bench ends.

use std::{
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    process::{Child, ChildStdout, Command, Stdio},
};

use anyhow::{Context as _, Result, bail};

/// A server that ends when this is dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    // Held, so that the server can go on writing to its standard output.
    output: BufReader<ChildStdout>,
}

impl Process {
    /// The id that the system gave it.
    pub fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts a server and waits for the line in which it prints its address.
///
/// # Errors
/// It can not be started, or ends before it has printed an address.
pub fn spawn(command: &mut Command) -> Result<(Process, SocketAddr)> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .env("COUNTERWEIGHT_LOG", "warn")
        .spawn()
        .with_context(|| {
            format!(
                "cannot start {:?}; build it with `cargo build --release -p counterweight-cli --no-default-features`",
                command.get_program()
            )
        })?;
    let output = child.stdout.take().context("no standard output")?;
    let mut process = Process {
        child,
        output: BufReader::new(output),
    };
    let mut line = String::new();
    while process.output.read_line(&mut line)? > 0 {
        let words = line.split_whitespace();
        if let Some(address) = words.filter_map(|word| word.parse().ok()).next() {
            return Ok((process, address));
        }
        line.clear();
    }
    bail!("{command:?} ended before it printed its address; its message is above")
}
