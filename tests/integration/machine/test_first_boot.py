"""Each container with an init system is a machine of its own from its first start."""

import image_cache

BOOTED = ["/bin/sh", "-c", "systemctl is-system-running | grep -qE 'running|degraded'"]
IDENTITY = "cat /etc/machine-id /proc/sys/kernel/random/boot_id; cat /etc/ssh/ssh_host_ed25519_key.pub 2>/dev/null"

SEEDS = "/var/lib/systemd/random-seed /var/lib/systemd/credential.secret"


def start(host, name, **options):
    host.module("conductor_container", name=name, init=True, wait=BOOTED, **{"image": "debian", **options})


def inside(host, name, script):
    argv = ["/bin/sh", "-ec", script]
    return host.module("conductor_exec", container=name, argv=argv)["stdout"]


def identity(host, name):
    found = inside(host, name, IDENTITY).splitlines()
    assert len(found) == 3 and len(found[0]) == 32 and found[2].startswith("ssh-ed25519 ")
    return set(found)


def test_containers_of_an_image_and_of_a_container_have_nothing_in_common(bare_host):
    image_cache.mount_image(bare_host, image_cache.test_image(image_cache.MACHINE_RECIPE))
    start(bare_host, "one")
    start(bare_host, "two")
    inside(bare_host, "one", f"touch {SEEDS}")
    bare_host.module("conductor_container", name="one", state="stopped")
    bare_host.module("conductor_image", name="copy", source={"container": "one"})
    start(bare_host, "one")
    start(bare_host, "three", image="copy")
    assert inside(bare_host, "three", f"ls {SEEDS} 2>/dev/null || true") == ""
    identities = [identity(bare_host, name) for name in ("one", "two", "three")]
    assert len(set.union(*identities)) == 9
    for name in ("one", "two", "three"):
        assert (
            inside(bare_host, name, "systemctl is-system-running; systemctl --failed --plain --no-legend") == "running"
        )
        assert inside(bare_host, name, "systemctl is-enabled rsync first || true").split() == ["disabled", "enabled"]
        assert inside(bare_host, name, "systemctl is-active ssh") == "active"
        # Units of packages that are installed now are enabled, as on any Debian.
        assert inside(bare_host, name, "find /run/systemd -name '*.preset'") == ""
        assert inside(bare_host, name, "systemctl preset rsync; systemctl is-enabled rsync") == "enabled"


def test_units_of_the_first_boot_run_once(bare_host):
    image_cache.mount_image(bare_host, image_cache.test_image(image_cache.MACHINE_RECIPE))
    start(bare_host, "one")
    before = identity(bare_host, "one")
    inside(bare_host, "one", "rm /first")
    bare_host.module("conductor_container", name="one", state="restarted", wait=BOOTED)
    after = identity(bare_host, "one")
    assert inside(bare_host, "one", "ls / | grep -c first || true") == "0"
    assert len(before & after) == 2, "all but the boot id"


def test_without_its_capabilities_it_is_a_machine_of_its_own_without_units_of_the_first_boot(bare_host):
    image_cache.mount_image(bare_host, image_cache.test_image(image_cache.MACHINE_RECIPE))
    for name in ("one", "two"):
        start(bare_host, name, capabilities={"drop": ["SYS_ADMIN", "NET_ADMIN"]})
    assert len(identity(bare_host, "one") | identity(bare_host, "two")) == 6
    assert inside(bare_host, "one", "ls / | grep -c first || true") == "0"
    for refused in ("mount -t tmpfs tmpfs /mnt", "ip link set lo mtu 1400"):
        assert inside(bare_host, "one", f"{refused} 2>&1 || echo failed").splitlines()[-1] == "failed"


def test_the_hosts_network_stays_with_networkd_in_the_container(bare_host):
    image_cache.mount_image(bare_host, image_cache.test_image(image_cache.MACHINE_RECIPE))
    start(bare_host, "one", network={})
    assert inside(bare_host, "one", "systemctl is-active systemd-networkd") == "active"
    assert "unmanaged" in inside(bare_host, "one", "networkctl --no-pager --no-legend | grep eth0")
    address = inside(bare_host, "one", "ip -4 -o address show dev eth0")
    inside(bare_host, "one", "systemctl restart systemd-networkd; networkctl reload")
    assert inside(bare_host, "one", "ip -4 -o address show dev eth0") == address


def test_a_host_name_comes_from_the_option_or_stays_as_it_was_set_inside(bare_host):
    image_cache.mount_image(bare_host, image_cache.test_image(image_cache.MACHINE_RECIPE))
    names = "hostname; cat /etc/hostname"

    def restart(**options):
        bare_host.module("conductor_container", name="one", state="restarted", wait=BOOTED, **options)
        return set(inside(bare_host, "one", names).split())

    start(bare_host, "one")
    assert set(inside(bare_host, "one", names).split()) == {"one"}
    inside(bare_host, "one", "hostnamectl set-hostname inside")
    assert restart() == {"inside"}
    assert restart(hostname="other") == {"other"}
    assert restart(hostname="one") == {"one"}, "the default again, and not what the option was before"
    inside(bare_host, "one", "hostnamectl set-hostname inside")
    bare_host.module("conductor_container", name="one", state="stopped")
    bare_host.module("conductor_image", name="copy", source={"container": "one"})
    start(bare_host, "three", image="copy")
    assert set(inside(bare_host, "three", names).split()) == {"three"}
