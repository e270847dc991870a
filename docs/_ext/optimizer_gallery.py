"""Text of the gallery of optimizers: formula, rule, memory, engines and traps of each."""

from __future__ import annotations

import re
from collections.abc import Mapping
from inspect import getdoc, getsource
from pathlib import Path
from textwrap import dedent

from glideslope.optim import SAM, Lookahead, OptimizerRow, available
from glideslope.rules import Rule

GUIDE = Path(__file__).parents[1] / "optimizers.md"

AVERAGED = "Call `eval()` before an evaluation and `train()` after it; give no decaying schedule."

TRAPS = {
    "SGD": "Momentum is 0 unless it is given. Weight decay is added to the gradient.",
    "RMSprop": "Momentum is 0 unless it is given. Weight decay is added to the gradient.",
    "Adam": "Weight decay is added to the gradient, so it is divided by the root: use `AdamW`.",
    "AdamW": "Decay is times the rate, so it falls with the schedule.",
    "Adagrad": "The sum only grows, so steps shrink for ever, whatever the schedule does.",
    "Adadelta": "The rate is 1 by default: it multiplies a step that has its length already.",
    "Adamax": "Weight decay is added to the gradient.",
    "NAdam": "Weight decay is added to the gradient unless `decoupled_weight_decay=True`.",
    "RAdam": "Weight decay is added to the gradient unless `decoupled_weight_decay=True`.",
    "ASGD": "The averaged parameters are in the state `ax`; the model holds the others.",
    "Rprop": "For full batches only: it reads the signs of gradients, which noise turns.",
    "Adafactor": "The step is in proportion to the parameter; parameters at 0 start slowly.",
    "Muon": "Takes matrices only: embeddings, biases and the output layer need another optimizer.",
    "MuonWithAuxAdam": "Say in each group whether Muon is for it, by `use_muon`.",
    "Lion": "Its authors use a rate 3 to 10 times lower than AdamW's, and a decay as much higher.",
    "Signum": "As Lion: a rate several times lower than AdamW's, and a decay as much higher.",
    "MADGRAD": "Its best rate and decay are not those of Adam or SGD: tune both.",
    "LaProp": "Decay is times the rate here, and not in the published code.",
    "AdaBelief": "ε matters more than in Adam, because the difference it is added to may be tiny.",
    "ADOPT": "The first step only sets the second moment.",
    "AdEMAMix": "The slow average needs its own warm-up on long runs: `warmup_steps`.",
    "Adan": "Its authors use 5 to 10 times AdamW's rate. The betas are of three averages.",
    "MARS": "Keeps the last gradient, so memory is that of three states.",
    "StableAdamW": "Slows a tensor down whose gradients have grown; it is no clipping of the norm.",
    "LAMB": "Biases and norms are better left out of decay: `param_groups`.",
    "LARS": "Biases and norms are better left out of decay: `param_groups`.",
    "SGDScheduleFree": AVERAGED,
    "AdamWScheduleFree": AVERAGED,
    "Prodigy": "Leave `lr` at 1, or give it a schedule of factors.",
    "CAME": "Its authors use 0.5 to 0.9 times AdamW's rate.",
    "SOAP": "The first step only finds the bases. Square matrices take three times AdamW's memory.",
    "Kron": "The factors are fitted in few updates after the first thousands: meant for long runs.",
    "APOLLO": "Embeddings and the output layer are better left to AdamW: groups of rank None.",
    "Lookahead": "Between two of the points the model holds the fast weights: evaluate at a point.",
    "SAM": "Batch normalisation sees both evaluations of a step.",
    "LBFGS": "Needs a closure that evaluates the loss, several times a step.",
    "SparseAdam": "Takes sparse gradients only.",
}
"""The likeliest mistake of a new user with each."""


def gallery() -> str:
    """An entry for every optimizer that has a name."""
    guide = GUIDE.read_text(encoding="utf-8")
    listed, _, rest = guide.partition("Where published code and paper differ")
    purposes = _table(listed, r"\| (.+?) \| [\d.]+ \| (.+) \| .+ \|")
    differences = _table(rest.partition("Not here, and why")[0], r"\| (`.+?) \| (.+) \|")
    entries = [
        _entry(row, purposes.get(row.name, ""), differences.get(row.name, ""))
        for row in available()
    ]
    return "\n".join([*entries, *map(_wrapper_entry, (Lookahead, SAM))])


def _table(text: str, pattern: str) -> Mapping[str, str]:
    """Rows of a table of the guide: the names in the first cell, with the text of the second."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        if cells := re.fullmatch(pattern, line):
            for name in re.findall(r"`(\w+)`", cells[1]):
                found.setdefault(name, cells[2])
    return found


def _entry(row: OptimizerRow, purpose: str, difference: str) -> str:
    parts = [f"## `{row.name}`"]
    rule = getattr(row.optimizer, "rule", None)
    if rule is None:
        parts.append("torch's own optimizer, under its name.")
    else:
        parts.append(_rst(getdoc(row.optimizer).partition("\nArgs:")[0]))
    facts = [f"For: {purpose}." if purpose else "", f"Engines on a CPU: {', '.join(row.engines)}."]
    if row.state_bytes is not None:
        facts.insert(1, f"State: {row.state_bytes:g} bytes per number of a matrix of side 64.")
    facts.append(f"Trap: {TRAPS[row.name]}")
    if difference and rule is not None:
        facts.append(f"Where papers and code differ: {difference}.")
    parts.append("\n".join(f"- {fact}" for fact in facts if fact))
    if rule is not None:
        parts.append(f"The rule, as every engine runs it:\n\n{_source(rule)}")
        parts.append(f"All arguments: {{py:obj}}`~glideslope.optim.{row.name}`.")
    return "\n\n".join(parts) + "\n"


def _wrapper_entry(kind: type) -> str:
    text, name = _rst(getdoc(kind).partition("\nArgs:")[0]), kind.__name__
    facts = f"- Trap: {TRAPS[name]}\n- All arguments: {{py:obj}}`~glideslope.optim.{name}`."
    return f"## `{name}`\n\n{text}\n\n{facts}\n"


def _rst(text: str) -> str:
    return f"```{{eval-rst}}\n.. currentmodule:: glideslope.optim\n\n{text}\n```"


def _source(rule: Rule) -> str:
    return f"```python\n{dedent(getsource(rule.formula)).rstrip()}\n```"
