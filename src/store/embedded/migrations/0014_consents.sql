-- Whether the client was an agent when the user consented, so that there were boxes to tick.
ALTER TABLE consents ADD COLUMN agent INTEGER NOT NULL DEFAULT 0;
