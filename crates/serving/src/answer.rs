//! The body of an answer: charged until it is sent, and in progress until its last byte has been
//! handed over.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::sync::OwnedSemaphorePermit;
use tonic::{Status, body::Body};

use crate::{lifecycle::InProgress, peer::Peer};

/// An answer on its way to the transport.
pub(crate) struct Answer {
    pub(crate) body: Body,
    pub(crate) peer: Peer,
    /// Health is answered to the last, and a stop waits for none of its watchers.
    pub(crate) _in_progress: Option<InProgress>,
    /// The place of a stream among the streams that are allowed.
    pub(crate) _stream: Option<OwnedSemaphorePermit>,
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        polled.map(|frame| {
            frame.map(|frame| Ok(frame?.map_data(|bytes| self.peer.charge_answer(bytes))))
        })
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
