import gzip
import re

import pytest
from tests.tools.derived_hours import DerivedHour, derive_hour
from tests.tools.spikes import spikes_at

from pageviews_core.hour import Hour

HOUR = Hour.parse("2026-11-20T09")


def lines_of(derived: DerivedHour) -> list[bytes]:
    return gzip.decompress(derived.pageviews_gz).removesuffix(b"\n").split(b"\n")


def counts_of(derived: DerivedHour) -> dict[tuple[bytes, bytes], int]:
    counts = {}
    for line in lines_of(derived):
        domain, rest = line.split(b" ", 1)
        title, views, _ = rest.rsplit(b" ", 2)
        counts[domain, title] = int(views)
    return counts


def test_an_hour_has_the_rows_and_views_that_it_says() -> None:
    derived = derive_hour(HOUR)
    counts = counts_of(derived)
    assert 40_000 <= derived.rows <= 60_000
    assert len(counts) == len(lines_of(derived)) == derived.rows
    assert sum(counts.values()) == derived.views
    assert min(counts.values()) == 1


def test_the_control_file_has_each_domains_views() -> None:
    derived = derive_hour(HOUR)
    totals: dict[bytes, int] = {}
    for (domain, _), views in counts_of(derived).items():
        totals[domain] = totals.get(domain, 0) + views
    assert derived.projectviews == b"".join(b"%s - %d 0\n" % pair for pair in totals.items())


def test_the_same_hour_always_has_the_same_bytes() -> None:
    assert derive_hour(HOUR) == derive_hour(HOUR)


def test_rare_pages_come_and_go_from_hour_to_hour() -> None:
    one, next_one = counts_of(derive_hour(HOUR)).keys(), counts_of(derive_hour(HOUR + 1)).keys()
    assert len(one & next_one) > 30_000
    assert len(one - next_one) > 3_000
    assert len(next_one - one) > 3_000


def test_the_dialect_is_the_one_of_the_hours_date() -> None:
    quoted_as_spark_does = re.compile(rb'\S+ "(?:[^"\\]|\\.)*" \d+ 0')
    new = [line for line in lines_of(derive_hour(HOUR)) if b'"' in line]
    assert new
    assert all(quoted_as_spark_does.fullmatch(line) or line.startswith(b'"" ') for line in new)
    old = lines_of(derive_hour(Hour.parse("2021-11-20T09")))
    assert any(b'"' in line for line in old)
    assert not any(rb"\"" in line for line in old)


def test_only_the_newer_dialect_has_lines_without_a_domain_or_a_title() -> None:
    new, old = counts_of(derive_hour(HOUR)), counts_of(derive_hour(Hour.parse("2021-11-20T09")))
    assert new[b'""', b"Wikifunctions:Main_Page"] > 0
    assert not any(domain == b'""' or title in (b'""', b"") for domain, title in old)


def test_zero_rated_traffic_ends_in_2019() -> None:
    assert any(b".zero" in domain for domain, _ in counts_of(derive_hour(Hour.parse("2019-04-30T23"))))
    assert not any(b".zero" in domain for domain, _ in counts_of(derive_hour(Hour.parse("2019-05-01T00"))))


@pytest.mark.parametrize("domain", [b"en", b"en.m", b"de", b"de.m"])
def test_a_spiking_article_stands_out_on_desktop_and_mobile(domain: bytes) -> None:
    (spike, *_) = spikes_at(HOUR)
    title = spike.title.encode()
    quiet = counts_of(derive_hour(spike.first + -1))[domain, title]
    assert counts_of(derive_hour(spike.first + 1))[domain, title] > 10 * quiet


def test_a_small_hour_has_its_share_of_the_rows_and_the_largest_wikis() -> None:
    small = derive_hour(HOUR, scale=0.02)
    assert 800 <= small.rows <= 1_600
    assert {b"en", b"en.m", b"de", b"ja"} <= {domain for domain, _ in counts_of(small)}


def test_a_restated_hour_has_other_counts_and_fewer_views() -> None:
    first, restated = derive_hour(HOUR), derive_hour(HOUR, version=2)
    assert 0.9 * first.views < restated.views < first.views
    assert restated.pageviews_gz != first.pageviews_gz


@pytest.mark.parametrize("scale", [0, -1, 1.5])
def test_a_scale_beyond_the_excerpt_is_refused(scale: float) -> None:
    with pytest.raises(ValueError, match="scale"):
        derive_hour(HOUR, scale)


def test_version_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="versions"):
        derive_hour(HOUR, version=0)
