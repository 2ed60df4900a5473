"""Names in containers: other lines are kept, and only reachable name servers are used."""

from netbox import Box, call, serve

HOSTS, RESOLV = "/etc/hosts", "/etc/resolv.conf"


def append(box: Box, path: str, line: str) -> None:
    box.host.run("tee", "-a", f"{box.root}{path}", stdin=f"{line}\n")


def test_lines_added_in_the_container_are_kept(bare_host):
    """Lines as written by ansible.builtin.lineinfile."""
    box, db = Box(bare_host, "web"), Box(bare_host, "db")
    db.network()
    box.network(internet=True)
    append(box, HOSTS, "192.0.2.44 printer")
    append(box, RESOLV, "options timeout:1")
    assert not box.network(internet=True)["changed"]
    assert bare_host.module("conductor_network_info", name=["web"])["networks"][0]["drift"] == []
    assert bare_host.module("conductor_peer", container="web", peer="db")["changed"]
    assert bare_host.module("conductor_network", state="reconciled")["actions"] == []
    assert f"{db.addresses()[0]} db\n" in box.file(HOSTS)
    box.network(internet=True, dns=["192.0.2.9"])
    assert "192.0.2.44 printer\n" in box.file(HOSTS)
    assert "nameserver 192.0.2.9\n" in box.file(RESOLV) and "options timeout:1\n" in box.file(RESOLV)
    assert "192.0.2.53" not in box.file(RESOLV)


def test_hosts_of_the_image_is_kept_and_a_resolv_conf_symlink_is_replaced(bare_host):
    box = Box(bare_host, "web")
    bare_host.run("tee", f"{box.root}{HOSTS}", stdin="127.0.0.1 localhost\n192.0.2.44 printer\n")
    bare_host.run("ln", "-s", "../run/systemd/resolve/stub-resolv.conf", f"{box.root}{RESOLV}")
    box.network(internet=True)
    assert box.file(HOSTS).endswith("# END conductor\n127.0.0.1 localhost\n192.0.2.44 printer\n")
    assert box.file(RESOLV) == "# BEGIN conductor\nnameserver 192.0.2.53\n# END conductor\n"


def test_unreachable_name_servers_are_left_out_and_reported(bare_host):
    box = Box(bare_host, "web")
    lines = ["fe80::1%2", "127.0.0.1", "::1", "192.0.2.53"]
    bare_host.run("tee", RESOLV, stdin="".join(f"nameserver {server}\n" for server in lines))
    result = box.network(internet=True)
    assert result["network"]["dns"] == ["192.0.2.53"]
    assert "fe80::1%2" in str(result["warnings"]) and "127.0.0.1" in str(result["warnings"])
    assert box.file(RESOLV) == "# BEGIN conductor\nnameserver 192.0.2.53\n# END conductor\n"
    bare_host.run("tee", RESOLV, stdin="nameserver 127.0.0.1\n")
    result = box.network(internet=True)
    assert result["network"]["dns"] == [] and "Set dns" in str(result["warnings"])
    result = box.network(internet=True, dns=["192.0.2.7"])
    assert result["network"]["dns"] == ["192.0.2.7"] and "warnings" not in result


def test_name_server_on_the_host_requires_host_access(bare_host):
    """Also an address on lo, as of an anycast server, which replies through the gateway."""
    box = Box(bare_host, "web")
    bare_host.run("ip", "addr", "add", "198.18.0.53/32", "dev", "lo")
    bare_host.run("tee", RESOLV, stdin="nameserver 198.18.0.53\n")
    serve(bare_host, 53, "udp", "198.18.0.53")
    assert box.network(internet=True)["network"]["dns"] == ["198.18.0.53"]
    assert call(box, "198.18.0.53", 53, "udp") == box.addresses()[0]
    result = box.network(internet=True, host_access=False)
    assert result["network"]["dns"] == [] and "198.18.0.53" in str(result["warnings"])


def test_extra_hosts_and_dns_options_are_returned_and_kept(bare_host):
    box = Box(bare_host, "web")
    options = {"extra_hosts": {"db": "192.0.2.7"}, "dns_search": ["example.org"], "dns_options": ["ndots:2"]}
    result = box.network(**options)
    assert {key: result["network"][key] for key in options} == {**options, "extra_hosts": {"db": ["192.0.2.7"]}}
    assert result["diff"]["after"]["extra_hosts"] == {"db": ["192.0.2.7"]}
    assert "192.0.2.7 db\n" in box.file(HOSTS)
    assert box.file(RESOLV) == "# BEGIN conductor\nsearch example.org\noptions ndots:2\n# END conductor\n"
    assert not box.network(**options)["changed"]
    assert box.network()["changed"]
    assert "192.0.2.7 db\n" not in box.file(HOSTS)
