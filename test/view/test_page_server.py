"""Who may ask the page server for what."""

import http.client
import json
import socket
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

import pytest
from fixtures.factories import refusal

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.view.live_history import LiveHistory
from imu_emg_estimator.view.page_server import MAX_BODY_BYTES, MAX_CONNECTIONS, PageServer, serving

CALLED: list[Mapping[str, Any]] = []


def act(fields: Mapping[str, Any]) -> None:
    if "wrong" in fields:
        raise InputError("that is wrong; correct it")
    CALLED.append(fields)


@pytest.fixture
def server() -> Iterator[PageServer]:
    CALLED.clear()
    with serving(LiveHistory(), {"act": act}, 0) as server:
        yield server


def ask(server: PageServer, name: str, body: str | None = None, **headers: str) -> tuple[int, str, Mapping[str, str]]:
    """Ask as the page does; headers replace its own, a name with a slash the whole path."""
    host = f"127.0.0.1:{server.server_address[1]}"
    given = {"Host": host, "Origin": f"http://{host}"} | headers
    connection = http.client.HTTPConnection(host, timeout=60)
    path = name if name.startswith("/") else f"/{server.token}/{name}"
    connection.request("GET" if body is None else "POST", path, body, given)
    answer = connection.getresponse()
    return answer.status, answer.read().decode(), dict(answer.getheaders())


def test_page_and_its_files_are_served_with_a_policy_against_all_else(server: PageServer) -> None:
    for name in ("", "view.css", "view.js", "new?epoch=0&number=0"):
        status, text, headers = ask(server, name)
        assert (status, bool(text), "default-src 'none'" in headers["Content-Security-Policy"]) == (200, True, True)
        assert "//" not in text.replace("http://www.w3.org/2000/svg", "").replace("// ", "")
    assert server.server_address[0] == "127.0.0.1"


@pytest.mark.parametrize("path", ["/", "/view.js", "/wrong/", "/wrong/new", "//new", "/é/", f"/{'x' * 9000}/"])
def test_who_lacks_the_token_gets_nothing(server: PageServer, path: str) -> None:
    assert ask(server, path.replace("é", "%C3%A9"))[:2] == (404, "no such page")
    assert ask(server, path.replace("é", "%C3%A9"), "{}")[0] == 404
    assert CALLED == []


@pytest.mark.parametrize("host", ["evil.example", "", "127.0.0.1.evil.example"])
def test_other_names_of_this_computer_get_nothing(server: PageServer, host: str) -> None:
    assert ask(server, "", Host=host)[0] == 404


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "", "http://localhost:1"])
def test_pages_from_elsewhere_call_nothing(server: PageServer, origin: str) -> None:
    assert ask(server, "act", "{}", Origin=origin)[0] == 404
    assert ask(server, "act")[0] == 404  # a link
    assert CALLED == []


def test_page_calls_actions_also_through_a_tunnel(server: PageServer) -> None:
    assert ask(server, "act", '{"a": 1}')[0] == 202
    assert ask(server, "act", '{"a": 2}', Host="localhost:9000", Origin="http://localhost:9000")[0] == 202
    assert CALLED == [{"a": 1}, {"a": 2}]
    status, text, _ = ask(server, "act", '{"wrong": 1}')
    assert (status, json.loads(text)) == (400, {"message": "that is wrong; correct it"})


@pytest.mark.parametrize(("body", "status"), [("[1]", 400), ("{" * 9999, 400), ("x" * (MAX_BODY_BYTES + 1), 413)])
def test_bodies_are_bounded_objects(server: PageServer, body: str, status: int) -> None:
    assert ask(server, "act", body)[0] == status
    assert ask(server, "act", "{}", **{"Content-Length": "-1"})[0] == 413


def test_connections_are_bounded_and_come_free(server: PageServer) -> None:
    address = ("127.0.0.1", server.server_address[1])
    held = [socket.create_connection(address, timeout=60) for _ in range(MAX_CONNECTIONS)]
    with socket.create_connection(address, timeout=60) as refused, suppress(ConnectionError):
        refused.sendall(f"GET /{server.token}/ HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        assert refused.recv(1) == b""
    for connection in held:
        connection.shutdown(socket.SHUT_RDWR)
        connection.close()
    for _ in range(MAX_CONNECTIONS):  # until one was let go
        assert server.free_connections.acquire(timeout=60)


def test_taken_port_is_refused_unless_none_was_named(server: PageServer) -> None:
    with refusal(f"port {server.server_address[1]} cannot be used", "choose another"):
        PageServer(LiveHistory(), {}, server.server_address[1])
    with serving(LiveHistory(), {}, None) as one, serving(LiveHistory(), {}, None) as other:
        assert one.url != other.url
