-- What agents did in a day (counted in days since 1970, UTC), over all processes.
CREATE TABLE agent_uses (
    site TEXT NOT NULL,
    client TEXT NOT NULL,
    day INTEGER NOT NULL,
    requests INTEGER NOT NULL,
    writes INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (site, day, client)
) WITHOUT ROWID;
CREATE INDEX agent_uses_end ON agent_uses (site, expires_at);

-- A row: the operator has stopped all agents.
CREATE TABLE stopped_agents (
    site TEXT PRIMARY KEY,
    since INTEGER NOT NULL
) WITHOUT ROWID;
