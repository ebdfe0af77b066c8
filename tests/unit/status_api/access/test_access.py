"""Who may do what, driven through the whole application."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.unit.status_api.in_process import Client, started

from pageviews_core.clock import SystemClock
from pageviews_core.errors import ConfigurationError
from status_api.access.session import COOKIE, CSRF_COOKIE, ONE_TIME, Session, Sessions
from status_api.access.tokens import Tokens, add_entry, new_token
from status_api.main import create_app
from status_api.settings import StatusSettings

KEY = "k" * 40
CODE = "c" * 40


class Service:
    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder = folder
        self._stack = stack
        self.file = folder / "tokens.json"

    def token(self, name: str, role: Any, expires_at: datetime | None = None) -> str:
        token, entry = new_token(name, role, expires_at)
        add_entry(self.file, entry)
        return token

    def start(self, **settings: Any) -> Client:
        given = {"tokens_file": self.file if self.file.exists() else None, "session_key": KEY, **settings}
        app = create_app(StatusSettings(store_url=(self._folder / "objects").as_uri(), **given))
        return self._stack.enter_context(started(app))


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with ExitStack() as stack:
        yield Service(tmp_path, stack)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def suspend(client: Client, **headers: str) -> httpx.Response:
    return client.request("POST", "/api/v1/schedules/ingestor/suspend", headers=headers)


def cookies(response: httpx.Response) -> dict[str, str]:
    return dict(re.findall(r"(pageviews_\w+)=([^;]*)", "; ".join(response.headers.get_list("set-cookie"))))


def form_of(client: Client, path: str, jar: dict[str, str]) -> dict[str, str]:
    """The hidden field of a page's form; the visitor's cookie goes into the jar."""
    response = client.get(path, cookie=as_cookie(jar))
    jar.update(cookies(response))
    found = re.search(r'name="csrf" value="(\w+)"', response.text)
    assert found, response.text
    return {"csrf": found[1]}


def as_cookie(jar: dict[str, str]) -> str:
    return "; ".join(f"{name}={value}" for name, value in jar.items())


def post(client: Client, path: str, jar: dict[str, str], form: dict[str, str], **headers: str) -> httpx.Response:
    return client.request(
        "POST", path, form=form, headers={"cookie": as_cookie(jar), "origin": "http://localhost", **headers}
    )


def test_without_tokens_everything_is_read_only(service: Service) -> None:
    client = service.start()
    assert client.get("/api/v1/status").status_code == 200
    refused = suspend(client)
    assert refused.status_code == 403
    assert "no tokens are configured" in refused.json()["detail"]


def test_an_operator_may_change_a_viewer_may_not_and_both_are_audited(service: Service) -> None:
    operator, viewer = service.token("olga", "operator"), service.token("vera", "viewer")
    client = service.start()
    assert suspend(client).status_code == 401
    assert suspend(client, **bearer(viewer)).status_code == 403
    assert suspend(client, **bearer(operator)).status_code == 200
    entries = client.get("/api/v1/audit").json()["items"]
    assert [(entry["who"], entry["outcome"]) for entry in entries] == [
        ("olga", "done"), ("vera", "refused"), ("anonymous", "refused"),
    ]  # fmt: skip


def test_a_token_that_is_wrong_expired_or_of_another_scheme_is_refused_even_for_looking(service: Service) -> None:
    expired = service.token("old", "operator", datetime.now(UTC) - timedelta(seconds=1))
    right = service.token("olga", "operator")
    client = service.start()
    for value in (f"Bearer {expired}", "Bearer nonsense", f"Basic {right}", "Bearer"):
        response = client.get("/api/v1/status", authorization=value)
        assert response.status_code == 401, value
        assert response.headers["content-type"] == "application/problem+json"
        assert "Bearer" in response.headers["www-authenticate"]


def test_looking_may_need_a_token_too_but_for_probes(service: Service) -> None:
    token = service.token("vera", "viewer")
    client = service.start(anonymous="none")
    for path in ("/", "/api/v1/status", "/api/v1/openapi.json"):
        assert client.get(path).status_code == 401, path
        assert client.get(path, **bearer(token)).status_code == 200, path
    for path in ("/livez", "/readyz", "/metrics", "/version", "/sign-in"):
        assert client.get(path).status_code == 200, path


def test_a_page_is_signed_in_with_a_token_and_out_again(service: Service) -> None:
    token, jar = service.token("olga", "operator"), dict[str, str]()
    client = service.start()
    response = post(client, "/sign-in", jar, {**form_of(client, "/sign-in", jar), "token": token})
    assert response.status_code == 303
    flags = next(value for value in response.headers.get_list("set-cookie") if value.startswith(COOKIE))
    assert "HttpOnly" in flags
    assert "SameSite=lax" in flags
    assert "Secure" not in flags  # it came over http
    jar.update(cookies(response))
    assert "olga (operator)" in client.get("/", cookie=as_cookie(jar)).text
    form = {**form_of(client, "/schedules", jar), "job": "ingestor", "suspend": "yes"}
    assert post(client, "/actions/schedules", jar, form).status_code == 303
    assert client.get("/api/v1/schedules").json()[0]["suspended"] is True
    out = post(client, "/sign-out", jar, form_of(client, "/", jar))
    assert f'{COOKIE}=""' in "; ".join(out.headers.get_list("set-cookie"))


def test_a_wrong_token_does_not_sign_in_and_attempts_are_bounded(service: Service) -> None:
    service.token("olga", "operator")
    client, jar = service.start(), dict[str, str]()
    form = {**form_of(client, "/sign-in", jar), "token": "pvw_wrong"}
    codes = [post(client, "/sign-in", jar, form).status_code for _ in range(11)]
    assert codes == [403] * 10 + [429]


def test_a_session_ends_with_its_token(service: Service) -> None:
    token = service.token("olga", "operator")
    client = service.start()
    cookie = Sessions(KEY).seal(Session("olga", hashlib.sha256(token.encode()).hexdigest(), "n"))
    assert "olga (operator)" in client.get("/", cookie=f"{COOKIE}={cookie}").text
    service.file.write_text("[]")
    assert "olga" not in client.get("/", cookie=f"{COOKIE}={cookie}").text


@pytest.mark.parametrize(
    "spoil",
    [
        lambda cookie: cookie[:-2] + "xx",
        lambda cookie: Sessions("x" * 40).seal(Session("olga", ONE_TIME, "n")),
        lambda cookie: "W10.x.y",
        lambda cookie: "",
        lambda cookie: "\x00",
    ],
)
def test_a_forged_session_is_nobodys(service: Service, spoil: Callable[[str], str]) -> None:
    client = service.start()
    cookie = spoil(Sessions(KEY).seal(Session("olga", ONE_TIME, "n")))
    response = client.request("GET", "/", headers={"cookie": f"{COOKIE}={cookie}"})
    assert response.status_code == 200
    assert "operator)" not in response.text


def test_a_form_from_another_site_or_without_its_token_changes_nothing(service: Service) -> None:
    service.token("olga", "operator")
    client = service.start(one_time_sign_in=CODE)
    jar: dict[str, str] = {}
    form = {**form_of(client, f"/sign-in/once?code={CODE}", jar), "code": CODE}
    jar.update(cookies(post(client, "/sign-in/once", jar, form)))
    good = {**form_of(client, "/schedules", jar), "job": "ingestor", "suspend": "yes"}
    refused = [
        post(client, "/actions/schedules", jar, good, origin="https://evil.example"),
        post(client, "/actions/schedules", jar, good, **{"sec-fetch-site": "cross-site"}),
        post(client, "/actions/schedules", jar, {**good, "csrf": "0" * 64}),
        post(client, "/actions/schedules", jar, {key: value for key, value in good.items() if key != "csrf"}),
        post(client, "/actions/schedules", {COOKIE: jar[COOKIE][:-3], CSRF_COOKIE: "x"}, good),
    ]
    assert [response.status_code for response in refused] == [403] * 5
    assert client.get("/api/v1/schedules").json()[0]["suspended"] is False
    assert post(client, "/actions/schedules", jar, good).status_code == 303


def test_a_one_time_link_works_once_and_only_by_its_button(service: Service) -> None:
    client, jar = service.start(one_time_sign_in=CODE), dict[str, str]()
    form = {**form_of(client, f"/sign-in/once?code={CODE}", jar), "code": CODE}
    client.get(f"/sign-in/once?code={CODE}")  # a prefetch
    assert post(client, "/sign-in/once", jar, {**form, "code": "d" * 40}).status_code == 403
    first = post(client, "/sign-in/once", jar, form)
    assert (first.status_code, COOKIE in cookies(first)) == (303, True)
    again = post(client, "/sign-in/once", jar, form)
    assert (again.status_code, COOKIE in cookies(again)) == (403, False)


def test_a_foreign_host_is_refused_but_for_probes(service: Service) -> None:
    client = service.start()
    for host in ("evil.example", "localhost.evil.example", "", "evil.example:80"):
        assert client.get("/api/v1/status", host=host).status_code == 421, host
        assert client.get("/livez", host=host).status_code == 200, host
    for host in ("localhost", "LOCALHOST:8080", "127.0.0.1:8080", "[::1]:8080"):
        assert client.get("/api/v1/status", host=host).status_code == 200, host


def test_a_proxys_word_counts_only_from_a_trusted_address(service: Service) -> None:
    settings = {"proxy_user_header": "X-Forwarded-User", "proxy_operators": "olga"}
    headers = {"X-Forwarded-User": "olga", "X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "https"}
    trusting = service.start(trusted_proxies="127.0.0.0/8", **settings)
    assert suspend(trusting, **headers).status_code == 200
    assert trusting.get("/api/v1/audit").json()["items"][0]["address"] is None  # not for everybody
    entry = trusting.request("GET", "/api/v1/audit", headers=headers).json()["items"][0]
    assert (entry["who"], entry["address"]) == ("olga", "203.0.113.7")
    assert suspend(trusting, **{**headers, "X-Forwarded-User": "vera"}).status_code == 403
    distrusting = service.start(trusted_proxies="10.0.0.0/8", **settings)
    assert suspend(distrusting, **headers).status_code == 403


def test_every_answer_has_the_headers(service: Service) -> None:
    client = service.start()
    for path in ("/", "/api/v1/status", "/nowhere", "/metrics", "/static/live.js"):
        headers = client.get(path).headers
        assert headers["content-security-policy"].startswith("default-src 'none'; style-src 'self' 'sha256-")
        assert headers["x-frame-options"] == "DENY"
        assert headers["x-content-type-options"] == "nosniff"
    assert "unsafe-inline" in client.get("/api/v1/docs").headers["content-security-policy"].split("script-src")[0]


def test_what_is_too_large_is_refused(service: Service) -> None:
    client = service.start()
    assert client.get("/search?q=" + "x" * 9_000).status_code == 414
    response = client.request("POST", "/api/v1/requests", headers={"content-length": str(2 * 1024**2)})
    assert response.status_code == 413
    endless = client.request("POST", "/sign-in", headers={"transfer-encoding": "chunked"}, content=b"x" * 2 * 1024**2)
    assert endless.status_code == 413


def test_a_bad_tokens_file_ends_the_start_and_says_nothing_of_its_content(tmp_path: Path) -> None:
    file = tmp_path / "tokens.json"
    file.write_text('[{"name": "x", "role": "king", "sha256": "secret"}]')
    with pytest.raises(ConfigurationError, match=r"tokens.json: 0\.role") as raised:
        Tokens(file, SystemClock())
    assert "secret" not in str(raised.value)
    with pytest.raises(ConfigurationError, match="No such file"):
        Tokens(tmp_path / "none.json", SystemClock())


def test_a_tokens_file_that_becomes_bad_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "tokens.json"
    token, entry = new_token("olga", "operator", None)
    add_entry(file, entry)
    tokens = Tokens(file, SystemClock())
    file.write_text("{")
    found = tokens.find(token)
    assert found is not None
    assert found.name == "olga"


def test_the_file_keeps_a_hash_alone_for_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "tokens.json"
    token, entry = new_token("olga", "operator", None)
    add_entry(file, entry)
    add_entry(file, new_token("olga", "viewer", None)[1])
    (kept,) = json.loads(file.read_text())
    assert kept["role"] == "viewer"
    assert token not in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
