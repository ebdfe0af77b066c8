"""A run's log: read in pieces, filtered, and followed while it grows."""
