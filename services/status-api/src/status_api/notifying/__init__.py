"""Telling a webhook of problems: where no Prometheus is at hand to do it."""
