"""What is Snowflake's alone: the statements and their order, commits whose outcome is unknown, sign-in, and errors."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlglot
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from snowflake.connector.errors import DatabaseError, OperationalError, ProgrammingError
from tests.fake_clock import FakeClock
from tests.integration.pageviews_core.warehouse_bench import FIRST, HOUR, RESTATED, WarehouseBench
from tests.tools.snowflake_server import SnowflakeServer, snowflake_server

from pageviews_core.errors import ConfigurationError, PageviewsError, WarehouseUnavailable
from pageviews_core.settings import JobSettings, read_settings
from pageviews_core.warehouse import open_warehouse
from pageviews_core.warehouse.snowflake import TABLES, SnowflakeWarehouse
from pageviews_core.warehouse.snowflake_connection import Session, _refused, sign_in, translated
from pageviews_core.warehouse.snowflake_grants import Grant, missing, needed
from pageviews_core.warehouse.snowflake_settings import SnowflakeSettings

GOLDEN = Path(__file__).parent / "snowflake_load.sql"
RUN, ULID = "01JD4Q2Z5V0000000000000001", re.compile(r"[0-9A-HJKMNP-TV-Z]{26}/")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SnowflakeServer]:
    with snowflake_server(tmp_path_factory.mktemp("snowflake")) as server:
        yield server


@pytest.fixture
def bench(
    server: SnowflakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> WarehouseBench:
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("SNOWFLAKE_DATABASE", f"T{abs(hash(request.node.nodeid))}")
    clock = FakeClock()
    return WarehouseBench(tmp_path, open_warehouse(read_settings(JobSettings), clock, engine_memory=0), clock)


def normal(statements: list[str], bench: WarehouseBench) -> list[str]:
    """Without what changes from run to run, and without the connector's own second PUT."""
    found = []
    for sql in statements:
        if sql.startswith("put 'file://") and not sql.startswith("put 'file:///"):
            continue
        text = sql.replace(str(bench.folder), "<folder>").replace(_warehouse(bench).settings.database, "DB")
        text = re.sub(r"-?\d+\.parquet", "<hour>.parquet", ULID.sub("<ulid>/", text))
        found.append(re.sub(r"'-?\d{15,}'", "'<sha256>'", text))
    return found


def _warehouse(bench: WarehouseBench) -> SnowflakeWarehouse:
    assert isinstance(bench.warehouse, SnowflakeWarehouse)
    return bench.warehouse


def test_the_statements_of_a_load_are_those_that_were_reviewed(bench: WarehouseBench, server: SnowflakeServer) -> None:
    """A change of what is sent to Snowflake changes the file beside this test: read it, then accept it with
    ACCEPT_GOLDEN=1."""
    bench.warehouse.prepare()
    bench.load(*FIRST)
    server.forget()
    bench.load(*RESTATED, fence=2)
    found = ";\n".join(normal(server.statements(), bench)) + ";\n"
    if os.environ.get("ACCEPT_GOLDEN"):
        GOLDEN.write_text(found)
    assert found == GOLDEN.read_text()


def test_the_fence_comes_first_in_the_transaction_and_the_ledger_last(
    bench: WarehouseBench, server: SnowflakeServer
) -> None:
    bench.warehouse.prepare()
    server.forget()
    bench.load(*FIRST)
    verbs = [sql.split(maxsplit=1)[0].lower() for sql in normal(server.statements(), bench)]
    begin, commit = verbs.index("begin"), verbs.index("commit")
    assert verbs[begin : commit + 1] == ["begin", "update", "select", "delete", "copy", "select", "insert", "commit"]
    assert verbs.index("put") < begin < commit < verbs.index("remove")
    inside = " ".join(normal(server.statements(), bench)[begin:commit]).lower()
    assert not re.search(r"\b(create|alter|drop|truncate|put|remove)\s", inside), "DDL and stage work commit"
    copy = next(sql for sql in server.statements() if sql.startswith("copy")).lower()
    assert "force = true" in copy
    assert "on_error = abort_statement" in copy


def test_every_statement_is_snowflakes_own(bench: WarehouseBench, server: SnowflakeServer) -> None:
    for sql in TABLES:
        sqlglot.parse_one(sql.format(**_warehouse(bench)._names), dialect="snowflake")
    bench.warehouse.prepare()
    server.forget()
    bench.load(*FIRST)
    for sql in server.statements():
        if not sql.startswith(("put", "remove")):
            sqlglot.parse_one(sql, dialect="snowflake", error_level=sqlglot.ErrorLevel.RAISE)


@pytest.mark.parametrize("committed", [True, False])
def test_a_commit_whose_connection_broke_is_looked_up_and_never_guessed(
    bench: WarehouseBench, monkeypatch: pytest.MonkeyPatch, committed: bool
) -> None:
    bench.warehouse.prepare()
    run = Session.run

    def breaking(self: Session, sql: str, parameters: Any = None) -> Any:
        if sql == "commit":
            run(self, "commit" if committed else "rollback")
            raise OperationalError(msg="the connection was reset", errno=250003)
        return run(self, sql, parameters)

    monkeypatch.setattr(Session, "run", breaking)
    if committed:
        assert bench.load(*FIRST) == (1, "loaded")
    else:
        with pytest.raises(WarehouseUnavailable, match="before the load was committed"):
            bench.load(*FIRST)
    monkeypatch.undo()
    assert bench.warehouse.ledger([HOUR]).keys() == ({HOUR} if committed else set())


def test_a_load_that_fails_is_rolled_back_and_its_stage_cleared(
    bench: WarehouseBench, server: SnowflakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.load(*FIRST)
    before = bench.everything()
    run = Session.run

    def breaking(self: Session, sql: str, parameters: Any = None) -> Any:
        if sql.startswith("copy"):
            raise ProgrammingError(msg="Failed to decompress", errno=100080)
        return run(self, sql, parameters)

    monkeypatch.setattr(Session, "run", breaking)
    server.forget()
    with pytest.raises(PageviewsError, match="Failed to decompress"):
        bench.load(*RESTATED)
    verbs = [sql.split(maxsplit=1)[0] for sql in server.statements()]
    assert verbs[-2:] == ["rollback", "remove"]
    monkeypatch.undo()
    assert bench.everything() == before


def test_an_external_stage_is_copied_from_directly(bench: WarehouseBench, server: SnowflakeServer) -> None:
    warehouse = _warehouse(bench)
    staged = SnowflakeWarehouse(
        warehouse.settings.model_copy(update={"external_stage": "LANDING"}),
        bench.clock,
        schema="WIKIPEDIA",
        raw_table="RAW_WIKIPEDIA_PAGEVIEWS",
    )
    bench.warehouse.prepare()
    server.forget()
    with staged._staged(Session(None, []), bench.hour_load(*FIRST, landing="landing/x/pageviews.parquet")) as source:
        assert source.endswith(".WIKIPEDIA.LANDING/landing/x/pageviews.parquet")
    assert server.statements() == []


SETTINGS: dict[str, Any] = {
    "account": "org-acc", "user": "LOADER", "role": "R", "warehouse": "WH", "database": "DB", "password": "secret!",
}  # fmt: skip


@pytest.mark.parametrize(
    ("words", "error", "advice"),
    [
        ("Incorrect username or password was specified.", ConfigurationError, "SNOWFLAKE_USER"),
        ("Your user account has been temporarily locked", ConfigurationError, "mins_to_unlock"),
        ("Multi-factor authentication is required for this account.", ConfigurationError, "TYPE = SERVICE"),
        ("JWT token is invalid. [0ce9]", ConfigurationError, "RSA_PUBLIC_KEY_FP"),
        (
            "Role 'R' specified in the connect string does not exist or not authorized.",
            ConfigurationError,
            "grant role",
        ),
        ("User access disabled. Contact your local system administrator.", ConfigurationError, "disabled = false"),
        ("IP 1.2.3.4 is not allowed to access Snowflake.", ConfigurationError, "network policy"),
        ("Your password has expired.", ConfigurationError, "key pair"),
        ("404 Not Found: https://org-acc.example", ConfigurationError, "SNOWFLAKE_ACCOUNT"),
        ("OAuth access token expired.", WarehouseUnavailable, "expired"),
        ("JWT token is not yet valid", WarehouseUnavailable, "clock"),
    ],
)
def test_a_sign_in_that_is_refused_says_what_to_do(words: str, error: type[Exception], advice: str) -> None:
    settings = SnowflakeSettings(**SETTINGS)
    told = _refused(DatabaseError(msg=f"Failed to connect to DB: {words}", errno=250001), settings)
    assert type(told) is error
    assert advice in str(told)
    assert words.split("[")[0].strip() in str(told)
    assert "secret!" not in str(told)


@pytest.mark.parametrize(
    ("exc", "error", "advice"),
    [
        (ProgrammingError(msg="Insufficient privileges on table 'T'", errno=3001), ConfigurationError, "check"),
        (ProgrammingError(msg="Object 'T' does not exist", errno=2003), ConfigurationError, "--create"),
        (ProgrammingError(msg="No active warehouse selected", errno=606), ConfigurationError, "grant usage, operate"),
        (ProgrammingError(msg="Statement reached its statement timeout", errno=630), WarehouseUnavailable, "TIMEOUT"),
        (ProgrammingError(msg="SQL execution canceled", errno=604), WarehouseUnavailable, "ended"),
        (ProgrammingError(msg="Warehouse is suspended", errno=90064), WarehouseUnavailable, "AUTO_RESUME"),
        (ProgrammingError(msg="Authentication token has expired", errno=390114), WarehouseUnavailable, "session"),
        (ProgrammingError(msg="Statement was aborted because the number of waiters for this lock exceeds", errno=625),
         WarehouseUnavailable, "tried again"),
        (OperationalError(msg="Connection reset by peer", errno=250003), WarehouseUnavailable, "connection failed"),
        (ProgrammingError(msg="syntax error line 1", errno=1003), PageviewsError, "syntax error"),
    ],
)  # fmt: skip
def test_what_passes_is_told_from_what_does_not_by_its_number(exc: Any, error: type[Exception], advice: str) -> None:
    told = translated(exc, SnowflakeSettings(**SETTINGS))
    assert type(told) is error
    assert advice in str(told)


def _pem(passphrase: bytes | None = None) -> str:
    how = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, how).decode()


def test_a_key_pair_signs_in_from_a_file_or_the_setting_itself(tmp_path: Path) -> None:
    plain, locked = _pem(), _pem(b"open sesame")
    (tmp_path / "key.p8").write_text(locked)
    by_setting = sign_in(SnowflakeSettings(**SETTINGS | {"private_key": plain}))
    by_line = sign_in(SnowflakeSettings(**SETTINGS | {"private_key": plain.replace("\n", "\\n")}))
    by_file = sign_in(
        SnowflakeSettings(
            **SETTINGS | {"private_key_file": tmp_path / "key.p8", "private_key_passphrase": "open sesame"}
        )
    )
    assert by_setting["private_key"] == by_line["private_key"]
    assert all(isinstance(found["private_key"], bytes) for found in (by_setting, by_file))
    assert "password" not in by_setting


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"private_key": "-----BEGIN PRIVATE KEY-----\nnothing\n-----END PRIVATE KEY-----"}, "no private key in PEM"),
        ({"private_key_file": Path("/none/key.p8")}, "SNOWFLAKE_PRIVATE_KEY_FILE=/none/key.p8: No such file"),
        ({"private_key": "LOCKED"}, "passphrase"),
        ({"private_key": "LOCKED", "private_key_passphrase": "wrong!"}, "passphrase"),
    ],
)
def test_a_key_that_cannot_be_read_is_named_and_never_shown(changes: dict[str, Any], told: str) -> None:
    given = {name: _pem(b"open sesame") if value == "LOCKED" else value for name, value in changes.items()}
    with pytest.raises(ConfigurationError, match=told) as raised:
        sign_in(SnowflakeSettings(**SETTINGS | given))
    assert "PRIVATE KEY-----" not in str(raised.value)
    assert "wrong!" not in str(raised.value)


def test_a_token_is_read_anew_and_an_identity_needs_no_secret(tmp_path: Path) -> None:
    file = tmp_path / "token"
    settings = SnowflakeSettings(**SETTINGS | {"password": None, "token_file": file})
    for token in ("one", "two"):
        file.write_text(f"{token}\n")
        assert sign_in(settings)["token"] == token
    assert sign_in(settings)["authenticator"] == "OAUTH"
    identity = {"password": None, "authenticator": "WORKLOAD_IDENTITY", "workload_identity_provider": "AWS", "user": ""}
    oidc = {**identity, "workload_identity_provider": "OIDC", "token_file": file}
    assert sign_in(SnowflakeSettings(**SETTINGS | oidc))["token"] == "two"
    assert sign_in(SnowflakeSettings(**SETTINGS | identity)).keys() == {
        "account", "port", "protocol", "authenticator", "workload_identity_provider"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("spelt", "size"),
    [("x-small", "XSMALL"), ("XSMALL", "XSMALL"), ("2X-Large", "XXLARGE"), ("xxlarge", "XXLARGE"),
     ("3X-LARGE", "XXXLARGE"), ("4X-Large", "X4LARGE"), ("X5LARGE", "X5LARGE"), ("6XLARGE", "X6LARGE")],
)  # fmt: skip
def test_sizes_are_taken_as_snowflake_spells_them(spelt: str, size: str) -> None:
    assert SnowflakeSettings(**SETTINGS | {"warehouse_size": spelt}).warehouse_size == size
    with pytest.raises(ValueError, match="a size is one of"):
        SnowflakeSettings(**SETTINGS | {"warehouse_size": f"{spelt}r"})


def test_a_scratch_folder_may_have_braces_in_its_name(bench: WarehouseBench) -> None:
    folder = bench.folder / "{odd}"
    folder.mkdir()
    load = bench.hour_load(*FIRST)
    assert (
        bench.warehouse.load_hour(replace(load, parquet=load.parquet.rename(folder / "x.parquet"))).outcome == "loaded"
    )


def test_grants_are_compared_with_what_each_job_needs() -> None:
    names = {name: f"DB.S.{name}" for name in ("raw", "ledger", "fence", "stage", "external")}
    names |= {"warehouse": "WH", "database": "DB", "schema": "DB.S"}
    wanted = needed("transformer", names, external_stage=False)
    assert Grant("CREATE VIEW", "SCHEMA", "DB.S") in wanted
    assert Grant("CREATE VIEW", "SCHEMA", "DB.S") not in needed("ingestor", names, external_stage=False)
    assert Grant("USAGE", "STAGE", "DB.S.EXTERNAL") in needed("ingestor", names, external_stage=True)
    rows = [{"privilege": each.privilege, "granted_on": each.kind, "name": each.name} for each in wanted]
    assert missing(wanted, rows) == []
    assert missing(wanted, rows[1:]) == [wanted[0]]
    assert wanted[0].statement("R") == "grant usage on warehouse WH to role R;"
    owned = [{"privilege": "OWNERSHIP", "granted_on": "TABLE", "name": "DB.S.RAW"}]
    assert {grant.name for grant in missing(wanted, owned)}.isdisjoint({"DB.S.RAW"})


def test_the_page_key_is_snowflakes_documented_value(bench: WarehouseBench) -> None:
    """MD5_NUMBER_LOWER64('Snowflake') and _UPPER64, as the documentation of the functions has them."""
    ((lower, upper),) = bench.ask("select md5_number_lower64('Snowflake'), md5_number_upper64('Snowflake')")
    assert (int(lower), int(upper)) == (9203306159527282910, 17145559544104499780)
