-- Whose login session it is: NULL for one that was written before this column was.
ALTER TABLE session_claims ADD COLUMN user_name TEXT;
ALTER TABLE session_claims ADD COLUMN sub TEXT;

-- Logout requests that wait for the browser's own request, or for the user's answer.
CREATE TABLE logouts (
    site TEXT NOT NULL,
    handle BLOB NOT NULL,
    sealed BLOB NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (site, handle)
) WITHOUT ROWID;
CREATE INDEX logouts_end ON logouts (site, expires_at);

-- Clients that are to be told that a login session has ended. `next_at` is when it is tried again.
CREATE TABLE logout_notices (
    site TEXT NOT NULL,
    client TEXT NOT NULL,
    claim TEXT NOT NULL,
    sub TEXT,
    attempts INTEGER NOT NULL DEFAULT 0,
    next_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (site, client, claim)
) WITHOUT ROWID;
CREATE INDEX logout_notices_due ON logout_notices (site, next_at);
CREATE INDEX logout_notices_end ON logout_notices (site, expires_at);
