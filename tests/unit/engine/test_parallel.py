"""Jobs in processes of their own: order, limits and failures. Synchronized by pipes and files, not by time."""

import os
import signal
from contextlib import suppress
from pathlib import Path

import pytest
from ansible_collections.conductor.containers.plugins.module_utils._engine import parallel
from ansible_collections.conductor.containers.plugins.module_utils._engine.parallel import Job, run_jobs
from ansible_collections.conductor.containers.plugins.module_utils._errors import Conflict, EffectFailed


@pytest.fixture
def log(tmp_path):
    """A function that appends a line to a file, and that without a line returns all lines."""
    path = tmp_path / "log"

    def append(line=None):
        if line is None:
            return path.read_text().split() if path.exists() else []
        # One write(2) with O_APPEND: lines of several processes do not mix.
        with path.open("ab", buffering=0) as file:
            file.write(f"{line}\n".encode())
        return line

    return append


def failing(error):
    def run():
        raise error

    return run


def test_no_jobs_have_no_outcomes():
    assert run_jobs({}) == {}


def test_values_of_jobs_are_returned_by_name():
    jobs = {"pid": Job(os.getpid), "list": Job(lambda: ["a", {"b": 1}]), "none": Job(lambda: None)}
    outcomes = run_jobs(jobs)
    assert outcomes.keys() == jobs.keys() and all(outcome.has_succeeded for outcome in outcomes.values())
    assert outcomes["pid"].value != os.getpid(), "a job has a process of its own"
    assert outcomes["list"].value == ["a", {"b": 1}] and outcomes["none"].value is None


def test_value_that_is_larger_than_a_pipe_is_returned_whole():
    assert run_jobs({"big": Job(lambda: "x" * (1 << 20))})["big"].value == "x" * (1 << 20)


@pytest.mark.parametrize("most", [1, 8])
def test_jobs_run_after_those_that_they_depend_on(log, most):
    after = {"c": {"b"}, "a": (), "d": {"b", "c"}, "b": {"a"}}
    jobs = {name: Job(lambda name=name: log(name), frozenset(others)) for name, others in after.items()}
    assert all(outcome.has_succeeded for outcome in run_jobs(jobs, most).values())
    assert log() == ["a", "b", "c", "d"]


def test_name_that_is_no_job_counts_as_done():
    assert run_jobs({"web": Job(lambda: 1, frozenset({"elsewhere"}))})["web"].value == 1


def test_independent_jobs_run_at_the_same_time():
    """Each of them ends only after the other has begun."""
    pipes = {name: os.pipe() for name in ("one", "two")}

    def meet(name, other):
        os.write(pipes[other][1], b"x")
        return os.read(pipes[name][0], 1).decode()

    jobs = {"one": Job(lambda: meet("one", "two")), "two": Job(lambda: meet("two", "one"))}
    try:
        assert {outcome.value for outcome in run_jobs(jobs, 2).values()} == {"x"}
    finally:
        for pair in pipes.values():
            for fd in pair:
                os.close(fd)


@pytest.mark.parametrize("is_waiting", [False, True], ids=["working", "waiting"])
def test_no_more_jobs_run_at_the_same_time_than_allowed(monkeypatch, is_waiting):
    present, most_present = set(), []
    start, end = parallel.start_job, parallel.end_job

    def counted_start(name, job):
        present.add(name)
        most_present.append(len(present))
        return start(name, job)

    def counted_end(child):
        present.remove(child.name)
        return end(child)

    monkeypatch.setattr(parallel, "start_job", counted_start)
    monkeypatch.setattr(parallel, "end_job", counted_end)
    jobs = {str(number): Job(lambda: None, is_waiting=is_waiting) for number in range(20)}
    run_jobs(jobs, **{"most_waiting" if is_waiting else "most": 3})
    assert max(most_present) == 3 and len(most_present) == 20


def test_waiting_jobs_leave_room_for_working_ones():
    """As many wait as are allowed, until a job has worked."""
    reader, writer = os.pipe()
    jobs = {f"wait-{number}": Job(lambda: os.read(reader, 1).decode(), is_waiting=True) for number in range(3)}
    jobs["work"] = Job(lambda: os.write(writer, b"xxx"))
    try:
        outcomes = run_jobs(jobs, most=1, most_waiting=3)
    finally:
        os.close(reader)
        os.close(writer)
    assert [outcomes[name].value for name in jobs] == ["x", "x", "x", 3]


def test_failure_prevents_all_that_depend_on_it_and_nothing_else(log):
    jobs = {
        "bad": Job(failing(EffectFailed("no"))),
        "next": Job(lambda: log("next"), frozenset({"bad"})),
        "last": Job(lambda: log("last"), frozenset({"next"})),
        "other": Job(lambda: log("other")),
    }
    outcomes = run_jobs(jobs)
    assert log() == ["other"] and outcomes["other"].has_succeeded
    assert outcomes["next"].blocked_by == "bad" and outcomes["last"].blocked_by == "next"
    assert not any(outcomes[name].has_succeeded for name in ("bad", "next", "last"))


def test_failure_only_orders_jobs_that_do_not_require_success(log):
    def fail():
        log("bad")
        raise EffectFailed("no")

    jobs = {"next": Job(lambda: log("next"), frozenset({"bad"}), requires_success=False), "bad": Job(fail)}
    assert run_jobs(jobs)["next"].has_succeeded
    assert log() == ["bad", "next"]


def test_errors_keep_their_class_remedy_and_facts():
    error = run_jobs({"web": Job(failing(Conflict("web: taken", "choose another", log="/x")))})["web"].error
    assert type(error) is Conflict and str(error) == "web: taken. Choose another."
    assert error.facts == {"log": "/x"}


def test_error_of_the_system_names_its_file():
    error = run_jobs({"web": Job(lambda: os.stat("/no/such/file"))})["web"].error
    assert type(error) is EffectFailed and str(error) == "No such file or directory (/no/such/file)"


def test_other_exceptions_are_reported_as_internal_errors(capfd):
    error = run_jobs({"web": Job(lambda: 1 // 0)})["web"].error
    assert type(error) is EffectFailed and "internal error: ZeroDivisionError" in str(error)
    assert "ZeroDivisionError" in capfd.readouterr().err


def test_killed_process_is_an_error_and_prevents_others(log):
    jobs = {
        "killed": Job(lambda: os.kill(os.getpid(), signal.SIGKILL)),
        "next": Job(lambda: log("next"), frozenset({"killed"})),
    }
    outcomes = run_jobs(jobs)
    assert str(outcomes["killed"].error) == "its process was killed. Run this again."
    assert outcomes["next"].blocked_by == "killed" and log() == []


def test_end_of_each_job_is_reported_before_others_have_ended():
    reader, writer = os.pipe()
    told = []

    def on_end(name, outcome):
        told.append((name, outcome.has_succeeded))
        if name == "first":
            os.write(writer, b"x")

    jobs = {
        "second": Job(lambda: os.read(reader, 1).decode(), is_waiting=True),
        "first": Job(lambda: 1),
        "bad": Job(failing(EffectFailed("no")), frozenset({"second"})),
        "next": Job(lambda: 1, frozenset({"bad"})),
    }
    try:
        run_jobs(jobs, on_end=on_end)
    finally:
        os.close(reader)
        os.close(writer)
    assert told == [("first", True), ("second", True), ("bad", False), ("next", False)]


def test_cycle_is_refused():
    jobs = {"a": Job(lambda: 1, frozenset({"b"})), "b": Job(lambda: 1, frozenset({"a"})), "c": Job(lambda: 1)}
    with pytest.raises(ValueError, match="jobs wait for each other: a, b"):
        run_jobs(jobs)


def test_no_process_and_no_descriptor_is_left():
    def present():
        children = Path(f"/proc/self/task/{os.getpid()}/children").read_text()
        return children, set(os.listdir("/proc/self/fd"))

    before = present()
    with suppress(ValueError):
        run_jobs({"a": Job(lambda: 1, frozenset({"a"})), "b": Job(lambda: 1), "c": Job(failing(EffectFailed("no")))})
    assert present() == before
