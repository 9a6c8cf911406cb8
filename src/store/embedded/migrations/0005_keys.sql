-- A signing key is published before it signs. Those that are there have signed since they were made. When its successor is
-- put beside it, a key gets the time at which that one signs (retired_at, which may be to come) and until when it stays
-- published.
ALTER TABLE signing_keys ADD COLUMN signs_from INTEGER NOT NULL DEFAULT 0;
ALTER TABLE signing_keys ADD COLUMN published_until INTEGER;
UPDATE signing_keys SET signs_from = created_at;
