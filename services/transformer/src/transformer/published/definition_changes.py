"""Where the source changed what it counts; from Wikimedia's notes on its pageview data."""

from __future__ import annotations

from datetime import date

from pageviews_core.records.published import DefinitionChange

DEFINITION_CHANGES = (
    DefinitionChange(
        earliest=date(2019, 5, 1),
        latest=date(2019, 5, 31),
        title="Zero-rated traffic ended",
        effect="Views of Wikipedia Zero were counted apart (access `zero`) until then, and not at all since.",
    ),
    DefinitionChange(
        earliest=date(2020, 5, 1),
        latest=date(2020, 5, 31),
        title="Bots split off",
        effect="Automated readers that call themselves people are left out since: 5.6 % fewer views in all, 8 to 10 % "
        "fewer on the English Wikipedia.",
    ),
    DefinitionChange(
        earliest=date(2023, 2, 9),
        latest=date(2023, 2, 28),
        title="New writer of the files",
        effect="Quotes and backslashes in titles are spelt otherwise. Both ways are read here to the same title.",
    ),
    DefinitionChange(
        earliest=date(2025, 1, 1),
        latest=date(2025, 12, 31),
        title="Readers reclassified",
        effect="What counts as a person's view changed in the course of the year, and hours were restated.",
    ),
)
