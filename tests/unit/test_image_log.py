"""What an error says of a log: the cause, and not the last of those who only pass it on."""

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


def test_what_could_not_be_fetched_is_told_with_the_reason():
    assert cause(NOT_FOUND) == "Err:2 http://deb.example/debian nosuch Release 404  Not Found [IP: 192.0.2.1 80]"


def test_the_first_error_of_apt_is_told_and_not_that_there_was_one():
    assert (
        cause("E: Unable to locate package nosuch\nE: mmdebstrap failed to run\n")
        == "E: Unable to locate package nosuch"
    )


def test_an_earlier_program_is_not_blamed():
    assert cause(f"{NOT_FOUND}+ /bin/sh -ec false\n") == "it said nothing"
    assert cause(f"{NOT_FOUND}+ /bin/sh -ec oops\n/bin/sh: 1: oops: not found\n") == "/bin/sh: 1: oops: not found"


def test_else_it_is_the_last_line_that_says_something():
    said = "tar: a: Cannot open\ntar: Exiting with failure status due to previous errors\n\n"
    assert cause(said) == "tar: a: Cannot open"
    assert cause("") == "it said nothing"
