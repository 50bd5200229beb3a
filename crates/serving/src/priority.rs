//! The priority of threads whose work can wait.

/// The lowest priority of Linux: the thread runs when nothing else wants to.
#[cfg(target_os = "linux")]
const LOWEST: i32 = 19;

/// Lowers the priority of this thread. Only on Linux is the priority that of a thread; elsewhere it
/// would be that of the whole process, so it is left alone.
pub fn lower_thread_priority() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, LOWEST) {
        tracing::warn!(%error, "the priority of background work cannot be lowered");
    }
}
