"""The host command: arguments, output, and the installed files."""

import contextlib
import os
import shlex
import subprocess
import time
from pathlib import Path

import pytest
import yaml
from ansible_collections.conductor.containers.plugins.module_utils import _errors
from ansible_collections.conductor.containers.plugins.module_utils._cli import completion, output, parser
from ansible_collections.conductor.containers.plugins.module_utils._cli.exit_status import EXIT
from ansible_collections.conductor.containers.plugins.module_utils._cli.install.plan import (
    File,
    RemoveFile,
    WriteFile,
    plan_files,
)
from ansible_collections.conductor.containers.plugins.module_utils._cli.install.program import MARKS, program
from ansible_collections.conductor.containers.plugins.module_utils._engine import text_table
from ansible_collections.conductor.containers.plugins.module_utils._kernel import stream_pump as relay

ROOT = Path(__file__).parents[3]
VERBS = parser.make_parser()[1]
# Verbs that take several names.
SEVERAL = "start,stop,restart,kill,rm,inspect,stats,network rm,rmi,image rm".split(",")


def refused(capsys, *argv):
    """The error output of wrong usage."""
    with pytest.raises(SystemExit) as ended:
        parser.parse(list(argv))
    assert ended.value.code == 2
    return capsys.readouterr().err


# Arguments.


def test_arguments_after_dashes_belong_to_the_command():
    args = parser.parse(["exec", "box", "--", "ls", "--json", "-e", "--", "x"])
    assert (args.name, args.command, args.json) == ("box", ["ls", "--json", "-e", "--", "x"], False)
    args = parser.parse(["run", "debian", "box", "--", "/bin/sleep", "1"])
    assert (args.image, args.name, args.command) == ("debian", "box", ["/bin/sleep", "1"])
    assert parser.parse(["run", "debian", "box"]).command is None


@pytest.mark.parametrize("argv", [["--json", "ps"], ["ps", "--json"], ["--json", "ps", "--json"]])
def test_json_is_accepted_before_and_after_the_verb(argv):
    assert parser.parse(argv).json
    assert not parser.parse(["ps"]).json


def test_options_of_the_shell_tool_are_accepted():
    args = parser.parse(["addnetwork", "box", "-i", "-e", "8080-80", "--expose", "443-443"])
    assert (args.internet, args.expose) == (True, ["8080-80", "443-443"])
    assert parser.parse(["addnetwork", "box"]).expose == []


def test_expose_is_a_pair_or_a_mapping(capsys):
    args = parser.parse(["addnetwork", "box", "-e", "80-8080", "-e", "container_port=53,protocol=udp,host_ip=::1"])
    assert args.expose == ["80-8080", {"container_port": "53", "protocol": "udp", "host_ip": "::1"}]
    for wrong in ("container_port=80,host_port", "container_port=80,container_port=81", "host_port=,container_port=1"):
        assert "KEY=VALUE" in refused(capsys, "addnetwork", "box", "-e", wrong)
    assert (parser.parse(["peer", "a", "b"]).name, parser.parse(["peer", "a", "b"]).peer) == ("a", "b")


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["--json"], "VERB"),
        (["network"], "network add"),
        (["image"], "image build"),
        (["frobnicate"], "frobnicate"),
        (["stop"], "NAME"),
        (["ps", "--check"], "unrecognized arguments: --check"),
        (["ps", "--", "ls"], "ps takes no command"),
        (["exec", "box", "--"], "-- must be followed by a command"),
        (["exec", "box", "ls", "-l"], "unrecognized arguments: ls -l; put the command after --"),
        (["exec", "-it", "box", "bash"], "unrecognized arguments: -it bash; put the command after --"),
        (["exec", "-it", "box", "--", "bash"], "-it; exec uses the terminal and its input by itself; see"),
        (["run", "-i", "--tty", "debian", "box"], "-i --tty; run without a command opens a shell on the terminal"),
        (["exec", "-x", "box", "--", "ls"], "unrecognized arguments: -x; see"),
        (["run", "-x", "y", "debian", "box"], "unrecognized arguments: -x box; see"),
        (["kill", "-1", "box"], "unrecognized arguments: -1; set the signal with -s or --signal; see"),
        (["kill", "box", "-HUP"], "unrecognized arguments: -HUP; set the signal with -s or --signal; see"),
        (["kill", "-s", "HUP", "-x y", "box"], "unrecognized arguments: -x y; see"),
        (["stop", "--kee", "box"], "unrecognized arguments: --kee"),
        (["logs", "-f", "box", "--json"], "mutually exclusive"),
        (["run", "--rm", "--restart", "always", "debian", "box"], "--rm and --restart are mutually exclusive"),
    ],
)
def test_wrong_usage_is_one_line_with_a_pointer_to_help(capsys, argv, told):
    said = refused(capsys, *argv)
    assert (
        said.startswith("conductor: ")
        and said.count("\n") == 1
        and "; see conductor" in said
        and said.endswith("--help\n")
    )
    assert told in said


@pytest.mark.parametrize("word", ["-1", "-2.5", "-x y"])
def test_no_verb_takes_a_word_that_looks_like_an_option_for_an_argument(capsys, word):
    for verb in VERBS.keys() - {"completion"}:
        assert word in refused(capsys, *verb.split(), word, "a", "b"), verb


def test_values_of_options_are_not_negative(capsys):
    for words in ("logs --tail -5 box", "logs --since -5m box", "logs --since -5 box", "boot --timeout -5"):
        refused(capsys, *words.split())


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_every_verb_has_a_valid_example(verb):
    text = VERBS[verb].format_help()
    examples = [line.split("  ")[0] for line in text.partition("example")[2].replace("  conductor", "\n").splitlines()]
    examples = [shlex.split(line.partition(" > ")[0]) for line in examples if line.startswith(f" {verb}")]
    assert examples
    for words in examples:
        assert parser.parse(words).verb == verb


def test_without_arguments_the_help_is_printed(capsys):
    with pytest.raises(SystemExit) as ended:
        parser.parse([])
    assert ended.value.code == 0 and "verbs:" in capsys.readouterr().out


def test_version_is_that_of_the_collection(capsys):
    with pytest.raises(SystemExit) as ended:
        parser.parse(["--version"])
    version = yaml.safe_load((ROOT / "galaxy.yml").read_text())["version"]
    assert ended.value.code == 0 and capsys.readouterr().out == f"conductor {version}\n"


def test_verbs_of_two_words():
    args = parser.parse(["--json", "network", "add", "-i", "box"])
    assert (args.verb, args.name, args.internet, args.json) == ("network add", "box", True, True)
    assert (parser.parse(["network", "rm", "box"]).verb, parser.parse(["peer", "rm", "a", "b"]).verb) == (
        "network rm",
        "peer rm",
    )
    args = parser.parse(["peer", "rm", "b"])
    assert (args.verb, args.name, args.peer) == ("peer", "rm", "b"), "containers may have these names"


def test_options_of_a_new_container(capsys):
    words = "run -e A=1 -e B=x=y -v /srv:/data:ro -p 8080:80 -p [::1]:53:5353/udp -m 1g --restart always debian box"
    args = parser.parse(words.split())
    assert args.env == [("A", "1"), ("B", "x=y")]
    assert args.volume == [{"source": "/srv", "target": "/data", "read_only": True, "idmap": True}]
    assert parser.parse(["run", "-v", "/a:/b:noidmap", "debian", "box"]).volume[0]["idmap"] is False
    assert parser.parse(["run", "-v", "/a:/b:ro,rslave", "debian", "box"]).volume[0]["propagation"] == "slave"
    assert args.publish == [
        {"host_port": "8080", "container_port": "80"},
        {"host_port": "53", "container_port": "5353", "host_ip": "::1", "protocol": "udp"},
    ]
    assert (args.memory, args.restart, args.rm) == ("1g", "always", False)
    for wrong in (["-p", "80"], ["-p", ":80"], ["-v", "data:/data"], ["-v", "/a"], ["-v", "/a:/b:x"], ["-e", "A"]):
        assert repr(wrong[1]) in refused(capsys, "run", *wrong, "debian", "box")
    assert "--rm: not allowed with" in refused(capsys, "run", "-d", "--rm", "debian", "box")
    assert parser.parse(["run", "--rm", "--restart", "no", "debian", "box"]).rm


@pytest.mark.parametrize("verb", SEVERAL)
def test_several_names(verb):
    assert parser.parse([*verb.split(), "a", "b"]).names == ["a", "b"]
    assert parser.parse([*verb.split(), "a"]).names == ["a"]


def test_stats_are_of_all_containers_without_names():
    assert parser.parse(["stats"]).names == []


def test_help_says_that_stop_deletes():
    assert "DELETE" in parser.make_parser()[0].format_help() and "DELETE" in VERBS["stop"].format_help()


def test_each_error_class_has_a_documented_exit_status():
    kinds = {kind for kind in vars(_errors).values() if isinstance(kind, type)} - {_errors.ConductorError}
    assert set(EXIT) == kinds and len(set(EXIT.values())) == len(kinds)
    told = parser.make_parser()[0].format_help()
    assert all(f"  {status}  " in told for status in (0, 2, *EXIT.values()))


# Output.


def test_columns_are_aligned_and_nothing_is_empty():
    lines = text_table.table(("NAME", "SIZE"), [("a", ""), ("much-longer", "1K")])
    assert lines == ["NAME         SIZE", "a            -", "much-longer  1K"]


def test_control_characters_are_escaped():
    assert text_table.table(("N",), [("a\x1b[31m\nb\tc",)])[1] == "a\\x1b[31m b c"
    assert _errors.one_line("first\nsecond\udcff\n") == "first second\\udcff"
    assert output.shown("a\x1b\n\tb") == "a\\x1b\n\tb"


@pytest.mark.parametrize(
    ("count", "shown"),
    [(0, "0B"), (1023, "1023B"), (1024, "1.0K"), (10 * 1024, "10K"), (219 << 20, "219M"), (3 << 39, "1.5T")],
)
def test_sizes(count, shown):
    assert output.size(count) == shown


def test_times_are_local(monkeypatch):
    monkeypatch.setenv("TZ", "UTC-2")
    time.tzset()
    assert output.local_time("2026-01-02T03:04:05.678+00:00") == "2026-01-02 05:04"
    assert output.local_time(None) == ""


# Streams between the caller and a command.


def passed(data, size, **options):
    """The flow, its output descriptor and the output for `data`, read `size` bytes at a time."""
    (source, feed), (out, sink) = os.pipe(), os.pipe()
    os.write(feed, data)
    os.close(feed)
    for fd in (out, sink):
        os.set_blocking(fd, False)
    flow, got = relay.Flow(source, sink, **options), b""
    while not flow.over:
        flow.go_on()
        with contextlib.suppress(BlockingIOError):
            got += os.read(out, size)
    return flow, out, got


def test_flow_copies_all_data_and_the_end_of_file():
    data = os.urandom(60000)
    flow, out, got = passed(data, 700, closes_sink=True)
    os.set_blocking(out, True)
    with open(out, "rb") as rest:
        assert got + rest.read() == data
    assert flow.dry


def test_flow_ends_if_the_reader_is_gone():
    (source, feed), (out, sink) = os.pipe(), os.pipe()
    flow = relay.Flow(source, sink, closes_source=True)
    os.close(out)
    os.write(feed, b"x")
    flow.go_on()
    flow.go_on()
    assert flow.over and not flow.dry
    with pytest.raises(BrokenPipeError):
        os.write(feed, b"y")


def test_drain_ends_although_a_background_process_goes_on_writing():
    source, feed = os.pipe()
    os.write(feed, b"x" * 4096)
    flow, copied = relay.Flow(source, lambda data: copied.append(os.write(feed, data)), closes_source=True), []
    relay.drain(flow)
    assert flow.over and 1 << 20 <= sum(copied) < 1 << 21
    os.close(feed)


def test_relay_copies_input_and_output_until_the_deadline_or_the_end():
    for argv, seconds, ended in ((["/bin/cat"], 60, True), (["/bin/sleep", "60"], 0.05, False)):
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
            pidfd, got = os.pidfd_open(child.pid), []
            inward = relay.Flow(b"x" * 200_000, os.dup(child.stdin.fileno()), closes_sink=True)
            child.stdin.close()
            outward = relay.Flow(child.stdout.fileno(), got.append)
            deadline = time.monotonic() + seconds
            assert relay.relay(pidfd, [inward, outward], until_over=[outward], deadline=deadline) is ended
            inward.end()
            child.kill()
            os.close(pidfd)
        assert len(b"".join(got)) == (200_000 if ended else 0)


# Completion.


def offered(*words):
    return set(completion.candidates(list(words)))


def test_completion_knows_every_verb_and_option():
    assert offered("") == {name.split()[0] for name in VERBS}
    for name, verb in VERBS.items():
        options = {option for option in verb.option_strings() if option.startswith("--")}
        assert offered(*name.split(), "--") == options, name


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["network", ""], {"add", "rm"}),
        (["image", "t"], {"tag"}),
        (["run", "--restart", ""], {"no", "on-failure", "always", "unless-stopped"}),
        (["run", "--restart", "=", "al"], {"always"}),
        (["run", "--restart=al"], {"--restart=always"}),
        (["run", "--restart", "="], {"no", "on-failure", "always", "unless-stopped"}),
        (["-"], {"--json", "--version", "--help"}),
        (["exec", "box", "--", "l"], {completion.FILES}),
        (["up", ""], {completion.FILES}),
        (["image", "export", "web", ""], {completion.FILES}),
        (["run", "-v", "/a", ":", "/b"], {completion.FILES}),
        (["completion", "z"], {"zsh"}),
        (["nothing", ""], set()),
        (["kill", "-s", "T"], {"TERM"}),
    ],
)
def test_completion(words, found):
    assert offered(*words) == found


@pytest.mark.parametrize("verb", SEVERAL)
def test_completion_of_several_names(monkeypatch, verb):
    monkeypatch.setattr(completion, "names", lambda kind: [kind])
    kind = "images" if verb in ("rmi", "image rm") else "containers"
    assert offered(*verb.split(), "") == offered(*verb.split(), "a", "b", "") == {kind}


def test_completion_of_one_name(monkeypatch):
    monkeypatch.setattr(completion, "names", lambda kind: [kind])
    assert offered("info", "") == {"containers"} and offered("info", "a", "") == set()
    assert offered("image", "tag", "a", "") == set() == offered("peer", "a", "b", "")


def test_program_runs_the_bundle_and_has_a_mark():
    text = program("/var/lib/conductor/lib/0123").decode()
    assert text.startswith("#!/usr/bin/python3 -IS\n") and "'/var/lib/conductor/lib/0123'" in text
    assert any(mark in text.encode() for mark in MARKS)


# The files that the module installs.

OURS, OTHERS = File("d1", 0o755), File("d2", 0o755, ours=False)


def test_the_plan_of_files():
    assert plan_files({"/p": OURS}, {"/p": None}).actions == (WriteFile("/p"),)
    assert plan_files({"/p": OURS}, {"/p": OURS}).actions == ()
    for found in (File("d0", 0o755), File("d1", 0o700), File("d1", 0o755, owner=1)):
        assert plan_files({"/p": OURS}, {"/p": found}).actions == (WriteFile("/p"),)
    assert plan_files({"/p": None}, {"/p": OURS}).actions == (RemoveFile("/p"),)
    assert plan_files({"/p": None}, {"/p": None}).actions == ()
    shown = plan_files({"/p": OURS}, {"/p": None})
    assert (shown.before, shown.after) == ({"/p": "absent"}, {"/p": {"sha256": "d1", "mode": "0755", "owner": 0}})


@pytest.mark.parametrize("wanted", [OURS, None])
def test_files_of_other_programs_are_a_conflict(wanted):
    with pytest.raises(_errors.Conflict, match="/p does not belong to the host command"):
        plan_files({"/p": wanted}, {"/p": OTHERS})


def test_long_command_is_shortened():
    assert _errors.one_line("/bin/sleep 1", 12) == "/bin/sleep 1"
    assert _errors.one_line("/bin/sleep\n10", 12) == "/bin/slee..."


def test_guide_lists_the_verbs_with_several_names():
    guide = (ROOT / "docs/guide.md").read_text()
    row = next(line for line in guide.splitlines() if "| several names; after an error the others follow" in line)
    named = {words.partition(" -")[0].partition(" [")[0] for words in row.split("|")[1].split("`")[1::2]}
    assert named == {*SEVERAL} - {"inspect", "stats"} and "`inspect NAME...`, `stats [NAME...]`" in guide
    for name, verb in VERBS.items():
        assert ("NAME ..." in verb.format_help()) == (name in SEVERAL), name


def test_guide_names_the_verbs_without_check():
    reading = {"logs", "inspect", "port", "top", "graph", "images", "image ls", "stats", "ps", "info", "completion"}
    without = {name for name, verb in VERBS.items() if "--check" not in verb.format_help()} - reading
    listed = " and ".join(f"`{name}`" for name in sorted(without))
    assert f"Every verb that changes something has `--check`, except {listed}," in (ROOT / "docs/guide.md").read_text()
