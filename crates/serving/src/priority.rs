//! The priority of threads whose work can wait.

/// Lets this thread run only when nothing else wants to. On Linux that is the policy SCHED_IDLE: a
/// thread of the lowest nice value may keep one that wakes up waiting for the rest of its time slice,
/// which is longer than a ranking takes. Elsewhere the priority would be that of the whole process,
/// so it is left alone.
pub fn lower_thread_priority() {
    #[cfg(target_os = "linux")]
    {
        use thread_priority::{
            NormalThreadSchedulePolicy::Idle, ThreadPriority, ThreadSchedulePolicy::Normal,
            set_thread_priority_and_policy, thread_native_id,
        };
        let lowered =
            set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, Normal(Idle));
        if let Err(error) = lowered {
            tracing::warn!(%error, "the priority of background work cannot be lowered");
        }
    }
}
