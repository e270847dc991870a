"""transformers' Trainer with the schedulers and optimizers of Glideslope."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["HF_HUB_OFFLINE"] = os.environ["TRANSFORMERS_OFFLINE"] = "1"

import pytest
import torch
import torch.optim.lr_scheduler as torchs
import transformers

import glideslope as gs
from glideslope import optim
from glideslope.integrations.transformers import get_constant_schedule
from glideslope.optim import lr_scheduler as lrs

from ..distributed import ranks
from .expected import Driven, Updates, by_torch, linear, near, warmup, warmup_cosine, weights

transformers.logging.set_verbosity_error()

ROWS, BATCH, STEPS = 16, 2, 12  # eight updates an epoch
LR = 0.01

Make = Callable[[Any], tuple[Any, Any]]
"""Makes an optimizer and a scheduler (or None) of parameters."""


class Rows(torch.utils.data.Dataset):
    def __len__(self) -> int:
        return ROWS

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        generator = torch.Generator().manual_seed(index)
        ids = torch.randint(0, 50, (8,), generator=generator)
        return {"input_ids": ids, "labels": ids}


class Slope(torch.nn.Module):
    """A model whose gradient is 1, so that an update moves by its rate."""

    def __init__(self) -> None:
        super().__init__()
        self.w = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))

    def forward(self, input_ids: Any = None, labels: Any = None) -> dict[str, torch.Tensor]:
        return {"loss": self.w.sum()}


def gpt2() -> torch.nn.Module:
    torch.manual_seed(0)
    sizes = {"vocab_size": 50, "n_positions": 8, "n_embd": 16, "n_layer": 1, "n_head": 2}
    config = transformers.GPT2Config(**sizes, bos_token_id=0, eos_token_id=0)
    return transformers.GPT2LMHeadModel(config)


def logits(model: torch.nn.Module) -> torch.Tensor:
    """The outputs, for comparing two programs.

    The gradients of some weights of an attention are rounding errors, which Adam scales up.
    """
    ids = torch.stack([Rows()[index]["input_ids"] for index in range(ROWS)])
    with torch.no_grad():
        return model.eval()(input_ids=ids).logits


def arguments(folder: Path, **more: Any) -> Any:
    usual: dict[str, Any] = {
        "per_device_train_batch_size": BATCH,
        "per_device_eval_batch_size": ROWS,
        "max_steps": STEPS,
        "logging_steps": 1,
        "report_to": [],
        "save_strategy": "no",
        "use_cpu": True,
        "disable_tqdm": True,
        "max_grad_norm": 0.0,
        "seed": 1,
    }
    return transformers.TrainingArguments(output_dir=str(folder), **{**usual, **more})


def train(
    model: torch.nn.Module,
    optimizers: Any,
    folder: Path,
    resume: Path | None = None,
    kind: Any = transformers.Trainer,
    passed: dict[str, Any] | None = None,
    **more: Any,
) -> Any:
    """Train, and return the trainer."""
    given = {"optimizers": optimizers} if optimizers is not None else {}
    trainer = kind(
        model=model,
        args=arguments(folder, **more),
        train_dataset=Rows(),
        eval_dataset=Rows(),
        **given,
        **(passed or {}),
    )
    trainer.train(resume_from_checkpoint=None if resume is None else str(resume))
    return trainer


def logged(trainer: Any, key: str = "learning_rate") -> list[float]:
    return [row[key] for row in trainer.state.log_history if key in row]


# The rates of every update, in the log and in the update itself.

OPTIMIZERS: dict[str, Callable[[Any], Any]] = {
    "torch's AdamW": lambda ps: torch.optim.AdamW(ps, lr=LR, weight_decay=0.0),
    "AdamW": lambda ps: optim.AdamW(ps, lr=LR, weight_decay=0.0),
    "SGD": lambda ps: optim.SGD(ps, lr=LR),
}

SCHEDULERS: dict[str, Driven] = {
    "Scheduler": Driven(
        lambda o: lrs.Scheduler(o, lr="warmup(4) >> cosine(8)"), lambda t: warmup_cosine(t, 4, 8)
    ),
    "LinearLR": Driven(
        lambda o: lrs.LinearLR(o, 0.25, total_iters=6), lambda t: 0.25 + 0.125 * min(t, 6)
    ),
    "SequentialLR": Driven(
        lambda o: lrs.SequentialLR(
            o, [lrs.LinearLR(o, 0.1, total_iters=4), lrs.CosineAnnealingLR(o, 8)], [4]
        ),
        lambda t: 0.1 + 0.9 * t / 4 if t < 4 else warmup_cosine(t, 4, 8),
    ),
    "ChainedScheduler": Driven(
        lambda o: lrs.ChainedScheduler([lrs.ExponentialLR(o, 0.9), lrs.StepLR(o, 5, 0.5)]),
        lambda t: 0.9**t * 0.5 ** (t // 5),
    ),
    "two in a product": Driven(
        lambda o: (lrs.StepLR(o, 5, 0.5), lrs.Scheduler(o, lr="linear(24)"))[1],
        lambda t: linear(t, 24),  # the trainer steps one of them; the other stays at its start
    ),
    "get_cosine_schedule_with_warmup": Driven(
        lambda o: lrs.get_cosine_schedule_with_warmup(o, 4, 12), lambda t: warmup_cosine(t, 4, 8)
    ),
}


def expected(factor: Callable[[int], float], steps: int = STEPS) -> Any:
    return near([LR * factor(t) for t in range(steps)], rel=1e-12, abs=1e-18)


def check_rates(trainer: Any, seen: Updates, rates: Any) -> None:
    assert seen.rates == rates
    assert logged(trainer) == rates
    assert seen.moves == near(seen.rates, rel=1e-4, abs=1e-12)


@pytest.mark.parametrize("accumulated", [1, 2])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("name", SCHEDULERS)
def test_a_schedulers_rates(name: str, optimizer: str, accumulated: int, tmp_path: Path) -> None:
    model = Slope()
    made = OPTIMIZERS[optimizer](model.parameters())
    seen = Updates(made)
    pair = (made, SCHEDULERS[name].make(made))
    trainer = train(model, pair, tmp_path, gradient_accumulation_steps=accumulated)
    check_rates(trainer, seen, expected(SCHEDULERS[name].factor))


TORCHS: dict[str, Callable[[Any, Any], Any]] = {
    "OneCycleLR": lambda m, o: m.OneCycleLR(o, 0.05, total_steps=14, cycle_momentum=False),
    "CyclicLR": lambda m, o: m.CyclicLR(o, 0.001, 0.05, 3, cycle_momentum=False),
    "CosineAnnealingWarmRestarts": lambda m, o: m.CosineAnnealingWarmRestarts(o, 3, 2),
    "MultiStepLR": lambda m, o: m.MultiStepLR(o, [2, 7], 0.5),
    "PolynomialLR": lambda m, o: m.PolynomialLR(o, 10, 2.0),
    "LambdaLR": lambda m, o: m.LambdaLR(o, lambda t: 1 / (1 + t)),
    "MultiplicativeLR": lambda m, o: m.MultiplicativeLR(o, lambda t: 0.95),
    "ConstantLR": lambda m, o: m.ConstantLR(o, 0.5, 7),
}


@pytest.mark.parametrize("name", TORCHS)
def test_the_rates_of_torchs_classes(name: str, tmp_path: Path) -> None:
    model = Slope()
    made = OPTIMIZERS["AdamW"](model.parameters())
    seen = Updates(made)
    trainer = train(model, (made, TORCHS[name](lrs, made)), tmp_path)
    control = by_torch(lambda o: TORCHS[name](torchs, o), STEPS)
    check_rates(trainer, seen, near(control, rel=1e-9))


def test_every_key_of_a_scheduler(tmp_path: Path) -> None:
    model = Slope()
    optimizer = optim.AdamW(model.parameters(), lr=LR, weight_decay=0.1)
    seen = Updates(optimizer)
    keys = {"lr": "cosine(12)", "betas[0]": "linear(12, end=0.9)", "weight_decay": "linear(24)"}
    train(model, (optimizer, lrs.Scheduler(optimizer, **keys)), tmp_path)
    assert seen.of("lr") == expected(lambda t: warmup_cosine(t, 0, 12))
    assert seen.of("betas", 0) == near([0.9 * linear(t, 12, 0.9) for t in range(STEPS)])
    assert seen.of("weight_decay") == near([0.1 * linear(t, 24) for t in range(STEPS)])


# Schedulers that read a metric: the trainer gives it to them after an evaluation.

METRICS = [1.0, 0.9, 0.95, 0.95, 0.96, 0.8, 0.7, 0.6, 0.65, 0.66, 0.67, 0.68]


class Scripted(transformers.Trainer):
    """A trainer whose evaluations give the values of `METRICS`, one each."""

    def evaluate(self, *arguments: Any, **more: Any) -> dict[str, float]:
        metric = METRICS[min(self.state.global_step - 1, len(METRICS) - 1)]
        found = {"eval_loss": metric}
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, found)
        return found


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (
            lambda o: lrs.ReduceLROnPlateau(o, factor=0.5, patience=1),
            lambda o: torchs.ReduceLROnPlateau(o, factor=0.5, patience=1),
        ),
        (
            lambda o: lrs.GreedyLR(o, patience=1, factor=0.5, min_lr=1e-5, max_lr=1.0),
            lambda o: transformers.optimization.GreedyLR(
                o, patience=1, factor=0.5, min_lr=1e-5, max_lr=1.0
            ),
        ),
    ],
    ids=["ReduceLROnPlateau", "GreedyLR"],
)
def test_schedulers_that_read_a_metric(ours: Any, theirs: Any, tmp_path: Path) -> None:
    seen = []
    for make in (ours, theirs):
        model = Slope()
        optimizer = OPTIMIZERS["AdamW"](model.parameters())
        seen.append(Updates(optimizer))
        more = {"eval_strategy": "steps", "eval_steps": 1, "metric_for_best_model": "loss"}
        train(model, (optimizer, make(optimizer)), tmp_path, kind=Scripted, **more)
    assert seen[0].rates == near(seen[1].rates, rel=1e-12)
    assert len(set(seen[0].rates)) > 1


# Resuming: at an epoch's end (8 of 12) and in the middle of one (11).

KEYS = {
    "lr": "warmup(4) >> cosine(8)",
    "betas[0]": "linear(12, end=0.9)",
    "weight_decay": "linear(12)",
}


def pair(make: Callable[..., Any], scheduler: Callable[[Any], Any], **more: Any) -> Make:
    def of(parameters: Any) -> tuple[Any, Any]:
        optimizer = make(parameters, **{"lr": LR, **more})
        return optimizer, scheduler(optimizer)

    return of


SCHEDULE = gs.parse("warmup(4) >> cosine(8)")

RESUMED: dict[str, Make] = {
    "AdamW, Scheduler of three keys": pair(optim.AdamW, lambda o: lrs.Scheduler(o, **KEYS)),
    "torch's AdamW, Scheduler": pair(torch.optim.AdamW, lambda o: lrs.Scheduler(o, **KEYS)),
    "AdamW, OneCycleLR": pair(optim.AdamW, lambda o: lrs.OneCycleLR(o, 0.05, total_steps=14)),
    "AdamW, SequentialLR": pair(optim.AdamW, SCHEDULERS["SequentialLR"].make),
    "AdamW, cosine with warm-up": pair(
        optim.AdamW, lambda o: lrs.get_cosine_schedule_with_warmup(o, 4, 12)
    ),
    "AdamW of a schedule, constant": lambda ps: (lambda o: (o, get_constant_schedule(o)))(
        optim.AdamW(ps, lr=LR * SCHEDULE)
    ),
    "AdamW of a schedule, None": lambda ps: (optim.AdamW(ps, lr=LR * SCHEDULE), None),
    "AdamW with ema and clipping": pair(
        optim.AdamW, lambda o: lrs.Scheduler(o, **KEYS), ema_decay=0.9, max_grad_norm=0.1
    ),
    "AdamWScheduleFree": pair(optim.AdamWScheduleFree, lambda o: lrs.ConstantLR(o, 1.0)),
    "Prodigy": pair(optim.Prodigy, lambda o: lrs.Scheduler(o, lr="cosine(12)"), lr=1.0),
    "SOAP": pair(optim.SOAP, lambda o: lrs.Scheduler(o, lr="cosine(12)")),
    "torch's, the control": pair(torch.optim.AdamW, lambda o: torchs.CosineAnnealingLR(o, 12)),
}


@pytest.mark.parametrize("stop", [pytest.param(8, marks=pytest.mark.long), 11])
@pytest.mark.parametrize("name", RESUMED)
def test_a_resumed_run_is_the_same_bit_for_bit(name: str, stop: int, tmp_path: Path) -> None:
    straight, resumed = gpt2(), gpt2()
    saving = {"save_strategy": "steps", "save_steps": stop, "lr_scheduler_type": "constant"}
    whole = train(straight, RESUMED[name](straight.parameters()), tmp_path / "a", **saving)
    point = tmp_path / "a" / f"checkpoint-{stop}"
    rest = train(
        resumed,
        RESUMED[name](resumed.parameters()),
        tmp_path / "b",
        resume=point,
        lr_scheduler_type="constant",
    )
    assert torch.equal(weights(resumed), weights(straight))
    assert logged(rest) == logged(whole)


@pytest.mark.parametrize("ours_first", [False, True])
def test_a_checkpoint_of_torchs_classes_and_back(ours_first: bool, tmp_path: Path) -> None:
    def ours(ps: Any) -> tuple[Any, Any]:
        optimizer = optim.AdamW(ps, lr=LR)
        return optimizer, lrs.CosineAnnealingLR(optimizer, 12)

    def theirs(ps: Any) -> tuple[Any, Any]:
        optimizer = torch.optim.AdamW(ps, lr=LR)
        return optimizer, torchs.CosineAnnealingLR(optimizer, 12)

    first, second = (ours, theirs) if ours_first else (theirs, ours)
    straight, resumed = gpt2(), gpt2()
    saving = {"save_strategy": "steps", "save_steps": 8}
    whole = train(straight, first(straight.parameters()), tmp_path / "a", **saving)
    point = tmp_path / "a" / "checkpoint-8"
    rest = train(resumed, second(resumed.parameters()), tmp_path / "b", resume=point)
    assert logged(rest) == near(logged(whole), rel=1e-12)
    torch.testing.assert_close(logits(resumed), logits(straight), rtol=0, atol=1e-6)


# Optimizers that the trainer builds itself.


SLOWER = [
    pytest.param(name, marks=pytest.mark.long)
    for name in ("Adam", "NAdam", "RAdam", "RMSprop", "Adagrad")
]


@pytest.mark.parametrize("name", ["AdamW", "SGD", "Adamax", *SLOWER])
def test_optimizers_that_the_trainer_builds(name: str, tmp_path: Path) -> None:
    found = []
    for module in (optim, torch.optim):
        model = gpt2()
        passed = {"optimizer_cls_and_kwargs": (getattr(module, name), {"lr": 1e-3})}
        trainer = train(model, None, tmp_path, passed=passed, weight_decay=0.1)
        assert logged(trainer) == near([1e-3 * (1 - t / STEPS) for t in range(STEPS)])
        found.append(logits(model))
    torch.testing.assert_close(found[0], found[1], rtol=0, atol=2e-6)


@pytest.mark.parametrize("name", ["Lion", "ADOPT", "LAMB", "Prodigy", "CAME", "SOAP"])
def test_optimizers_that_torch_does_not_have(name: str, tmp_path: Path) -> None:
    model = gpt2()
    before = weights(model)
    passed = {"optimizer_cls_and_kwargs": (getattr(optim, name), {"lr": 1e-3})}
    train(model, None, tmp_path, passed=passed, weight_decay=0.1)
    assert weights(model).isfinite().all()
    assert not torch.equal(before, weights(model))


def test_muon_for_the_hidden_matrices(tmp_path: Path) -> None:
    model = gpt2()
    groups = optim.param_groups(model, weight_decay=0.1, use_muon=True)
    optimizer = optim.MuonWithAuxAdam(groups, lr=3e-3)
    seen = Updates(optimizer)
    train(model, (optimizer, lrs.Scheduler(optimizer, lr="cosine(12)")), tmp_path)
    expected_rates = near([3e-3 * warmup_cosine(t, 0, 12) for t in range(STEPS)])
    assert [seen.of("lr", group=g) for g in range(3)] == [expected_rates] * 3


def test_a_schedule_in_the_arguments_of_the_optimizer(tmp_path: Path) -> None:
    model = Slope()

    class Unscheduled(transformers.Trainer):
        def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
            self.lr_scheduler = get_constant_schedule(self.optimizer)
            return self.lr_scheduler

    schedule = LR * (gs.warmup(4) >> gs.cosine(8))
    passed = {"optimizer_cls_and_kwargs": (optim.AdamW, {"lr": schedule, "weight_decay": 0.0})}
    trainer = train(model, None, tmp_path, kind=Unscheduled, passed=passed)
    assert logged(trainer) == expected(lambda t: warmup_cosine(t, 4, 8))


# Schedulers that the trainer builds itself.


class FromText(transformers.Trainer):
    """A trainer whose scheduler knows the length of the run."""

    def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
        schedule = gs.parse("warmup(25%) >> cosine(75%)").bind(total_steps=num_training_steps)
        self.lr_scheduler = lrs.Scheduler(optimizer or self.optimizer, lr=schedule)
        return self.lr_scheduler


@pytest.mark.parametrize("accumulated", [1, 2])
def test_a_scheduler_that_the_trainer_creates(accumulated: int, tmp_path: Path) -> None:
    more = {"gradient_accumulation_steps": accumulated, "max_steps": -1, "num_train_epochs": 3}
    trainer = train(Slope(), None, tmp_path, kind=FromText, learning_rate=LR, **more)
    steps = 24 // accumulated
    first = steps // 4
    assert logged(trainer) == expected(lambda t: warmup_cosine(t, first, steps - first), steps)


@pytest.mark.parametrize("kind", ["constant", "linear", "constant_with_warmup"])
def test_a_schedule_of_the_optimizer_beside_a_constant_one(kind: str, tmp_path: Path) -> None:
    """The trainer adds a scheduler of torch's where it gets none, and that overwrites."""
    own = {
        "constant": lambda t: 1.0,
        "linear": lambda t: linear(t, STEPS),
        "constant_with_warmup": lambda t: warmup(t, 3),
    }[kind]
    for alone in (True, False):
        model = Slope()
        optimizer = optim.AdamW(model.parameters(), lr=LR * SCHEDULE, weight_decay=0.0)
        seen = Updates(optimizer)
        scheduler = None if alone else get_constant_schedule(optimizer)
        more = {"lr_scheduler_type": kind, "warmup_steps": 3 if "warmup" in kind else 0}
        trainer = train(model, (optimizer, scheduler), tmp_path, **more)
        factor = own if alone else lambda t: warmup_cosine(t, 4, 8)
        check_rates(trainer, seen, expected(factor))


# The surroundings.


def test_early_stopping_and_the_best_model(tmp_path: Path) -> None:
    ended = []
    for folder, module, schedulers in (("a", optim, lrs), ("b", torch.optim, torchs)):
        model = gpt2()
        optimizer = module.AdamW(model.parameters(), lr=LR)
        trainer = train(
            model,
            (optimizer, schedulers.CosineAnnealingLR(optimizer, 12)),
            tmp_path / folder,
            kind=Scripted,
            passed={"callbacks": [transformers.EarlyStoppingCallback(3)]},
            eval_strategy="steps",
            eval_steps=1,
            save_strategy="steps",
            save_steps=1,
            save_total_limit=2,
            load_best_model_at_end=True,
            metric_for_best_model="loss",
        )
        best = Path(trainer.state.best_model_checkpoint).name
        ended.append((trainer.state.global_step, best, logged(trainer)))
    assert ended[0][:2] == ended[1][:2] == (5, "checkpoint-2")
    assert ended[0][2] == near(ended[1][2], rel=1e-12)


def test_bfloat16(tmp_path: Path) -> None:
    found = []
    for module in (optim, torch.optim):
        model = gpt2()
        optimizer = module.AdamW(model.parameters(), lr=LR)
        train(model, (optimizer, lrs.Scheduler(optimizer, lr="cosine(12)")), tmp_path, bf16=True)
        found.append(weights(model))
    torch.testing.assert_close(found[0], found[1], rtol=1e-3, atol=1e-3)


def test_the_trainers_clipping_is_that_of_the_optimizer(tmp_path: Path) -> None:
    found, norms = [], []
    for own, trainers in ((0.0, 0.1), (0.1, 0.0)):
        model = gpt2()
        more = {"max_grad_norm": own} if own else {}
        optimizer = optim.AdamW(model.parameters(), lr=LR, **more)
        trainer = train(
            model, (optimizer, lrs.ConstantLR(optimizer, 1.0)), tmp_path, max_grad_norm=trainers
        )
        found.append(logits(model))
        norms.append(logged(trainer, "grad_norm")[-1] if trainers else optimizer.grad_norm)
    torch.testing.assert_close(found[0], found[1], rtol=0, atol=2e-6)
    assert norms[0] == near(norms[1], rel=1e-4)


def test_a_group_that_a_callback_adds(tmp_path: Path) -> None:
    late = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))

    class Unfreeze(transformers.TrainerCallback):
        def on_step_begin(self, args: Any, state: Any, control: Any, **more: Any) -> None:
            if state.global_step == 6:
                more["optimizer"].add_param_group({"params": [late], "lr": 0.002})

    for name, driven in SCHEDULERS.items():
        model = Slope()
        optimizer = optim.AdamW(model.parameters(), lr=LR, weight_decay=0.0)
        seen = Updates(optimizer)
        pair = optimizer, driven.make(optimizer)
        train(model, pair, tmp_path / name.replace("'", ""), passed={"callbacks": [Unfreeze()]})
        assert seen.of("lr") == expected(driven.factor), name
        rates = seen.of("lr", group=1)
        assert rates[0] == 0.002, name
        # it joins with its number as the base, or continues from it as torch's recursive ones do
        factors = [driven.factor(t) for t in range(7, STEPS)]
        joined = [0.002 * f for f in factors]
        continued = [0.002 * f / driven.factor(6) for f in factors]
        assert rates[1:] in (near(joined), near(continued)), name


def test_evaluation_with_averaged_weights(tmp_path: Path) -> None:
    evaluated = []

    class Averaged(transformers.Trainer):
        def evaluate(self, *arguments: Any, **more: Any) -> dict[str, float]:
            with self.optimizer.optimizer.averaged():
                evaluated.append(weights(self.model))
                return super().evaluate(*arguments, **more)

    model = Slope()
    optimizer = optim.SGD(model.parameters(), lr=1.0, ema_decay=0.5)
    train(
        model,
        (optimizer, lrs.ConstantLR(optimizer, 1.0)),
        tmp_path,
        kind=Averaged,
        eval_strategy="steps",
        eval_steps=1,
        max_steps=3,
    )
    # the average of 0, -1, -2, -3, each new one counted half
    assert [w.item() for w in evaluated] == near([-0.5, -1.25, -2.125])
    assert model.w.item() == -3.0


# Two processes.


@pytest.fixture(scope="module")
def pair_of_ranks(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """The results of `training_on_ranks` on two processes."""
    program = Path(__file__).with_name("training_on_ranks.py")
    return ranks.run(program, tmp_path_factory.mktemp("trainer"))


@pytest.mark.long
@pytest.mark.parametrize("accumulated", [1, 2])
@pytest.mark.parametrize("name", ["Scheduler", "schedule"])
def test_two_processes_count_updates(
    name: str, accumulated: int, pair_of_ranks: list[dict[str, Any]]
) -> None:
    first, second = (rank[f"{name}, {accumulated}"] for rank in pair_of_ranks)
    rates = expected(lambda t: warmup_cosine(t, 4, 8))
    assert first["logged"] == rates
    assert first["used"] == second["used"] == rates
    assert first["resumed"] == first["weights"] == second["weights"]
