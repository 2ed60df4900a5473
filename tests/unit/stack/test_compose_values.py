"""Values of a Compose document: variables, files of variables, durations, sizes and types."""

import pytest
from ansible_collections.conductor.containers.plugins.module_utils._errors import InvalidInput
from ansible_collections.conductor.containers.plugins.module_utils._stack.spec.compose.env_file import parse_env_file
from ansible_collections.conductor.containers.plugins.module_utils._stack.spec.compose.file import load_document
from ansible_collections.conductor.containers.plugins.module_utils._stack.spec.compose.interpolate import interpolate
from ansible_collections.conductor.containers.plugins.module_utils._stack.spec.compose.mounts import parse_volumes
from ansible_collections.conductor.containers.plugins.module_utils._stack.spec.compose.node import Node, Refused
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("$A-${A}", "a-a"),
        ("$$A $${A} $$$A", "$A ${A} $a"),
        ("${NONE:-x} ${EMPTY:-x} ${EMPTY-x} ${NONE-x}", "x x  x"),
        ("${A:+y} ${EMPTY:+y} ${EMPTY+y} ${NONE+y}|", "y  y |"),
        ("${A:?no} ${EMPTY?no}|", "a |"),
        ("${NONE:-${EMPTY:-$A}} ${NONE:-${OTHER-d}e}f", "a def"),
        ('${NONE:-{"k": 1}}', '{"k": 1}'),
        ("${A:-b-c:?d}", "a"),
        ("100$ $1 $", "100$ $1 $"),
    ],
)
def test_interpolation(text, expected):
    unset = set()
    assert interpolate(text, {"A": "a", "EMPTY": ""}, unset) == expected and not unset


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("${A", "'${A' has a '${' without its '}'. Close it, or write $$ for a literal $."),
        ("${}", "'${}' has an invalid variable ${}."),
        ("${A/x/y}", "has an invalid variable ${A/x/y}. Correct it"),
        ("${1A}", "invalid variable"),
        ("${NONE:?give $A}", "variable NONE is required: give a. Set it in environment."),
        ("${NONE?}", "variable NONE is required. Set it"),
    ],
)
def test_invalid_interpolation(text, told):
    with pytest.raises(InvalidInput) as caught:
        interpolate(text, {"A": "a"}, set())
    assert told in str(caught.value)


@given(st.text())
def test_doubled_dollars_are_literal(text):
    assert interpolate(text.replace("$", "$$"), {}, set()) == text


@given(st.text(alphabet="${}A:-?+ x"))
def test_any_text_is_interpolated_or_refused(text):
    try:
        interpolate(text, {"A": "a"}, set())
    except InvalidInput as error:
        assert error.hint


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A=1\n\n# comment\n  B = two words  \r\nexport C=3", {"A": "1", "B": "two words", "C": "3"}),
        ("A=\nB=x", {"A": "", "B": "x"}),
        ("A=VAL # comment\nB=VAL# no comment", {"A": "VAL", "B": "VAL# no comment"}),
        ("A=a  # c\nB=b #\nC=# c\nD=a\t#c\r\nE= \t\r\nF=f  ",
         {"A": "a", "B": "b", "C": "# c", "D": "a", "E": "", "F": "f"}),
        ("A='a\\\\'\nB=b", {"A": "a\\\\", "B": "b"}),
        ("A=\"VAL # x\" # c\nB='$V ${V}'", {"A": "VAL # x", "B": "$V ${V}"}),
        ("A='Let\\'s go'\nB=\"{\\\"k\\\": 1}\"", {"A": "Let's go", "B": '{"k": 1}'}),
        ('A="a\\tb\\\\n"\nB=\'a\\tb\'\nC=a\\tb', {"A": "a\tb\\n", "B": "a\\tb", "C": "a\\tb"}),
        ('A="\\$V $V"\nB=$V\nC=${A}', {"A": "$V v", "B": "v", "C": "$V v"}),
        ("V\nNONE\nA=x", {"V": "v", "A": "x"}),
        ('A="first\nsecond"\nB=x', {"A": "first\nsecond", "B": "x"}),
        ("a.b-c: x", {"a.b-c": "x"}),
        ("", {}),
        ("# only", {}),
    ],
)  # fmt: skip
def test_files_of_variables(text, expected):
    assert parse_env_file(text, {"V": "v"}, set()) == expected


@given(st.text(alphabet="A=\"'\\#$ \n:{}x"))
def test_any_file_of_variables_is_read_or_refused(text):
    try:
        parse_env_file(text, {}, set())
    except InvalidInput as error:
        assert error.hint


@pytest.mark.parametrize(
    ("value", "seconds"), [("10ms", 0.01), ("40s", 40), ("1m30s", 90), ("1h5m30s20ms", 3930.02), ("1.5s", 1.5)]
)
def test_durations(value, seconds):
    assert Node(value).seconds() == seconds


@pytest.mark.parametrize(
    ("value", "size"),
    [("2b", 2), ("1024kb", 1 << 20), ("2048k", 2 << 20), ("300M", 300 << 20), ("1gb", 1 << 30), (7, 7)],
)
def test_sizes(value, size):
    assert Node(value).bytes() == size


@pytest.mark.parametrize(
    ("read", "value"),
    [
        (Node.seconds, "10"), (Node.seconds, "10 s"), (Node.seconds, "s"), (Node.seconds, ""), (Node.bytes, "lots"),
        (Node.bytes, True), (Node.bytes, "9" * 5000), (Node.whole, "1.5"), (Node.whole, True),
        (Node.whole, "9" * 5000), (Node.number, "nan"), (Node.number, [1]),
        (Node.boolean, "maybe"), (Node.text, {}), (Node.entries, "a"), (Node.fields, []), (Node.pairs, "a=b"),
    ],
)  # fmt: skip
def test_values_of_another_type_are_refused(read, value):
    with pytest.raises(Refused) as caught:
        read(Node(value, ("services", "web", "ports", 0, "target")))
    assert str(caught.value).startswith("services.web.ports[0].target: ") and caught.value.hint


@pytest.mark.parametrize(
    ("written", "mode"),
    [
        ("0755", "755"), ("'0755'", "755"), ("0o755", "755"), ("'755'", "755"), ("'1777'", "1777"), ("01777", "1777"),
        ("0o1777", "1777"), ("488", "750"), ("511", "777"), ("1023", "1777"),
    ],
)  # fmt: skip
def test_mode_of_a_tmpfs_is_octal_as_text_and_itself_as_a_number(written, mode):
    document = load_document(f"[{{type: tmpfs, target: /run, tmpfs: {{mode: {written}}}}}]", "compose.yml")[0]
    assert parse_volumes(Node(document), None, [])[0]["mode"] == mode


@pytest.mark.parametrize("written", ["1777", "755", "777", "700", "750", "500", "640", "-1", "99999", "0", "1493"])
def test_number_that_is_no_mode_is_to_be_quoted(written):
    document = load_document(f"[{{type: tmpfs, target: /run, tmpfs: {{mode: {written}}}}}]", "compose.yml")[0]
    problems = []
    parse_volumes(Node(document), None, problems)
    assert str(problems[0]) == (
        f"[0].tmpfs.mode: the number {written} is not a mode. Quote it, as octal digits: '0750'."
    )


@pytest.mark.parametrize("written", ["rwx", "0789", "77", "0o77777", "7.5", "true", "[7]"])
def test_text_that_is_no_mode_is_refused(written):
    document = load_document(f"[{{type: tmpfs, target: /run, tmpfs: {{mode: {written}}}}}]", "compose.yml")[0]
    problems = []
    parse_volumes(Node(document), None, problems)
    assert str(problems[0]).startswith("[0].tmpfs.mode: ")
