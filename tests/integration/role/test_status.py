"""Playbook status on a managed host."""

from controller import Controller
from testhost import ROOT


def test_status_shows_the_containers_and_who_may_call_whom(host, tmp_path):
    sleep = {"image": "debian", "command": ["/bin/sleep", "infinity"]}
    host.module("conductor_stack", name="shop", containers={"web": {**sleep, "peers": ["db"]}, "db": sleep})
    controller = Controller(tmp_path)
    controller.add_host("target", host)
    printed = controller.run("ansible-playbook", str(ROOT / "playbooks/status.yml"))
    controller.leave(host)
    assert "MAY CALL" in printed and "changed=0" in printed, printed
    lines = [line.strip().removeprefix("- ").strip("' ") for line in printed.splitlines()]
    begin = lines.index("flowchart LR")
    assert lines[begin : begin + 4] == ["flowchart LR", 'n0["db"]', 'n1["web"]', "n1 --> n0"], printed
    host.module("conductor_stack", name="shop", state="absent")
