//! The one signal that ends a server: Ctrl-C at a terminal, SIGTERM from a supervisor.

/// Resolves at the first SIGINT or SIGTERM.
///
/// The handlers are installed at the first poll. Where they can not be installed, which is logged,
/// the future never resolves and only a kill ends the process.
pub async fn shutdown_signal() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        match (
            signal(SignalKind::interrupt()),
            signal(SignalKind::terminate()),
        ) {
            (Ok(mut interrupt), Ok(mut terminate)) => {
                tokio::select! {
                    _ = interrupt.recv() => tracing::info!("stopping on SIGINT"),
                    _ = terminate.recv() => tracing::info!("stopping on SIGTERM"),
                }
            }
            (Err(error), _) | (_, Err(error)) => {
                tracing::error!(%error, "can not listen for signals; only a kill will end this process");
                std::future::pending::<()>().await;
            }
        }
    }
    #[cfg(not(unix))]
    if let Err(error) = tokio::signal::ctrl_c().await {
        tracing::error!(%error, "can not listen for Ctrl-C; only a kill will end this process");
        std::future::pending::<()>().await;
    }
}
