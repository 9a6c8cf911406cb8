-- The clients that ERPNext had when it was last asked, for while it is away. Sealed: they have secrets.
CREATE TABLE upstream_clients (
    site TEXT NOT NULL,
    client TEXT NOT NULL,
    sealed BLOB NOT NULL,
    PRIMARY KEY (site, client)
) WITHOUT ROWID;

-- Tokens that ERPNext issued. Their grants and tokens stand in the tables of all grants and tokens, under the same
-- hashes; a row here says where they come from, and stays as long as ERPNext has its own row, whatever became of the
-- grant: so that what was revoked here does not come back.
CREATE TABLE native_tokens (
    site TEXT NOT NULL,
    access BLOB NOT NULL,
    refresh BLOB,
    grant_id TEXT NOT NULL,
    -- What ERPNext's row was when it was read.
    edition TEXT NOT NULL,
    last_used INTEGER,
    PRIMARY KEY (site, access)
) WITHOUT ROWID;
CREATE INDEX native_tokens_refresh ON native_tokens (site, refresh) WHERE refresh IS NOT NULL;
