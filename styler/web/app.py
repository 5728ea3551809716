"""The application: its routes, from requests to the desk and back."""

from __future__ import annotations

import asyncio
import json
import urllib.parse
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from styler.errors import InputError, StylerError
from styler.storage.pictures.load import read_recipe
from styler.web.desk import Desk, FullError, Work, clean
from styler.web.guard import Guard
from styler.web.menu import Menu
from styler.web.shelf import MAX_BYTES, Shelf, Upload

PAGE = Path(__file__).parent / "page"
_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_WISH_BYTES = 16 * 1024
_PULSE, _SILENCE = 0.03, 10.0
"""Seconds between two looks at the desk, and after which an idle stream says that it is alive."""


@dataclass(frozen=True, eq=False)
class Api:
    """What the page can ask; `folder` is the session's."""

    menu: Menu
    shelf: Shelf
    desk: Desk
    folder: Path

    async def offers(self, request: Request) -> Response:
        """Styles, translators and colors."""
        return JSONResponse(self.menu.plain())

    async def thumbnail(self, request: Request) -> Response:
        """The thumbnail of a style, by a name that is looked up."""
        style = self.menu.styles.get((request.path_params["kind"], request.path_params["name"]))
        if style is None or style.thumbnail is None:
            raise HTTPException(404, "there is no such style")
        return Response(style.thumbnail, media_type="image/jpeg")

    async def upload(self, request: Request) -> Response:
        """Keep a picture, the raw body; its name is in a header."""
        name = urllib.parse.unquote(request.headers.get("x-name", ""))
        data = await _body(request, MAX_BYTES)
        upload = await run_in_threadpool(self.shelf.add, name, data, self.desk.in_use())
        facts = {"id": upload.id, "name": upload.path.name, "size": [upload.size[1], upload.size[0]]}
        made = self.menu.settings(upload.recipe)
        return JSONResponse({**facts, "made": made, "notes": list(upload.notes)}, 201)

    async def picture(self, request: Request) -> Response:
        """What the page shows of a picture that was dropped on it."""
        upload: Upload = self.shelf[request.path_params["id"]]
        return Response(upload.shown, media_type="image/jpeg")

    async def order(self, request: Request) -> Response:
        """Put a wish into the queue."""
        try:
            wish = json.loads(await _body(request, _WISH_BYTES))
        except (ValueError, RecursionError) as error:
            raise HTTPException(400, "this is no JSON") from error
        if not isinstance(wish, Mapping):
            raise HTTPException(400, "a wish is a JSON object")
        if "result" in wish:
            wish = {**wish, "content": await run_in_threadpool(self._kept, wish["result"])}
        work = self.desk.submit(self.menu.order(wish, self.shelf), wish.get("draft") is True)
        return JSONResponse({"id": work.id}, 202)

    async def events(self, request: Request) -> Response:
        """Server-sent events: each order as it is now, whenever it changes."""
        since = request.headers.get("last-event-id", "0")
        stream = self._stream(int(since) if since.isascii() and since.isdigit() and len(since) < 16 else 0)
        return StreamingResponse(stream, media_type="text/event-stream")

    async def _stream(self, since: int) -> AsyncIterator[str]:
        idle = _SILENCE
        while not self.desk.closed:
            for since, facts in self.desk.changed(since):  # noqa: B020  # the last one is where to go on
                yield f"id: {since}\ndata: {json.dumps(facts)}\n\n"
                idle = 0.0
            if idle >= _SILENCE:
                yield ": still here\n\n"
                idle = 0.0
            await asyncio.sleep(_PULSE)
            idle += _PULSE

    async def view(self, request: Request) -> Response:
        """The finished picture, or the one in progress."""
        work = self._work(request)
        if work.file:
            return FileResponse(work.file, media_type="image/png")
        if not work.view:
            raise HTTPException(404, "there is no picture yet")
        return Response(work.view, media_type="image/jpeg")

    async def recipe(self, request: Request) -> Response:
        """The recipe in a finished picture, and what of it the page can fill in."""
        work = self._work(request)
        if not work.file:
            raise HTTPException(404, "there is no picture yet")
        recipe: dict[str, Any] = read_recipe(work.file)
        return JSONResponse({"recipe": recipe, "settings": self.menu.settings(recipe)})

    async def stop(self, request: Request) -> Response:
        """Stop an order; its picture is kept."""
        self.desk.stop(self._work(request))
        return Response(status_code=204)

    def _kept(self, identity: object) -> str:
        """A finished picture among those that were dropped, so that it can be worked on; its id there."""
        work = self.desk.get(identity) if isinstance(identity, str) else None
        if work is None or work.file is None:
            raise InputError("this picture is no longer here: paint it once more")
        return self.shelf.add(work.order.name, work.file.read_bytes(), self.desk.in_use()).id

    def _work(self, request: Request) -> Work:
        work = self.desk.get(request.path_params["id"])
        if work is None:
            raise HTTPException(404, "there is no such picture")
        return work

    async def refuse(self, request: Request, error: Exception) -> Response:
        """An error as JSON."""
        if isinstance(error, HTTPException):
            return JSONResponse({"message": error.detail}, error.status_code)
        status = 429 if isinstance(error, FullError) else 400
        return JSONResponse({"message": clean(str(error), self.folder)}, status)


async def _body(request: Request, most: int) -> bytes:
    """The body, of at most so many bytes, whatever the request says of its length."""
    data = bytearray()
    length = request.headers.get("content-length", "0")
    if length.isascii() and length.isdigit() and int(length[:18]) <= most:
        async for chunk in request.stream():
            data += chunk
            if len(data) > most:
                break
        else:
            return bytes(data)
    raise HTTPException(413, f"this is too large: {most // 1000:,} kB is the most", {"connection": "close"})


def application(api: Api, hosts: frozenset[str], token: str) -> Starlette:
    """The page and its API behind the guard; the page's files are routes, so that no path is ever made."""
    pages = [
        Route("/" if path.name == "index.html" else f"/{path.name}", _file(path))
        for path in sorted(PAGE.iterdir())
        if path.suffix in _TYPES
    ]
    routes = [
        Route("/api/offers", api.offers),
        Route("/api/styles/{kind}/{name}", api.thumbnail),
        Route("/api/pictures", api.upload, methods=["POST"]),
        Route("/api/pictures/{id}", api.picture),
        Route("/api/jobs", api.order, methods=["POST"]),
        Route("/api/events", api.events),
        Route("/api/jobs/{id}", api.stop, methods=["DELETE"]),
        Route("/api/jobs/{id}/picture", api.view),
        Route("/api/jobs/{id}/recipe", api.recipe),
    ]
    return Starlette(
        routes=[*pages, *routes],
        middleware=[Middleware(Guard, hosts, token)],
        exception_handlers={HTTPException: api.refuse, StylerError: api.refuse},
    )


def _file(path: Path) -> FileResponse:
    return FileResponse(path, media_type=_TYPES[path.suffix])
