"""The JSON API under `/api/v1`: views that parse, call one function, and answer."""
