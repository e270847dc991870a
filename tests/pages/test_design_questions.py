"""Questions of any form to the design page's server: answered, or refused in words."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from glideslope.pages.design import answer
from glideslope.pages.design._catalogue import CATALOGUE, GROUPS

from .test_design_answer import SPECS

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
NUMBER = JSON | st.sampled_from(["5%", "2ep", "rest", "abc", 0, 1, 3, 0.5, -1, 10**30])
GROUP_ARGUMENTS = ["n", "decay", "stretch", "factor", "offset"]
PHASE = st.recursive(
    st.fixed_dictionaries({"text": JSON | st.sampled_from([*SPECS, "rest", "hold(5%)"])})
    | st.sampled_from(list(CATALOGUE)).flatmap(
        lambda kind: st.fixed_dictionaries(
            {"kind": st.just(kind) | JSON},
            optional={"arguments": arguments_of(kind) | JSON},
        )
    ),
    lambda inner: st.fixed_dictionaries(
        {
            "kind": st.sampled_from(list(GROUPS)) | JSON,
            "arguments": st.dictionaries(
                st.sampled_from(["n", "decay", "factor", "offset"]), NUMBER
            ),
            "parts": st.lists(inner | JSON, max_size=3) | JSON,
        }
    ),
    max_leaves=5,
)


def arguments_of(kind: str) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=dict.fromkeys(CATALOGUE[kind], NUMBER))


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "text": JSON | st.sampled_from(SPECS),
            "parts": st.lists(PHASE, max_size=3) | JSON,
            "compare": JSON | st.sampled_from(SPECS),
            **dict.fromkeys(["total_steps", "steps_per_epoch", "tokens_per_step", "lr"], NUMBER),
        },
    )
)
def test_any_question_is_answered_or_refused_in_words(question: dict[str, Any]) -> None:
    found = answer(question)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    if "error" in found:
        assert found["error"]
        assert found["field"] in {"", "total_steps", "steps_per_epoch", "tokens_per_step", "lr"}


def test_groups_nested_without_end_are_refused() -> None:
    part: dict[str, Any] = {"text": "hold(3)"}
    for _ in range(900):
        part = {"kind": "sum", "arguments": {"offset": 1}, "parts": [part]}
    assert answer({"parts": [part]})["error"] == "`groups` must be nested at most 40 deep, got 41"
