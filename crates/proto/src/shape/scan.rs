//! Reads a message once, as prost will: what prost would refuse is refused here, with the field
//! named, and the memory that prost will need is added up.

use std::{fmt, str};

use super::{Contracts, Field, Kind, MessageShape, Method};

/// prost's limit on messages within messages.
const MAX_DEPTH: u32 = 100;
/// What an allocator adds to a small allocation.
const ALLOCATION: usize = 16;
/// What slices of the buffer share, beside the buffer.
const SHARED_BUFFER: usize = 64;

/// Why a message should not be decoded.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScanError {
    /// It would take more memory than allowed.
    #[error("the message would take more memory than the limit when it is decoded")]
    TooLarge,
    /// It cannot be decoded.
    #[error(transparent)]
    Malformed(Box<Malformed>),
}

/// A message that cannot be decoded.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub struct Malformed {
    /// The names of the fields from the innermost to the outermost.
    fields: Vec<Box<str>>,
    problem: &'static str,
}

impl Malformed {
    /// The path of the field, such as `inputs.shape`; empty when it lies at the top or is unknown.
    #[must_use]
    pub fn field(&self) -> String {
        let outermost_first: Vec<&str> = self.fields.iter().rev().map(|name| &**name).collect();
        outermost_first.join(".")
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.fields.is_empty() {
            true => write!(formatter, "the message {}", self.problem),
            false => write!(formatter, "field {:?} {}", self.field(), self.problem),
        }
    }
}

type Scanned<T = ()> = Result<T, ScanError>;

#[cold]
fn malformed<T>(problem: &'static str) -> Scanned<T> {
    Err(ScanError::Malformed(Box::new(Malformed {
        fields: Vec::new(),
        problem,
    })))
}

impl ScanError {
    #[cold]
    fn within(mut self, field: &Field) -> Self {
        if let Self::Malformed(malformed) = &mut self {
            malformed.fields.push(field.name.clone());
        }
        self
    }
}

impl Contracts {
    /// Checks that the message which a method receives can be decoded, and returns an upper bound
    /// of the memory in bytes that decoding takes at any moment, beside `bytes` itself. Fields of
    /// type `bytes` are slices of it.
    ///
    /// # Errors
    /// The message is malformed, or the bound is above `limit`.
    pub fn decoded_size(&self, method: Method, bytes: &[u8], limit: usize) -> Scanned<usize> {
        let mut scan = Scan {
            messages: &self.messages,
            size: 0,
            limit,
        };
        scan.charge(self.messages[method.input].size + SHARED_BUFFER)?;
        scan.message(method.input, bytes, MAX_DEPTH)?;
        Ok(scan.size)
    }
}

struct Scan<'a> {
    messages: &'a [MessageShape],
    size: usize,
    limit: usize,
}

impl Scan<'_> {
    #[inline]
    fn charge(&mut self, bytes: usize) -> Scanned {
        self.size = self.size.saturating_add(bytes);
        match self.size <= self.limit {
            true => Ok(()),
            false => Err(ScanError::TooLarge),
        }
    }

    fn message(&mut self, position: usize, mut bytes: &[u8], depth: u32) -> Scanned {
        let messages = self.messages;
        let shape = &messages[position];
        // One bit for each field that has occurred in this message. Numbers above 63 have no bit,
        // so that each of their elements counts as a first one.
        let mut seen = 0_u64;
        while !bytes.is_empty() {
            let (number, wire) = key(&mut bytes)?;
            let field = usize::try_from(number)
                .ok()
                .and_then(|number| shape.fields.get(number))
                .filter(|field| field.kind != Kind::Unknown);
            let Some(field) = field else {
                skip(number, wire, &mut bytes, depth)?;
                continue;
            };
            let bit = 1_u64.checked_shl(number).unwrap_or(0);
            let first = seen & bit == 0;
            seen |= bit;
            self.field(field, first, wire, &mut bytes, depth)
                .map_err(|error| error.within(field))?;
        }
        Ok(())
    }

    #[inline]
    fn field(
        &mut self,
        field: &Field,
        first: bool,
        wire: u32,
        bytes: &mut &[u8],
        depth: u32,
    ) -> Scanned {
        if wire == DELIMITED {
            let Some(content) = delimited(bytes) else {
                return malformed(TOO_LONG);
            };
            return self.delimited_field(field, first, content, depth);
        }
        let read = match (field.kind, wire) {
            (Kind::Varint, VARINT) => varint(bytes).map(drop),
            (Kind::Fixed32, FIXED32) => take(bytes, 4).map(drop),
            (Kind::Fixed64, FIXED64) => take(bytes, 8).map(drop),
            _ => return malformed(WRONG_TYPE),
        };
        match read {
            Some(()) => self.charge(field.room(first, 1)),
            None => malformed(TOO_LONG),
        }
    }

    #[inline]
    fn delimited_field(
        &mut self,
        field: &Field,
        first: bool,
        content: &[u8],
        depth: u32,
    ) -> Scanned {
        match field.kind {
            Kind::String => {
                if !content.is_ascii() && str::from_utf8(content).is_err() {
                    return malformed("is not valid UTF-8");
                }
                // A field that occurs again is read into the same string, whose room may double.
                let copies = if field.repeated { 1 } else { 3 };
                self.charge(field.room(first, 1) + copies * content.len() + ALLOCATION)
            }
            Kind::Bytes => self.charge(field.room(first, 1)),
            Kind::Message(inner) | Kind::Map(inner) => {
                self.charge(field.room(first, 1))?;
                self.message(inner, content, deeper(depth)?)
            }
            Kind::Varint | Kind::Fixed32 | Kind::Fixed64 if field.repeated => {
                match packed(field.kind, content) {
                    Some(count) => self.charge(field.room(first, count)),
                    None => malformed("ends within a number"),
                }
            }
            _ => malformed(WRONG_TYPE),
        }
    }
}

impl Field {
    /// The room of a vector for so many further elements.
    #[inline]
    fn room(&self, first: bool, count: usize) -> usize {
        let extra = if first && count > 0 { self.first } else { 0 };
        self.element.saturating_mul(count).saturating_add(extra)
    }
}

const VARINT: u32 = 0;
const FIXED64: u32 = 1;
const DELIMITED: u32 = 2;
const START_GROUP: u32 = 3;
const END_GROUP: u32 = 4;
const FIXED32: u32 = 5;

const TOO_LONG: &str = "is longer than the message";
const WRONG_TYPE: &str = "has the wire type of another type: compare the caller's contract";

fn deeper(depth: u32) -> Scanned<u32> {
    match depth.checked_sub(1) {
        Some(depth) => Ok(depth),
        None => malformed("is nested too deeply"),
    }
}

/// The number of elements in a packed field.
fn packed(kind: Kind, mut content: &[u8]) -> Option<usize> {
    let width = match kind {
        Kind::Fixed32 => 4,
        Kind::Fixed64 => 8,
        _ => {
            let mut count = 0;
            while !content.is_empty() {
                varint(&mut content)?;
                count += 1;
            }
            return Some(count);
        }
    };
    content
        .len()
        .is_multiple_of(width)
        .then_some(content.len() / width)
}

/// The number and the wire type of the next field.
#[inline]
fn key(bytes: &mut &[u8]) -> Scanned<(u32, u32)> {
    let Some(key) = varint(bytes) else {
        return malformed("has a field whose number does not end");
    };
    let Ok(key) = u32::try_from(key) else {
        return malformed("has a field number that is too large");
    };
    match (key >> 3, key & 7) {
        (0, _) => malformed("has a field of number 0"),
        (_, 6 | 7) => malformed("has a field whose wire type does not exist"),
        key => Ok(key),
    }
}

/// Skips the content of an unknown field.
fn skip(number: u32, wire: u32, bytes: &mut &[u8], depth: u32) -> Scanned {
    // prost counts the depth of every unknown field, whatever its type.
    let within = deeper(depth)?;
    let skipped = match wire {
        VARINT => varint(bytes).map(drop),
        FIXED64 => take(bytes, 8).map(drop),
        DELIMITED => delimited(bytes).map(drop),
        FIXED32 => take(bytes, 4).map(drop),
        START_GROUP => loop {
            match key(bytes)? {
                (end, END_GROUP) if end == number => return Ok(()),
                (_, END_GROUP) => return malformed("has a group that ends as another one"),
                (inner, wire) => skip(inner, wire, bytes, within)?,
            }
        },
        _ => return malformed("has the end of a group that did not begin"),
    };
    match skipped {
        Some(()) => Ok(()),
        None => malformed("has an unknown field that is longer than the message"),
    }
}

#[inline]
fn delimited<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(varint(bytes)?).ok()?;
    take(bytes, length)
}

#[inline]
fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(taken)
}

#[inline]
fn varint(bytes: &mut &[u8]) -> Option<u64> {
    match *bytes {
        [byte @ 0..0x80, rest @ ..] => {
            *bytes = rest;
            Some(u64::from(*byte))
        }
        _ => long_varint(bytes),
    }
}

fn long_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for (at, &byte) in bytes.iter().take(10).enumerate() {
        // The tenth byte has room for the highest bit alone.
        if at == 9 && byte > 1 {
            return None;
        }
        value |= u64::from(byte & 0x7f) << (7 * at);
        if byte < 0x80 {
            *bytes = &bytes[at + 1..];
            return Some(value);
        }
    }
    None
}
