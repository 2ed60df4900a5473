"""Faults: killed processes, damaged files, a full disk, parallel runs. The next run converges or reports them."""

import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest
from image_cache import mount_image
from supervision import supervisor_pid
from testhost import Host
from waiting import until
from warm_modules import WarmModules

WEB = {"name": "web", "image": "debian", "command": ["/bin/sleep", "infinity"]}
DIRECTORY = "/var/lib/conductor/containers/web"


def facts(host, name="web"):
    return host.module("conductor_container_info", name=[name])["containers"][0]


def test_the_first_process_killed_is_an_exit_and_it_starts_again(host):
    pid = host.module("conductor_container", **WEB)["container"]["pid"]
    host.run("kill", "-9", str(pid))
    again = host.module("conductor_container", **WEB)
    assert again["actions"] == ["start container web"] and again["container"]["pid"] != pid


def test_the_exit_status_of_a_killed_first_process_is_told(host):
    pid = host.module("conductor_container", **WEB)["container"]["pid"]
    host.run("kill", "-9", str(pid))
    assert until(lambda: (f := facts(host))["state"] == "exited" and f, "it has ended")["exit_code"] == 137


def test_the_supervisor_killed_leaves_the_container_running_and_is_replaced(host):
    pid = host.module("conductor_container", **WEB)["container"]["pid"]
    supervisor = supervisor_pid(host)
    host.run("kill", "-9", str(supervisor))
    again = host.module("conductor_container", **WEB)
    assert again["actions"] == ["start a new supervisor for container web"]
    assert again["container"]["pid"] == pid and supervisor_pid(host) not in (None, supervisor)
    assert not host.module("conductor_container", **WEB)["changed"]
    host.module("conductor_container", **WEB, state="stopped")
    assert facts(host)["state"] == "stopped"


def test_a_command_that_meets_the_end_of_its_container_is_told_so(host):
    """With any first error: no root, no users, no process, no namespace that accepts a new process."""
    modules = WarmModules(host)
    said = set()
    for number in range(40):
        pid = modules.module("conductor_container", **WEB)["container"]["pid"]
        kill = host.popen("sh", "-c", f"sleep 0.0{number % 4}{number % 10}; kill -9 {pid}", stderr=subprocess.DEVNULL)
        result = modules.module("conductor_exec", container="web", argv=["/bin/true"])
        kill.wait()
        said.add(result.get("msg", "done"))
        until(lambda pid=pid: host.run("test", "-e", f"/proc/{pid}", check=False).returncode, "it has ended")
    assert said <= {
        "done",
        "container web: non-zero return code",
        "container web is not running. Start web with conductor_container state=started.",
        "container web: the container stopped before the command could start. Start it with state=started.",
    }


def test_both_killed_start_anew(host):
    pid = host.module("conductor_container", **WEB)["container"]["pid"]
    host.run("kill", "-9", str(supervisor_pid(host)), str(pid))
    assert host.module("conductor_container", **WEB)["container"]["state"] == "running"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 99}', '{"version": 1, "name": "web"}', '"\\u0000"'])
def test_a_damaged_spec_is_told_and_kept_and_force_removes_it(host, text):
    host.module("conductor_container", **WEB)
    host.run("tee", f"{DIRECTORY}/container.json", stdin=text)
    for params in (WEB, {"name": "web", "state": "absent"}):
        refused = host.module("conductor_container", **params, fails=True)
        assert f"{DIRECTORY}/container.json" in refused["msg"]
    assert host.run("cat", f"{DIRECTORY}/container.json").stdout == text
    assert facts(host)["state"] == "damaged"
    host.module("conductor_container", name="web", state="absent", force=True)
    assert host.run("ls", "-A", "/var/lib/conductor/containers").stdout == ""


def test_a_damaged_run_state_is_told_and_force_clears_it(host):
    pid = host.module("conductor_container", **WEB)["container"]["pid"]
    host.run("tee", "/run/conductor/containers/web.json", stdin="{")
    refused = host.module("conductor_container", **WEB, fails=True)
    assert "/run/conductor/containers/web.json is damaged" in refused["msg"]
    removed = host.module("conductor_container", name="web", state="absent", force=True)
    assert removed["changed"]
    assert host.run("kill", "-0", str(pid), check=False).returncode, "found by its cgroup, and ended"


def test_a_reboot_leaves_containers_stopped_and_they_start_again(host):
    """After a reboot the run directory, mounts and processes are gone; specs and data still exist."""
    pid = host.module("conductor_container", **WEB)["container"]["pid"]
    host.module("conductor_exec", container="web", argv=["touch", "/kept"])
    host.run("kill", "-9", str(supervisor_pid(host)), str(pid))
    until(lambda: host.run("test", "-e", f"/proc/{pid}", check=False).returncode, "it has ended")
    host.run(
        "sh", "-c", f"umount {DIRECTORY}/rootfs; umount /run/netns/conductor-web; rm -r /run/conductor /run/netns/cond*"
    )
    host.module("conductor_container", **WEB)
    host.module("conductor_exec", container="web", argv=["test", "-e", "/kept"])


def test_a_mount_that_somebody_made_below_stops_the_deletion(host):
    """A failed unmount followed by a recursive delete must never reach the host's files."""
    host.module("conductor_container", **WEB, state="stopped")
    host.run("sh", "-c", f"mkdir -p /run/precious {DIRECTORY}/upper/in; touch /run/precious/file")
    host.run("mount", "--bind", "/run/precious", f"{DIRECTORY}/upper/in")
    refused = host.module("conductor_container", name="web", state="absent", fails=True)
    assert "is a mount point and was not deleted" in refused["msg"]
    host.run("test", "-e", "/run/precious/file")
    host.run("sh", "-c", "umount /var/lib/conductor/containers/.gone-web/upper/in")
    host.module("conductor_container", name="web", state="absent")
    host.run("test", "-e", "/run/precious/file")
    host.run("rm", "-r", "/run/precious")


def test_deleting_never_follows_a_link_out(host):
    host.run("sh", "-c", "mkdir /run/precious; touch /run/precious/file")
    host.module("conductor_container", **WEB)
    host.module("conductor_exec", container="web", cmd="ln -s /run/precious /link")
    host.module("conductor_container", **WEB, state="stopped")
    host.run("ln", "-s", "/run/precious", f"{DIRECTORY}/upper/out")
    host.module("conductor_container", name="web", state="absent")
    host.run("test", "-e", "/run/precious/file")
    host.run("rm", "-r", "/run/precious")


def test_a_full_disk_is_an_error_and_the_next_run_converges(cached_image):
    with Host(size="2m") as host:
        mount_image(host, cached_image)
        host.run("sh", "-c", "dd if=/dev/zero of=/var/lib/conductor/fill bs=1k", check=False)
        refused = host.module("conductor_container", **WEB, fails=True)
        assert "No space left on device" in refused["msg"]
        assert host.module("conductor_container_info")["containers"] == []
        host.run("rm", "/var/lib/conductor/fill")
        assert host.module("conductor_container", **WEB)["container"]["state"] == "running"


def test_two_modules_at_once_on_one_container_make_one(host):
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: host.module("conductor_container", **WEB), range(4)))
    assert sorted(result["changed"] for result in results) == [False, False, False, True]
    assert len({result["container"]["pid"] for result in results}) == 1


def test_twenty_modules_at_once_on_twenty_containers(host):
    names = [f"many{number}" for number in range(20)]
    with ThreadPoolExecutor(20) as pool:
        list(pool.map(lambda name: host.module("conductor_container", **{**WEB, "name": name}), names))
        list(pool.map(lambda name: host.module("conductor_network", container=name), names))
        listed = host.module("conductor_container_info")["containers"]
        assert [container["state"] for container in listed] == ["running"] * 20
        assert len({container["addresses"][0] for container in listed}) == 20
        list(pool.map(lambda name: host.module("conductor_container", name=name, state="absent"), names))
    assert host.module("conductor_container_info")["containers"] == []


def test_a_lock_that_is_held_names_its_holder(host):
    holder = host.popen("sh", "-c", "mkdir -p /run/conductor/locks; exec flock /run/conductor/locks/container-web.lock "
                        "sh -c 'echo 4711 > /run/conductor/locks/container-web.lock; sleep 7777'")  # fmt: skip
    until(
        lambda: "4711" in host.run("cat", "/run/conductor/locks/container-web.lock", check=False).stdout, "it is held"
    )
    refused = host.module("conductor_container", **WEB, lock_timeout=0.3, fails=True)
    assert "container-web is locked by process 4711" in refused["msg"]
    host.run("pkill", "-f", "sleep 7777$")
    holder.wait()
    host.run("rm", "-f", "/run/conductor/locks/container-web.lock")


def test_an_image_that_is_gone_is_told(host):
    host.module("conductor_container", **WEB, state="stopped")
    host.run("mv", "/var/lib/conductor/images/debian/image.json", "/var/lib/conductor/images/debian/hidden")
    assert "image debian does not exist" in host.module("conductor_container", **WEB, fails=True)["msg"]
    host.run("mv", "/var/lib/conductor/images/debian/hidden", "/var/lib/conductor/images/debian/image.json")
