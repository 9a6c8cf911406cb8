-- `made_from`: the grant that a grant was made from by token exchange (RFC 8693), and with which it ends. `act`: who acts
-- for the user then, as JSON.
ALTER TABLE grants ADD COLUMN made_from TEXT;
ALTER TABLE grants ADD COLUMN act TEXT;
CREATE INDEX grants_made_from ON grants (site, made_from) WHERE made_from IS NOT NULL;
