"""A web server outside of the machine of script/vm, beyond its gateway."""

from __future__ import annotations

import contextlib
import http.server
import threading
from collections.abc import Iterator

# What qemu's network calls the machine that it runs on.
OUTSIDE = "10.0.2.2"


@contextlib.contextmanager
def server_outside() -> Iterator[str]:
    """Run a server on the loopback interface of the machine that runs the tests; yield its URL for the emulated one."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"outside")

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://{OUTSIDE}:{server.server_port}/"
        server.shutdown()
