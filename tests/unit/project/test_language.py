"""Documentation, messages and comments are plain technical English: no riddles, and subjects that are nouns.

The rules are the part of the project's style that a machine can check. They are applied to each sentence of

- Markdown files,
- Python files below plugins/: docstrings, comments, and all strings, which include DOCUMENTATION, EXAMPLES, RETURN, the
  texts of `--help`, and the messages and hints of errors,
- YAML files of roles, playbooks, molecule scenarios and changelog fragments: comments and texts,
- scripts: comments, and the docstrings and strings of those in Python.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[3]

# Paths that are not checked yet. A name that ends in a slash stands for everything below it.
NOT_YET = ()
# Files that are never checked, each with the reason.
NOT_CHECKED = {
    "docs/architecture.md": "it is rewritten separately",
    "plugins/module_utils/_container/seccomp/default_profile.py": "the text of docker's profile, unchanged",
}
# Sentences that are allowed, each with the reason: parts of file names and of sentences.
ALLOWED: dict[tuple[str, str], str] = {}

_BE = r"(?:is|are|was|were|be|been|being|isn't|aren't)"
_BEFORE_WHO = r"(?:by|to|from|of|for|with|than|and|or|as|at|on|in|that|but|only|let|lets|tells?)"
# Patterns in a sentence, each with the remedy.
RULES = [
    (
        r"^(?:what|who|whom|whose|whoever|whatever|where|wherever)(?= \S+ \S| is\b)(?!.*\?$)",
        "begin with a noun, verb or if",
    ),
    (r"\b(?:whoever|whosoever|whomever|that which)\b", "name the caller, the owner, the client"),
    (rf"\b{_BEFORE_WHO} who\b", "name the caller, the owner, the client"),
    (rf"\b{_BE} (?:not )?told\b", "is reported"),
    (r"\b(?:tells?|told|telling) of\b", "reports, lists or describes"),
    (r"\b(?:lies?|lay|lying) (?:on|over|upon|beside)\b", "is in, depends on or is mounted on"),
    (r"\bthere (?:is|are|was|were) (?:one|none|no such one)\b", "exists, or does not exist"),
    (rf"\b{_BE} there\b(?! (?:is|are|an?|any|no)\b)", "exists"),
    (r"\bor so\b", "name the other cases"),
    (r"\bwhere there (?:is|are|was|were)\b", "if"),
    (r"\bwhere (?:it|that|this|one|they|none) (?:is|are|was|were|has|have|does|do) (?:not|no|given|missing)\b", "if"),
    (r"\b(?:raises \w+|none|null|empty|false|nothing) where\b", "if"),
    (r"\bnothing (?:is|was) to (?:do|change)\b", "nothing to do"),
    (r"\bfor so long\b", "name the time"),
]
COMPILED = [(re.compile(pattern, re.IGNORECASE), remedy) for pattern, remedy in RULES]

# Markup of Ansible's documentation: O(name=value), C(text\)).
MARKUP = re.compile(r"\b(?:O|C|V|RV|E|P|M|B|I|L|U)\((?:\\.|[^()\\])*\)")
CODE = re.compile(r"(`+)[^`](?:(?!\n\s*\n).)*?\1", re.DOTALL)
FENCE = re.compile(r"^ *(```+|~~~+).*?^ *\1 *$", re.MULTILINE | re.DOTALL)
# A bullet, a number, a cell of a table, or the mark of a heading or a quotation.
ITEM = re.compile(r"^\s*(?:[-*#>]+|\d+\.)\s+|\s+\|\s+|^\s*\|\s*|\s*\|\s*$", re.MULTILINE)
TEXTS_OF_YAML = {"DOCUMENTATION", "EXAMPLES", "RETURN"}

# Line and text.
Text = tuple[int, str]


def sentences(text: str) -> Iterator[str]:
    """Sentences of a text in Markdown or in a comment, without code."""
    text = MARKUP.sub("X", CODE.sub("X", ITEM.sub("\n\n", FENCE.sub("\n\n", text))))
    for paragraph in re.split(r"\n\s*\n", text):
        joined = " ".join(paragraph.replace("**", "").split())
        yield from re.split(r"(?<=[.!?])\s+(?=[A-Z(\"'])", joined)


def violations(text: str) -> list[tuple[str, str]]:
    """Sentences of `text` that break a rule, each with the remedy."""
    return [
        (each, remedy) for each in sentences(text) for rule, remedy in COMPILED if rule.search(each.lstrip("(\"' "))
    ]


def comments_of(lines: list[tuple[int, int, str]]) -> Iterator[Text]:
    """Comments as texts: consecutive lines in one column are one text. `lines` has line, column and comment."""
    begin, last, block = 0, (0, 0), []
    # The first line of a program names its interpreter.
    lines = [each for each in lines if not each[2].startswith("#!")]
    for line, column, comment in [*lines, (0, 0, "")]:
        if block and (line, column) != (last[0] + 1, last[1]):
            yield begin, "\n".join(block)
            block = []
        if not block:
            begin = line
        last = (line, column)
        block.append(comment.lstrip("# ").partition("  # noqa")[0])


def texts_of_python(source: str) -> Iterator[Text]:
    """Comments, docstrings and other strings of a Python file."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    yield from comments_of([(*token.start, token.string) for token in tokens if token.type == tokenize.COMMENT])
    tree = ast.parse(source)
    documents = {
        node.value: target.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name) and target.id in TEXTS_OF_YAML
    }
    parts = {part for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if node in documents:
            yield from ((node.lineno + line - 1, text) for line, text in texts_of_yaml(ast.literal_eval(node)))
        elif isinstance(node, ast.JoinedStr):
            yield node.lineno, "".join(part.value if isinstance(part, ast.Constant) else "X" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in parts:
            yield node.lineno, node.value


def texts_of_yaml(source: str) -> Iterator[Text]:
    """Comments and values of a YAML file."""
    found = [(number, re.match(r"(\s*)(#.*)", line)) for number, line in enumerate(source.splitlines(), 1)]
    yield from comments_of([(number, len(match[1]), match[2]) for number, match in found if match])
    root = yaml.compose(source, Loader=yaml.SafeLoader)
    nodes = [root] if root else []
    while nodes:
        node = nodes.pop()
        if isinstance(node, yaml.MappingNode):
            nodes += [value for _, value in node.value]
        elif isinstance(node, yaml.SequenceNode):
            nodes += node.value
        else:
            yield node.start_mark.line + 1, node.value


def texts_of_shell(source: str) -> Iterator[Text]:
    """Comments of a shell script."""
    found = [(number, re.match(r"(.*?)((?:^|\s)#[ !].*)", line)) for number, line in enumerate(source.splitlines(), 1)]
    yield from comments_of([(number, len(match[1]), match[2].lstrip()) for number, match in found if match])


def texts_of(path: Path) -> Iterator[Text]:
    """All texts of a file, each with its line."""
    source = path.read_text()
    if path.suffix == ".md":
        source = FENCE.sub(lambda match: "\n" * match[0].count("\n"), source)
        yield from ((source.count("\n", 0, match.start()) + 1, match[0]) for match in re.finditer("(?:.+\n?)+", source))
    elif path.suffix in (".yml", ".yaml"):
        yield from texts_of_yaml(source)
    elif path.suffix == ".py" or "python" in source.partition("\n")[0]:
        yield from texts_of_python(source)
    else:
        yield from texts_of_shell(source)


def checked_files() -> list[str]:
    """Paths of all files that are checked, relative to the root."""
    patterns = [
        "*.md", "[!.]*/**/*.md", "plugins/**/*.py", "roles/**/*.yml", "playbooks/**/*.yml", "molecule/**/*.yml",
        "molecule/**/*.py", "changelogs/fragments/*.yml", "script/*",
    ]  # fmt: skip
    files = {str(path.relative_to(ROOT)) for pattern in patterns for path in ROOT.glob(pattern) if path.is_file()}
    # A release writes the changelog from the fragments.
    return sorted(file for file in files - {*NOT_CHECKED, "CHANGELOG.md"} if not file.startswith(NOT_YET))


@pytest.mark.parametrize("file", checked_files())
def test_file_is_in_plain_english(file):
    found = []
    for line, text in texts_of(ROOT / file):
        for sentence, remedy in violations(text):
            if not any(part in file and words in sentence for part, words in ALLOWED):
                found.append(f"{file}:{line}: {sentence!r}: instead: {remedy}")
    assert not found, "\n".join(found)


def test_every_exception_is_used():
    texts = {file: " ".join(" ".join(text.split()) for _, text in texts_of(ROOT / file)) for file in checked_files()}
    unused = [
        (part, words)
        for part, words in ALLOWED
        if not part.startswith(NOT_YET) and not any(part in file and words in texts[file] for file in texts)
    ]
    assert not unused


@pytest.mark.parametrize(
    "text",
    [
        "What nobody has started from for so long, nobody is just about to start from",
        "Whose the file is, and all that is made where a directory is copied",
        "Names of the containers to list. Where it is not given, all.",
        "Names of the containers to tell of. All where it is not given.",
        "whoever entered the container was killed",
        "the agent of who starts it",
        "The image cannot go as long as something lies on it.",
        "A damaged file is told by its name",
        "Nothing is changed if the file is there already",
        "it begins with http:// or so",
        "builds the image where there is none",
        "| Key | What it is |",
    ],
)
def test_riddle_is_found(text):
    assert violations(text)


@pytest.mark.parametrize(
    "text",
    [
        "Names of the containers to list. Defaults to all containers.",
        "The agent process was killed",
        "What does a container share with its host? Only the kernel.",
        "The directory where images are stored",
        "it stores only the changes; the base image cannot be removed while other images depend on it",
        "Run `What is there` and read `whoever`.",
        "```text\nWhat lies on it\n```",
    ],
)
def test_plain_sentence_is_accepted(text):
    assert not violations(text)


def test_every_kind_of_text_is_read():
    python = '''
"""What a docstring begins with."""
DOCUMENTATION = r"""
options:
  name:
    description: [What a description begins with.]
"""
# What a comment
# begins with.
def f(name):
    """Whose docstring of a function."""
    raise Conflict(f"{name}: whoever asks", "Ask who is there or so")
    parser.add_argument("--all", help="What is shown")
'''
    # Two rules for the hint, one for each other text.
    assert sum(len(violations(text)) for _, text in texts_of_python(python)) == 8
    shell = "#!/bin/sh\n# What a comment\n# begins with.\necho x # Who says so\n"
    assert sum(len(violations(text)) for _, text in texts_of_shell(shell)) == 2
    document = "# What a comment\n# begins with.\n- name: Where a task begins\n  debug: {msg: it is told}\n"
    assert sum(len(violations(text)) for _, text in texts_of_yaml(document)) == 3
