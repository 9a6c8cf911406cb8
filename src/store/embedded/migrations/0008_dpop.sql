-- The SHA-256 thumbprint of the key that a token is bound to (RFC 9449); of a grant, the key that its refresh tokens are.
ALTER TABLE access_tokens ADD COLUMN dpop_key BLOB;
ALTER TABLE grants ADD COLUMN dpop_key BLOB;
