-- The resources that a token is for (RFC 8707), as a JSON list; NULL: the whole site. Of a grant, those that its tokens may be for.
ALTER TABLE access_tokens ADD COLUMN resources TEXT;
ALTER TABLE grants ADD COLUMN resources TEXT;
