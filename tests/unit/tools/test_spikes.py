from collections import Counter

from tests.tools.excerpt import excerpt_rows
from tests.tools.spikes import SPIKE_TITLES, Spike, spikes_at

from pageviews_core.hour import Hour, hour_range

START = Hour.parse("2026-11-20T09")
WEEK = list(hour_range(START, START + 7 * 24))


def test_every_hour_has_one_or_two_spikes() -> None:
    assert {len(list(spikes_at(hour))) for hour in WEEK} == {1, 2}


def test_a_spike_rises_to_its_peak_and_fades() -> None:
    spike = Spike("Mona_Lisa", START, hours=11, peak=40)
    factors = [spike.factor(START + age) for age in range(-1, 12)]
    assert factors[0] == factors[-1] == 1
    assert factors[1] == 24
    assert factors[2] == 40
    assert factors[2:12] == sorted(factors[2:12], reverse=True)
    assert round(factors[11]) == 12


def test_spikes_are_of_20_to_50_times_the_usual_views_and_last_for_hours() -> None:
    spikes = {spike for hour in WEEK for spike in spikes_at(hour)}
    assert all(20 <= spike.peak <= 50 and 8 <= spike.hours <= 14 for spike in spikes)
    assert all(spike.factor(hour) >= 7 for hour in WEEK for spike in spikes_at(hour))


def test_an_article_does_not_spike_again_within_two_days() -> None:
    starts: dict[str, set[Hour]] = {}
    for hour in WEEK:
        for spike in spikes_at(hour):
            starts.setdefault(spike.title, set()).add(spike.first)
    gaps = [
        later - first
        for firsts in starts.values()
        for first, later in zip(sorted(firsts), sorted(firsts)[1:], strict=False)
    ]
    assert min(gaps) > 48


def test_each_spiking_article_is_in_two_languages_on_desktop_and_mobile() -> None:
    domains = Counter(
        row.page_title.decode()
        for row in excerpt_rows()
        if row.domain_code in (b"en", b"en.m", b"de", b"de.m") and row.page_title.decode() in SPIKE_TITLES
    )
    assert domains == dict.fromkeys(SPIKE_TITLES, 4)
