//! What only the file has: reopening, keys, damage, two handles.
