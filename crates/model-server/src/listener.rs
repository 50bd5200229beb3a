//! Where the server listens: a TCP port, or a Unix socket for a combiner on the same machine.

use std::{
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

use tokio::net::{TcpListener, UnixListener, UnixStream};

use crate::ModelServerError;

/// The bound sockets of a server.
#[derive(Debug)]
pub struct Listeners {
    /// gRPC.
    pub grpc: Listener,
    /// HTTP, for `/metrics` and `/healthz`; none for no such listener.
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
        // The file may have been removed by hand already; there is nobody to tell.
        let _ = std::fs::remove_file(&self.0);
    }
}

impl Listener {
    /// Binds `host:port`, where port 0 takes a free one, or `unix:/path`. A socket file that nobody listens on any more is replaced.
    ///
    /// # Errors
    /// [`ModelServerError::Bind`] with the address: in use, not this machine's, or not an address.
    pub async fn bind(address: &str) -> Result<Self, ModelServerError> {
        let bound = match address.strip_prefix("unix:") {
            Some(path) => bind_unix(Path::new(path)).await,
            None => TcpListener::bind(address).await.map(Self::Tcp),
        };
        bound.map_err(|source| ModelServerError::Bind {
            address: address.to_owned(),
            source,
        })
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

/// Whether `path` is a socket left by a process that is gone. Any other file is left alone.
async fn is_stale(path: &Path) -> bool {
    matches!(UnixStream::connect(path).await, Err(error) if error.kind() == ErrorKind::ConnectionRefused)
        && std::fs::metadata(path)
            .is_ok_and(|file| std::os::unix::fs::FileTypeExt::is_socket(&file.file_type()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_address_in_use_is_named() {
        let first = Listener::bind("127.0.0.1:0").await.unwrap();
        let address = first.address().unwrap();
        let error = Listener::bind(&address).await.unwrap_err().to_string();
        assert!(error.contains(&address), "{error}");
        let error = Listener::bind("nonsense").await.unwrap_err().to_string();
        assert!(error.contains("nonsense"), "{error}");
    }

    #[tokio::test]
    async fn a_socket_file_is_taken_over_only_from_the_dead() {
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
