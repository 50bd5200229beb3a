//! Receives the one message of a request: bounded, charged as it arrives, decompressed, and
//! checked before anything is decoded.

use std::{convert::Infallible, io::Read};

use bytes::{BufMut as _, Bytes, BytesMut};
use counterweight_proto::{Contracts, Method, ScanError};
use flate2::bufread::{GzDecoder, ZlibDecoder};
use futures::stream;
use http::HeaderMap;
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use tonic::body::Body;

use crate::{
    budget::{Account, Charge},
    refusal::Refusal,
    room::Room,
};

/// A message begins with a flag that says whether it is compressed, and its length.
const PREFIX_BYTES: usize = 5;
/// How much is decompressed at a time.
const STEP_BYTES: usize = 16 << 10;
/// What a decompressor takes beside its input and output.
const DECOMPRESSOR_BYTES: usize = 64 << 10;
const ENCODING: &str = "grpc-encoding";

/// How the messages of a request may be compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    Identity,
    Gzip,
    Deflate,
}

impl Encoding {
    /// Reads the headers; `None` is an encoding that this server does not know.
    pub(crate) fn from_headers(headers: &HeaderMap) -> Option<Self> {
        match headers.get(ENCODING).map(http::HeaderValue::as_bytes) {
            None | Some(b"identity") => Some(Self::Identity),
            Some(b"gzip") => Some(Self::Gzip),
            Some(b"deflate") => Some(Self::Deflate),
            Some(_) => None,
        }
    }
}

/// What bounds a message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) max_message_bytes: usize,
    pub(crate) max_decoded_bytes: usize,
}

impl Bounds {
    fn too_long(self) -> Refusal {
        Refusal::MessageTooLarge {
            what: "max_message_bytes",
            limit: self.max_message_bytes,
        }
    }
}

/// The bytes of a message and what they are charged.
#[derive(Debug)]
pub(crate) struct Message {
    bytes: Bytes,
    _charge: Charge,
}

impl Message {
    /// Collects the body of a request, which must be one message.
    pub(crate) async fn receive(
        mut body: Body,
        encoding: Encoding,
        bounds: Bounds,
        account: &Account,
    ) -> Result<Self, Refusal> {
        let mut received = Received::new(bounds, account)?;
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| Refusal::BrokenOff)?;
            if let Ok(data) = frame.into_data() {
                received.push(data)?;
            }
        }
        let (message, compressed) = received.finish()?;
        match (compressed, encoding) {
            (false, _) => Ok(message),
            (true, Encoding::Gzip) => {
                inflate(GzDecoder::new(&message.bytes[..]), bounds, account).await
            }
            (true, Encoding::Deflate) => {
                inflate(ZlibDecoder::new(&message.bytes[..]), bounds, account).await
            }
            (true, Encoding::Identity) => Err(Refusal::malformed(
                "it is marked as compressed, but the header grpc-encoding names no compression",
            )),
        }
    }

    /// Checks that the message can be decoded, and charges what that will take. The charge also
    /// covers the buffer that the service copies the message into.
    pub(crate) fn admit(
        &self,
        contracts: &Contracts,
        method: Method,
        bounds: Bounds,
        account: &Account,
    ) -> Result<Charge, Refusal> {
        let limit = bounds.max_decoded_bytes;
        let decoded = contracts
            .decoded_size(method, &self.bytes, limit)
            .map_err(|error| match error {
                ScanError::TooLarge => Refusal::MessageTooLarge {
                    what: "max_decoded_bytes",
                    limit,
                },
                ScanError::Malformed(malformed) => Refusal::from(*malformed),
            })?;
        account
            .try_charge(decoded.saturating_add(self.bytes.len()))
            .ok_or(Refusal::OverMemoryBudget)
    }

    /// The body of an uncompressed request. Its charge ends when the service has read it.
    pub(crate) fn into_body(self, headers: &mut HeaderMap) -> Body {
        headers.remove(ENCODING);
        let mut prefix = BytesMut::with_capacity(PREFIX_BYTES);
        prefix.put_u8(0);
        prefix.put_u32(u32::try_from(self.bytes.len()).unwrap_or(u32::MAX));
        // Two frames: tonic makes room for the length that it reads in the first, and would make
        // room for twice as much if the message had come with it.
        let frames = [prefix.freeze(), Bytes::from_owner(self)];
        let frames = frames.map(|bytes| Ok::<_, Infallible>(Frame::data(bytes)));
        Body::new(StreamBody::new(stream::iter(frames)))
    }
}

impl AsRef<[u8]> for Message {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// What has arrived of a body.
struct Received<'a> {
    account: &'a Account,
    bounds: Bounds,
    bytes: Arrived,
    charge: Charge,
    /// The length of prefix and message, once the prefix is there.
    total: Option<usize>,
}

/// A message that comes in one piece is not copied. Others are gathered, so that many small pieces
/// take no more than they hold.
enum Arrived {
    Piece(Bytes),
    Gathered(Room),
}

impl Arrived {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Piece(bytes) => bytes,
            Self::Gathered(room) => room.as_ref(),
        }
    }
}

impl<'a> Received<'a> {
    fn new(bounds: Bounds, account: &'a Account) -> Result<Self, Refusal> {
        Ok(Self {
            account,
            bounds,
            bytes: Arrived::Piece(Bytes::new()),
            charge: charge(account, 0)?,
            total: None,
        })
    }

    fn push(&mut self, data: Bytes) -> Result<(), Refusal> {
        if self.bytes.bytes().is_empty() {
            self.charge = charge(self.account, data.len())?;
            self.bytes = Arrived::Piece(data);
        } else if !data.is_empty() {
            self.gather(&data)?;
        }
        self.check_length()
    }

    /// Appends a piece. The room doubles as data arrives and never exceeds the announced length,
    /// so that an announcement alone costs nothing.
    fn gather(&mut self, data: &[u8]) -> Result<(), Refusal> {
        let before = self.bytes.bytes();
        let needed = before.len() + data.len();
        let room = match &self.bytes {
            Arrived::Piece(_) => 0,
            Arrived::Gathered(room) => room.capacity(),
        };
        if needed > room {
            let doubled = (2 * before.len()).min(self.total.unwrap_or(usize::MAX));
            let (room, charge) = move_to_larger(before, needed.max(doubled), self.account)?;
            self.bytes = Arrived::Gathered(room);
            self.charge = charge;
        }
        if let Arrived::Gathered(room) = &mut self.bytes {
            room.push(data);
        }
        Ok(())
    }

    fn check_length(&mut self) -> Result<(), Refusal> {
        let bytes = self.bytes.bytes();
        let total = match (self.total, bytes) {
            (Some(total), _) => total,
            (None, &[flag, a, b, c, d, ..]) => {
                if flag > 1 {
                    return Err(Refusal::malformed("its first byte is neither 0 nor 1"));
                }
                let length = usize::try_from(u32::from_be_bytes([a, b, c, d]));
                let length = length.unwrap_or(usize::MAX);
                if length > self.bounds.max_message_bytes {
                    return Err(self.bounds.too_long());
                }
                *self.total.insert(PREFIX_BYTES + length)
            }
            (None, _) => return Ok(()),
        };
        match bytes.len() > total {
            true => Err(Refusal::malformed(
                "something follows it; this method receives one message",
            )),
            false => Ok(()),
        }
    }

    /// The message, and whether it is compressed.
    fn finish(self) -> Result<(Message, bool), Refusal> {
        let bytes = match self.bytes {
            Arrived::Piece(bytes) => bytes,
            Arrived::Gathered(room) => Bytes::from_owner(room),
        };
        let Some(total) = self.total else {
            return Err(Refusal::malformed("the body ends before a message begins"));
        };
        if bytes.len() < total {
            return Err(Refusal::malformed("the body ends within the message"));
        }
        let message = Message {
            bytes: bytes.slice(PREFIX_BYTES..),
            _charge: self.charge,
        };
        Ok((message, bytes[0] == 1))
    }
}

fn charge(account: &Account, bytes: usize) -> Result<Charge, Refusal> {
    account.try_charge(bytes).ok_or(Refusal::OverMemoryBudget)
}

/// Moves what has arrived to a room of `capacity` bytes. The room that it leaves is charged until
/// then.
fn move_to_larger(
    arrived: &[u8],
    capacity: usize,
    account: &Account,
) -> Result<(Room, Charge), Refusal> {
    let charge = charge(account, capacity)?;
    let mut room = Room::new(capacity).map_err(|_| Refusal::OverMemoryBudget)?;
    room.push(arrived);
    Ok((room, charge))
}

/// Decompresses a message. Its room doubles as it grows, and is charged before.
async fn inflate(
    mut compressed: impl Read + Send,
    bounds: Bounds,
    account: &Account,
) -> Result<Message, Refusal> {
    let limit = bounds.max_message_bytes;
    let _decompressor = charge(account, DECOMPRESSOR_BYTES)?;
    let (mut room, mut charged) = move_to_larger(&[], STEP_BYTES, account)?;
    loop {
        let length = room.as_ref().len();
        if length > limit {
            return Err(bounds.too_long());
        }
        if length == room.capacity() {
            // One byte more than allowed shows that there is more.
            let doubled = (2 * length).min(limit + 1);
            (room, charged) = move_to_larger(room.as_ref(), doubled, account)?;
        }
        let free = room.free();
        let step = free.len().min(STEP_BYTES);
        let read = compressed
            .read(&mut free[..step])
            .map_err(|error| Refusal::malformed(&format!("it cannot be decompressed ({error})")))?;
        room.fill(read);
        if read == 0 {
            break;
        }
        // A few kilobytes on the wire may be megabytes: other tasks have their turn meanwhile.
        tokio::task::coop::consume_budget().await;
    }
    Ok(Message {
        bytes: Bytes::from_owner(room),
        _charge: charged,
    })
}
