"""The cause of a failure as read from a build log."""

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
