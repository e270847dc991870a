"""Options of decoupled weight decay: which rules have them, and the correction by the rate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from glideslope.errors import require
from glideslope.rules import Rule

from .common import CommonSettings


def check_decay(rules: Sequence[Rule], group: Mapping[str, Any]) -> None:
    """Refuse options of decoupled weight decay where a rule of a group has none.

    Args:
        rules: the rules that update the group's parameters.
        group: the group, with the options that all groups have.
    """
    for rule in rules:
        if reason := _reason_against(rule, group):
            masked, peak = group["cautious_weight_decay"], group["decay_peak_lr"]
            require(not masked, "cautious_weight_decay", f"be False: {reason}", masked)
            require(peak is None, "decay_peak_lr", f"be None: {reason}", peak)


def _reason_against(rule: Rule, group: Mapping[str, Any]) -> str | None:
    """Why a rule has no decoupled weight decay that options could change; None if it has."""
    if "cautious_weight_decay" not in rule.options:
        return f"the rule {rule.name} has no option `cautious_weight_decay`"
    if "decoupled_weight_decay" in rule.options and not group["decoupled_weight_decay"]:
        return f"the weight decay of the rule {rule.name} is not decoupled here"
    return None


def corrected(settings: CommonSettings, group: Mapping[str, Any]) -> Mapping[str, Any]:
    """A group whose weight decay is in proportion to its learning rate, where that is asked for."""
    peak = group.get("decay_peak_lr", settings.decay_peak_lr)
    if peak is None:
        return group
    return {**group, "weight_decay": group["weight_decay"] * (group["lr"] / peak)}
