"""The server of the page, from its start to the end of its private folder. A generator of events."""

from __future__ import annotations

import secrets
import socket
import tempfile
import threading
import time
import webbrowser
from collections.abc import Callable, Generator
from pathlib import Path

import uvicorn
from starlette.applications import Starlette

from styler.errors import OutputError
from styler.events import Event, Note
from styler.options.web import WebOptions
from styler.web.app import Api, application
from styler.web.desk import Desk
from styler.web.menu import Menu
from styler.web.shelf import Shelf

HOST = "127.0.0.1"
_PATIENCE = 5.0
"""Seconds that a step in hand may take when the page ends."""


def serve(
    options: WebOptions, stop: Callable[[], bool] = lambda: False
) -> Generator[Event, None, dict[str, object] | None]:
    """Serve the page until `stop`; a Note says where it is. Raises OutputError for a port that is taken."""
    with _listening(options.port) as listener, tempfile.TemporaryDirectory(prefix="styler-web-") as name:
        port, token, folder = listener.getsockname()[1], secrets.token_urlsafe(24), Path(name)
        menu, shelf, desk = Menu(options), Shelf(folder, options.max_pixels), Desk(folder)
        api = Api(menu, shelf, desk, folder)
        hosts = frozenset(f"{host}:{port}" for host in (HOST, "localhost", "[::1]"))
        server = _quiet(application(api, hosts, token))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            address = f"http://{HOST}:{port}/#{token}"
            yield Note(f"The page is at {address} until Ctrl-C")
            if options.open:
                webbrowser.open(address)
            while not stop() and thread.is_alive():
                time.sleep(0.1)
        finally:
            desk.close(_PATIENCE)
            server.should_exit = True
            thread.join(_PATIENCE)
    return None


def _listening(port: int) -> socket.socket:
    # With the protocol named, asyncio turns Nagle's wait off, which costs each answer 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen()  # who is quicker than the server then waits, and is not refused
    except OSError as error:
        listener.close()
        raise OutputError(f"port {port} cannot be used ({error.strerror}): choose another --port") from error
    return listener


def _quiet(app: Starlette) -> uvicorn.Server:
    """Uvicorn without a log; run beside the main thread, it leaves signals to the command line."""
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        ws="none",
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=1,
        limit_concurrency=64,
    )
    return uvicorn.Server(config)
