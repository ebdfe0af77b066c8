"""Requests to an application in the same process, without a socket; started and stopped as a server does it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx
from fastapi import FastAPI
from starlette.types import Receive, Scope, Send


class Client:
    def __init__(self, app: FastAPI, runner: asyncio.Runner, state: object) -> None:
        async def with_state(scope: Scope, receive: Receive, send: Send) -> None:
            await app({**scope, "state": dict(state) if isinstance(state, dict) else {}}, receive, send)

        self._transport = httpx.ASGITransport(with_state, raise_app_exceptions=False)
        self._runner = runner

    def request(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        json: Any = None,
        content: bytes | None = None,
    ) -> httpx.Response:
        async def ask() -> httpx.Response:
            async with httpx.AsyncClient(transport=self._transport, base_url="http://localhost") as client:
                return await client.request(method, path, headers=headers, data=form, json=json, content=content)

        return self._runner.run(ask())

    def get(self, path: str, **headers: str) -> httpx.Response:
        """Headers are given as keywords: `if_none_match` for If-None-Match."""
        return self.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})


@contextmanager
def started(app: FastAPI) -> Iterator[Client]:
    """Raises what the application's start does."""
    lifespan = app.router.lifespan_context(app)
    with asyncio.Runner() as runner:
        state = runner.run(lifespan.__aenter__())
        yield Client(app, runner, state)
        runner.run(lifespan.__aexit__(None, None, None))
