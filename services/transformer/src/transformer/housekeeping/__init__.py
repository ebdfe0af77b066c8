"""What the transformer does once a day: finds hidden hours, keeps retention, compacts closed days, prunes leftovers."""

from transformer.housekeeping.claim import is_due
from transformer.housekeeping.keeping import HousekeepingReport, housekeep

__all__ = ["HousekeepingReport", "housekeep", "is_due"]
