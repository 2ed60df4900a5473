"""Role host on a managed host that lacks the packages which the role installs."""

from controller import Controller


def test_check_mode_works_on_a_minimal_host(bare_host, tmp_path):
    controller = Controller(tmp_path)
    controller.add_host("target", bare_host, ansible_pipelining=True)
    # Programs and directories of procps, iproute2, nftables and logrotate.
    bare_host.run("sh", "-c", "rm -r $(which sysctl ip nft logrotate) /etc/sysctl.d /etc/logrotate.d")
    role = {"ansible.builtin.include_role": {"name": "conductor.containers.host"}}
    printed = controller.playbook(role, check=False, options=["--check"])
    assert "failed=0" in printed, printed
    bare_host.run("test", "!", "-e", "/etc/sysctl.d")
