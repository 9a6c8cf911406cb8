-- When a token of the grant was last looked up, to an hour.
ALTER TABLE grants ADD COLUMN last_used INTEGER;
