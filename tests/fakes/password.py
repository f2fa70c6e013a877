"""A server that hands over to another one what comes with its user and password, and refuses all else."""

import base64
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx

LEFT_OUT = ("connection", "content-length", "content-encoding", "transfer-encoding", "date", "server")


@contextmanager
def behind_password(server: str, user: str, password: str) -> Iterator[str]:
    """HOST:PORT of a server that asks for them, and then gives the answers of the one at `server`."""
    expected = f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"
    asking = httpx.Client(base_url=server, timeout=120, trust_env=False)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if self.headers.get("Authorization") != expected:
                self.give(401, {}, b"who are you?")
                return
            kept = {name: text for name, text in self.headers.items() if name.lower() == "content-type"}
            found = asking.request(self.command, self.path, content=body, headers=kept)
            self.give(found.status_code, found.headers, found.content)

        def give(self, status: int, headers: "httpx.Headers | dict[str, str]", body: bytes) -> None:
            self.send_response(status)
            for name, text in headers.items():
                if name.lower() not in LEFT_OUT:
                    self.send_header(name, text)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815 - as the library wants them

        def log_message(self, *_: object) -> None:
            pass

    front = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=front.serve_forever, daemon=True).start()
    try:
        yield f"127.0.0.1:{front.server_address[1]}"
    finally:
        front.shutdown()
        front.server_close()
        asking.close()
