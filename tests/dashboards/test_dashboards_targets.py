"""The runtime that a job is for: chosen in the form, told beside its sizes, and refused where it loads no option."""

from __future__ import annotations

import re

import pytest
from dashboard_visit import Visit
from playwright.sync_api import expect

from spaces.targets import TARGETS

pytestmark = pytest.mark.browser


def test_a_target_is_chosen_and_what_it_cannot_load_is_told_at_its_place(visit: Visit) -> None:
    visit.open("/submit?example=demo")
    yaml = visit.page.get_by_label("The job as YAML")
    expect(yaml).to_have_value(re.compile("nominal_bits_per_weight"))
    target = visit.page.get_by_label("Target", exact=True)
    expect(target.locator("option")).to_have_text(["any (default)", *TARGETS])
    target.select_option("vllm")
    expect(yaml).to_have_value(re.compile("target: vllm"))
    expect(visit.page.locator(".key-target")).to_contain_text("vLLM 0.33 and later")
    expect(visit.page.locator(".check .costs")).to_contain_text("compressed-tensors, for vllm")
    expect(visit.page.locator(".check .costs")).to_contain_text("decided in 48 units")
    visit.allow("status of 422")
    target.select_option("llama.cpp")
    expect(visit.page.locator("#job-faults")).to_contain_text("gguf holds bits 4, 5, 8, got 2")
    expect(visit.page.locator("#job-faults")).to_contain_text("To the field space.options.0")
