"""A mirror that asks for a user and a password: they are found by the builder, and by nobody else."""

import base64
import json
import subprocess

import pytest
from small_image import IMAGES, entries, image

# Has no file, and prints who asks for which; ends with its standard input.
ASKED = """
import http.server, os, sys, threading
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        print(self.path, self.headers.get("Authorization"), flush=True)
        self.send_error(404)
    def log_message(self, *arguments):
        pass
server = http.server.HTTPServer(("192.0.2.1", 8080), Handler)
print("ready", flush=True)
server.serve_forever()
"""
MIRROR = "http://192.0.2.1:8080/debian"
PASSWORD = "hush:hush"
# By the place where the host's administrator has written them: the options of the task.
PLACES = {
    "/etc/apt/auth.conf": {"mirror": MIRROR},
    "/etc/apt/auth.conf.d/mirror": {"mirror": MIRROR},
    "/etc/apt/sources.list": {},
}


@pytest.fixture
def mirror(bare_host):
    server = bare_host.internet.popen("python3", "-c", ASKED, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert server.stdout.readline() == "ready\n"
    yield server
    server.communicate()


@pytest.mark.parametrize("place", PLACES)
def test_login_of_the_hosts_apt_is_used_and_not_shown(bare_host, mirror, place):
    login = f"machine {MIRROR}/ login us@er password {PASSWORD}\n"
    address = MIRROR.replace("://", "://us%40er:hush%3ahush@")
    sources = f"deb {address} bookworm main\ndeb {address}-security/ bookworm-security main\n"
    bare_host.run("sh", "-c", "rm /etc/apt/sources.list.d/*")
    bare_host.run("tee", place, stdin=sources if place.endswith("list") else login)
    refused = image(bare_host, suite="trixie", builder="debootstrap", **PLACES[place], fails=True)
    assert f"debootstrap does not log in to mirror {MIRROR}. Set builder: mmdebstrap" in refused["msg"]
    refused = image(bare_host, suite="trixie", **PLACES[place], fails=True)
    expected = base64.b64encode(f"us@er:{PASSWORD}".encode()).decode()
    assert mirror.stdout.readline() == f"/debian/dists/trixie/InRelease Basic {expected}\n"
    log = bare_host.run("cat", f"{IMAGES}/.logs/small.log").stdout
    assert "404" in refused["msg"] and f" {MIRROR} trixie main" in log
    # Escapes of an URL are not decoded there, and apt itself hides a password.
    assert "hush" not in log + json.dumps(refused) and "us%40er" not in log
    assert entries(bare_host) == []
