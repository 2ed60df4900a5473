"""The rotation of logs by the template of role host, with logrotate(8) itself."""

from pathlib import Path

from jinja2 import Template
from waiting import until

TEMPLATE = Path(__file__).parents[3] / "roles/host/templates/logrotate.j2"
LOG = "/var/lib/conductor/containers/web/console.log"
# Extends its log to 8 TiB without writing them, and goes on when told so.
SPARSE = "echo begin; truncate -s 8T /dev/stdout; echo end; mkfifo /go; read go < /go; echo later; exec sleep 9d"


def rotate(host):
    """Run logrotate, with a size that each log here exceeds, and options that /etc/logrotate.conf may have."""
    stanza = Template(TEMPLATE.read_text()).render(conductor_host_log_size="1")
    host.run("tee", "/run/rotate.conf", stdin=f"dateext\ncompress\n{stanza}")
    host.run("chmod", "644", "/run/rotate.conf")
    host.run("logrotate", "--state", "/run/rotate.state", "/run/rotate.conf")
    host.run("rm", "/run/rotate.conf", "/run/rotate.state")


def make(host, script):
    host.module("conductor_container", name="web", image="debian", command=["/bin/bash", "-c", script])


def text_of(host, path):
    return host.run("tail", "-c", "100", path).stdout.replace("\0", "")


def test_previous_log_is_kept_and_the_container_goes_on_writing(host):
    make(host, "echo first; mkfifo /go; for number in 1 2; do read line < /go; echo $line; done; exec sleep infinity")
    for written, told in (("first", "second"), ("second", "third")):
        until(lambda text=written: text_of(host, LOG) == f"{text}\n", "it has written")
        rotate(host)
        assert host.run("stat", "-c", "%s", LOG).stdout == "0\n"
        kept = host.run("stat", "-c", "%a %U", f"{LOG}.1").stdout
        assert (text_of(host, f"{LOG}.1"), kept) == (f"{written}\n", "600 root\n")
        host.module("conductor_exec", container="web", argv=["sh", "-c", f"echo {told} > /go"])


def test_sparse_log_is_rotated_without_reading_all_of_it(host):
    make(host, SPARSE)
    until(lambda: text_of(host, LOG) == "end\n", "it has extended its log")
    rotate(host)
    assert text_of(host, f"{LOG}.1") == "end\n"
    assert int(host.run("stat", "-c", "%s", f"{LOG}.1").stdout) <= 1 << 30
    host.module("conductor_exec", container="web", argv=["sh", "-c", "echo > /go"])
    until(lambda: text_of(host, LOG) == "later\n", "it goes on writing")
    assert host.run("stat", "-c", "%s", LOG).stdout == "6\n"
