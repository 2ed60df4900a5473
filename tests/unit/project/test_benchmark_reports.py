"""What script/bench computes of its measurements, and writes: text, JSON, Markdown and plots."""

from __future__ import annotations

import json
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.append(str(Path(__file__).parents[3] / "benchmarks"))

import bench
import facts
import options
import report
from chart import BARS, LABELS, OURS, chart
from comparison import MORE, Comparison, quantity, summarize
from turns import take_turns

SVG = "{http://www.w3.org/2000/svg}"
FACTS = {
    "date": "2026-01-02", "cores": 4, "memory_gib": 8, "kernel": "6.12.1", "distribution": "Debian", "load": 0.1,
    "quiet": True, "versions": {"crun": "1.2"},
}  # fmt: skip
START = Comparison(
    "Start <1>",
    "s",
    "conductor",
    {"conductor": [0.02, 0.01, 0.03], "crun": [0.06, 0.04, 0.05]},
    left_out={"runc": "gone"},
)
TRAFFIC = Comparison("Throughput", "Gbit/s", "plain veth", {"conductor": [8.0], "plain veth": [10.0]}, better=MORE)
RESULT = report.Result("start", FACTS, [START, TRAFFIC])


def test_ratio_is_that_of_the_medians():
    ours, theirs = START.summaries()
    assert (ours.median, ours.ratio) == (0.02, 1.0)
    assert (theirs.median, theirs.ratio) == (0.05, 2.5)


@given(st.lists(st.floats(0, 1e6), min_size=1))
def test_quartiles_enclose_the_median_and_stay_in_the_sample(values):
    one = summarize("any", values, 1.0)
    tolerance = 1e-9 * max(values)
    assert min(values) - tolerance <= one.low <= one.median + tolerance
    assert one.median - tolerance <= one.high <= max(values) + tolerance


def test_ratio_to_nothing():
    assert [summarize("any", [value], 0.0).ratio for value in (0.0, 2.0)] == [1.0, float("inf")]


@pytest.mark.parametrize("values", [{"crun": [1.0]}, {"conductor": []}, {"conductor": [1.0], "crun": []}])
def test_comparison_needs_values_of_all(values):
    with pytest.raises(ValueError, match="no value of"):
        Comparison("any", "s", "conductor", values)


@pytest.mark.parametrize("better", [{}, "", "lower"])
def test_comparison_says_whether_less_or_more_is_better(better):
    with pytest.raises(ValueError, match="any: invalid value of better"):
        Comparison("any", "s", "conductor", {"conductor": [1.0]}, better=better)


def test_reasons_are_not_taken_for_the_better_direction():
    with pytest.raises(TypeError, match="positional"):
        Comparison("any", "s", "conductor", {"conductor": [1.0]}, {"runc": "gone"})


@pytest.mark.parametrize(
    ("unit", "value", "shown"),
    [
        ("s", 123.4, "123 s"), ("s", 12.34, "12.3 s"), ("s", 0.01234, "12.3 ms"), ("s", 0.0000012, "1.20 µs"),
        ("s", 0.0, "0.00 s"), ("MiB", 0.5, "512 KiB"), ("MiB", 4.9, "4.90 MiB"), ("Gbit/s", 0.5, "0.50 Gbit/s"),
    ],
)  # fmt: skip
def test_quantity_has_three_digits_and_a_suitable_unit(unit, value, shown):
    assert quantity(unit, value) == shown


def test_json_holds_all_of_a_result():
    assert report.result_of(json.loads(json.dumps(RESULT.to_json()))) == RESULT


def test_text_names_ratios_and_who_is_left_out():
    lines = report.text(START).splitlines()
    assert lines[0] == "Start <1> (median and quartiles of 3):"
    assert "50.0 ms (45.0 ms to 55.0 ms)   2.50 of conductor" in lines[2]
    assert lines[3] == "  without runc: gone"


def test_document_has_table_machine_and_who_is_left_out():
    text = report.document(RESULT)
    assert "| Start <1>, less is better | **conductor** | 20.0 ms | 15.0 ms to 25.0 ms | **1** |" in text
    assert "|  | **plain veth** | 10.0 Gbit/s | one round | **1** |" in text
    assert "| conductor | 8.00 Gbit/s | one round | 0.80 |" in text
    assert "(1 to 3): 4 cores, 8 GiB, Linux 6.12.1, Debian; crun 1.2." in text
    assert "- runc is left out: gone" in text


def test_shared_machine_is_reported():
    assert "Other programs" not in report.describe([RESULT])
    shared = report.Result("start", {**FACTS, "load": 4.71, "quiet": False}, [START])
    end = "Other programs used the machine, too: its load was 4.71 before."
    assert report.describe([RESULT, shared]).endswith(end)


def test_machine_is_described_once():
    later = report.Result("traffic", {**FACTS, "date": "2026-01-03"}, [TRAFFIC])
    other = report.Result("image", {**FACTS, "cores": 64}, [TRAFFIC])
    paragraphs = report.describe([RESULT, later, other]).split("\n\n")
    assert [paragraph.split(",")[0] for paragraph in paragraphs] == [
        "Measured on 2026-01-02 to 2026-01-03 in rounds that alternate (1 to 3): 4 cores",
        "Measured on 2026-01-02 in rounds that alternate (1): 64 cores",
    ]


@pytest.mark.parametrize(("load", "quiet"), [(0.0, True), (0.39, True), (0.41, False), (4.0, False)])
def test_quiet_machine_has_little_load(load, quiet):
    assert facts.is_quiet(load, cores=2) is quiet


def test_facts_do_not_identify_the_machine():
    assert facts.release_number("6.12.1-cloud-of-somebody") == "6.12.1"
    assert set(facts.machine_facts({})) == {
        "date", "cores", "memory_gib", "processor", "kernel", "distribution", "load", "quiet", "versions",
    }  # fmt: skip


def test_chart_has_a_bar_of_proportional_length_for_each_contestant():
    root = ET.fromstring(chart([START, TRAFFIC]))
    bars = [(rect.get("fill"), float(rect.get("width"))) for rect in root.iter(f"{SVG}rect")][1:]
    # 0.055 is the highest quartile of the first panel, and takes all of the width.
    widths = [BARS * 0.02 / 0.055, BARS * 0.05 / 0.055, BARS * 0.8, BARS]
    assert [width for _, width in bars] == pytest.approx(widths, abs=0.1)
    assert [fill == OURS for fill, _ in bars] == [True, False, True, False]
    texts = [text.text for text in root.iter(f"{SVG}text")]
    assert "Start <1> (ms, less is better)" in texts and "50.0 (2.50)" in texts and "10.0" in texts
    assert root.find(f"{SVG}path").get("d").startswith(f"M{LABELS + BARS * 0.015 / 0.055:.1f} ")


def test_chart_stays_within_its_page():
    root = ET.fromstring(chart([START, TRAFFIC]))
    height = float(root.get("height"))
    assert max(float(text.get("y")) for text in root.iter(f"{SVG}text")) < height


def test_section_replaces_the_one_in_readme():
    section = report.readme_section([RESULT])
    readme = f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n"
    assert report.with_section(readme, section) == f"before\n{section}\nafter\n"
    assert "| Start <1> | conductor 20.0 ms | crun 2.50 |" in section
    assert "| Throughput, more is better | plain veth 10.0 Gbit/s | conductor 0.80 |" in section
    assert "![start](benchmarks/results/start.svg)" in section
    assert "No results are published yet" in report.with_section(readme, report.readme_section([]))
    with pytest.raises(ValueError, match="0 blocks"):
        report.with_section("no marks", section)


def test_contestants_alternate_and_first_rounds_do_not_count():
    calls = []

    def contestant(name):
        calls.append(name)
        return {"start": float(len(calls))}

    taken = take_turns(2, {name: lambda name=name: contestant(name) for name in ("ours", "theirs")})
    assert calls == ["ours", "theirs"] * 3
    assert taken == {"start": {"ours": [3.0, 5.0], "theirs": [4.0, 6.0]}}


def test_options_of_the_program():
    found, arguments = options.parse(["start", "traffic"], ["--rounds", "3", "--counts", "1,10", "traffic"])
    assert (found.rounds, found.counts, arguments.benchmarks) == (3, (1, 10), ["traffic"])


@pytest.mark.parametrize(
    ("argv", "message"),
    [(["--rounds", "0"], "at least 1"), (["--counts", "1,x"], "at least 1"), (["boot"], "unknown benchmark boot")],
)
def test_wrong_options_are_reported(argv, message, capsys):
    with pytest.raises(SystemExit):
        options.parse(["start"], argv)
    assert message in capsys.readouterr().err


def test_readme_shows_the_results():
    results = bench.read_results(options.RESULTS)
    readme = (options.RESULTS.parents[1] / "README.md").read_text(encoding="utf-8")
    assert report.with_section(readme, report.readme_section(results)) == readme, "run script/bench --readme"


def test_documentation_describes_each_benchmark():
    page = (options.RESULTS.parents[1] / "docs/development.md").read_text(encoding="utf-8")
    table = page.split("| Benchmark | Measures | Contestants |\n")[1].split("\n\n")[0]
    assert [line.split("`")[1] for line in table.splitlines()[1:]] == list(bench.BENCHMARKS)


def test_documents_and_plots_are_those_of_the_results():
    for path in options.RESULTS.glob("*.json"):
        result = report.result_of(json.loads(path.read_text(encoding="utf-8")))
        assert path.with_suffix(".md").read_text(encoding="utf-8") == report.document(result), path
        assert path.with_suffix(".svg").read_text(encoding="utf-8") == chart(result.comparisons), path
