//! What bounds a server: the settings that both servers share, their defaults, and their effective
//! values in the log and in the metrics.

use std::time::Duration;

use prometheus::Registry;
use rustix::process::{Resource, getrlimit};

use crate::{Register, ServingError, memory};

/// Descriptors that are left for other things than the connections of callers: files, connections
/// to other servers, the listeners, the scrapers of metrics. A quarter where there are few.
const OTHER_DESCRIPTORS: u64 = 192;
/// The least budget that a request of usual size fits into.
const LEAST_BUDGET: usize = 1 << 20;

/// How long a stop may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drain {
    /// How long calls are still accepted after the stop signal while health says NOT_SERVING, so
    /// that load balancers turn away first.
    pub grace: Duration,
    /// How long calls in progress may then take before the server stops without them.
    pub timeout: Duration,
}

/// What bounds a server. Every limit is at least 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of memory that requests and answers may take together. Default: a quarter of the
    /// memory that the process may use.
    pub memory_budget: usize,
    /// The largest request in bytes, after decompression. Default: 64 MiB.
    pub max_message_bytes: usize,
    /// Limited calls in progress. Default: 512.
    pub max_concurrent_requests: usize,
    /// Connections at one time; one more is closed at once. Default: 4096, or fewer when the
    /// process may not open as many descriptors.
    pub max_connections: usize,
    /// Open streams of answers at one time. Default: 1024.
    pub max_streams: usize,
    /// How long a caller may take to send a request, or to begin to speak HTTP/2. Default: 10 s.
    pub read_timeout: Duration,
    /// How long a caller may leave an answer unread. A connection that does is closed. Default:
    /// 30 s.
    pub send_timeout: Duration,
    /// How long a stop may take. Default: no grace, 10 s for calls in progress.
    pub drain: Drain,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_budget: (memory::available() / 4).max(LEAST_BUDGET),
            max_message_bytes: 64 << 20,
            max_concurrent_requests: 512,
            max_connections: 4096,
            max_streams: 1024,
            read_timeout: Duration::from_secs(10),
            send_timeout: Duration::from_secs(30),
            drain: Drain {
                grace: Duration::ZERO,
                timeout: Duration::from_secs(10),
            },
        }
    }
}

impl Limits {
    /// Checks that every limit lies in its range.
    ///
    /// # Errors
    /// [`ServingError::Limit`] names the first that does not.
    pub fn check(&self) -> Result<(), ServingError> {
        let least = |limit, value: usize, least: usize| match value < least {
            true => Err(ServingError::Limit {
                limit,
                problem: format!("is {value}; set at least {least}"),
            }),
            false => Ok(()),
        };
        let positive = |limit, value: Duration| match value.is_zero() {
            true => Err(ServingError::Limit {
                limit,
                problem: "is 0; set a time above 0".to_owned(),
            }),
            false => Ok(()),
        };
        least("memory_budget_bytes", self.memory_budget, LEAST_BUDGET)?;
        least("max_message_bytes", self.max_message_bytes, 1024)?;
        least("max_concurrent_requests", self.max_concurrent_requests, 1)?;
        least("max_connections", self.max_connections, 1)?;
        least("max_streams", self.max_streams, 1)?;
        positive("read_timeout_ms", self.read_timeout)?;
        positive("send_timeout_ms", self.send_timeout)
    }

    /// Memory that one message may take when it is decoded: four times its longest form on the
    /// wire, as far as one connection may hold that much.
    pub(crate) fn max_decoded_bytes(&self) -> usize {
        let share = self.memory_budget / 2;
        self.max_message_bytes.saturating_mul(4).min(share)
    }

    /// What a connection may send before it is read, in bytes. The transport holds it before it can
    /// be charged, so it is a small share of the budget. Thousands of candidates fit into 4 MiB.
    pub(crate) fn window(&self) -> u32 {
        let share = u32::try_from(self.memory_budget / 64).unwrap_or(u32::MAX);
        share.clamp(256 << 10, 4 << 20)
    }

    /// Lowers what the process cannot do.
    pub(crate) fn fit_to_process(&mut self) {
        let descriptors = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        let connections = descriptors - OTHER_DESCRIPTORS.min(descriptors / 4);
        let connections = usize::try_from(connections).unwrap_or(usize::MAX);
        self.max_connections = self.max_connections.min(connections).max(1);
    }

    /// Logs the effective values and shows them as gauges.
    pub(crate) fn publish(&self, registry: &Registry) -> Result<(), ServingError> {
        let gauges = Register(registry).float_gauges(
            "counterweight_limit",
            "The limits in effect, in bytes, seconds or numbers.",
            &["name"],
        )?;
        let bytes = |bytes: usize| bytes as f64;
        for (name, value) in [
            ("memory_budget", bytes(self.memory_budget)),
            ("max_message_bytes", bytes(self.max_message_bytes)),
            ("max_decoded_bytes", bytes(self.max_decoded_bytes())),
            (
                "max_concurrent_requests",
                bytes(self.max_concurrent_requests),
            ),
            ("max_connections", bytes(self.max_connections)),
            ("max_streams", bytes(self.max_streams)),
            ("read_timeout", self.read_timeout.as_secs_f64()),
            ("send_timeout", self.send_timeout.as_secs_f64()),
            ("drain", self.drain.timeout.as_secs_f64()),
        ] {
            gauges.with_label_values(&[name]).set(value);
        }
        tracing::info!(
            memory_budget = self.memory_budget,
            max_message_bytes = self.max_message_bytes,
            max_decoded_bytes = self.max_decoded_bytes(),
            max_concurrent_requests = self.max_concurrent_requests,
            max_connections = self.max_connections,
            max_streams = self.max_streams,
            read_timeout = ?self.read_timeout,
            send_timeout = ?self.send_timeout,
            drain = ?self.drain.timeout,
            "limits"
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_out_of_range_is_named() {
        let defaults = Limits::default();
        defaults.check().unwrap();
        let error = |limits: Limits| limits.check().unwrap_err().to_string();
        let none = error(Limits {
            max_streams: 0,
            ..defaults.clone()
        });
        assert!(
            none.contains("max_streams") && none.contains("at least 1"),
            "{none}"
        );
        let never = error(Limits {
            send_timeout: Duration::ZERO,
            ..defaults
        });
        assert!(never.contains("send_timeout"), "{never}");
    }

    #[test]
    fn a_decoded_message_fits_into_the_share_of_a_connection() {
        let limits = Limits {
            memory_budget: 100 << 20,
            max_message_bytes: 64 << 20,
            ..Limits::default()
        };
        assert_eq!(limits.max_decoded_bytes(), 50 << 20);
        let roomy = Limits {
            memory_budget: 1 << 30,
            ..limits
        };
        assert_eq!(roomy.max_decoded_bytes(), 256 << 20);
    }
}
