"""The connection plugin: containers as targets, on the controller and over ssh."""

import os
from pathlib import Path

import pytest
from controller import Controller
from testhost import PYTHON
from waiting import until

SLEEP = ["/bin/sleep", "infinity"]
WHO = """
- ansible.builtin.command: whoami
  register: who
- ansible.builtin.debug: {var: who.stdout}
"""


def start(host, name="box", **options):
    return host.module("conductor_container", **{"name": name, "image": "debian", "command": SLEEP, **options})


@pytest.fixture
def controller(host, tmp_path):
    """A controller whose one managed host is `host`, which lets root in."""
    controller = Controller(tmp_path)
    controller.managed = controller.let_in(host)
    yield controller
    controller.leave(host)


@pytest.fixture
def box(host, controller):
    """The container `box`, over ssh; and its host, `managed`, for what is delegated to it."""
    start(host)
    controller.add("box", ansible_user="root", **controller.managed)
    ssh = {name.replace("conductor_host", "ansible_host"): value for name, value in controller.managed.items()}
    controller.inventory["managed"] = {**ssh, "ansible_user": "root", "ansible_python_interpreter": PYTHON}
    return controller


@pytest.fixture(params=["command", "socket"])
def box_by(host, box, request):
    """The same, where each task is a command of the host's, or else asks by the socket that ssh forwards."""
    if request.param == "command":
        host.run("sh", "-c", "echo AllowStreamLocalForwarding no >> /run/ssh/sshd_config")
    box.playbook("[{ansible.builtin.raw: 'true'}]")
    assert len(box.forwarded()) == (request.param == "socket")
    return box


@pytest.mark.core
def test_tasks_run_inside_and_leave_nothing_on_the_host(host, box):
    box.playbook("""
- ansible.builtin.setup: {gather_subset: [min]}
- ansible.builtin.assert: {that: [ansible_facts.hostname == "box", ansible_facts.user_id == "root"]}
- ansible.builtin.copy: {content: "{{ 'x' * 7919 }}", dest: /root/x, mode: "0640", owner: nobody}
- ansible.builtin.command: stat -c '%a %U %s' /root/x
  register: found
- ansible.builtin.assert: {that: found.stdout == "640 nobody 7919"}
""")
    # Of that size, and newer than the way in: one, which is the container's own.
    begun = ["-newer", "/run/ssh/sshd_config", "-size", "7919c", "-type", "f"]
    left = host.run("find", "/run", "/root", "/tmp", "/var", "-xdev", *begun, check=False).stdout.split()
    upper = "/var/lib/conductor/containers/box/upper"
    assert left == []
    assert host.run("find", upper, *begun).stdout.split() == [f"{upper}/root/x"]


@pytest.mark.core
def test_a_container_of_the_controller_itself(host, tmp_path):
    start(host)
    local = Controller(tmp_path)
    local.add("box")
    printed = local.playbook(
        WHO, "[{ansible.builtin.command: hostname, register: n}, {ansible.builtin.debug: {var: n.stdout}}]", on=host
    )
    assert "who.stdout: root" in printed and "n.stdout: box" in printed


@pytest.mark.core
def test_exit_status_is_returned(box_by):
    """That of a signal as in a shell: 128 and its number."""
    box_by.playbook("""
- ansible.builtin.raw: 'echo out; echo err >&2; exit {{ item }}'
  register: done
  failed_when: done.rc != item or done.stdout != "out\\n" or done.stderr != "err\\n"
  loop: [0, 1, 125, 126, 127, 255]
- ansible.builtin.raw: 'kill -9 $$'
  register: done
  failed_when: done.rc != 137
""")


def test_command_inherits_only_its_streams(box_by):
    confined = "grep -E '^(Seccomp|NoNewPrivs|Cap...):' /proc/self/status | sort | tr '\\n\\t' '  '"
    box_by.playbook(
        {"ansible.builtin.raw": f"ls /proc/self/fd; {confined}", "register": "found"},
        {
            "conductor.containers.conductor_exec": {"container": "box", "argv": ["/bin/sh", "-c", confined]},
            "delegate_to": "managed",
            "register": "by_the_module",
        },
        """
- ansible.builtin.assert:
    that:
      - found.stdout_lines[:4] == ["0", "1", "2", "3"]
      - "'Seccomp: 2 ' in found.stdout_lines[4]"
      - found.stdout_lines[4] | trim == by_the_module.stdout | trim
""",
    )


@pytest.mark.parametrize("pipelining", [True, False])
def test_become_inside_by_su(box_by, pipelining):
    su = {"become": True, "become_user": "www-data", "become_method": "su", "become_flags": "-s /bin/sh"}
    printed = box_by.playbook(WHO, **su, vars={"conductor_pipelining": pipelining})
    assert "who.stdout: www-data" in printed


def test_user_inside_is_independent_of_the_login_user(box):
    box.inventory["box"]["conductor_user"] = "www-data"
    assert "who.stdout: www-data" in box.playbook(WHO)


def test_names_with_every_character_that_is_allowed(host, controller):
    names = ["a", "A-b_c.d", "x" * 63, "0.1_2-3"]
    for name in names:
        start(host, name)
        host.module("conductor_exec", container=name, argv=["/bin/sh", "-c", f"printf %s {name} > /etc/name"])
        controller.add(f"t{len(controller.inventory)}", name, ansible_user="root", **controller.managed)
    printed = controller.playbook("""
- ansible.builtin.raw: cat /etc/name
  register: found
- ansible.builtin.assert: {that: found.stdout == conductor_container}
""")
    assert printed.count("failed=0") == len(names)


def test_arguments_and_data_of_any_kind_arrive_as_they_are(box_by):
    text, name = "'\"$HOME `id` \\ * \t \xfc \u20ac", "'\" `id` \\ * \xfc \u20ac"
    box_by.playbook(
        {
            "ansible.builtin.command": {"argv": ["printf", "%s", text], "expand_argument_vars": False},
            "register": "said",
        },
        {"ansible.builtin.copy": {"content": text, "dest": f"/root/{name}", "mode": "0600"}},
        {"ansible.builtin.slurp": {"src": f"/root/{name}"}, "register": "read"},
        {"ansible.builtin.assert": {"that": ["said.stdout == text", "read.content | b64decode == text"]}},
        vars={"text": text},
    )


@pytest.mark.parametrize("megabytes", [20, pytest.param(200, marks=pytest.mark.long)])
def test_a_large_file_in_and_out_has_the_same_bytes(host, box_by, tmp_path, megabytes):
    big = tmp_path / "big"
    with open(big, "wb") as file:
        for _ in range(megabytes // 4):
            file.write(os.urandom(4 << 20))
    box_by.playbook(f"""
- ansible.builtin.copy: {{src: {big}, dest: /root/big, mode: "0600"}}
- ansible.builtin.fetch: {{src: /root/big, dest: {tmp_path}/back, flat: true}}
""")
    inside = "/var/lib/conductor/containers/box/upper/root/big"
    sums = [host.run("sha256sum", str(path)).stdout.split()[0] for path in (big, inside, tmp_path / "back")]
    assert len(set(sums)) == 1


def test_files_of_sizes_around_that_of_a_piece(box_by, tmp_path):
    sizes = [0, 1, (4 << 20) - 1, 4 << 20, (4 << 20) + 1]
    for size in sizes:
        (tmp_path / f"to-{size}").write_bytes(os.urandom(size))
    box_by.playbook(f"""
- ansible.builtin.copy: {{src: "{tmp_path}/to-{{{{ item }}}}", dest: "/root/{{{{ item }}}}", mode: "0600"}}
  loop: {sizes}
- ansible.builtin.fetch: {{src: "/root/{{{{ item }}}}", dest: "{tmp_path}/back-{{{{ item }}}}", flat: true}}
  loop: {sizes}
""")
    for size in sizes:
        assert (tmp_path / f"back-{size}").read_bytes() == (tmp_path / f"to-{size}").read_bytes()


def test_a_container_that_is_restarted_between_two_tasks(host, box):
    """By the host itself, which is another target of the same play.

    Its first process tells by its start time which one it is: the kernel gives numbers of namespaces again.
    """
    box.playbook(
        """
- ansible.builtin.raw: cut -d ' ' -f 22 /proc/1/stat
  register: first
- conductor.containers.conductor_container: {name: box, state: "{{ item }}"}
  delegate_to: managed
  loop: [stopped, started]
- ansible.builtin.raw: cut -d ' ' -f 22 /proc/1/stat
  register: second
- ansible.builtin.assert: {that: first.stdout != second.stdout}
""",
        hosts="box",
    )


@pytest.mark.core
def test_async_tasks_go_on_inside(box):
    box.playbook("""
- ansible.builtin.command: sh -c 'sleep 1; echo done'
  async: 30
  poll: 0
  register: job
- ansible.builtin.async_status: {jid: "{{ job.ansible_job_id }}"}
  register: result
  until: result.finished
  retries: 50
  delay: 1
- ansible.builtin.assert: {that: result.stdout == "done"}
""")


@pytest.mark.core
def test_reset_connection_and_wait_for_connection(box):
    box.playbook("""
- ansible.builtin.raw: 'true'
- ansible.builtin.meta: reset_connection
- ansible.builtin.wait_for_connection: {timeout: 20}
- ansible.builtin.ping:
""")


def test_agent_is_outside_of_login_sessions(host, box):
    """Commands that it enters for are the container's, like the first process."""
    box.playbook("[{ansible.builtin.raw: cmp /proc/1/cgroup /proc/self/cgroup}]", hosts="box")
    server, next_one = host.run("pgrep", "-f", "lib/[0-9a-f]* serve").stdout.split()
    for pid in (server, next_one):
        assert ":/conductor/.entry\n" in host.run("cat", f"/proc/{pid}/cgroup").stdout
    host.run("kill", server)
    until(lambda: host.run("pgrep", "-f", "lib/[0-9a-f]* serve", check=False).returncode, "both have ended")
    box.playbook("[{ansible.builtin.raw: 'true'}]", hosts="box")


@pytest.mark.core
@pytest.mark.parametrize("where", ["over ssh", "on the controller"])
def test_a_task_that_is_delegated_to_a_container_runs_in_that_container(host, box, where):
    """Without conductor_container the target's name is the container's, also if the task is another target's."""
    start(host, "other")
    if where == "over ssh":
        box.inventory["other"] = dict(box.inventory["box"])
    else:
        box.inventory = {}
        box.add("box")
        box.add("other")
    box.playbook(
        """
- ansible.builtin.command: touch /run/own
- ansible.builtin.command: touch /run/delegated
  delegate_to: other
- ansible.builtin.command: touch /run/looped-{{ item }}
  delegate_to: "{{ item }}"
  loop: [box, other]
""",
        hosts="box",
        on=host if where == "on the controller" else None,
    )
    for name, files in (("box", ["looped-box", "own"]), ("other", ["delegated", "looped-other"])):
        upper = f"/var/lib/conductor/containers/{name}/upper/run"
        found = host.run("find", upper, "-type", "f", "-newer", "/run/ssh/sshd_config", "-printf", "%f\\n").stdout
        assert sorted(set(found.split()) & {"own", "delegated", "looped-box", "looped-other"}) == files


def test_file_whose_reads_are_short_is_fetched_whole(box, tmp_path):
    """A read of a file in /proc returns no more than a page, whatever is asked for."""
    box.playbook(f"[{{ansible.builtin.fetch: {{src: /proc/crypto, dest: {tmp_path}/crypto, flat: true}}}}]")
    assert (tmp_path / "crypto").read_text() == Path("/proc/crypto").read_text()
