-- Times are milliseconds since the Unix epoch. Hashes are 32 bytes. What is sealed opens with the secret key only.

CREATE TABLE settings (
    site TEXT NOT NULL,
    name TEXT NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (site, name)
) WITHOUT ROWID;

CREATE TABLE requests (
    site TEXT NOT NULL,
    handle BLOB NOT NULL,
    sealed BLOB NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (site, handle)
) WITHOUT ROWID;
CREATE INDEX requests_end ON requests (site, expires_at);

-- A row without `sealed` is the tombstone of a used code; `keep_until` is when to ask whether its grant lives still.
-- `voided`: replayed, or revoked before its grant was issued. `issued`: its grant has been.
CREATE TABLE codes (
    site TEXT NOT NULL,
    code BLOB NOT NULL,
    grant_id TEXT NOT NULL,
    client TEXT NOT NULL,
    user_name TEXT NOT NULL,
    sealed BLOB,
    voided INTEGER NOT NULL DEFAULT 0,
    issued INTEGER NOT NULL DEFAULT 0,
    expires_at INTEGER NOT NULL,
    keep_until INTEGER NOT NULL,
    PRIMARY KEY (site, code)
) WITHOUT ROWID;
CREATE INDEX codes_end ON codes (site, keep_until);
CREATE INDEX codes_open ON codes (site, user_name, client) WHERE issued = 0;

CREATE TABLE grants (
    site TEXT NOT NULL,
    id TEXT NOT NULL,
    client TEXT NOT NULL,
    user_name TEXT NOT NULL,
    sub TEXT NOT NULL,
    scopes TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    auth_time INTEGER,
    session_claim TEXT,
    id_token_claims TEXT NOT NULL,
    newest_refresh BLOB,
    -- When the last of its tokens ends.
    lasts_until INTEGER NOT NULL,
    ended_at INTEGER,
    PRIMARY KEY (site, id)
) WITHOUT ROWID;
CREATE INDEX grants_user ON grants (site, user_name) WHERE ended_at IS NULL;
CREATE INDEX grants_client ON grants (site, client) WHERE ended_at IS NULL;
CREATE INDEX grants_end ON grants (site, lasts_until);

CREATE TABLE access_tokens (
    site TEXT NOT NULL,
    hash BLOB NOT NULL,
    grant_id TEXT NOT NULL,
    scopes TEXT NOT NULL,
    issued_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (site, hash)
) WITHOUT ROWID;
CREATE INDEX access_tokens_end ON access_tokens (site, expires_at);

-- `successor` and `rotated_at` are those of a token that was rotated away; `used` tells any use.
CREATE TABLE refresh_tokens (
    site TEXT NOT NULL,
    hash BLOB NOT NULL,
    grant_id TEXT NOT NULL,
    generation INTEGER NOT NULL,
    issued_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    rotated_at INTEGER,
    successor BLOB,
    used INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (site, hash)
) WITHOUT ROWID;
CREATE INDEX refresh_tokens_end ON refresh_tokens (site, expires_at);

-- The feed by which other processes hear of ended grants. A position is never given twice.
CREATE TABLE revocations (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    site TEXT NOT NULL,
    grant_id TEXT NOT NULL,
    at INTEGER NOT NULL
);
CREATE INDEX revocations_end ON revocations (site, at);

CREATE TABLE consents (
    site TEXT NOT NULL,
    client TEXT NOT NULL,
    user_name TEXT NOT NULL,
    redirect_uri TEXT NOT NULL,
    sub TEXT NOT NULL,
    scopes TEXT NOT NULL,
    given_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (site, client, user_name, redirect_uri)
) WITHOUT ROWID;
CREATE INDEX consents_user ON consents (site, user_name);
CREATE INDEX consents_end ON consents (site, expires_at);

CREATE TABLE logins (
    site TEXT NOT NULL,
    login BLOB NOT NULL,
    at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (site, login)
) WITHOUT ROWID;
CREATE INDEX logins_end ON logins (site, expires_at);

CREATE TABLE session_claims (
    site TEXT NOT NULL,
    login BLOB NOT NULL,
    client TEXT NOT NULL,
    claim TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (site, login, client)
) WITHOUT ROWID;
CREATE INDEX session_claims_end ON session_claims (site, expires_at);

CREATE TABLE shadow_tokens (
    site TEXT NOT NULL,
    user_name TEXT NOT NULL,
    sub TEXT NOT NULL,
    sealed BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (site, user_name)
) WITHOUT ROWID;
CREATE INDEX shadow_tokens_end ON shadow_tokens (site, expires_at);

CREATE TABLE signing_keys (
    site TEXT NOT NULL,
    id TEXT NOT NULL,
    algorithm TEXT NOT NULL,
    sealed BLOB NOT NULL,
    public_jwk TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    retired_at INTEGER,
    PRIMARY KEY (site, id)
) WITHOUT ROWID;
CREATE UNIQUE INDEX signing_keys_active ON signing_keys (site, algorithm) WHERE retired_at IS NULL;

CREATE TABLE allowance_uses (
    site TEXT NOT NULL,
    client TEXT NOT NULL,
    allowance TEXT NOT NULL,
    count INTEGER NOT NULL,
    last INTEGER NOT NULL,
    PRIMARY KEY (site, client, allowance)
) WITHOUT ROWID;
