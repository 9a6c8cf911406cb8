//! Reading the rows: all of them, page by page in the order of their last change, and then what has changed since.

use std::{
    collections::HashSet,
    sync::{Arc, atomic::Ordering},
};

use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::{
    NativeTokens, WHOLE_EVERY, Whose,
    row::{FIELDS, Row},
    upstream::{self, DOCTYPE, NEEDS_READ, ORDER},
    zone,
};
use crate::{
    clock::UnixTime,
    erpnext::{
        DirectoryError,
        known_users::changed_before,
        list::{self, List, PAGE},
        shadow,
    },
    oauth::{ClientId, TokenHash},
    secret::Secret,
    store::{NativeRow, StoreError},
};

/// How far the rows have been read.
#[derive(Default)]
pub(super) struct Position {
    /// The newest change that has been read, when all before it has been.
    pub(super) cursor: Option<String>,
    /// When all rows were read last, in this process.
    whole_at: Option<UnixTime>,
}

/// Where a page begins.
enum Place {
    Start,
    /// With the rows of this moment.
    From(String),
    /// A page was full of rows of one moment: behind the last of them, by name.
    Behind {
        moment: String,
        name: Secret,
    },
    /// With the rows after this moment.
    After(String),
}

/// One reading.
struct Reading {
    own_client: ClientId,
    zone: TimeZone,
    now: UnixTime,
    newest: Option<String>,
    seen: HashSet<TokenHash>,
    added: usize,
    /// Why the last row that could not be deleted was not.
    undeleted: Option<DirectoryError>,
}

impl NativeTokens {
    pub(super) async fn read_news(self: &Arc<Self>) -> Result<(), DirectoryError> {
        let mut position = self.position.lock().await;
        // Whose the tokens are must be known before they are.
        self.adapter.make_fresh().await?;
        let now = self.now();
        let whole = position.whole_at.is_none_or(|at| now.since(at) >= WHOLE_EVERY);
        let since = position.cursor.as_deref().filter(|_| !whole).map(changed_before);
        let mut reading = self.begin(position.cursor.clone()).await?;
        let first = !self.are_complete();
        if first && position.cursor.is_some() {
            // What came since the last reading of a process before: all else is in the store.
            self.read_from(position.cursor.as_deref().map(changed_before), None, &mut reading).await?;
            self.complete.store(true, Ordering::Release);
        } else if first {
            // What phones and integrations go by at this moment comes first: it is little beside what has expired.
            let living = zone::civil(now, &reading.zone).map(|now| json!(["expiration_time", ">", now]));
            self.read_from(None, living, &mut reading).await?;
            self.living_are_read.store(true, Ordering::Release);
        }
        // Before the reading: what another process reads meanwhile has not vanished.
        let known =
            if whole { self.adapter.ground.store.native_tokens().await.map_err(store_is_away)? } else { Vec::new() };
        self.read_from(since, None, &mut reading).await?;
        if whole {
            self.forget_vanished(known, &reading).await?;
            position.whole_at = Some(now);
        }
        let cursor = reading.newest.unwrap_or_default();
        if position.cursor.as_ref() != Some(&cursor) {
            let kept = self.adapter.ground.store.put_native_cursor(cursor.clone()).await;
            kept.map_err(store_is_away)?;
            position.cursor = Some(cursor);
        }
        self.complete.store(true, Ordering::Release);
        if first || reading.added > 0 {
            tracing::info!(added = reading.added, "tokens that ERPNext issued have been read");
        }
        Ok(())
    }

    /// Reads the rows of a user or client, has ERPNext forget those whose grant has ended here, and tells how many were
    /// new. For a command.
    pub(super) async fn read_of(&self, whose: &Whose) -> Result<usize, DirectoryError> {
        let only = match whose {
            Whose::User(user) => json!(["user", "=", user]),
            Whose::Client(client) => json!(["client", "=", client]),
        };
        // A command learns who the users are, and leaves it to the gateway to act upon it.
        self.adapter.users.refresh().await?;
        let mut reading = self.begin(None).await?;
        self.read_from(None, Some(only), &mut reading).await?;
        reading.undeleted.map_or(Ok(reading.added), Err)
    }

    async fn begin(&self, newest: Option<String>) -> Result<Reading, DirectoryError> {
        Ok(Reading {
            own_client: self.adapter.own_client.id(&self.adapter.agent).await?,
            zone: zone::of_site(&self.adapter.agent).await?,
            now: self.now(),
            newest,
            seen: HashSet::new(),
            added: 0,
            undeleted: None,
        })
    }

    /// Reads page after page. The next page begins where the last one ended: a deep `limit_start` would cost ERPNext more
    /// with each page, and miss rows that move up while we read.
    async fn read_from(
        &self,
        since: Option<String>,
        only: Option<Value>,
        reading: &mut Reading,
    ) -> Result<(), DirectoryError> {
        let mut place = since.map_or(Place::Start, Place::From);
        loop {
            let mut filters = vec![json!(["client", "!=", reading.own_client])];
            filters.extend(only.clone());
            let rows = self.page(&place, filters).await?;
            let is_full = rows.len() >= PAGE;
            let last = rows.last().map(|row| (row.modified.clone(), row.name.clone()));
            self.take_in(rows, reading).await?;
            place = match (last.filter(|_| is_full), place) {
                (Some((moment, name)), Place::Behind { .. }) => Place::Behind { moment, name },
                (Some((moment, name)), Place::From(since)) if moment == since => Place::Behind { moment, name },
                (Some((moment, _)), _) => Place::From(moment),
                (None, Place::Behind { moment, .. }) => Place::After(moment),
                (None, _) => return Ok(()),
            };
        }
    }

    async fn page(&self, place: &Place, mut filters: Vec<Value>) -> Result<Vec<Row>, DirectoryError> {
        match place {
            Place::Start => {}
            Place::From(moment) => filters.push(json!(["modified", ">=", moment])),
            Place::After(moment) => filters.push(json!(["modified", ">", moment])),
            // The name is a token: it goes into a body, never into a URL.
            Place::Behind { moment, name } => {
                filters.extend([json!(["modified", "=", moment]), json!(["name", ">", name.expose()])]);
                return upstream::rows_behind(&self.adapter.agent, filters).await;
            }
        }
        let filters = json!(filters).to_string();
        let query = [("fields", FIELDS), ("filters", &*filters)];
        let rows = List { what: "native tokens", doctype: DOCTYPE, needs: NEEDS_READ, query: &query };
        list::page(&self.adapter.agent, rows, ORDER, 0).await
    }

    /// Takes rows in, and has those deleted in ERPNext whose grants have ended here.
    async fn take_in(&self, rows: Vec<Row>, reading: &mut Reading) -> Result<(), DirectoryError> {
        reading.seen.extend(rows.iter().filter_map(Row::access));
        for row in &rows {
            if reading.newest.as_ref().is_none_or(|newest| *newest < row.modified) {
                reading.newest = Some(row.modified.clone());
            }
        }
        let natives: Vec<NativeRow> = rows.iter().filter_map(|row| self.native(row, reading)).collect();
        if natives.is_empty() {
            return Ok(());
        }
        let access: Vec<TokenHash> = natives.iter().map(|native| native.access).collect();
        let imported = self.adapter.ground.store.import_natives(natives, reading.now).await;
        let imported = imported.map_err(store_is_away)?;
        self.note_read(&access);
        reading.added += imported.added;
        self.note_ended(imported.ended);
        let spent = rows.iter().filter(|row| row.access().is_some_and(|access| imported.spent.contains(&access)));
        for row in spent {
            // What can't be deleted now is spent at the next whole reading, too.
            if let Err(error) = shadow::delete_row(&self.adapter.agent, row.name.expose()).await {
                tracing::warn!(%error, "a spent token of ERPNext's could not be deleted there");
                reading.undeleted = Some(error);
            }
        }
        Ok(())
    }

    /// A row whose user is gone, or was another one by this name, is nobody's.
    fn native(&self, row: &Row, reading: &Reading) -> Option<NativeRow> {
        let user = self.adapter.users.listed(row.user.as_ref()?)?;
        row.to_native(user.sub, &reading.zone, reading.now)
    }

    async fn forget_vanished(&self, known: Vec<TokenHash>, reading: &Reading) -> Result<(), DirectoryError> {
        let store = &self.adapter.ground.store;
        let mut kept = known;
        kept.retain(|access| !reading.seen.contains(access));
        for vanished in kept.chunks(PAGE) {
            let ended = store.forget_natives(vanished.to_vec(), reading.now).await.map_err(store_is_away)?;
            self.note_ended(ended);
        }
        Ok(())
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it stands in map_err")]
pub(super) fn store_is_away(error: StoreError) -> DirectoryError {
    DirectoryError::Unavailable(format!("native tokens: {error}"))
}
