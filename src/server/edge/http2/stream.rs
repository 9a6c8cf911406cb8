//! What a client owes on one stream, by its frames alone.

use tokio::time::Instant;

use super::watch::{FIRST_WINDOW, Patience};
use crate::server::edge::pace::Meter;

/// One stream that has not ended.
#[derive(Debug)]
pub struct Stream {
    /// What the client may still send.
    pub receive_window: i64,
    /// What we may still send; below zero when the client has taken some back.
    pub send_window: i64,
    pub request_ended: bool,
    pub answer_begun: bool,
    pub answer_ended: bool,
    receiving: Meter,
    sending: Meter,
}

impl Stream {
    /// One that begins.
    pub fn new(patience: &Patience, send_window: u32) -> Self {
        Self {
            receive_window: FIRST_WINDOW.into(),
            send_window: send_window.into(),
            request_ended: false,
            answer_begun: false,
            answer_ended: false,
            receiving: Meter::new(patience.receiving),
            sending: Meter::new(patience.sending),
        }
    }

    /// So much of the body has come.
    pub fn received(&mut self, bytes: usize) {
        self.receive_window -= i64::try_from(bytes).unwrap_or(i64::MAX);
        self.receiving.count(bytes);
    }

    /// So much of the answer has gone.
    pub fn sent(&mut self, bytes: usize) {
        self.send_window -= i64::try_from(bytes).unwrap_or(i64::MAX);
        self.sending.count(bytes);
    }

    /// Whether nothing more is to come from either side.
    pub const fn has_ended(&self) -> bool {
        self.request_ended && self.answer_ended
    }

    /// Sees who waits for whom, with what is left of the connection's windows. `true`: we wait from now on.
    pub fn settle(&mut self, receive_window: i64, send_window: i64, now: Instant) -> bool {
        let owes_body = !self.request_ended && self.receive_window > 0 && receive_window > 0;
        let owes_room = self.answer_begun && !self.answer_ended && (self.send_window <= 0 || send_window <= 0);
        // Both, whatever the first says.
        turn(&mut self.receiving, owes_body, now) | turn(&mut self.sending, owes_room, now)
    }

    /// When it is to be judged, as long as somebody waits.
    pub fn deadline(&mut self, now: Instant) -> Option<Instant> {
        let waiting = [&mut self.receiving, &mut self.sending].into_iter().filter(|meter| meter.is_waiting());
        waiting.map(|meter| meter.left(now).map_or(now, |left| now + left)).min()
    }

    /// For what reason it has to end.
    pub fn judge(&mut self, now: Instant) -> Option<&'static str> {
        let too_slow = |meter: &mut Meter| meter.is_waiting() && meter.left(now).is_err();
        if too_slow(&mut self.receiving) {
            Some("slow_body")
        } else if too_slow(&mut self.sending) {
            Some("slow_reader")
        } else {
            None
        }
    }
}

fn turn(meter: &mut Meter, waiting: bool, now: Instant) -> bool {
    if meter.is_waiting() == waiting {
        return false;
    }
    if waiting {
        meter.wait(now);
    } else {
        meter.pause(now);
    }
    waiting
}
