//! The clients that the upstream had when it was last asked.

use rusqlite::params;

use super::rows::Rows;
use crate::{
    oauth::ClientId,
    store::{KeptClient, StoreResult},
};

const TABLE: &str = "upstream_clients";

pub fn all(rows: &Rows<'_>) -> StoreResult<Vec<KeptClient>> {
    let found = rows.all(
        "SELECT client, sealed FROM upstream_clients WHERE site = ?1 ORDER BY client",
        params![rows.site],
        |row| Ok((row.get::<_, ClientId>(0)?, row.get::<_, Vec<u8>>(1)?)),
    )?;
    let open = |(id, sealed): (ClientId, Vec<u8>)| {
        let document = rows.codec.open_secret(rows.place(TABLE, id.as_str().as_bytes()), &sealed)?;
        Ok(KeptClient { id, document })
    };
    found.into_iter().map(open).collect()
}

pub fn replace(rows: &Rows<'_>, clients: &[KeptClient]) -> StoreResult<()> {
    rows.change("DELETE FROM upstream_clients WHERE site = ?1", params![rows.site])?;
    for client in clients {
        let place = rows.place(TABLE, client.id.as_str().as_bytes());
        let sealed = rows.codec.seal_secret(place, &client.document)?;
        rows.change(
            "INSERT INTO upstream_clients (site, client, sealed) VALUES (?1, ?2, ?3)",
            params![rows.site, client.id, sealed],
        )?;
    }
    Ok(())
}
