"""Changes that the role makes in a container, read through the connection plugin."""


def test_role_was_applied(host):
    version = host.file("/etc/debian_version").content_string.partition(".")[0]
    assert host.file("/etc/site").content_string.strip() == f"A site on Debian {version}."
    assert host.user("site").exists


def test_role_was_applied_only_if_the_image_lacked_it(host):
    name = host.check_output("cat /etc/hostname")
    assert host.file("/etc/site.made-in").content_string.strip() == {"plain": "plain", "made": "build-site"}[name]
