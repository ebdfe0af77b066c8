"""Runs dbt for exactly the hours that are owed, and reconciles what it built."""
