"""Assets, one of them, and how they hang together."""

from __future__ import annotations

from fastapi import APIRouter, Request
from markupsafe import Markup
from starlette.responses import Response

from status_api.pages.render import cached, page, view_of
from status_api.queries.assets import Lineage, list_assets, read_asset, read_lineage

router = APIRouter(include_in_schema=False)

_COLUMN, _ROW, _BOX, _TALL = 210, 40, 180, 26


@router.get("/assets")
def assets_page(request: Request) -> Response:
    if found := cached(request):
        return found
    return page(request, "assets.html", assets=list_assets(view_of(request)))


@router.get("/assets/{name}")
def asset_page(request: Request, name: str) -> Response:
    if found := cached(request):
        return found
    detail = read_asset(view_of(request), name)
    return page(request, "asset.html", detail=detail, asset=detail.asset)


@router.get("/lineage")
def lineage_page(request: Request) -> Response:
    if found := cached(request):
        return found
    view = view_of(request)
    lineage = read_lineage(view)
    return page(request, "lineage.html", picture=draw(lineage), assets=list_assets(view))


def draw(lineage: Lineage) -> Markup:
    """Layers from left to right; each node is a link in the class of its state."""
    at = {node.name: (node.layer * _COLUMN + 4, node.row * _ROW + 6) for node in lineage.nodes}
    parts = []
    for source, target in lineage.edges:
        if source in at and target in at:
            (x1, y1), (x2, y2) = at[source], at[target]
            x1, y1, y2 = x1 + _BOX, y1 + _TALL // 2, y2 + _TALL // 2
            middle = (x1 + x2) // 2
            parts.append(
                Markup('<path class="edge" fill="none" d="M{} {} C{} {} {} {} {} {}"></path>').format(
                    x1, y1, middle, y1, middle, y2, x2, y2
                )
            )
    for node in lineage.nodes:
        x, y = at[node.name]
        parts.append(
            Markup(
                '<a href="/assets/{name}"><g><title>{name}: {state}</title>'
                '<rect class="node state-{state}" x="{x}" y="{y}" width="{w}" height="{h}" rx="5"></rect>'
                '<text class="label" x="{tx}" y="{ty}">{short}</text></g></a>'
            ).format(
                name=node.name,
                state=node.state,
                x=x,
                y=y,
                w=_BOX,
                h=_TALL,
                tx=x + 8,
                ty=y + 17,
                short=_short(node.name),
            )
        )
    width, height = lineage.layers * _COLUMN, lineage.rows * _ROW + 8
    return Markup(
        '<svg class="lineage" viewBox="0 0 {w} {h}" width="{w}" height="{h}" role="group" '
        'aria-label="Lineage: what is made from what">{parts}</svg>'
    ).format(w=max(width, 1), h=max(height, 1), parts=Markup("").join(parts))


def _short(name: str) -> str:
    return name if len(name) <= 25 else name[:24] + "…"
