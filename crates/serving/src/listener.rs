//! Where a server listens: a TCP port, or a Unix socket for clients on the same machine.

use std::{
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

use tokio::net::{TcpListener, UnixListener, UnixStream};

use crate::ServingError;

/// The bound sockets of a server.
#[derive(Debug)]
pub struct Listeners {
    /// The gRPC socket.
    pub grpc: Listener,
    /// The HTTP socket of `/metrics` and `/healthz`; `None` serves neither.
    pub metrics: Option<TcpListener>,
}

/// One bound gRPC socket.
#[derive(Debug)]
pub enum Listener {
    /// A TCP port.
    Tcp(TcpListener),
    /// A Unix socket; its file is removed when the server has stopped.
    Unix(UnixListener, SocketFile),
}

/// The file of a Unix socket, removed when dropped.
#[derive(Debug)]
pub struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Somebody may have removed the file already; there is nobody to report that to.
        let _ = std::fs::remove_file(&self.0);
    }
}

impl Listener {
    /// Binds `host:port`, where port 0 picks a free one, or `unix:/path`.
    ///
    /// A socket file whose process has ended is replaced.
    ///
    /// # Errors
    /// [`ServingError::Bind`]: the address is in use, is not an address, or belongs to another
    /// machine.
    pub async fn bind(address: &str) -> Result<Self, ServingError> {
        match address.strip_prefix("unix:") {
            None => bind_tcp(address).await.map(Self::Tcp),
            Some(path) => bind_unix(Path::new(path))
                .await
                .map_err(|source| bind_error(address, source)),
        }
    }

    /// The address as a client names it: `host:port` or `unix:/path`.
    ///
    /// # Errors
    /// The socket has no local address.
    pub fn address(&self) -> io::Result<String> {
        match self {
            Self::Tcp(listener) => Ok(listener.local_addr()?.to_string()),
            Self::Unix(_, SocketFile(path)) => Ok(format!("unix:{}", path.display())),
        }
    }
}

/// Binds `host:port`; a host name is resolved, and port 0 picks a free port.
///
/// # Errors
/// [`ServingError::Bind`], as [`Listener::bind`].
pub async fn bind_tcp(address: &str) -> Result<TcpListener, ServingError> {
    TcpListener::bind(address)
        .await
        .map_err(|source| bind_error(address, source))
}

fn bind_error(address: &str, source: io::Error) -> ServingError {
    ServingError::Bind {
        address: address.to_owned(),
        source,
    }
}

async fn bind_unix(path: &Path) -> io::Result<Listener> {
    let listener = match UnixListener::bind(path) {
        Err(error) if error.kind() == ErrorKind::AddrInUse && is_stale(path).await => {
            std::fs::remove_file(path)?;
            UnixListener::bind(path)?
        }
        bound => bound?,
    };
    Ok(Listener::Unix(listener, SocketFile(path.to_owned())))
}

/// True when `path` is a socket whose process has ended. Any other file is left alone.
async fn is_stale(path: &Path) -> bool {
    let connected = UnixStream::connect(path).await;
    connected.is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
        && std::fs::metadata(path)
            .is_ok_and(|file| std::os::unix::fs::FileTypeExt::is_socket(&file.file_type()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_error_names_the_address() {
        let first = Listener::bind("127.0.0.1:0").await.unwrap();
        let address = first.address().unwrap();
        let error = Listener::bind(&address).await.unwrap_err().to_string();
        assert!(error.contains(&address), "{error}");
        let error = Listener::bind("nonsense").await.unwrap_err().to_string();
        assert!(error.contains("nonsense"), "{error}");
    }

    #[tokio::test]
    async fn a_host_name_is_resolved() {
        let listener = Listener::bind("localhost:0").await.unwrap();
        let address: std::net::SocketAddr = listener.address().unwrap().parse().unwrap();
        assert!(address.ip().is_loopback());
    }

    #[tokio::test]
    async fn a_socket_file_is_replaced_only_after_its_process_has_ended() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.sock");
        let address = format!("unix:{}", path.display());
        let live = Listener::bind(&address).await.unwrap();
        assert!(Listener::bind(&address).await.is_err());
        drop(live);
        assert!(!path.exists());
        drop(UnixListener::bind(&path).unwrap()); // leaves its file
        assert!(path.exists());
        Listener::bind(&address).await.unwrap();
        std::fs::write(folder.path().join("notes"), "keep").unwrap();
        let error = Listener::bind(&format!("unix:{}/notes", folder.path().display())).await;
        assert!(error.is_err());
        assert_eq!(
            std::fs::read_to_string(folder.path().join("notes")).unwrap(),
            "keep"
        );
    }
}
