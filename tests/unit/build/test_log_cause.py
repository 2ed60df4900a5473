"""The cause of a failure as read from a build log."""

import pytest
from ansible_collections.conductor.containers.plugins.module_utils._build.isolated_program import cause

NOT_FOUND = """I: running apt-get update...
Ign:1 http://deb.example/debian nosuch InRelease
Err:2 http://deb.example/debian nosuch Release
  404  Not Found [IP: 192.0.2.1 80]
Reading package lists...
E: The repository 'http://deb.example/debian nosuch Release' does not have a Release file.
E: apt-get update --error-on=any failed
E: mmdebstrap failed to run
"""


# Outputs of apt 2.6 and 3.0, and of debootstrap 1.0.
UNAUTHORIZED = """Err:1 http://deb.example/debian trixie InRelease
  401  Unauthorized [IP: 192.0.2.1 80]
Reading package lists...
E: Failed to fetch http://deb.example/debian/dists/trixie/InRelease  401  Unauthorized [IP: 192.0.2.1 80]
E: The repository 'http://deb.example/debian trixie InRelease' is not signed.
E: apt-get update --error-on=any failed
"""
NO_KEY = """Get:1 http://deb.example/debian bookworm InRelease [151 kB]
Err:1 http://deb.example/debian bookworm InRelease
  {reason}
Reading package lists...
W: GPG error: http://deb.example/debian bookworm InRelease: {reason}
E: The repository 'http://deb.example/debian bookworm InRelease' is not signed.
E: apt-get update --error-on=any failed
"""
KEY_OF_GPGV = (
    "The following signatures couldn't be verified because the public key is not available: NO_PUBKEY 6ED0E7B82643E131"
)
KEY_OF_SQV = (
    "Sub-process /usr/bin/sqv returned an error code (1), error message is: Missing key "
    "4CB50190207B4758A3F73A796ED0E7B82643E131, which is needed to verify signature."
)
NO_KEY_OF_DEBOOTSTRAP = """I: Retrieving InRelease
I: Checking Release signature
E: Release signed by unknown key (key id F8D2585B8783D481)
   The specified keyring /srv/other.gpg may be incorrect or out of date.
   You can find the latest Debian release key at https://ftp-master.debian.org/keys.html
"""


def test_refused_login_is_reported_instead_of_the_missing_signature():
    assert cause(UNAUTHORIZED) == (
        "Err:1 http://deb.example/debian trixie InRelease 401  Unauthorized [IP: 192.0.2.1 80]"
    )


@pytest.mark.parametrize("reason", [KEY_OF_GPGV, KEY_OF_SQV])
def test_missing_key_is_reported_instead_of_the_missing_signature(reason):
    assert cause(NO_KEY.format(reason=reason)) == f"Err:1 http://deb.example/debian bookworm InRelease {reason}"


def test_key_that_debootstrap_does_not_know_is_reported():
    assert cause(NO_KEY_OF_DEBOOTSTRAP) == "E: Release signed by unknown key (key id F8D2585B8783D481)"


def test_failed_download_is_reported_with_its_reason():
    assert cause(NOT_FOUND) == "Err:2 http://deb.example/debian nosuch Release 404  Not Found [IP: 192.0.2.1 80]"


def test_first_error_of_apt_is_reported():
    assert (
        cause("E: Unable to locate package nosuch\nE: mmdebstrap failed to run\n")
        == "E: Unable to locate package nosuch"
    )


def test_errors_of_earlier_programs_are_ignored():
    assert cause(f"{NOT_FOUND}+ /bin/sh -ec false\n") == "it printed no error"
    assert cause(f"{NOT_FOUND}+ /bin/sh -ec oops\n/bin/sh: 1: oops: not found\n") == "/bin/sh: 1: oops: not found"


def test_last_meaningful_line_is_reported_otherwise():
    said = "tar: a: Cannot open\ntar: Exiting with failure status due to previous errors\n\n"
    assert cause(said) == "tar: a: Cannot open"
    assert cause("") == "it printed no error"
