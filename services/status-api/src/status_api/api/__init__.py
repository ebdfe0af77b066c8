"""The REST API: thin routes over the queries."""

from __future__ import annotations

from fastapi import APIRouter

from status_api.api import changing, logs, reading

router = APIRouter(prefix="/api/v1")
router.include_router(reading.router)
router.include_router(logs.router)
router.include_router(changing.router)
