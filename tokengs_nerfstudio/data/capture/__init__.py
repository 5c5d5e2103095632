"""Captures on disk: read and written."""
