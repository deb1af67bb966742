"""Interchanges as people read them."""
