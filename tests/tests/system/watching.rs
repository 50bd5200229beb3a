//! `weights watch` over a link that breaks: nothing is missed, and what happened is said.

use std::{
    io::{BufRead as _, BufReader, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    process::{Child, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, channel},
    },
    thread::spawn,
    time::Duration,
};

use serde_json::Value;

use crate::{
    steering::CONFIG,
    support::{Server, combiner, counterweight, json},
};

/// Longer than anything here takes; only a failure waits for it.
const LONG: Duration = Duration::from_secs(60);

/// A proxy whose connections can go silent: they stay open, and nothing passes any more.
#[derive(Clone)]
struct Proxy {
    address: SocketAddr,
    upstream: Arc<Mutex<String>>,
    /// Connections are numbered; those below this one are silent.
    first_alive: Arc<AtomicU64>,
    connections: Arc<AtomicU64>,
}

impl Proxy {
    fn start(upstream: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = Self {
            address: listener.local_addr().unwrap(),
            upstream: Arc::new(Mutex::new(upstream.to_owned())),
            first_alive: Arc::default(),
            connections: Arc::default(),
        };
        let accepting = proxy.clone();
        spawn(move || {
            for down in listener.incoming() {
                accepting.connect(down.unwrap());
            }
        });
        proxy
    }

    fn connect(&self, down: TcpStream) {
        let number = self.connections.fetch_add(1, Ordering::SeqCst);
        let upstream = self.upstream.lock().unwrap().clone();
        let Ok(up) = TcpStream::connect(upstream) else {
            return; // The server is down, and so the connection is closed.
        };
        let ends = [
            (down.try_clone().unwrap(), up.try_clone().unwrap()),
            (up, down),
        ];
        for (from, to) in ends {
            let proxy = self.clone();
            spawn(move || proxy.copy(number, from, to));
        }
    }

    fn copy(&self, number: u64, mut from: TcpStream, mut to: TcpStream) {
        let mut buffer = [0; 4096];
        while let Ok(read @ 1..) = from.read(&mut buffer) {
            let silent = number < self.first_alive.load(Ordering::SeqCst);
            if !silent && to.write_all(&buffer[..read]).is_err() {
                break;
            }
        }
        // Either may be closed already.
        let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
    }

    fn silence(&self) {
        let next = self.connections.load(Ordering::SeqCst);
        self.first_alive.store(next, Ordering::SeqCst);
    }
}

/// The lines of a stream as they come.
fn lines(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    spawn(move || {
        for line in BufReader::new(stream).lines() {
            // Who reads no more has seen enough.
            let _ = sender.send(line.unwrap());
        }
    });
    receiver
}

/// A watching command, stopped when the test ends.
struct Watching {
    child: Child,
    printed: Receiver<String>,
    said: Receiver<String>,
}

impl Watching {
    fn start(address: SocketAddr) -> Self {
        let mut child = counterweight()
            .args(["--json", "weights", "watch", "--from", "1", "--count", "3"])
            .args(["--timeout", "1", "--address", &address.to_string()])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            printed: lines(child.stdout.take().unwrap()),
            said: lines(child.stderr.take().unwrap()),
            child,
        }
    }

    fn revision(&self) -> Value {
        let line = self.printed.recv_timeout(LONG).unwrap();
        serde_json::from_str::<Value>(&line).unwrap()["revision"].clone()
    }

    fn wait_for_note(&self, wanted: &str) {
        while !self.said.recv_timeout(LONG).unwrap().contains(wanted) {}
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn set(address: &str, beta: &str) -> Value {
    json(["weights", "set", beta, "--address", address])["revision"].clone()
}

#[test]
fn a_watch_goes_on_after_a_dead_link_and_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (mut server, address): (Server, String) = combiner(folder.path(), CONFIG);
    let proxy = Proxy::start(&address);
    let mut watching = Watching::start(proxy.address);
    assert_eq!(set(&address, "β=-1.1"), 1);
    assert_eq!(watching.revision(), 1);

    // Nothing is closed: only the missing sign of life shows that the link is dead.
    proxy.silence();
    assert_eq!(set(&address, "β=-1.2"), 2);
    watching.wait_for_note("reconnecting to continue with revision 2");
    assert_eq!(watching.revision(), 2);

    server.kill();
    watching.wait_for_note("reconnecting to continue with revision 3");
    let (_server, address) = combiner(folder.path(), CONFIG);
    *proxy.upstream.lock().unwrap() = address.clone();
    assert_eq!(set(&address, "β=-1.3"), 3);
    watching.wait_for_note("reconnected");
    assert_eq!(watching.revision(), 3);
    assert!(watching.child.wait().unwrap().success());
}
