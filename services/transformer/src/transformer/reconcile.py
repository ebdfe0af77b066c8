"""After dbt: the facts must hold exactly the rows and views that were loaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC

from pageviews_core.errors import CountsDiffer
from pageviews_core.hour import Hour
from pageviews_core.warehouse.base import Warehouse
from transformer.protocol import BatchError, BatchHour, BuiltHour


@dataclass(frozen=True)
class Facts:
    built: dict[str, BuiltHour] = field(default_factory=dict)
    failed: dict[str, BatchError] = field(default_factory=dict)


def reconcile(warehouse: Warehouse, schema: str, hours: Sequence[BatchHour]) -> Facts:
    """Counts the fact table's rows and views of each (hour, generation)."""
    _, rows = warehouse.fetch(
        "select hour_started_at, generation, count(*), cast(coalesce(sum(view_count), 0) as bigint) "
        f"from {schema}.fct_wikipedia_pageviews where hour_started_at in ({', '.join('?' * len(hours))}) group by all",
        [item.hour.started_at.replace(tzinfo=None) for item in hours],
    )
    found: dict[Hour, dict[int, BuiltHour]] = {}
    for at, generation, count, views in rows:
        found.setdefault(Hour(at.replace(tzinfo=UTC)), {})[generation] = BuiltHour(rows=count, views=views)
    facts = Facts()
    for item in hours:
        generations = found.get(item.hour, {})
        built = generations.get(item.generation, BuiltHour(rows=0, views=0))
        if set(generations) <= {item.generation} and (built.rows, built.views) == (item.rows, item.views):
            facts.built[str(item.hour)] = built
        else:
            held = ", ".join(
                f"generation {key}: {value.rows} rows, {value.views} views" for key, value in generations.items()
            )
            message = (
                f"{item.hour}: generation {item.generation} was loaded with {item.rows} rows and {item.views} views, "
                f"but the fact table holds {held or 'nothing'}"
            )
            facts.failed[str(item.hour)] = BatchError(type=CountsDiffer.__name__, message=message)
    return facts
