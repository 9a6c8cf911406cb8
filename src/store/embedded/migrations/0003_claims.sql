-- The claims of userinfo that the `claims` parameter asked for by name.
ALTER TABLE grants ADD COLUMN userinfo_claims TEXT NOT NULL DEFAULT '[]';
