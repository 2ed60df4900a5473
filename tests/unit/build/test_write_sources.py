"""The package sources that a new image gets, and the settings of apt that the commands of the image get."""

from ansible_collections.conductor.containers.plugins.module_utils._build.bootstrap import write_settings, write_sources

LINES = ["deb http://mirror.example/debian trixie main", "deb http://mirror.example/debian trixie-updates main"]


def written(root):
    return (root / "etc/apt/sources.list").read_text()


def test_sources_have_all_lines(tmp_path):
    write_sources(str(tmp_path), LINES, None)
    assert written(tmp_path) == "\n".join([*LINES, ""])
    assert not (tmp_path / "etc/apt/keyrings").exists()


def test_image_gets_the_keyring_of_its_sources(tmp_path):
    keys, root = tmp_path / "keys", tmp_path / "root"
    root.mkdir()
    for content, name in ((b"\x99\x02", "mirror.gpg"), (b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n", "mirror.asc")):
        keys.write_bytes(content)
        keys.chmod(0o600)
        write_sources(str(root), LINES, str(keys))
        copy = root / "etc/apt/keyrings" / name
        assert copy.read_bytes() == content and copy.stat().st_mode & 0o777 == 0o644
        signed = f"deb [signed-by=/etc/apt/keyrings/{name}] http://mirror.example/debian trixie"
        assert written(root) == f"{signed} main\n{signed}-updates main\n"


def test_keyring_of_a_package_in_the_image_is_not_copied(tmp_path):
    root = tmp_path / "root"
    own = root / "usr/share/keyrings/shop.gpg"
    own.parent.mkdir(parents=True)
    own.write_bytes(b"newer")
    write_sources(str(root), LINES, "/usr/share/keyrings/shop.gpg")
    assert "deb [signed-by=/usr/share/keyrings/shop.gpg] http" in written(root)
    assert not (root / "etc/apt/keyrings").exists()


def test_settings_of_the_builder_are_replaced_inside_the_image(tmp_path):
    root, outside = tmp_path / "root", tmp_path / "outside"
    directory = root / "etc/apt/apt.conf.d"
    directory.mkdir(parents=True)
    outside.write_text("of the host")
    settings = directory / "99mmdebstrap"
    settings.write_text('Dir::Etc::netrc "/run/conductor/auth.conf";')
    write_settings(str(root), ['Acquire::Retries "3";'])
    assert settings.read_text() == 'Acquire::Retries "3";\n'
    settings.unlink()
    settings.symlink_to(outside)
    write_settings(str(root), [])
    assert settings.read_text() == "" and outside.read_text() == "of the host"
