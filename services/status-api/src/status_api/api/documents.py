"""The API's description, and Swagger UI from its package: nothing is loaded from elsewhere."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles

from status_api.problems import ProblemDetails

PATH = "/api/v1/docs"
_TAGS = {
    "status": "One answer for a monitor.",
    "hours": "The state of every hour, and all that is known of one.",
    "runs": "What the jobs did, with their logs.",
    "assets": "Tables, views and published results, and what they are made from.",
    "schedules": "When the jobs look next.",
    "insights": "What is read, and what is trending: the published results.",
    "requests": "Ask for work: manual runs, reloads, backfills.",
    "notes": "Acknowledge hours.",
    "audit": "Who changed what.",
    "health": "For platforms.",
}
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>API of the pageviews pipeline</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="{path}/swagger-ui.css"></head>
<body><main id="swagger-ui"></main>
<script src="{path}/swagger-ui-bundle.js"></script><script src="{path}/start.js"></script></body></html>
"""
_START = (
    'SwaggerUIBundle({url: "/api/v1/openapi.json", dom_id: "#swagger-ui", deepLinking: true, validatorUrl: null});\n'
)

router = APIRouter(include_in_schema=False)


@router.get(PATH)
def docs() -> Response:
    return HTMLResponse(_PAGE.format(path=PATH))


@router.get(f"{PATH}/start.js")
def start() -> Response:
    return Response(_START, media_type="text/javascript")


def mount_swagger_ui(app: FastAPI) -> None:
    vendor = files("swagger_ui_bundle") / "vendor"
    folder = next(each for each in vendor.iterdir() if each.name.startswith("swagger-ui"))
    app.mount(PATH, StaticFiles(directory=str(folder)), name="swagger-ui")


def describe(app: FastAPI) -> None:
    """Replaces FastAPI's document: its own 422 is not what this API answers."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = get_openapi(
                title=app.title,
                version=app.version,
                description="Times are in UTC, hours are named by their start, ranges are half open, errors are "
                "problem+json, lists come in pages with a cursor and a Link header.",
                routes=app.routes,
                tags=[{"name": name, "description": text} for name, text in _TAGS.items()],
            )
            schemas = document["components"]["schemas"]
            for name in ("HTTPValidationError", "ValidationError"):
                schemas.pop(name, None)
            problem = ProblemDetails.model_json_schema(ref_template="#/components/schemas/{model}")
            schemas.update(problem.pop("$defs", {}))
            schemas["ProblemDetails"] = problem
            document["components"]["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer"}}
            for operations in document["paths"].values():
                for method, operation in operations.items():
                    if method != "get":
                        operation["security"] = [{"bearer": []}]
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]
