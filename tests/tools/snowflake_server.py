"""fakesnow's server, which the real connector and dbt-snowflake sign in to, with what it lacks made up for.

    python -m tests.tools.snowflake_server PORT LOG [HOST]

Made up for, and so not proved by a test that runs here: MD5_NUMBER_LOWER64 and _UPPER64 (written for DuckDB as in
tests of their values against Snowflake's documented examples), REMOVE, ALTER SESSION, GRANT and CLUSTER BY (accepted,
and nothing done), SHOW GRANTS (answered from what the test sets), temporary tables and views (made as plain ones).
Every statement is written to LOG, one JSON object a line.
"""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.tools.status_process import free_port

DATABASE, SCHEMA = "PAGEVIEWS_TEST", "WIKIPEDIA"
_STARTS_WITHIN_SECONDS = 60
_GRANTS = re.compile(rb'show grants to role \\"[A-Z_]+\\"')
_TEMPORARY = re.compile(rb"temporary\s+(table|view)")


@dataclass(frozen=True)
class SnowflakeServer:
    port: int
    log: Path

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PAGEVIEWS_WAREHOUSE": "snowflake",
            "SNOWFLAKE_ACCOUNT": "fakesnow",
            "SNOWFLAKE_USER": "LOADER",
            "SNOWFLAKE_PASSWORD": "fake-password-that-no-log-may-hold",
            "SNOWFLAKE_ROLE": "PAGEVIEWS_LOADER",
            "SNOWFLAKE_WAREHOUSE": "PAGEVIEWS_WH",
            "SNOWFLAKE_DATABASE": DATABASE,
            "SNOWFLAKE_HOST": "127.0.0.1",
            "SNOWFLAKE_PORT": str(self.port),
            "SNOWFLAKE_PROTOCOL": "http",
        }

    def statements(self) -> list[str]:
        """All that were sent, in their order."""
        return [json.loads(line)["sql"] for line in self.log.read_text().splitlines()]

    def sessions(self) -> list[dict[str, Any]]:
        """The session parameters of each sign-in."""
        lines = (json.loads(line) for line in self.log.with_suffix(".sessions").read_text().splitlines())
        return list(lines)

    def set_grants(self, rows: list[tuple[str, str, str]]) -> None:
        """Privilege, kind and name of all that the role has."""
        self.log.with_suffix(".grants").write_text(json.dumps(rows))

    def forget(self) -> None:
        self.log.write_text("")


@contextmanager
def snowflake_server(folder: Path) -> Iterator[SnowflakeServer]:
    """Empty at first, and gone at the end."""
    folder.mkdir(parents=True, exist_ok=True)
    port, log = free_port(), folder / "statements.jsonl"
    log.write_text("")
    log.with_suffix(".sessions").write_text("")
    command = [sys.executable, "-m", "tests.tools.snowflake_server", str(port), str(log)]
    with (folder / "server.log").open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, cwd=Path(__file__).parents[2])
    try:
        deadline = time.monotonic() + _STARTS_WITHIN_SECONDS
        while True:
            try:
                httpx.get(f"http://127.0.0.1:{port}/", timeout=5)
                break
            except httpx.TransportError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError((folder / "server.log").read_text()) from None
                time.sleep(0.05)
        yield SnowflakeServer(port, log)
    finally:
        process.terminate()
        process.wait(timeout=20)


def _grants(log: Path) -> str:
    """What SHOW GRANTS answers here: a role that owns everything, unless the test has set other rows."""
    schema = f"{DATABASE}.{SCHEMA}"
    tables = [
        ("TABLE", f"{schema}.{name}") for name in ("RAW_WIKIPEDIA_PAGEVIEWS", "PAGEVIEWS_LEDGER", "PAGEVIEWS_FENCE")
    ]
    above = [("WAREHOUSE", "PAGEVIEWS_WH"), ("DATABASE", DATABASE), ("SCHEMA", schema)]
    owned = [*above, *tables, ("STAGE", f"{schema}.WIKIPEDIA_PAGEVIEWS_STAGE")]
    rows = [("OWNERSHIP", *each) for each in owned]
    rows += [(f"CREATE {kind}", "SCHEMA", schema) for kind in ("TABLE", "VIEW")]
    given = log.with_suffix(".grants")
    rows = [(row[0], row[1], row[2]) for row in json.loads(given.read_text())] if given.exists() else rows
    listed = ", ".join(str(row) for row in rows)
    return f"select column1 as privilege, column2 as granted_on, column3 as name from values {listed}"


def _serve(port: int, log: Path, host: str = "127.0.0.1") -> None:
    from importlib import import_module

    import uvicorn
    from sqlglot import exp
    from sqlglot.dialects.duckdb import DuckDB
    from sqlglot.generator import Generator

    def md5_half(side: str) -> Any:
        def written(generator: Any, node: Any) -> str:
            return f"CAST(CAST('0x' || {side}(MD5({generator.sql(node, 'this')}), 16) AS UBIGINT) AS DECIMAL(20, 0))"

        return written

    server = import_module("fakesnow.server")  # the package has a function of that name, too
    for generator in (DuckDB.Generator, Generator):  # the plain one writes what is only described
        generator.TRANSFORMS[exp.MD5NumberLower64] = md5_half("RIGHT")
        generator.TRANSFORMS[exp.MD5NumberUpper64] = md5_half("LEFT")
    server.shared_fs.nop_regexes = [
        r"(?i)^\s*(remove|rm)\s+@",
        r"(?i)^\s*alter\s+session",
        r"(?i)^\s*grant\s",
        r"(?is)^\s*alter\s+table.*(cluster\s+by|recluster)",
    ]
    app = server.app

    async def logging_app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        messages = [await receive()]
        while messages[-1].get("more_body"):
            messages.append(await receive())
        body = b"".join(message.get("body", b"") for message in messages)
        text = gzip.decompress(body) if headers.get(b"content-encoding") == b"gzip" else body
        if scope["path"].startswith("/queries/v1/query-request") and text:
            with log.open("a") as file:
                file.write(json.dumps({"sql": json.loads(text)["sqlText"]}) + "\n")
        elif "login-request" in scope["path"] and text:
            with log.with_suffix(".sessions").open("a") as file:
                file.write(json.dumps(json.loads(text)["data"]["SESSION_PARAMETERS"]) + "\n")

        if asked := _GRANTS.search(text):
            text = text.replace(asked[0], json.dumps(_grants(log))[1:-1].encode())
        text = _TEMPORARY.sub(rb"\1", text)
        body = gzip.compress(text) if headers.get(b"content-encoding") == b"gzip" else text
        length = (b"content-length", str(len(body)).encode())
        scope["headers"] = [length if name == b"content-length" else (name, value) for name, value in scope["headers"]]
        given: list[Any] = [{"type": "http.request", "body": body, "more_body": False}]

        async def again() -> Any:
            return given.pop() if given else await receive()

        await app(scope, again, send)

    uvicorn.run(logging_app, host=host, port=port, log_level="warning", access_log=False)


if __name__ == "__main__":
    _serve(int(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])
