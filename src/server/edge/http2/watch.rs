//! Watches the frames of an HTTP/2 connection go by, and says when a client floods, or keeps a frame, a stream or the
//! connection waiting. `h2` bounds what it must remember; how long it remembers, and how much work it does for nothing, it
//! does not.
//!
//! A stream is judged by itself: a client owes the rest of a body as long as we have given it room to send it (a window
//! that is open), and owes us room as long as an answer has begun, has not ended, and its window is shut.

use std::{
    collections::HashMap,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{BufMut, BytesMut};
use tokio::time::{Instant, Sleep, sleep_until};

use super::{
    allowance::{Allowance, Flood},
    frames::{Event, FrameHead, FrameScan, Kind},
    stream::Stream,
};
use crate::server::edge::pace::Minimum;

/// A window's size until somebody says otherwise (RFC 9113 §6.9.2), which we leave so for streams.
pub const FIRST_WINDOW: u32 = 65_535;
/// More streams than this at once, of the hundred that we allow: `h2` refuses them, but may not have done so yet.
const MOST_STREAMS: usize = 1000;
/// A deadline that has passed may not be acted upon at once, if the connection is busy with something else.
const LEAST_SLEEP: Duration = Duration::from_millis(5);
/// Thrice the largest increment makes any window overflow, one that is shut too.
const INCREMENTS: usize = 3;

/// How long a client may keep us waiting.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// For the first request, and for the rest of a frame or header block.
    pub head: Duration,
    /// For request bodies.
    pub receiving: Minimum,
    /// For answers to be taken.
    pub sending: Minimum,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judgement {
    /// The connection ends, for this reason; `None`: nobody has asked for anything.
    Cut(Option<&'static str>),
    /// A stream ends, for this reason: [`Watch::orders`] has what ends it.
    Reset(&'static str),
}

/// One connection.
#[derive(Debug)]
pub struct Watch {
    patience: Patience,
    from_client: FrameScan,
    to_client: FrameScan,
    streams: HashMap<u32, Stream>,
    receive_window: i64,
    send_window: i64,
    /// That of a new stream, as the client says.
    first_send_window: u32,
    allowance: Allowance,
    begun: Instant,
    latest: u32,
    unfinished_since: Option<Instant>,
    orders: BytesMut,
    timer: Option<Pin<Box<Sleep>>>,
    /// The timer may be set to a moment that is too late. One that is too early only costs a look.
    stale: bool,
}

impl Watch {
    /// That of a connection whose preface has been read.
    pub fn new(patience: Patience) -> Self {
        let now = Instant::now();
        Self {
            patience,
            from_client: FrameScan::default(),
            to_client: FrameScan::default(),
            streams: HashMap::new(),
            receive_window: FIRST_WINDOW.into(),
            send_window: FIRST_WINDOW.into(),
            first_send_window: FIRST_WINDOW,
            allowance: Allowance::new(now),
            begun: now,
            latest: 0,
            unfinished_since: None,
            orders: BytesMut::new(),
            timer: None,
            stale: true,
        }
    }

    /// The client has sent `bytes`. Says where among them another frame could be put in, if anywhere.
    ///
    /// # Errors
    /// It floods.
    pub fn received(&mut self, bytes: &[u8]) -> Result<Option<usize>, Flood> {
        let now = Instant::now();
        let mut rest = bytes;
        let mut boundary = None;
        while let Some(event) = self.from_client.next(&mut rest) {
            match event {
                Event::Begins(frame) => self.client_begins(frame, now)?,
                Event::Payload(frame, bytes) if frame.kind == Kind::Data => self.client_data(frame.stream, bytes, now),
                Event::Window(frame, more) => self.client_opens(frame.stream, more, now),
                Event::InitialWindow(size) => {
                    // A frame may have thousands of them, and each touches every stream.
                    self.allowance.spend(now)?;
                    self.client_sets(size, now);
                }
                Event::Ends(frame) => {
                    self.client_ends(frame, now);
                    if self.from_client.is_between_frames() {
                        boundary = Some(bytes.len() - rest.len());
                    }
                }
                Event::Payload(..) => {}
            }
        }
        self.note_unfinished(boundary.is_some(), now);
        Ok(boundary)
    }

    /// We have sent `bytes`.
    pub fn sent(&mut self, mut bytes: &[u8]) {
        let now = Instant::now();
        while let Some(event) = self.to_client.next(&mut bytes) {
            match event {
                Event::Begins(frame) if frame.is_useful() => self.allowance.earn(),
                Event::Payload(frame, bytes) if frame.kind == Kind::Data => self.our_data(frame.stream, bytes, now),
                Event::Window(frame, more) => self.we_open(frame.stream, more, now),
                Event::Ends(frame) => self.we_end(frame, now),
                Event::Begins(_) | Event::Payload(..) | Event::InitialWindow(_) => {}
            }
        }
    }

    /// Ready when something must be done; otherwise the task is woken when something might have to be.
    pub fn poll_judge(&mut self, context: &mut Context<'_>) -> Poll<Judgement> {
        loop {
            self.arm();
            let Some(timer) = &mut self.timer else { return Poll::Pending };
            ready!(timer.as_mut().poll(context));
            self.stale = true;
            if let Some(judgement) = self.judge(Instant::now()) {
                return Poll::Ready(judgement);
            }
        }
    }

    /// Has the task woken in time, without a judgement: that is for when it reads.
    pub fn remind(&mut self, context: &mut Context<'_>) {
        if self.stale {
            self.arm();
            if let Some(timer) = &mut self.timer {
                self.stale = timer.as_mut().poll(context).is_ready();
            }
        }
    }

    /// Frames that `h2` is to read as if the client had sent them, if they may be put in here.
    pub fn orders(&mut self) -> BytesMut {
        self.orders.split()
    }

    /// Whether there are some, and another frame may begin here.
    pub fn has_orders(&self) -> bool {
        !self.orders.is_empty()
    }

    /// Whether another frame may begin where the client has got to.
    pub const fn is_between_frames(&self) -> bool {
        self.from_client.is_between_frames()
    }

    fn client_begins(&mut self, frame: FrameHead, now: Instant) -> Result<(), Flood> {
        match frame.kind {
            Kind::Headers if frame.stream > self.latest => {
                self.latest = frame.stream;
                if self.streams.len() >= MOST_STREAMS {
                    return Err(Flood);
                }
                let mut stream = Stream::new(&self.patience, self.first_send_window);
                stream.request_ended = frame.ends_stream();
                self.stale |= stream.settle(self.receive_window, self.send_window, now);
                self.streams.insert(frame.stream, stream);
                Ok(())
            }
            Kind::Reset => self.allowance.spend_for_reset(now),
            Kind::Data if frame.is_useful() => Ok(()),
            _ => self.allowance.spend(now),
        }
    }

    fn client_data(&mut self, id: u32, bytes: usize, now: Instant) {
        let was_open = self.receive_window > 0;
        self.receive_window -= size(bytes);
        if let Some(stream) = self.streams.get_mut(&id) {
            stream.received(bytes);
        }
        self.settle(id, was_open != (self.receive_window > 0), now);
    }

    fn client_opens(&mut self, id: u32, more: u32, now: Instant) {
        let was_open = self.send_window > 0;
        if id == 0 {
            self.send_window += i64::from(more);
        } else if let Some(stream) = self.streams.get_mut(&id) {
            stream.send_window += i64::from(more);
        }
        self.settle(id, was_open != (self.send_window > 0), now);
    }

    fn client_sets(&mut self, size: u32, now: Instant) {
        let change = i64::from(size) - i64::from(self.first_send_window);
        self.first_send_window = size;
        for stream in self.streams.values_mut() {
            stream.send_window += change;
        }
        self.settle(0, true, now);
    }

    fn client_ends(&mut self, frame: FrameHead, now: Instant) {
        if frame.kind == Kind::Reset {
            self.streams.remove(&frame.stream);
        } else if frame.ends_stream() {
            self.change(frame.stream, |stream| stream.request_ended = true, now);
        }
    }

    fn our_data(&mut self, id: u32, bytes: usize, now: Instant) {
        let was_open = self.send_window > 0;
        self.send_window -= size(bytes);
        if let Some(stream) = self.streams.get_mut(&id) {
            stream.sent(bytes);
        }
        self.settle(id, was_open != (self.send_window > 0), now);
    }

    fn we_open(&mut self, id: u32, more: u32, now: Instant) {
        let was_open = self.receive_window > 0;
        if id == 0 {
            self.receive_window += i64::from(more);
        } else if let Some(stream) = self.streams.get_mut(&id) {
            stream.receive_window += i64::from(more);
        }
        self.settle(id, was_open != (self.receive_window > 0), now);
    }

    fn we_end(&mut self, frame: FrameHead, now: Instant) {
        if frame.kind == Kind::Reset {
            self.streams.remove(&frame.stream);
            return;
        }
        if frame.kind == Kind::Headers {
            self.change(frame.stream, |stream| stream.answer_begun = true, now);
        }
        if frame.ends_stream() {
            self.change(frame.stream, |stream| stream.answer_ended = true, now);
        }
    }

    fn change(&mut self, id: u32, change: impl FnOnce(&mut Stream), now: Instant) {
        let Some(stream) = self.streams.get_mut(&id) else { return };
        change(stream);
        if stream.has_ended() {
            self.streams.remove(&id);
        } else {
            self.settle(id, false, now);
        }
    }

    /// Sees anew who waits for whom, in this stream or in all of them.
    fn settle(&mut self, id: u32, all: bool, now: Instant) {
        let (receive, send) = (self.receive_window, self.send_window);
        if all {
            for stream in self.streams.values_mut() {
                self.stale |= stream.settle(receive, send, now);
            }
        } else if let Some(stream) = self.streams.get_mut(&id) {
            self.stale |= stream.settle(receive, send, now);
        }
    }

    /// The rest of a body's frame is the stream's own business; any other keeps the connection waiting.
    fn note_unfinished(&mut self, another: bool, now: Instant) {
        let of_a_body = |frame: FrameHead| frame.kind == Kind::Data && self.streams.contains_key(&frame.stream);
        let unfinished = !self.from_client.is_between_frames() && !self.from_client.frame().is_some_and(of_a_body);
        let since = if unfinished { self.unfinished_since.filter(|_| !another).or(Some(now)) } else { None };
        self.stale |= since.is_some() && self.unfinished_since.is_none();
        self.unfinished_since = since;
    }

    fn arm(&mut self) {
        if !std::mem::take(&mut self.stale) {
            return;
        }
        let now = Instant::now();
        match (self.deadline(now), &mut self.timer) {
            (None, timer) => *timer = None,
            (Some(deadline), Some(timer)) => timer.as_mut().reset(deadline),
            (Some(deadline), timer @ None) => *timer = Some(Box::pin(sleep_until(deadline))),
        }
    }

    /// When something could have to be done.
    fn deadline(&mut self, now: Instant) -> Option<Instant> {
        let first = (self.latest == 0).then(|| self.begun + self.patience.head);
        let frame = self.unfinished_since.map(|since| since + self.patience.head);
        let stream = self.streams.values_mut().filter_map(|stream| stream.deadline(now)).min();
        [first, frame, stream].into_iter().flatten().min().map(|deadline| deadline.max(now + LEAST_SLEEP))
    }

    fn judge(&mut self, now: Instant) -> Option<Judgement> {
        let over = |since: Instant| now.saturating_duration_since(since) >= self.patience.head;
        if self.unfinished_since.is_some_and(over) {
            return Some(Judgement::Cut(Some("timeout")));
        }
        if self.latest == 0 && over(self.begun) {
            return Some(Judgement::Cut(None));
        }
        let (id, reason) = self.streams.iter_mut().find_map(|(id, stream)| Some((*id, stream.judge(now)?)))?;
        // In the middle of its own frame nothing can be said to `h2`, and no other stream gets a word in either.
        if self.from_client.frame().is_some_and(|frame| frame.stream == id) {
            return Some(Judgement::Cut(Some(reason)));
        }
        self.streams.remove(&id);
        self.order_reset(id);
        Some(Judgement::Reset(reason))
    }

    /// From outside `h2` resets a stream, and no more than that, for one reason: its window overflows.
    fn order_reset(&mut self, id: u32) {
        for _ in 0..INCREMENTS {
            self.orders.put_slice(&[0, 0, 4, 8, 0]);
            self.orders.put_u32(id);
            self.orders.put_u32(i32::MAX.unsigned_abs());
        }
    }
}

fn size(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
