"""Tests of what happens at each of many steps: some of the steps in every run, each of them in a long one."""

import pytest


def spread(stride):
    """Run a test with each `stride`-th step (parameter `stride`), and with each step in a long run."""
    strides = [stride, pytest.param(1, marks=pytest.mark.long)]
    return pytest.mark.parametrize("stride", strides, ids=["spread", "each"])
