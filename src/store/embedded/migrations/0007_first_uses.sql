-- What may be used once and has been: the assertions of clients.
CREATE TABLE first_uses (
    site TEXT NOT NULL,
    what BLOB NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (site, what)
) WITHOUT ROWID;
CREATE INDEX first_uses_end ON first_uses (site, expires_at);
