"""How busy a domain is in an hour, compared with the hour that the excerpt was cut from.

Made up, but shaped like the real thing: readers follow the local day of their language, desktop peaks in the afternoon,
mobile in the evening, and on weekends desktop is quieter and mobile busier.
"""

from __future__ import annotations

from math import cos, tau
from statistics import mean

from pageviews_core.hour import Hour
from tests.tools.excerpt import EXCERPT_HOUR

# Hours ahead of UTC where a language's readers mostly are; several places are averaged.
_READERS = {
    "en": (-7, -5, 0, 5),
    "es": (-6, -4, 1),
    "pt": (-3, -3, 0),
    "fr": (1,),
    "ar": (2, 3),
    "ru": (3,),
    "uk": (2,),
    "fa": (3,),
    "hi": (5,),
    "bn": (6,),
    "th": (7,),
    "vi": (7,),
    "id": (7,),
    "zh": (8, 8, -7),
    "ja": (9,),
    "ko": (9,),
}
_EVERYWHERE = (-7, -5, 0, 1, 1, 5, 8)  # commons, wikidata and the like
_MOST_OF_EUROPE = (1,)
_MULTILINGUAL = {"commons", "incubator", "m", "meta", "species", "www", ""}

_SWING = 0.5  # the busiest hour has (1 + swing) / (1 - swing) = 3 times the views of the quietest
_DESKTOP_PEAK, _MOBILE_PEAK = 14.5, 20.5  # local time, in hours
_DESKTOP_WEEKEND, _MOBILE_WEEKEND = 0.82, 1.08
_SATURDAY = 5


def relative_activity(domain_code: str, hour: Hour) -> float:
    """Views to be expected in `hour` for each view in the excerpt's hour; 1.0 in that hour itself."""
    return _activity(domain_code, hour) / _activity(domain_code, EXCERPT_HOUR)


def _activity(domain_code: str, hour: Hour) -> float:
    subdomain, _, rest = domain_code.partition(".")
    places = _EVERYWHERE if subdomain in _MULTILINGUAL else _READERS.get(subdomain, _MOST_OF_EUROPE)
    mobile = rest.startswith(("m", "zero")) and not (subdomain in _MULTILINGUAL and rest == "m")
    peak = _MOBILE_PEAK if mobile else _DESKTOP_PEAK
    of_the_day = mean(1 + _SWING * cos((hour.started_at.hour + place - peak) / 24 * tau) for place in places)
    if hour.started_at.weekday() < _SATURDAY:
        return of_the_day
    return of_the_day * (_MOBILE_WEEKEND if mobile else _DESKTOP_WEEKEND)
