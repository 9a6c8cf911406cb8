-- Devices that wait for a user. `approval`: what was granted, sealed, and `user_name` who granted it. A poll before
-- `next_poll_at` is too early. A row outlives `expires_at` for a while, so that a device can be told why.
CREATE TABLE devices (
    site TEXT NOT NULL,
    device BLOB NOT NULL,
    user_code BLOB NOT NULL,
    client TEXT NOT NULL,
    scopes TEXT NOT NULL,
    denied INTEGER NOT NULL DEFAULT 0,
    user_name TEXT,
    approval BLOB,
    interval INTEGER NOT NULL,
    next_poll_at INTEGER NOT NULL,
    asked_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    keep_until INTEGER NOT NULL,
    PRIMARY KEY (site, device)
) WITHOUT ROWID;
CREATE UNIQUE INDEX devices_user_code ON devices (site, user_code);
CREATE INDEX devices_end ON devices (site, keep_until);
CREATE INDEX devices_approved ON devices (site, user_name, client) WHERE user_name IS NOT NULL;
