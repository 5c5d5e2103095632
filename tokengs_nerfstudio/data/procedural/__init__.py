"""Endless random scenes with exact depth."""
