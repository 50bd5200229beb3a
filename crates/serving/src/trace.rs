//! W3C trace context, so that a slow feed request can be followed through the combiner into the
//! model that made it slow: ids are read, logged and passed on as
//! <https://www.w3.org/TR/trace-context/> specifies.

use tonic::metadata::{MetadataMap, MetadataValue};

/// The target of every span.
pub(crate) const SPAN_TARGET: &str = "counterweight::spans";
const TRACEPARENT: &str = "traceparent";
const TRACESTATE: &str = "tracestate";
/// The specification requires that 512 characters are passed on; a longer state is dropped whole.
const STATE_MAX_BYTES: usize = 512;
const SAMPLED: u8 = 0x01;
/// The defined flags: sampled, and "the trace id is random". The others must be sent as zero.
const KNOWN_FLAGS: u8 = 0x03;

/// The trace that a request belongs to, and this server's place in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceContext {
    trace_id: [u8; 16],
    span_id: [u8; 8],
    flags: u8,
    state: Option<String>,
}

impl TraceContext {
    /// The caller's context, or a new unsampled trace when the caller sent none or a malformed one.
    #[must_use]
    pub fn from_metadata(metadata: &MetadataMap) -> Self {
        Self::parse(metadata).unwrap_or_else(Self::root)
    }

    /// Reads `traceparent` and `tracestate`; `None` when there is no valid and unambiguous parent.
    #[must_use]
    pub fn parse(metadata: &MetadataMap) -> Option<Self> {
        let mut parents = metadata.get_all(TRACEPARENT).iter();
        let parent = parents.next()?;
        if parents.next().is_some() {
            return None;
        }
        let (trace_id, span_id, flags) = parse_parent(parent.as_bytes())?;
        Some(Self {
            trace_id,
            span_id,
            flags,
            state: state(metadata),
        })
    }

    /// A new trace that starts here; not sampled.
    #[must_use]
    pub fn root() -> Self {
        Self {
            trace_id: random_id(),
            span_id: random_id(),
            flags: 0,
            state: None,
        }
    }

    /// A new span below this one, in the same trace.
    #[must_use]
    pub fn child(&self) -> Self {
        Self {
            span_id: random_id(),
            ..self.clone()
        }
    }

    /// Writes the context into an outgoing call's metadata, replacing what is there.
    pub fn inject(&self, metadata: &mut MetadataMap) {
        let parent = self.traceparent();
        if let Ok(value) = MetadataValue::try_from(&parent[..]) {
            metadata.insert(TRACEPARENT, value);
        }
        match self.state.as_deref().map(MetadataValue::try_from) {
            Some(Ok(value)) => {
                metadata.insert(TRACESTATE, value);
            }
            _ => {
                metadata.remove(TRACESTATE);
            }
        }
    }

    #[cfg(feature = "otlp")]
    pub(crate) fn new(
        trace_id: [u8; 16],
        span_id: [u8; 8],
        flags: u8,
        state: Option<String>,
    ) -> Self {
        Self {
            trace_id,
            span_id,
            flags,
            state,
        }
    }

    #[cfg(feature = "otlp")]
    pub(crate) fn parts(&self) -> ([u8; 16], [u8; 8], u8, Option<&str>) {
        (
            self.trace_id,
            self.span_id,
            self.flags,
            self.state.as_deref(),
        )
    }

    /// The trace id in 32 hexadecimal digits.
    #[must_use]
    pub fn trace_id(&self) -> String {
        let mut digits = [0; 32];
        write_hex(&self.trace_id, &mut digits);
        digits.iter().map(|&digit| char::from(digit)).collect()
    }

    /// True when the caller records this trace.
    #[must_use]
    pub fn sampled(&self) -> bool {
        self.flags & SAMPLED != 0
    }

    fn traceparent(&self) -> [u8; 55] {
        let mut text = [b'-'; 55];
        write_hex(&[0], &mut text[..2]);
        write_hex(&self.trace_id, &mut text[3..35]);
        write_hex(&self.span_id, &mut text[36..52]);
        write_hex(&[self.flags & KNOWN_FLAGS], &mut text[53..]);
        text
    }
}

/// An id that is not all zeros, which the specification calls invalid.
fn random_id<const N: usize>() -> [u8; N] {
    loop {
        let mut id = [0; N];
        rand::fill(&mut id[..]);
        if id != [0; N] {
            return id;
        }
    }
}

/// `version-trace-parent-flags`, all in lower-case hexadecimal; later versions may append fields.
fn parse_parent(text: &[u8]) -> Option<([u8; 16], [u8; 8], u8)> {
    if text.len() < 55 || [2, 35, 52].iter().any(|&at| text[at] != b'-') {
        return None;
    }
    let [version] = parse_hex(&text[..2])?;
    let tail_fits = match version {
        0 => text.len() == 55,
        0xff => false,
        _ => text.len() == 55 || text[55] == b'-',
    };
    let trace_id = parse_hex(&text[3..35])?;
    let span_id = parse_hex(&text[36..52])?;
    let [flags] = parse_hex(&text[53..55])?;
    let ids_valid = trace_id != [0; 16] && span_id != [0; 8];
    (tail_fits && ids_valid).then_some((trace_id, span_id, flags))
}

/// All `tracestate` values as one list; none when empty, too long or not printable ASCII.
fn state(metadata: &MetadataMap) -> Option<String> {
    let mut all = String::new();
    for value in metadata.get_all(TRACESTATE) {
        if !all.is_empty() {
            all.push(',');
        }
        all.push_str(value.to_str().ok()?);
    }
    (!all.is_empty() && all.len() <= STATE_MAX_BYTES).then_some(all)
}

fn write_hex(bytes: &[u8], out: &mut [u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for (pair, &byte) in out.chunks_exact_mut(2).zip(bytes) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
}

fn parse_hex<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    let value = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = value(pair[0])? << 4 | value(pair[1])?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn metadata(parents: &[&str], states: &[&str]) -> MetadataMap {
        let mut map = MetadataMap::new();
        for parent in parents {
            map.append(TRACEPARENT, parent.parse().unwrap());
        }
        for state in states {
            map.append(TRACESTATE, state.parse().unwrap());
        }
        map
    }

    #[test]
    fn a_child_keeps_trace_flags_and_state_and_changes_the_span() {
        let parsed = TraceContext::parse(&metadata(&[PARENT], &["a=1", "b=2"])).unwrap();
        assert_eq!(parsed.trace_id(), "0af7651916cd43dd8448eb211c80319c");
        assert!(parsed.sampled());
        let mut out = metadata(&["stale"], &["stale=1"]);
        let child = parsed.child();
        child.inject(&mut out);
        let text = out.get(TRACEPARENT).unwrap().to_str().unwrap();
        assert!(
            text.starts_with("00-0af7651916cd43dd8448eb211c80319c-") && text.ends_with("-01"),
            "{text}"
        );
        assert_ne!(text, PARENT);
        assert_eq!(out.get(TRACESTATE).unwrap(), "a=1,b=2");
        assert_eq!(TraceContext::parse(&out), Some(child));
    }

    #[test]
    fn malformed_parents_start_a_new_unsampled_trace() {
        for bad in [
            "",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
            "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01more",
            "00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ] {
            let map = metadata(&[bad], &["a=1"]);
            assert_eq!(TraceContext::parse(&map), None, "{bad}");
            let fresh = TraceContext::from_metadata(&map);
            assert!(!fresh.sampled() && fresh.state.is_none());
        }
        assert_eq!(
            TraceContext::parse(&metadata(&[PARENT, PARENT], &[])),
            None,
            "two parents are ambiguous"
        );
    }

    #[test]
    fn a_later_version_is_read_by_its_first_four_fields_and_its_unknown_flags_are_not_sent_on() {
        let later = "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-ff-what-comes";
        let parsed = TraceContext::parse(&metadata(&[later], &[])).unwrap();
        let mut out = MetadataMap::new();
        parsed.inject(&mut out);
        assert_eq!(
            out.get(TRACEPARENT).unwrap(),
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03"
        );
    }

    #[test]
    fn a_state_that_is_too_long_is_dropped_whole() {
        let long = "a=".to_owned() + &"x".repeat(STATE_MAX_BYTES);
        assert_eq!(
            TraceContext::parse(&metadata(&[PARENT], &[&long]))
                .unwrap()
                .state,
            None
        );
    }

    proptest! {
        #[test]
        fn whatever_is_injected_parses_back(
            trace in prop::array::uniform16(1_u8..),
            span in prop::array::uniform8(1_u8..),
            flags in 0_u8..4,
        ) {
            let context = TraceContext { trace_id: trace, span_id: span, flags, state: None };
            let mut map = MetadataMap::new();
            context.inject(&mut map);
            prop_assert_eq!(TraceContext::parse(&map), Some(context));
        }

        #[test]
        fn no_bytes_make_the_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = parse_parent(&bytes);
        }
    }
}
