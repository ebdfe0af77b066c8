"""Articles that suddenly draw a crowd, as after a piece of news: in every hour at least one, known in advance.

Time is cut into windows of `WINDOW_HOURS`; each starts one spike, always the same for the same window. An article's
turn comes again only after all others', so that its own last spike has left the baseline of a day or two.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random

from pageviews_core.hour import Hour

WINDOW_HOURS = 8

# Each is in the excerpt under this very title on en, en.m, de and de.m, with a middling number of views.
SPIKE_TITLES = (
    "Mount_Everest",
    "Game_of_Thrones",
    "Ludwig_van_Beethoven",
    "Airbus_A380",
    "Mauritius",
    "Blade_Runner",
    "Vitamin_D",
    "Mona_Lisa",
    "Biathlon",
    "AC/DC",
    "Vincent_van_Gogh",
    "Liechtenstein",
    "Inception",
    "RMS_Titanic",
    "Aluminium",
    "Albert_Einstein",
)

_FIRST_HOUR = Hour(datetime(1970, 1, 1, tzinfo=UTC))
_FULL_FROM_HOUR = 1  # the hour of the news itself is only partly busy
_FIRST_SHARE, _LAST_SHARE = 0.6, 0.3


@dataclass(frozen=True, slots=True)
class Spike:
    """`peak` times the usual views of a title, in every domain that has it, for `hours` hours."""

    title: str
    first: Hour
    hours: int
    peak: float

    def factor(self, hour: Hour) -> float:
        """How many times the usual views in `hour`: more than half the peak at once, then the peak, then fading."""
        age = hour - self.first
        if not 0 <= age < self.hours:
            return 1.0
        if age < _FULL_FROM_HOUR:
            return self.peak * _FIRST_SHARE
        faded = (age - _FULL_FROM_HOUR) / (self.hours - 1 - _FULL_FROM_HOUR)
        return self.peak * (1 - (1 - _LAST_SHARE) * faded)


def spikes_at(hour: Hour) -> Iterator[Spike]:
    """The spikes under way in `hour`, the oldest first."""
    newest = (hour - _FIRST_HOUR) // WINDOW_HOURS
    for window in (newest - 1, newest):
        spike = _spike_of(window)
        if 0 <= hour - spike.first < spike.hours:
            yield spike


def _spike_of(window: int) -> Spike:
    chance = Random(f"spike {window}")
    first = _FIRST_HOUR + (window * WINDOW_HOURS + chance.randrange(3))
    # Lasting past the latest possible start of the next one, which is what leaves no hour without a spike.
    hours = WINDOW_HOURS + 2 + chance.randrange(3)
    return Spike(SPIKE_TITLES[window % len(SPIKE_TITLES)], first, hours, peak=chance.uniform(25, 50))
