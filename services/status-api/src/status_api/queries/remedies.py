"""What a problem means and what to do about it, in a sentence or two."""

from __future__ import annotations

from typing import NamedTuple

LOOK_AT_THE_LOG = "Read the run's log; the hours are tried again by themselves."

_CORRUPT = (
    "The source served something that is not the hour's file. It is kept as evidence and asked for again; if it "
    "stays so, acknowledge the hour."
)
OF_ERRORS = {
    "SourceCorrupt": _CORRUPT,
    "DownloadCorrupt": _CORRUPT,
    "TooManyRejects": (
        "Look at the rejected lines in the quarantine; if the file is right as it is, raise "
        "PAGEVIEWS_MAX_REJECTED_SHARE and load the hour again."
    ),
    "CountsDiffer": ("Load the hour again; if it comes back, a stage loses or doubles rows, which is a bug to report."),
    "InputGone": "Raw rows, landing and raw object are all gone. Load the hour from the source again.",
    "TransformFailed": "Read the run's log for dbt's own words; once the cause is gone, retry.",
}


class Explained(NamedTuple):
    title: str
    """After the number of hours."""
    detail: str
    remedy: str


OF_STATES = {
    "late": Explained(
        "late",
        "Past the usual delay the source still has no file.",
        "Nothing: the source is asked again, ever more rarely. Acknowledge the hours if it says that they are lost.",
    ),
    "missing": Explained(
        "missing",
        "Never loaded, and no attempt is known.",
        "See that the ingestor's schedule is on; a backfill loads them.",
    ),
}
LOOK_AT_THE_POD = "Read its last words here; mend what they name. The next tick tries again."
OF_ENDS = {
    "OOMKilled": (
        "It took more memory than its limit: lower PAGEVIEWS_MEMORY_LIMIT or PAGEVIEWS_MAX_BATCH_ROWS, or raise "
        "resources.limits.memory in the chart's values."
    ),
    "Evicted": "The node was short of something, and the next tick goes on. If it comes back, raise its requests.",
    "DeadlineExceeded": (
        "It took longer than activeDeadlineSeconds, waiting for its pod included: see why the pod did not start, or "
        "keep PAGEVIEWS_RUN_BUDGET below it."
    ),
    "BackoffLimitExceeded": "Its pods failed one after the other: read their last words, and mend what they name.",
}
OF_TROUBLES = {
    "cannot_start": Explained(
        "cannot start",
        "Its pod is there, and its container does not start.",
        "Mend the image's name, the pull Secret or the mount that is named. The waiting Job holds up every tick until "
        "its deadline: delete it, and the next tick starts with what was mended.",
    ),
    "cannot_be_scheduled": Explained(
        "finds no node",
        "No node takes its pod.",
        "Give it room (resources.requests), or see that the volume and its node are there.",
    ),
    "refused": Explained(
        "is refused by the cluster",
        "Its Job may not make a pod.",
        "Mend what the message names: a quota, an admission policy, a missing ServiceAccount. Then delete the Job.",
    ),
}
OF_WARNINGS = {
    "rejected_lines": Explained(
        "with rejected lines",
        "Some lines could not be decoded and are kept in the quarantine.",
        "Look at the quarantined lines; acknowledge the hours if they are junk of the source.",
    ),
    "control_differs": Explained(
        "whose control totals differ",
        "The sums per domain are not those of Wikimedia's projectviews file.",
        "Compare the named domains; load the hour again if the source has restated it.",
    ),
    "restatement_pending": Explained(
        "restated and not built yet",
        "The source has restated them; the facts are still of the version before.",
        "Nothing: the transformer's next tick builds them.",
    ),
    "test_warned": Explained(
        "with a dbt test that warned",
        "The build went through, but a test found something odd.",
        "Read the test's rows in the run; acknowledge the hours if it is right.",
    ),
    "views_unusual": Explained(
        "with unusual views",
        "Less than half, or more than double, of the same hour a week before.",
        "Compare with the news and with the hours around; acknowledge the hours if it is real.",
    ),
}
