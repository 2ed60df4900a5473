"""Containers start and stop while another run changes networks: both succeed."""

import secrets
from concurrent.futures import ThreadPoolExecutor

import pytest
from attacks import patched
from netbox import HOST4, Box, is_refused, reaches, serve
from seams.interference import hold_before
from waiting import until

RUNS = {
    "network": ("conductor_network", {"container": "web", "expose": ["8080-81"]}),
    "peer": ("conductor_peer", {"container": "web", "peer": "db"}),
    "reconciled": ("conductor_network", {"state": "reconciled"}),
}


@pytest.fixture
def hold(bare_host):
    """Run a module up to a point; the returned function lets it go on, and returns its result."""
    with ThreadPoolExecutor() as pool:

        def begin(target, module, params):
            name = secrets.token_hex(4)
            seams = [hold_before(target, announce=f"/run/held-{name}", until=f"/run/go-{name}")]
            result = pool.submit(patched, bare_host, module, seams=seams, **params)
            until(lambda: not bare_host.run("ls", f"/run/held-{name}", check=False).returncode, "the run is held")

            def finish():
                bare_host.run("touch", f"/run/go-{name}")
                result.result(60)
                bare_host.run("rm", f"/run/held-{name}", f"/run/go-{name}")
                return result.result()

            return finish

        yield begin


@pytest.mark.parametrize("run", RUNS)
def test_container_that_starts_during_a_run_is_attached_by_its_own_run(bare_host, hold, run):
    web, db, other = (Box(bare_host, name) for name in ("web", "db", "other"))
    for box in (web, db):
        box.network(expose=["8080-80"] if box is web else [])
    other.network(expose=["8080-82"])
    other.stop()
    bare_host.module("conductor_network", state="reconciled")
    if run == "reconciled":
        bare_host.run("nft", "delete", "table", "inet", "conductor")
    module, params = RUNS[run]
    finish = hold("_network.actions:apply_batch", module, params)
    other.start()
    assert finish()["changed"]
    assert is_refused(bare_host.outside, HOST4, 82)
    other.network(expose=["8080-82"])
    serve(other, 8080)
    assert reaches(bare_host.outside, HOST4, 82)
    assert not bare_host.module("conductor_network", state="reconciled")["changed"]


def test_container_that_is_stopped_is_not_attached_again_by_another_run(host, hold):
    for name in ("web", "other"):
        host.module("conductor_container", name=name, image="debian", command=["sleep", "infinity"])
        host.module("conductor_network", container=name, expose=["8080-80"] if name == "web" else ["8080-82"])
    stop = hold("_container.stop:clean_up", "conductor_container", {"name": "other", "state": "stopped"})
    change = hold("_network.actions:apply_batch", "conductor_network", {"container": "web", "expose": ["8080-81"]})
    assert stop()["changed"]
    assert change()["changed"]
    assert "82" not in host.run("nft", "list", "map", "inet", "conductor", "expose4").stdout
    assert not host.module("conductor_network", state="reconciled")["changed"]
