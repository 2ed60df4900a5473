"""The content of an unpacked archive: a root file system, or an error that says how to make one of it."""

import os

import pytest
from ansible_collections.conductor.containers.plugins.module_utils._build.archive import check_root
from ansible_collections.conductor.containers.plugins.module_utils._errors import InvalidInput

LAYERS = r"\. It is an image of docker or of the OCI format, in layers: give the archive that docker export or podman"
COMPLETE = r"\. Name a tar archive of a complete root file system\.$"


def unpacked(directory, *paths):
    """The path of `directory` with empty files at `paths`."""
    for path in paths:
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).touch()
    return str(directory)


@pytest.mark.parametrize("path", ["bin/sh", "usr/bin/sh"])
def test_root_file_system_is_accepted(tmp_path, path):
    check_root("/srv/a.tar", unpacked(tmp_path, path, "manifest.json", "rootfs/bin/sh"))


@pytest.mark.parametrize(
    ("paths", "remedy"),
    [
        # https://linuxcontainers.org/incus/docs/main/reference/image_format/
        (["metadata.yaml", "templates/hostname.tpl", "rootfs/bin/sh"], r"tar -C rootfs -cf"),
        (["debian/usr/bin/sh", "debian/etc/issue"], r"tar -C debian -cf"),
        (["my root/bin/sh"], r"tar -C 'my root' -cf"),
        (["a\x1b\n/bin/sh"], r"tar -C 'a\\x1b\\n' -cf"),
        (["manifest.json", "repositories", "0a1b/layer.tar"], LAYERS),
        (["index.json", "oci-layout", "blobs/sha256/0a1b"], LAYERS),
        (["one/two/bin/sh"], COMPLETE),
        (["readme"], COMPLETE),
        ([], COMPLETE),
    ],
)
def test_error_says_how_to_make_a_root_file_system_of_other_content(tmp_path, paths, remedy):
    with pytest.raises(InvalidInput) as error:
        check_root("/srv/a.tar", unpacked(tmp_path, *paths))
    assert error.match(r"^source: archive /srv/a\.tar has no root file system: /bin/sh is missing\. ")
    assert error.match(remedy)


def test_links_in_the_content_are_not_followed_out_of_it(tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    outside = unpacked(tmp_path / "outside", "bin/sh", "manifest.json")
    os.symlink(outside, root / "rootfs")
    os.symlink(f"{outside}/manifest.json", root / "manifest.json")
    with pytest.raises(InvalidInput, match=COMPLETE):
        check_root("/srv/a.tar", str(root))
