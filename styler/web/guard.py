"""The guard before the page: who may ask, and what every answer forbids a browser to do with it."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

TOKEN = "x-styler-token"  # the name of a header, not a secret
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS: Mapping[str, str] = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
    "cache-control": "no-store",
}


class Guard:
    """Pass on requests from the page itself only: exact Host and Origin, and for the API the token.

    An exact Host stops a foreign name that was made to lead here (DNS rebinding). Pages of other sites cannot
    know the token, nor send its header without a preflight, which is never answered.
    """

    def __init__(self, app: ASGIApp, hosts: frozenset[str], token: str) -> None:
        self._app, self._hosts, self._token = app, hosts, token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def sealed(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        status, text = self._objection(scope)
        app = JSONResponse({"message": text}, status) if status else self._app
        await app(scope, receive, sealed)

    def _objection(self, scope: Scope) -> tuple[int, str]:
        """Status and reason to refuse a request; 0 if there is none."""
        headers, safe = Headers(scope=scope), scope["method"] in ("GET", "HEAD")
        hosts = headers.getlist("host")
        if len(hosts) != 1 or hosts[0] not in self._hosts:
            return 421, "this is no address of this page"
        origins = headers.getlist("origin")
        if origins != [f"http://{hosts[0]}"] and (origins or not safe):
            return 403, "another site's page asked"
        if not scope["path"].startswith("/api/"):
            return 0, ""
        if headers.get("sec-fetch-site", "same-origin") != "same-origin":
            return 403, "another site's page asked"
        if not secrets.compare_digest(headers.get(TOKEN, "").encode(), self._token):
            return 403, "the key in the address is missing or old: open the address that styler web printed"
        return 0, ""
