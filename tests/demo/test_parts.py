"""The pieces of `glideslope train`: its text, its model, its optimizers, when it measures."""

from __future__ import annotations

import pytest
import torch

from glideslope.demo._corpus import Corpus, python_reference
from glideslope.demo._loop import Training
from glideslope.demo._model import CharTransformer
from glideslope.demo._optimizer import LEARNING_RATES, learning_rates
from glideslope.demo._settings import Settings
from glideslope.optim import available
from glideslope.schedules import parse
from glideslope.training import History

CORPUS = Corpus.of(python_reference())


def settings(**changes: object) -> Settings:
    usual = {
        "schedule": parse("hold(100%)"),
        "optimizer": "AdamW",
        "lr": None,
        "weight_decay": None,
        "steps": 100,
        "batch_size": 2,
        "seed": 0,
        "threads": torch.get_num_threads(),
        "save_every": 50,
    }
    return Settings(**(usual | changes))  # type: ignore[arg-type]


def training(**changes: object) -> Training:
    return Training(settings(**changes), History("never-written.jsonl"))


def decode(corpus: Corpus, numbers: torch.Tensor) -> str:
    return "".join(corpus.vocabulary[n] for n in numbers.tolist())


def test_the_text_is_large_and_has_each_paragraph_once() -> None:
    text = python_reference()
    assert 300_000 < len(text) < 600_000
    paragraphs = text.split("\n\n")
    assert len(set(paragraphs)) == len(paragraphs)


def test_the_parts_of_a_text_are_the_text() -> None:
    text = "naïve “quotes” Ω ß\n" * 10
    corpus = Corpus.of(text)
    assert sorted(set(text)) == list(corpus.vocabulary)
    assert decode(corpus, torch.cat([corpus.train, corpus.held_out])) == text
    assert len(corpus.held_out) == 19


def test_a_batch_is_made_of_windows_and_what_follows_them() -> None:
    text, following = CORPUS.batch(5, 64, torch.Generator().manual_seed(1))
    assert text.shape == following.shape == (5, 64)
    assert torch.equal(text[:, 1:], following[:, :-1])
    everything = decode(CORPUS, CORPUS.train)
    assert all(decode(CORPUS, row) in everything for row in text)


def test_every_held_out_character_is_predicted_once() -> None:
    text, following = CORPUS.held_out_windows(64)
    predicted = following.flatten()
    assert torch.equal(predicted, CORPUS.held_out[1 : 1 + len(predicted)])
    assert torch.equal(text.flatten()[1:], predicted[:-1])
    assert len(CORPUS.held_out) - 1 - len(predicted) < 64


def test_the_held_out_text_is_not_in_the_training_text() -> None:
    train, (windows, _) = decode(CORPUS, CORPUS.train), CORPUS.held_out_windows(64)
    known = sum(decode(CORPUS, window) in train for window in windows)
    assert known / len(windows) < 0.01


def test_the_model_has_a_quarter_of_a_million_parameters_all_in_matrices() -> None:
    parameters = list(CharTransformer(len(CORPUS.vocabulary)).parameters())
    assert sum(p.numel() for p in parameters) == pytest.approx(250_000, rel=0.02)
    assert {p.ndim for p in parameters} == {2}


def test_the_model_sees_only_what_came_before() -> None:
    model = CharTransformer(10, context=8, width=16, heads=2)
    text = torch.randint(10, (1, 8), generator=torch.Generator().manual_seed(0))
    changed = text.clone()
    changed[0, 5] = (text[0, 5] + 1) % 10
    difference = (model(text) - model(changed)).abs().amax(dim=(0, 2))
    assert difference[:5].max() < 1e-6
    assert difference[5:].min() > 1e-4


@pytest.mark.parametrize("name", [r.name for r in available() if r.name != "SparseAdam"])
def test_every_optimizer_trains_the_model(name: str) -> None:
    job = training(optimizer=name.lower(), batch_size=8)
    assert type(job.run.optimizer).__name__ == job.settings.optimizer == name
    before = [parameter.detach().clone() for parameter in job.run.model.parameters()]
    losses = [record.loss for record, _ in zip(job.train(), range(4), strict=False)]
    assert losses[-1] < losses[0]
    for old, new in zip(before, job.run.model.parameters(), strict=True):
        assert torch.isfinite(new).all()
        assert not torch.equal(old, new)


def test_learning_rates_are_of_optimizers_that_exist() -> None:
    assert LEARNING_RATES.keys() <= {row.name.lower() for row in available()}


def test_an_optimizer_without_a_learning_rate_for_this_job_has_its_default(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(LEARNING_RATES, "lion")
    job = training(optimizer="lion")
    assert job.run.optimizer.defaults["lr"] == 1e-4


def test_groups_of_one_name_keep_their_learning_rates_apart() -> None:
    weights = [torch.zeros(1, requires_grad=True) for _ in range(2)]
    groups = [
        {"params": [p], "lr": lr, "name": "x"} for p, lr in zip(weights, (0.1, 0.2), strict=True)
    ]
    found = learning_rates(torch.optim.SGD(groups))
    assert sorted(found.values()) == [0.1, 0.2]


@pytest.mark.parametrize("steps", [1, 3, 19, 20, 21, 600, 601])
def test_a_run_is_measured_twenty_times_and_at_its_end(steps: int) -> None:
    job = training(steps=steps)
    due = [step for step in range(steps) if job.is_due(step)]
    assert len(due) == min(steps, 20)
    assert due[-1] == steps - 1
