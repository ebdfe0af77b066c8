"""What the demo shows while it works: two bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tests.demo.jobs import Event

_TOLD = {
    "hour_not_published": "not published yet",
    "hour_perhaps_restated": "the source has another version",
    "control_totals_differ": "control totals differ",
}


class Display:
    """Follows the jobs' events. Hours done again (restated) are told, and not counted twice."""

    def __init__(self, console: Console, hours: int) -> None:
        self._console = console
        self._progress = Progress(
            TextColumn("{task.description:<12}"),
            BarColumn(40),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
        )
        self._bars = {job: self._progress.add_task(job, total=hours) for job in ("ingestor", "transformer")}
        self._done: dict[str, set[str]] = {job: set() for job in self._bars}

    def __enter__(self) -> Display:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def follow(self, job: str, event: Event) -> None:
        name, hour = event.get("event"), event.get("hour")
        if name == "hour_finished":
            self._finished(job, event)
        elif name in _TOLD:
            self._tell(job, f"{hour}  {_TOLD[name]}")
        elif name == "failed":
            self._tell(job, f"failed: {event['error']}", style="red")

    def _finished(self, job: str, event: Event) -> None:
        if event["outcome"] == "done":
            self._done[job].add(event["hour"])
            self._progress.update(self._bars[job], completed=len(self._done[job]))
            if event.get("generation", 1) > 1:
                self._tell(job, f"{event['hour']}  restated: done again as generation {event['generation']}")
        elif event["outcome"] == "failed":
            self._tell(job, f"{event['hour']}  failed: {event['detail'][:300]}", style="yellow")

    def _tell(self, job: str, text: str, style: str = "") -> None:
        console = self._progress.console
        console.print(f"  {job:<12}", text, style=style, highlight=False, markup=False, soft_wrap=True)
