"""What the role leaves in a container, looked at through the connection plugin."""


def test_the_role_was_applied(host):
    version = host.file("/etc/debian_version").content_string.partition(".")[0]
    assert host.file("/etc/site").content_string.strip() == f"A site on Debian {version}."
    assert host.user("site").exists


def test_it_was_applied_where_it_was_not_in_the_image_already(host):
    name = host.check_output("cat /etc/hostname")
    assert host.file("/etc/site.made-in").content_string.strip() == {"plain": "plain", "made": "build-site"}[name]
