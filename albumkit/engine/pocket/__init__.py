"""The small bundled base, and everything it was made from."""
