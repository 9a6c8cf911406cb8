//! HTTP/2 frames as they pass (RFC 9113 §4.1): where each begins and ends, and what those say that flow control is made of.
//! Nothing is decoded and nothing is kept but a frame's header.

const HEAD: usize = 9;
/// An entry of SETTINGS, the longest part of a payload that is looked at.
const LONGEST_ENTRY: usize = 6;

/// The kinds that matter here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Data,
    Headers,
    Reset,
    Settings,
    WindowUpdate,
    Continuation,
    Other,
}

/// A frame's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameHead {
    pub kind: Kind,
    pub length: usize,
    flags: u8,
    /// 0: the connection.
    pub stream: u32,
}

impl FrameHead {
    fn parse(bytes: [u8; HEAD]) -> Self {
        let [l1, l2, l3, kind, flags, s1, s2, s3, s4] = bytes;
        let kind = match kind {
            0 => Kind::Data,
            1 => Kind::Headers,
            3 => Kind::Reset,
            4 => Kind::Settings,
            8 => Kind::WindowUpdate,
            9 => Kind::Continuation,
            _ => Kind::Other,
        };
        let length = u32::from_be_bytes([0, l1, l2, l3]);
        let stream = u32::from_be_bytes([s1 & 0x7f, s2, s3, s4]);
        Self { kind, length: usize::try_from(length).unwrap_or(usize::MAX), flags, stream }
    }

    /// It is the last of its direction of the stream.
    pub const fn ends_stream(&self) -> bool {
        matches!(self.kind, Kind::Data | Kind::Headers) && self.flags & 1 != 0
    }

    /// A header block goes on after it.
    pub const fn opens_block(&self) -> bool {
        matches!(self.kind, Kind::Headers | Kind::Continuation) && self.flags & 4 == 0
    }

    /// It carries something of a request or an answer.
    pub const fn is_useful(&self) -> bool {
        matches!(self.kind, Kind::Headers)
            || (matches!(self.kind, Kind::Data) && (self.length > 0 || self.flags & 1 != 0))
    }

    const fn entry_length(&self) -> Option<usize> {
        match self.kind {
            Kind::Settings => Some(LONGEST_ENTRY),
            Kind::WindowUpdate => Some(4),
            _ => None,
        }
    }
}

/// What the bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A frame begins.
    Begins(FrameHead),
    /// So many bytes of its payload have passed.
    Payload(FrameHead, usize),
    /// The flow-control window of a stream, or of the connection, has grown by so much.
    Window(FrameHead, u32),
    /// New streams have this window from now on, and those that are open have it changed by as much.
    InitialWindow(u32),
    /// It has ended.
    Ends(FrameHead),
}

/// One direction of a connection.
#[derive(Debug, Default)]
pub struct FrameScan {
    head: [u8; HEAD],
    entry: [u8; LONGEST_ENTRY],
    /// Of the header, or of the entry.
    filled: usize,
    frame: Option<FrameHead>,
    left: usize,
    in_block: bool,
}

impl FrameScan {
    /// Whether another frame may begin here.
    pub const fn is_between_frames(&self) -> bool {
        self.frame.is_none() && self.filled == 0 && !self.in_block
    }

    /// The frame that has begun and not ended.
    pub const fn frame(&self) -> Option<FrameHead> {
        self.frame
    }

    /// What comes next in `bytes`, which is moved on. `None`: nothing more can be told of them.
    pub fn next(&mut self, bytes: &mut &[u8]) -> Option<Event> {
        loop {
            let Some(frame) = self.frame else {
                fill(&mut self.head, &mut self.filled, HEAD, bytes);
                if self.filled < HEAD {
                    return None;
                }
                let frame = FrameHead::parse(self.head);
                (self.filled, self.left, self.frame) = (0, frame.length, Some(frame));
                self.in_block = frame.opens_block();
                return Some(Event::Begins(frame));
            };
            if self.left == 0 {
                (self.filled, self.frame) = (0, None);
                return Some(Event::Ends(frame));
            }
            if bytes.is_empty() {
                return None;
            }
            let Some(entry) = frame.entry_length() else {
                let passed = self.left.min(bytes.len());
                *bytes = bytes.get(passed..).unwrap_or_default();
                self.left -= passed;
                return Some(Event::Payload(frame, passed));
            };
            let before = self.filled;
            fill(&mut self.entry, &mut self.filled, entry.min(before + self.left), bytes);
            self.left -= self.filled - before;
            if self.filled == entry {
                self.filled = 0;
                if let Some(event) = self.entry(frame) {
                    return Some(event);
                }
            }
        }
    }

    fn entry(&self, frame: FrameHead) -> Option<Event> {
        /// `SETTINGS_INITIAL_WINDOW_SIZE`.
        const INITIAL_WINDOW: u16 = 4;
        let (number, _) = self.entry.split_first_chunk::<4>()?;
        let (name, setting) = self.entry.split_first_chunk::<2>()?;
        match frame.kind {
            Kind::WindowUpdate => Some(Event::Window(frame, u32::from_be_bytes(*number) & 0x7fff_ffff)),
            Kind::Settings if u16::from_be_bytes(*name) == INITIAL_WINDOW => {
                Some(Event::InitialWindow(u32::from_be_bytes(setting.try_into().ok()?)))
            }
            _ => None,
        }
    }
}

/// Copies what is missing of the first `whole` bytes, as far as it is there.
fn fill(to: &mut [u8], filled: &mut usize, whole: usize, from: &mut &[u8]) {
    let count = whole.saturating_sub(*filled).min(from.len());
    let (now, rest) = from.split_at(count);
    if let Some(place) = to.get_mut(*filled..*filled + count) {
        place.copy_from_slice(now);
    }
    *filled += count;
    *from = rest;
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
        [&[0, 0, u8::try_from(payload.len()).unwrap(), kind, flags, 0, 0, 0, stream], payload].concat()
    }

    fn events(scan: &mut FrameScan, mut bytes: &[u8]) -> Vec<Event> {
        std::iter::from_fn(|| scan.next(&mut bytes)).collect()
    }

    #[test]
    fn what_flow_control_is_made_of_is_read_from_the_frames() {
        let mut scan = FrameScan::default();
        let bytes = [
            frame(4, 0, 0, &[0, 3, 0, 0, 0, 9, 0, 4, 0, 1, 0, 0]),
            frame(8, 0, 3, &[0x80, 0, 1, 2]),
            frame(0, 1, 3, b"hello"),
        ];
        let events = events(&mut scan, &bytes.concat());
        assert!(events.contains(&Event::InitialWindow(0x1_0000)));
        assert!(events.iter().any(|event| matches!(event, Event::Window(frame, 0x102) if frame.stream == 3)));
        assert!(events.iter().any(|event| matches!(event, Event::Payload(frame, 5) if frame.ends_stream())));
        assert!(scan.is_between_frames());
    }

    #[test]
    fn no_frame_may_begin_inside_a_header_block() {
        let mut scan = FrameScan::default();
        events(&mut scan, &frame(1, 0, 1, b"ab"));
        assert!(!scan.is_between_frames() && scan.frame().is_none());
        events(&mut scan, &frame(9, 4, 1, b"c"));
        assert!(scan.is_between_frames());
    }

    proptest! {
        #[test]
        fn any_split_of_the_bytes_tells_the_same(
            frames in prop::collection::vec((0_u8..11, any::<u8>(), 0_u8..9, prop::collection::vec(any::<u8>(), 0..20)), 0..6),
            cut in 0_usize..200,
        ) {
            let bytes: Vec<u8> = frames.iter().flat_map(|(kind, flags, stream, payload)| frame(*kind, *flags, *stream, payload)).collect();
            let told = |events: Vec<Event>| {
                let payload: usize = events.iter().map(|event| if let Event::Payload(_, bytes) = event { *bytes } else { 0 }).sum();
                let rest: Vec<_> = events.into_iter().filter(|event| !matches!(event, Event::Payload(..))).collect();
                (payload, rest)
            };
            let whole = told(events(&mut FrameScan::default(), &bytes));
            let (first, second) = bytes.split_at(cut.min(bytes.len()));
            let mut scan = FrameScan::default();
            let mut parts = events(&mut scan, first);
            parts.extend(events(&mut scan, second));
            prop_assert_eq!(whole, told(parts));
            prop_assert!(scan.frame().is_none());
        }
    }
}
