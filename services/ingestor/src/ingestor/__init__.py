"""Loads the hourly Wikipedia pageview dumps into the warehouse, each hour exactly once."""
