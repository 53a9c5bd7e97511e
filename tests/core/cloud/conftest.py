"""A real HTTP server on loopback that answers as told."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from requests.structures import CaseInsensitiveDict

from heartbeat_core.cloud.session import CloudSession, Limits, open_session

QUICK = Limits(connect_s=5, read_s=5, total_s=5, tries=3, backoff_s=0.001)


@dataclass
class Asked:
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Answer:
    """``raw`` is written to the wire as it is; ``hold`` keeps the answer back until the test ends."""

    status: int = 200
    body: Any = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    hold: bool = False


class Server:
    """Gives the answers in their order, the last one again and again; keeps what was asked."""

    def __init__(self) -> None:
        self.answers: list[Answer | Callable[[Asked], Answer]] = [Answer()]
        self.asked: list[Asked] = []
        self.lock = threading.Lock()
        self.held = threading.Semaphore(0)
        self.released = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                asked = Asked(self.command, self.path, CaseInsensitiveDict(self.headers.items()), body)
                server.give(self, asked)

            do_GET = do_POST = do_DELETE = do_CONNECT = do_PATCH = handle_one  # noqa: N815

            def log_message(self, *args: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.http.block_on_close = False
        threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def port(self) -> int:
        return int(self.http.server_address[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def say(self, *answers: Answer | Callable[[Asked], Answer]) -> None:
        self.answers = list(answers)

    def give(self, handler: BaseHTTPRequestHandler, asked: Asked) -> None:
        with self.lock:
            self.asked.append(asked)
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if callable(answer):
            answer = answer(asked)
        if answer.hold:
            self.held.release()
            self.released.wait(60)
            handler.close_connection = True
            return
        if answer.raw is not None:
            handler.wfile.write(answer.raw)
            handler.wfile.flush()
            handler.close_connection = True
            handler.connection.shutdown(socket.SHUT_RDWR)
            return
        body = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
        handler.send_response(answer.status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(body)), **answer.headers}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    def close(self) -> None:
        self.released.set()
        self.http.shutdown()
        self.http.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


@pytest.fixture
def session(server: Server) -> Iterator[CloudSession]:
    made = open_session(endpoint=server.url, environ={}, limits=QUICK)
    yield made
    made.close()


@pytest.fixture
def free_port() -> int:
    """Find a port where nobody listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture
def answer() -> type[Answer]:
    """Return the class of answers: test files cannot import one another."""
    return Answer
