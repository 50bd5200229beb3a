//! The signals that stop a server: Ctrl-C at a terminal, SIGTERM from a supervisor, SIGHUP from a
//! terminal that closes.

/// Installs the handlers at once, and resolves at the first SIGINT, SIGTERM or SIGHUP.
///
/// Call it before the program says that it is ready: a signal that comes without a handler kills
/// the process. If the handlers cannot be installed, which is logged, the future never resolves,
/// and only a kill ends the process. A SIGHUP that is ignored, as under `nohup`, stays ignored.
///
/// # Panics
/// Outside of a tokio runtime.
pub fn shutdown_signal() -> impl Future<Output = ()> + Send + 'static {
    let installed = install();
    async move {
        match installed {
            Ok(stopped) => stopped.await,
            Err(error) => {
                tracing::error!(%error, "cannot listen for signals; only a kill will end this process");
                std::future::pending::<()>().await;
            }
        }
    }
}

/// Makes a write beyond the limit on the size of files (`ulimit -f`) an error that is reported like
/// a full disk, where it would end the process by SIGXFSZ.
///
/// # Errors
/// The handler cannot be installed.
///
/// # Panics
/// Outside of a tokio runtime.
pub fn ignore_file_size_limit() -> std::io::Result<()> {
    // A handler that does nothing is enough, and it stays when its receiver is dropped.
    #[cfg(target_os = "linux")]
    drop(tokio::signal::unix::signal(
        tokio::signal::unix::SignalKind::from_raw(SIGXFSZ),
    )?);
    Ok(())
}

/// The number of the signal on every architecture of Linux but MIPS and PA-RISC.
#[cfg(target_os = "linux")]
const SIGXFSZ: std::ffi::c_int = 25;

#[cfg(not(unix))]
fn install() -> std::io::Result<impl Future<Output = ()> + Send + 'static> {
    Ok(async {
        if let Err(error) = tokio::signal::ctrl_c().await {
            tracing::error!(%error, "cannot listen for Ctrl-C; only a kill will end this process");
            std::future::pending::<()>().await;
        }
    })
}

#[cfg(unix)]
fn install() -> std::io::Result<impl Future<Output = ()> + Send + 'static> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    // Read before a handler is installed, which would change it.
    let mut hangup = match hangup_is_ignored() {
        true => None,
        false => Some(signal(SignalKind::hangup())?),
    };
    Ok(async move {
        let hung_up = async {
            match &mut hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = interrupt.recv() => tracing::info!("stopping on SIGINT"),
            _ = terminate.recv() => tracing::info!("stopping on SIGTERM"),
            _ = hung_up => tracing::info!("stopping on SIGHUP"),
        }
    })
}

/// True when the process was started with SIGHUP ignored; false where that cannot be read.
#[cfg(unix)]
fn hangup_is_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    ignores_hangup(&status).unwrap_or(false)
}

/// Reads the mask of ignored signals in `/proc/self/status`: SIGHUP is signal 1, so its lowest bit.
#[cfg(unix)]
fn ignores_hangup(status: &str) -> Option<bool> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))?;
    let mask = u64::from_str_radix(line.trim(), 16).ok()?;
    Some(mask & 1 == 1)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn the_mask_of_ignored_signals_is_read() {
        let status = |mask: &str| format!("Name:\tx\nSigBlk:\t0\nSigIgn:\t{mask}\nSigCgt:\t0\n");
        assert_eq!(ignores_hangup(&status("0000000000000001")), Some(true));
        assert_eq!(ignores_hangup(&status("0000000000001000")), Some(false));
        assert_eq!(ignores_hangup("Name:\tx\n"), None);
    }
}
