"""The API described by itself, for programs and as a page."""
