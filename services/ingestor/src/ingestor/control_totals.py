"""The hour's views per domain against Wikimedia's own sums, the projectviews file of the same hour.

A difference is a warning about the source, never a failure of the hour.
"""

from __future__ import annotations

from collections.abc import Mapping

from pageviews_core.decoding.dialect import Reject, decode_line
from pageviews_core.records.marker import ControlDifference, ControlTotals

_DIFFERENCES_KEPT = 50


def compare(control_file: bytes, views_by_domain: Mapping[str, int]) -> ControlTotals:
    """`control_file` holds lines `domain - views 0`, in either dialect. The differences come largest first."""
    try:
        expected = _parse(control_file)
    except ValueError as exc:
        return unavailable(f"the projectviews file cannot be read: {exc}")
    differing = [
        ControlDifference(domain_code=domain, expected=expected.get(domain), found=views_by_domain.get(domain))
        for domain in expected.keys() | views_by_domain.keys()
        if expected.get(domain) != views_by_domain.get(domain)
    ]
    differing.sort(key=lambda one: (-abs((one.expected or 0) - (one.found or 0)), one.domain_code))
    return ControlTotals(
        state="differs" if differing else "matched",
        expected_views=sum(expected.values()),
        differing_domains=len(differing),
        differences=tuple(differing[:_DIFFERENCES_KEPT]),
    )


def unavailable(reason: str) -> ControlTotals:
    """There is nothing to compare with."""
    return ControlTotals(state="unavailable", reason=reason)


def _parse(control_file: bytes) -> dict[str, int]:
    """Views by domain code. Raises ValueError for anything that is not a projectviews file."""
    views: dict[str, int] = {}
    for number, line in enumerate(control_file.removesuffix(b"\n").split(b"\n"), start=1):
        row = decode_line(line)
        if isinstance(row, Reject):
            raise ValueError(f"line {number} ({row.reason}): {line[:80]!r}")
        if row.page_title != "-" or row.domain_code in views:
            raise ValueError(f"line {number} is not the one line of a domain: {line[:80]!r}")
        views[row.domain_code] = row.count_views
    return views
