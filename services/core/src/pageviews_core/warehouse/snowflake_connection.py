"""Signing in to Snowflake, and its errors as the pipeline's own."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from typing import Any

import snowflake.connector
import structlog
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from snowflake.connector.errors import DatabaseError, Error, InterfaceError, OperationalError, ProgrammingError

from pageviews_core.errors import ConfigurationError, PageviewsError, WarehouseUnavailable
from pageviews_core.warehouse.snowflake_settings import SnowflakeSettings

_LOGIN_SECONDS, _NETWORK_SECONDS = 60, 300

MISSING = 2003
"""An object that does not exist, or that the role may not see: Snowflake does not tell them apart."""
_NOT_ALLOWED = 3001
_NO_WAREHOUSE = 606
_UNKNOWN = {MISSING, 2043}
_ENDED = {
    604: "the statement was ended, by a timeout or a person",
    625: "the statement was ended, since its warehouse was suspended or resized",
    630: "the statement took longer than SNOWFLAKE_STATEMENT_TIMEOUT",
    707: "the warehouse's queue was full for too long",
    90073: "the warehouse has no room, as it starts or changes its size",
    90064: "the warehouse is suspended, and may not start by itself (AUTO_RESUME)",
    **dict.fromkeys((625001, 300002, 603), "Snowflake failed on its side"),
    **dict.fromkeys((390110, 390111, 390112, 390113, 390114, 390115, 390195, 390318), "the session has ended"),
}
_LOCKED = ("was aborted because the number of waiters", "lock timeout", "deadlock")
_SIGN_IN_PASSES = {
    "expired": "the token or the JWT has expired",
    "not yet valid": "the clock here is ahead of Snowflake's: synchronise it (NTP)",
    "service unavailable": "Snowflake is not available",
}
_SIGN_IN_ADVICE = {
    "multi-factor": "this user must answer a second factor: give the job a user of TYPE = SERVICE with a key pair "
    "(SNOWFLAKE_PRIVATE_KEY_FILE)",
    "mfa": "this user must answer a second factor: give the job a user of TYPE = SERVICE with a key pair "
    "(SNOWFLAKE_PRIVATE_KEY_FILE)",
    "locked": "the user is locked after too many wrong tries: mend the password or key, then "
    "`alter user … set mins_to_unlock = 0`",
    "disabled": "the user is disabled: `alter user … set disabled = false`",
    "jwt": "the key is not the user's: compare `desc user …` (RSA_PUBLIC_KEY_FP) with the key of "
    "SNOWFLAKE_PRIVATE_KEY_FILE",
    "password": "user or password is wrong: see SNOWFLAKE_USER, and sign in by key pair",
    "role": "the role is not granted to the user: `grant role … to user …` (SNOWFLAKE_ROLE)",
    "network policy": "the network policy does not let this address in",
    "not allowed to access": "the network policy does not let this address in",
    "404": "there is no such account: see SNOWFLAKE_ACCOUNT (organisation-account)",
}

log = structlog.get_logger()


@dataclass(frozen=True)
class Session:
    """One connection's statements, each with its parameters written into it by the connector."""

    connection: Any
    statements: list[str]

    def run(self, sql: str, parameters: Mapping[str, Any] | Sequence[Any] | None = None) -> Any:
        """The cursor. Values are named `%(name)s`, or `%s` one after the other."""
        self.statements.append(sql)
        return self.connection.cursor().execute(sql, parameters or None)


@contextmanager
def connected(settings: SnowflakeSettings, schema: str, tag: Mapping[str, str]) -> Iterator[Session]:
    """A session in UTC; `tag` is what QUERY_HISTORY shows of it. Errors come out as the pipeline's own."""
    try:
        connection = snowflake.connector.connect(**sign_in(settings), **_session(settings, schema, tag))
    except Error as exc:
        raise _refused(exc, settings) from exc
    try:
        yield Session(connection, [])
    except Error as exc:
        raise translated(exc, settings) from exc
    finally:
        with suppress(Error):
            connection.close()


def sign_in(settings: SnowflakeSettings) -> dict[str, Any]:
    """Where, and as whom. Raises ConfigurationError for a key that cannot be read."""
    where: dict[str, Any] = {"account": settings.account, "port": settings.port, "protocol": settings.protocol}
    if settings.host:
        where["host"] = settings.host
    who: dict[str, Any] = {"user": settings.user} if settings.user else {}
    if settings.authenticator == "WORKLOAD_IDENTITY":
        who |= {
            "authenticator": "WORKLOAD_IDENTITY",
            "workload_identity_provider": settings.workload_identity_provider,
            **({"token": _token(settings)} if settings.token or settings.token_file else {}),  # OIDC's
        }
    elif settings.by_key_pair:
        who["private_key"] = private_key(settings)
    elif settings.token or settings.token_file:
        who |= {"authenticator": settings.authenticator or "OAUTH", "token": _token(settings)}
    elif settings.password:
        _warn_of_password()
        who["password"] = settings.password.get_secret_value()
    return {**where, **who}


@cache
def _warn_of_password() -> None:
    """Once in a process."""
    log.warning("signing_in_by_password", advice="most accounts refuse it: use SNOWFLAKE_PRIVATE_KEY_FILE")


def private_key(settings: SnowflakeSettings) -> bytes:
    """The key as the connector takes it (PKCS#8, DER). Raises ConfigurationError that never shows it."""
    try:
        pem = (
            settings.private_key.get_secret_value().replace("\\n", "\n").encode()
            if settings.private_key
            else settings.private_key_file.read_bytes()  # type: ignore[union-attr]  # by_key_pair: one of them is set
        )
    except OSError as exc:
        raise ConfigurationError(f"SNOWFLAKE_PRIVATE_KEY_FILE={exc.filename}: {exc.strerror}") from exc
    passphrase = settings.private_key_passphrase
    try:
        key = serialization.load_pem_private_key(pem, passphrase.get_secret_value().encode() if passphrase else None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as exc:
        reason = "a passphrase is needed, or wrong" if "pass" in str(exc).lower() else "it is no private key in PEM"
    else:
        return key.private_bytes(
            serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    # Raised out here, so that no traceback carries the key.
    name = (
        "SNOWFLAKE_PRIVATE_KEY" if settings.private_key else f"SNOWFLAKE_PRIVATE_KEY_FILE={settings.private_key_file}"
    )
    raise ConfigurationError(f"{name}: {reason} (SNOWFLAKE_PRIVATE_KEY_PASSPHRASE): `openssl pkcs8 -topk8` makes one")


def _token(settings: SnowflakeSettings) -> str:
    if settings.token:
        return settings.token.get_secret_value()
    assert settings.token_file
    try:
        return settings.token_file.read_text().strip()
    except OSError as exc:
        raise ConfigurationError(f"SNOWFLAKE_TOKEN_FILE={exc.filename}: {exc.strerror}") from exc


def _session(settings: SnowflakeSettings, schema: str, tag: Mapping[str, str]) -> dict[str, Any]:
    return {
        "role": settings.role,
        "warehouse": settings.warehouse,
        "database": settings.database,
        "schema": schema.upper(),
        "application": "wikipedia_pageviews",
        "autocommit": True,
        "login_timeout": _LOGIN_SECONDS,
        "network_timeout": _NETWORK_SECONDS,
        "session_parameters": {
            "TIMEZONE": "UTC",
            "TIMESTAMP_TYPE_MAPPING": "TIMESTAMP_NTZ",
            "TIMESTAMP_NTZ_OUTPUT_FORMAT": "YYYY-MM-DD HH24:MI:SS",
            "QUOTED_IDENTIFIERS_IGNORE_CASE": False,
            "QUERY_TAG": json.dumps({"app": "wikipedia-pageviews", **tag}),
            "STATEMENT_TIMEOUT_IN_SECONDS": int(settings.statement_timeout.total_seconds()),
            "LOCK_TIMEOUT": int(settings.lock_timeout.total_seconds()),
            "ABORT_DETACHED_QUERY": True,
        },
    }


def _refused(exc: Error, settings: SnowflakeSettings) -> PageviewsError:
    """At sign-in almost everything has one number, so the words decide."""
    where, said = f"Snowflake account {settings.account}, user {settings.user or 'of the workload'}", _said(exc)
    lowered = said.lower()
    for words, meaning in _SIGN_IN_PASSES.items():
        if words in lowered and "password" not in lowered:  # which does not come back by itself
            return WarehouseUnavailable(f"{where}: {meaning}: {said}")
    for words, advice in _SIGN_IN_ADVICE.items():
        if words in lowered:
            return ConfigurationError(f"{where}: {said}: {advice}")
    if "certificate" in lowered:
        return ConfigurationError(f"{where}: {said}: name your own authority in REQUESTS_CA_BUNDLE")
    if isinstance(exc, OperationalError | InterfaceError) or not isinstance(exc, DatabaseError):
        return WarehouseUnavailable(f"{where}: cannot be reached: {said}; the work is tried again")
    return ConfigurationError(f"{where}: {said}: see the SNOWFLAKE_ settings")


def translated(exc: Error, settings: SnowflakeSettings) -> PageviewsError:
    """The pipeline's error for one of Snowflake's, by its number."""
    number, said = exc.errno or -1, _said(exc)
    where = f"Snowflake, role {settings.role}"
    if number in _ENDED:
        return WarehouseUnavailable(f"{where}: {_ENDED[number]}: {said}; the work is tried again")
    if any(words in said.lower() for words in _LOCKED):
        return WarehouseUnavailable(f"{where}: another transaction held a lock for too long: {said}")
    if number == _NO_WAREHOUSE:
        return ConfigurationError(
            f"{where}: the warehouse cannot be used: {said}: `grant usage, operate on warehouse {settings.warehouse} "
            f"to role {settings.role}`"
        )
    if number == _NOT_ALLOWED:
        return ConfigurationError(f"{where}: {said}: `check` names the grant that is missing, and its statement")
    if number in _UNKNOWN:
        return ConfigurationError(
            f"{where}: {said}: `check --create` makes what is missing, where the role may; see docs/snowflake.md"
        )
    if isinstance(exc, OperationalError | InterfaceError) or not isinstance(exc, ProgrammingError):
        return WarehouseUnavailable(f"{where}: the connection failed: {said}; the work is tried again")
    return PageviewsError(f"{where}: {said}")


def is_lost(exc: Error) -> bool:
    """The connection broke: whether a COMMIT that was under way took effect is not known."""
    return isinstance(exc, OperationalError | InterfaceError) or not isinstance(exc, ProgrammingError)


def _said(exc: Error) -> str:
    return " ".join(str(exc.msg or exc).split())[:500]
