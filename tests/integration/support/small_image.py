"""Archives of root file systems of a few files: enough wherever a real Debian is not the point, and quick."""

import os

from testhost import Host

IMAGES = "/var/lib/conductor/images"
# The shell of this one is no program.
ROOTFS = {"bin/sh": "#!/bin/true\n", "etc/hostname": "builder\n", "etc/machine-id": "abc\n", "etc/issue": "small\n"}
PROGRAMS = "sh sleep cat ls mknod chown touch mount setpriv stat"


def make_archive(host: Host, files: dict, name: str = "small") -> dict:
    """The option source for an archive of `files` (path: text) on the host."""
    for path, text in files.items():
        host.run("mkdir", "-p", os.path.dirname(f"/run/{name}/{path}"))
        host.run("tee", f"/run/{name}/{path}", stdin=text)
    return pack(host, name)


def pack(host: Host, name: str = "small") -> dict:
    """The option source for an archive of /run/NAME on the host."""
    host.run("tar", "--xattrs", "--acls", "-C", f"/run/{name}", "-cf", f"/run/{name}.tar", ".")
    return {"archive": f"/run/{name}.tar"}


def make_runnable_archive(host: Host, name: str = "runnable") -> dict:
    """One with a shell and some programs: copies of the host's, with their libraries."""
    host.run("sh", "-ec", f"""
        mkdir -p /run/{name}/etc /run/{name}/bin; cd /run/{name}
        for program in {PROGRAMS}; do
            found=$(command -v $program); cp -L $found bin/
            cp -L --parents $(ldd $found | grep -o '/[^ ]*' | sort -u) .
        done""")  # fmt: skip
    return pack(host, name)


def image(host: Host, **params) -> dict:
    """Result of conductor_image for the image small."""
    return host.module("conductor_image", **{"name": "small", **params})


def info(host: Host) -> list:
    """All images."""
    return host.module("conductor_image_info")["images"]


def entries(host: Host) -> list:
    """Everything in the image directory, but logs."""
    found = host.run("ls", "-A", IMAGES, check=False).stdout.split()
    return sorted(name for name in found if name != ".logs")
