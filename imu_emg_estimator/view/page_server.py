"""Serve the page of ``imu-emg view`` to browsers of this computer, and to nobody else.

It listens on the loopback interface only. Every address begins with a secret token, so that another user of the
computer, or a page from elsewhere, can neither read nor call anything; the names under which a browser may ask (Host,
Origin) are checked, so that no foreign domain can stand for this computer. The standard library is enough: a page
asks twenty times a second for what is new, which bounds what is sent to it, and needs no further package.
"""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.utils.shipped_files import resource_file
from imu_emg_estimator.view.live_history import LiveHistory

ADDRESS, DEFAULT_PORT = "127.0.0.1", 8765
NAMES = (ADDRESS, "localhost")  # by which a browser may ask; the port may be that of an SSH tunnel
FILES = {"": "text/html", "view.css": "text/css", "view.js": "text/javascript"}
SINCE = ("epoch", "number")
MAX_BODY_BYTES = 16_000
MAX_CONNECTIONS = 32
CLOSE_PERIOD_S = 0.05  # between two looks whether to end
IDLE_S = 10.0  # until a connection without a request is closed, or one that takes no answer
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

Action = Callable[[Mapping[str, Any]], None]  # raises InputError where it refuses the fields that the page sent


class PageServer(ThreadingTCPServer):
    """Serves a history, and lets pages call actions by name.

    Args:
        port: 0 = any that is free; None = ``DEFAULT_PORT`` where it is free, else any.

    Raises:
        InputError: the port is taken.
    """

    daemon_threads = allow_reuse_address = True
    request_queue_size = MAX_CONNECTIONS

    def __init__(self, history: LiveHistory, actions: Mapping[str, Action], port: int | None) -> None:
        self.history, self.actions = history, actions
        self.token = secrets.token_urlsafe(24)
        self.free_connections = threading.Semaphore(MAX_CONNECTIONS)
        try:
            super().__init__((ADDRESS, DEFAULT_PORT if port is None else port), Handler)
        except OSError as error:
            if port is not None:
                raise InputError(f"port {port} cannot be used ({error.strerror}); choose another, or 0") from None
            super().__init__((ADDRESS, 0), Handler)

    @property
    def url(self) -> str:
        """Address of the page."""
        return f"http://{ADDRESS}:{self.server_address[1]}/{self.token}/"

    def process_request(self, request: Any, client_address: Any) -> None:
        """Take a connection, unless there are too many."""
        if self.free_connections.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve a connection to its end."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.free_connections.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a browser that went away."""


class Handler(BaseHTTPRequestHandler):
    """One connection of a browser."""

    server: PageServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = IDLE_S
    server_version, sys_version = "imu-emg", ""

    def do_GET(self) -> None:
        """Answer with a file of the page, or with what is new."""
        name = self._name()
        if name == "new":
            query = parse_qs(urlsplit(self.path).query)
            epoch, number = (int(value) if (value := query.get(key, [""])[0][:20]).isdecimal() else 0 for key in SINCE)
            self._answer(HTTPStatus.OK, "application/json", _json(self.server.history.since(epoch, number)))
        elif name in FILES:
            self._answer(HTTPStatus.OK, FILES[name], resource_file(name or "view.html").read_bytes())
        else:
            self._refuse(HTTPStatus.NOT_FOUND, "no such page")

    def do_POST(self) -> None:
        """Call an action with the fields of the page's JSON; it goes on while this answers."""
        action = self.server.actions.get(self._name() or "")
        length = self.headers.get("Content-Length", "")
        if action is None or self.headers.get("Origin") != f"http://{self.headers.get('Host')}":
            self._refuse(HTTPStatus.NOT_FOUND, "no such action")
        elif not length.isdecimal() or int(length) > MAX_BODY_BYTES:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"more than {MAX_BODY_BYTES} bytes")
        else:
            try:
                action(_fields(self.rfile.read(int(length))))
                self._answer(HTTPStatus.ACCEPTED, "application/json", _json({}))
            except InputError as error:
                self._answer(HTTPStatus.BAD_REQUEST, "application/json", _json({"message": str(error)}))

    def log_message(self, *_: Any) -> None:
        """Print nothing: the address holds the token."""

    def _name(self) -> str | None:
        """Return what is asked for; None where the name of this computer or the token is wrong."""
        _, token, name = [*urlsplit(self.path).path.split("/", 2), "", ""][:3]
        known = secrets.compare_digest(token.encode(errors="replace"), self.server.token.encode())
        host = urlsplit(f"//{self.headers.get('Host', '')}").hostname
        return name if known and host in NAMES else None

    def _refuse(self, status: HTTPStatus, reason: str) -> None:
        self.close_connection = True  # what else was sent is not read
        self._answer(status, "text/plain", reason.encode())

    def _answer(self, status: HTTPStatus, kind: str, content: bytes) -> None:
        self.send_response(status)
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@contextmanager
def serving(history: LiveHistory, actions: Mapping[str, Action], port: int | None) -> Iterator[PageServer]:
    """Serve on threads of its own for as long as the context lasts."""
    server = PageServer(history, actions, port)
    threading.Thread(target=server.serve_forever, args=(CLOSE_PERIOD_S,), name="view", daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def _json(content: Any) -> bytes:
    return json.dumps(content, allow_nan=False, separators=(",", ":")).encode()


def _fields(body: bytes) -> dict[str, Any]:
    with suppress(ValueError, RecursionError):
        if isinstance(fields := json.loads(body or b"{}"), dict):
            return fields
    raise InputError("the request is no JSON object; reload the page")
