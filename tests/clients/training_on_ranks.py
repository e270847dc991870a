"""transformers' Trainer on each of several ranks; writes the rates and the weights to a file."""

from __future__ import annotations

import json
import os
import sys
import warnings
from pathlib import Path
from typing import Any

os.environ["HF_HUB_OFFLINE"] = "1"

import torch
import transformers

import glideslope as gs
from glideslope import optim
from glideslope.integrations.transformers import get_constant_schedule
from glideslope.optim import lr_scheduler as lrs

SCHEDULE, LR, STEPS = "warmup(4) >> cosine(8)", 0.01, 12


class Rows(torch.utils.data.Dataset):
    def __len__(self) -> int:
        return 32

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        x = torch.randn(4, generator=torch.Generator().manual_seed(index))
        return {"x": x, "labels": x.sum(0, keepdim=True)}


class Model(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer = torch.nn.Linear(4, 1)

    def forward(self, x: Any, labels: Any) -> dict[str, torch.Tensor]:
        return {"loss": (self.layer(x) - labels).square().mean()}


def pair(name: str, parameters: Any) -> tuple[Any, Any]:
    if name == "schedule":
        optimizer = optim.AdamW(parameters, lr=LR * gs.parse(SCHEDULE))
        return optimizer, get_constant_schedule(optimizer)
    optimizer = optim.AdamW(parameters, lr=LR, max_grad_norm=1.0)
    return optimizer, lrs.Scheduler(optimizer, lr=SCHEDULE)


def trained(name: str, accumulated: int, folder: str, resume: str | None = None) -> dict[str, Any]:
    model = Model()
    optimizer, scheduler = pair(name, model.parameters())
    used: list[float] = []
    optimizer.register_step_pre_hook(lambda o, *_: used.append(o.param_groups[0]["lr"]))
    arguments = transformers.TrainingArguments(
        output_dir=folder,
        per_device_train_batch_size=2,
        gradient_accumulation_steps=accumulated,
        max_steps=STEPS,
        logging_steps=1,
        save_steps=7,
        use_cpu=True,
        disable_tqdm=True,
        report_to=[],
        max_grad_norm=0.0,
        ddp_timeout=300,
    )
    trainer = transformers.Trainer(
        model, arguments, train_dataset=Rows(), optimizers=(optimizer, scheduler)
    )
    trainer.train(resume_from_checkpoint=resume)
    history = trainer.state.log_history
    logged = [row["learning_rate"] for row in history if "learning_rate" in row]
    weights = torch.cat([p.detach().reshape(-1) for p in model.parameters()]).tolist()
    return {"logged": logged, "used": used, "weights": weights}


def main(file: str) -> None:
    warnings.simplefilter("ignore")
    transformers.logging.set_verbosity_error()
    torch.set_num_threads(1)
    folder = Path(file).parent  # the same for all ranks
    found = {}
    for name in ("Scheduler", "schedule"):
        for accumulated in (1, 2):
            at = str(folder / f"{name}-{accumulated}")
            run = trained(name, accumulated, at)
            again = trained(name, accumulated, at, f"{at}/checkpoint-7")
            found[f"{name}, {accumulated}"] = {**run, "resumed": again["weights"]}
    Path(file).write_text(json.dumps(found))
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main(sys.argv[1])
