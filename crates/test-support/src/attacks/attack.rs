//! The attacks, one variant for each kind of harm.

use std::{sync::Arc, time::Duration};

use tokio::{task::JoinSet, time::sleep};
use tonic::Code::{
    self, Aborted, DeadlineExceeded, FailedPrecondition, InvalidArgument, NotFound, Ok,
    ResourceExhausted,
};

use super::{
    connection::{Call, Connection, Window},
    control::Control,
    crowd, messages,
    seen::Seen,
    slow::{self, Unfinished},
    unread, whole,
};

/// Cancelled calls a second, over all connections.
const CANCELS: f64 = 1000.0;
/// Calls a second of the overload, over all connections.
const OVERLOAD: f64 = 4000.0;
/// What a caller with little patience waits.
const IMPATIENT: Duration = Duration::from_millis(200);
/// Before a connection that was refused or closed is tried again.
const PAUSE: Duration = Duration::from_millis(10);

/// The server that an attack is sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aim {
    /// The combiner.
    Combiner,
    /// A model server.
    Model,
}

macro_rules! attacks {
    ($($(#[$doc:meta])* $variant:ident $name:literal $aim:ident [$($code:ident),*];)*) => {
        /// A kind of attack.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Attack {
            $($(#[$doc])* $variant,)*
        }

        impl Attack {
            /// All attacks.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The name for tables and for the command line.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The server that it is sent to.
            #[must_use]
            pub const fn aim(self) -> Aim {
                match self { $(Self::$variant => Aim::$aim,)* }
            }

            /// The codes that its calls may be answered with.
            #[must_use]
            pub const fn codes(self) -> &'static [Code] {
                match self { $(Self::$variant => &[$($code),*],)* }
            }
        }
    };
}

attacks! {
    /// Empty sub-messages: two bytes on the wire, hundreds in memory.
    EmptyMessages "empty-messages" Combiner [ResourceExhausted, InvalidArgument];
    /// The same to a model server.
    EmptyTensors "empty-tensors" Model [ResourceExhausted, InvalidArgument, NotFound];
    /// A packed tensor of 160 GB from 4 MB.
    Packed "packed" Combiner [ResourceExhausted, InvalidArgument];
    /// A context feature of 1 MB for each of 100,000 candidates.
    Expanded "expanded" Combiner [ResourceExhausted, InvalidArgument];
    /// 1,000 cancelled calls a second on one connection.
    CancelsOnOne "cancels-on-one" Combiner [Ok, ResourceExhausted];
    /// 1,000 cancelled calls a second over all connections.
    Cancels "cancels" Combiner [Ok, ResourceExhausted];
    /// 1,000 cancelled calls a second to a model server.
    CancelledTensors "cancelled-tensors" Model [Ok, ResourceExhausted];
    /// Calls that consist of headers.
    Headers "headers" Combiner [ResourceExhausted, DeadlineExceeded];
    /// The same to a model server.
    TensorHeaders "tensor-headers" Model [ResourceExhausted, DeadlineExceeded];
    /// Messages that arrive at one byte a second.
    SlowBodies "slow-bodies" Combiner [ResourceExhausted, DeadlineExceeded];
    /// The announcement of 4 GB.
    Promises "promises" Combiner [ResourceExhausted];
    /// The announcement of 60 MB, which the limit allows.
    AllowedPromises "allowed-promises" Combiner [ResourceExhausted, DeadlineExceeded];
    /// Connections that never begin to speak HTTP/2.
    MuteConnections "mute-connections" Combiner [];
    /// Connections that say that they speak HTTP/2 and no more.
    MutePrefaces "mute-prefaces" Combiner [];
    /// Answers that are not read.
    UnreadAnswers "unread-answers" Combiner [Ok, ResourceExhausted, DeadlineExceeded];
    /// Thousands of watchers that do not read, while the weights change.
    Watchers "watchers" Combiner [Ok, ResourceExhausted, Aborted];
    /// Reads of the log that are not read.
    UnreadLogs "unread-logs" Combiner [Ok, ResourceExhausted, FailedPrecondition];
    /// The solution for a page of all of 5,000 candidates.
    Solve "solve" Combiner [
        Ok, ResourceExhausted, DeadlineExceeded, FailedPrecondition, InvalidArgument
    ];
    /// A topic of each of 20,000 candidates in a list of 100,000.
    LongLists "long-lists" Model [Ok, ResourceExhausted, DeadlineExceeded, InvalidArgument];
    /// Names of 2 MB.
    LongNames "long-names" Combiner [InvalidArgument, NotFound, ResourceExhausted];
    /// Ids of 1 MB.
    LongIds "long-ids" Combiner [Ok, InvalidArgument, ResourceExhausted];
    /// A segment's value of 3.9 MB.
    SegmentValues "segment-values" Combiner [InvalidArgument, ResourceExhausted];
    /// Large entries, and pages with as many of them as possible.
    HistoryPages "history-pages" Combiner [Ok, InvalidArgument, ResourceExhausted, Aborted];
    /// Ramps of 10,000 steps.
    Ramps "ramps" Combiner [
        Ok, InvalidArgument, FailedPrecondition, ResourceExhausted, Aborted
    ];
    /// Bytes that are no message.
    Undecodable "undecodable" Combiner [InvalidArgument];
    /// The same to a model server.
    UndecodableTensors "undecodable-tensors" Model [InvalidArgument];
    /// Bytes that are a thousand times as many after decompression.
    GzipBombs "gzip-bombs" Combiner [ResourceExhausted];
    /// Far more calls than can be answered, with deadlines of 200 ms.
    Overload "overload" Combiner [Ok, ResourceExhausted, DeadlineExceeded];
    /// The same to a model server.
    TensorOverload "tensor-overload" Model [Ok, ResourceExhausted, DeadlineExceeded];
    /// More connections than the server may have files.
    ManyConnections "many-connections" Combiner [];
}

impl Attack {
    /// Attacks `host:port` from so many connections until it is stopped. Mute attacks use
    /// some hundred connections for each.
    pub async fn run(self, address: String, connections: usize, control: Control) -> Seen {
        let connections = match self {
            Self::CancelsOnOne => 1,
            _ => connections,
        };
        let plan: Arc<Plan> = Arc::new(self.plan(connections as f64));
        let mut attackers = JoinSet::new();
        for _ in 0..connections {
            let (address, control) = (address.clone(), control.clone());
            attackers.spawn(attacker(Arc::clone(&plan), address, control));
        }
        if self == Self::Watchers {
            let changes = Arc::new(Plan::InTurn(messages::set_weights()));
            attackers.spawn(attacker(changes, address, control));
        }
        let mut seen = Seen::default();
        while let Some(attacker) = attackers.join_next().await {
            seen.add(attacker.unwrap());
        }
        seen
    }

    /// What each of so many connections does.
    fn plan(self, connections: f64) -> Plan {
        use Plan::{Calls, Cancels, InTurn, Mute, Unfinished, Unread};
        let rank = messages::rank_by_model;
        match self {
            Self::EmptyMessages => InTurn(messages::empty_messages()),
            Self::EmptyTensors => InTurn(messages::empty_tensors()),
            Self::Packed => InTurn(messages::packed()),
            Self::Expanded => InTurn(messages::expanded()),
            Self::Cancels | Self::CancelsOnOne => Cancels(rank(), CANCELS / connections),
            Self::CancelledTensors => Cancels(messages::infer_call(), CANCELS / connections),
            Self::Headers => Unfinished(rank(), slow::Unfinished::Headers, 1000),
            Self::TensorHeaders => {
                Unfinished(messages::infer_call(), slow::Unfinished::Headers, 1000)
            }
            Self::SlowBodies => Unfinished(rank(), slow::Unfinished::OneByteASecond, 200),
            Self::Promises => Unfinished(rank(), slow::Unfinished::Promise(u32::MAX), 200),
            Self::AllowedPromises => Unfinished(rank(), slow::Unfinished::Promise(60_000_000), 200),
            Self::MuteConnections => Mute(50, false),
            Self::MutePrefaces => Mute(50, true),
            Self::UnreadAnswers => Unread(messages::long_answer(), 100),
            Self::Watchers => Unread(messages::watch(), 500),
            Self::UnreadLogs => Unread(messages::read_log(), 16),
            Self::Solve => InTurn(messages::solve()),
            Self::LongLists => InTurn(messages::long_lists()),
            Self::LongNames => InTurn(messages::long_names()),
            Self::LongIds => InTurn(messages::long_ids()),
            Self::SegmentValues => InTurn(messages::segment_values()),
            Self::HistoryPages => InTurn(messages::history_pages()),
            Self::Ramps => InTurn(messages::ramps()),
            Self::Undecodable => InTurn(messages::undecodable_requests()),
            Self::UndecodableTensors => InTurn(messages::undecodable_tensors()),
            Self::GzipBombs => InTurn(messages::gzip_bombs()),
            Self::Overload => Calls(rank().within(IMPATIENT), OVERLOAD / connections),
            Self::TensorOverload => Calls(
                messages::infer_call().within(IMPATIENT),
                OVERLOAD / connections,
            ),
            Self::ManyConnections => Mute(300, true),
        }
    }
}

/// What one connection does.
enum Plan {
    /// One call after another.
    InTurn(Vec<Call>),
    /// So many calls a second.
    Calls(Call, f64),
    /// So many cancelled calls a second.
    Cancels(Call, f64),
    /// So many calls that are not finished.
    Unfinished(Call, Unfinished, usize),
    /// So many calls whose answers are not read.
    Unread(Call, usize),
    /// So many connections without a call, with or without the preface.
    Mute(usize, bool),
}

impl Plan {
    /// Attacks over one connection until it ends.
    async fn attack(&self, address: &str, control: &Control, seen: &mut Seen) {
        if let Self::Mute(connections, preface) = *self {
            return crowd::mute(address, connections, preface, control, seen).await;
        }
        let window = match self {
            Self::Unread(..) => Window::Closed,
            _ => Window::Open,
        };
        let Result::Ok(connection) = Connection::with_window(address, control, window).await else {
            seen.closed += 1;
            return;
        };
        match self {
            Self::InTurn(calls) => whole::in_turn(connection, calls, control, seen).await,
            Self::Calls(call, per_second) => {
                whole::open_loop(connection, call, *per_second, control, seen).await;
            }
            Self::Cancels(call, per_second) => {
                whole::cancels(connection, call, *per_second, control, seen).await;
            }
            Self::Unfinished(call, kind, streams) => {
                slow::unfinished(connection, call, *kind, *streams, control, seen).await;
            }
            Self::Unread(call, streams) => {
                unread::unread(connection, call, *streams, control, seen).await;
            }
            Self::Mute(..) => {}
        }
    }
}

/// Attacks over one connection after another until it is stopped.
async fn attacker(plan: Arc<Plan>, address: String, control: Control) -> Seen {
    let mut seen = Seen::default();
    loop {
        let attacking = async {
            plan.attack(&address, &control, &mut seen).await;
            sleep(PAUSE).await;
        };
        tokio::select! {
            () = control.stopped() => return seen,
            () = attacking => {}
        }
    }
}
