-- Clients that were registered here. Sealed: they may have secrets.
CREATE TABLE registered_clients (
    site TEXT NOT NULL,
    client TEXT NOT NULL,
    sealed BLOB NOT NULL,
    -- The hash of the token with which the client manages its registration.
    registration_token BLOB NOT NULL,
    registered_at INTEGER NOT NULL,
    last_used INTEGER,
    PRIMARY KEY (site, client)
) WITHOUT ROWID;

-- How often any of them was registered, changed or removed: by this other processes hear of it.
CREATE TABLE registrations (
    site TEXT PRIMARY KEY,
    count INTEGER NOT NULL
) WITHOUT ROWID;
