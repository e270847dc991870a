"""Optimizers that torch lacks, as plain loops transcribed from their papers, in the paper's terms.

They share nothing with the package, so an agreement cannot hide a common mistake.
"""

from __future__ import annotations

import math
import random
from collections import defaultdict
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor


class Transcription(torch.optim.Optimizer):
    """A loop over the parameters, in which `update` is the paper's step on one of them."""

    def __init__(self, params: Any, **hyperparameters: Any) -> None:
        super().__init__(params, hyperparameters)

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for theta in group["params"]:
                if theta.grad is not None:
                    self.advance(theta, group)

    def advance(self, theta: Tensor, group: dict[str, Any]) -> None:
        state = defaultdict(lambda: torch.zeros_like(theta), self.state[theta])
        t = int(self.state[theta].get("step", 0)) + 1
        self.update(theta, theta.grad, state, t, SimpleNamespace(**{"weight_decay": 0.0, **group}))
        self.state[theta] = {**state, "step": t}

    def update(self, theta: Tensor, g: Tensor, state: Any, t: int, group: Any) -> None:
        """Change ``theta`` in place; a state that is not there yet is zero."""
        raise NotImplementedError


class Lion(Transcription):
    """Algorithm 2 of Chen et al., 2023 (arXiv:2302.06675)."""

    def update(self, theta: Tensor, g: Tensor, state: Any, t: int, group: Any) -> None:
        m = state["exp_avg"]
        c = 0.9 * m + (1 - 0.9) * g
        theta -= group.lr * (torch.sign(c) + group.weight_decay * theta)
        state["exp_avg"] = 0.99 * m + (1 - 0.99) * g


class Signum(Transcription):
    """Algorithm 2 of Bernstein et al., 2018 (arXiv:1802.04434), weight decay beside the sign."""

    def update(self, theta: Tensor, g: Tensor, state: Any, t: int, group: Any) -> None:
        state["exp_avg"] = m = 0.9 * state["exp_avg"] + (1 - 0.9) * g
        theta -= group.lr * (torch.sign(m) + group.weight_decay * theta)


class AdaBelief(Transcription):
    """Algorithm 2 of Zhuang et al., 2020 (arXiv:2010.07468), weight decay decoupled."""

    def update(self, theta: Tensor, g: Tensor, state: Any, t: int, group: Any) -> None:
        state["exp_avg"] = m = 0.9 * state["exp_avg"] + (1 - 0.9) * g
        variance = 0.999 * state["exp_avg_var"] + (1 - 0.999) * (g - m) ** 2 + group.eps
        state["exp_avg_var"] = variance
        m_hat, s_hat = m / (1 - 0.9**t), variance / (1 - 0.999**t)
        step = m_hat / (torch.sqrt(s_hat) + group.eps) + group.weight_decay * theta
        theta -= group.lr * step


class MADGRAD(Transcription):
    """Algorithm 1 of Defazio and Jelassi, 2021 (arXiv:2101.11075); k is t - 1."""

    def update(self, theta: Tensor, g: Tensor, state: Any, t: int, group: Any) -> None:
        is_decoupled = getattr(group, "decoupled_weight_decay", False)
        x0 = state["x0"] if "x0" in state else theta.clone()
        old, g = theta.clone(), g if is_decoupled else g + group.weight_decay * theta
        lamb, c = group.lr * math.sqrt(t), 1 - 0.9
        state["s"] = s = state["s"] + lamb * g
        state["grad_sum_sq"] = nu = state["grad_sum_sq"] + lamb * g**2
        z = x0 - s / (nu ** (1 / 3) + 1e-6)
        theta.mul_(1 - c).add_(c * z)
        theta -= group.lr * group.weight_decay * old * is_decoupled
        state["x0"] = x0


class LaProp(Transcription):
    """Algorithm 1 of Ziyin et al., 2020 (arXiv:2002.04839), with decoupled decay."""

    def update(self, theta: Tensor, g: Tensor, state: Any, t: int, group: Any) -> None:
        state["exp_avg_sq"] = n = 0.999 * state["exp_avg_sq"] + (1 - 0.999) * g**2
        normed = g / (torch.sqrt(n / (1 - 0.999**t)) + 1e-15)
        state["exp_avg"] = m = 0.9 * state["exp_avg"] + (1 - 0.9) * normed
        theta -= group.lr * (m / (1 - 0.9**t) + group.weight_decay * theta)


class Adan(Transcription):
    """Algorithm 1 of Xie et al., 2022 (arXiv:2208.06677), its β being 1 less ours, corrected."""

    def update(self, theta: Tensor, g: Tensor, state: Any, t: int, group: Any) -> None:
        beta1, beta2, beta3 = 1 - 0.98, 1 - 0.92, 1 - 0.99
        change = g - state["last_grad"] if t > 1 else torch.zeros_like(g)
        state["exp_avg"] = m = (1 - beta1) * state["exp_avg"] + beta1 * g
        state["exp_avg_diff"] = v = (1 - beta2) * state["exp_avg_diff"] + beta2 * change
        ahead = g + (1 - beta2) * change
        state["exp_avg_sq"] = n = (1 - beta3) * state["exp_avg_sq"] + beta3 * ahead**2
        m_hat, v_hat = m / (1 - 0.98**t), v / (1 - 0.92**t)
        eta = group.lr / (torch.sqrt(n / (1 - 0.99**t)) + 1e-8)
        theta -= eta * (m_hat + (1 - beta2) * v_hat)
        theta /= 1 + group.weight_decay * group.lr
        state["last_grad"] = g.clone()


class ADOPT(Transcription):
    """Algorithm 2 of Taniguchi et al., 2024 (arXiv:2411.02853), clipped; t counts from 0."""

    def update(self, theta: Tensor, g: Tensor, state: Any, t: int, group: Any) -> None:
        t = t - 1
        if t == 0:
            state["exp_avg_sq"] = g**2
            state["exp_avg"] = torch.zeros_like(theta)
            return
        v, c = state["exp_avg_sq"], t**0.25
        normed = g / torch.maximum(torch.sqrt(v), torch.tensor(1e-6, dtype=v.dtype))
        state["exp_avg"] = m = 0.9 * state["exp_avg"] + (1 - 0.9) * normed.clamp(-c, c)
        theta -= group.lr * (m + group.weight_decay * theta)
        state["exp_avg_sq"] = 0.9999 * v + (1 - 0.9999) * g**2


class AdEMAMix(Transcription):
    """Algorithm 1 of Pagliardini et al., 2024 (arXiv:2409.03137), with its schedules (eq. 4, 5)."""

    def update(self, theta: Tensor, g: Tensor, state: Any, t: int, group: Any) -> None:
        alpha, beta3 = self.alpha_and_beta3(t, group)
        state["exp_avg"] = m1 = 0.9 * state["exp_avg"] + (1 - 0.9) * g
        state["exp_avg_slow"] = m2 = beta3 * state["exp_avg_slow"] + (1 - beta3) * g
        state["exp_avg_sq"] = nu = 0.999 * state["exp_avg_sq"] + (1 - 0.999) * g**2
        m1_hat, nu_hat = m1 / (1 - 0.9**t), nu / (1 - 0.999**t)
        mixed = (m1_hat + alpha * m2) / (torch.sqrt(nu_hat) + 1e-8)
        theta -= group.lr * (mixed + group.weight_decay * theta)

    def alpha_and_beta3(self, t: int, group: Any) -> tuple[float, float]:
        start, end = math.log(0.9), math.log(0.9999)
        share = t / group.warmup_steps if hasattr(group, "warmup_steps") else 1.0
        beta3 = math.exp(start * end / ((1 - share) * end + share * start))
        return min(share * 5.0, 5.0), min(beta3, 0.9999)


class ScheduleFree(Transcription):
    """Algorithm 1 of Defazio et al., 2024 (arXiv:2405.15682), with the weights of their package."""

    def descend(self, y: Tensor, step: Tensor, state: Any, t: int, group: Any, beta: float) -> None:
        """From y and z to the next of them by way of x, the average of all z."""
        z = state["z"] if "z" in state else y.clone()
        x = (y - (1 - beta) * z) / beta
        gamma = group.lr * min(1, t / group.warmup_steps)
        state["lr_max"] = max(state["lr_max"], gamma) if "lr_max" in state else gamma
        weight = t**group.r * state["lr_max"] ** 2
        state["weight_sum"] = weight + state.get("weight_sum", 0.0)
        c = weight / state["weight_sum"]
        state["z"] = z = z - gamma * (step + group.weight_decay * y)
        x = (1 - c) * x + c * z
        y.copy_((1 - beta) * z + beta * x)


class SGDScheduleFree(ScheduleFree):
    """With plain gradient steps."""

    def update(self, theta: Tensor, g: Tensor, state: Any, t: int, group: Any) -> None:
        self.descend(theta, g, state, t, group, beta=0.9)


class AdamWScheduleFree(ScheduleFree):
    """With Adam's steps, without its first moment."""

    def update(self, theta: Tensor, g: Tensor, state: Any, t: int, group: Any) -> None:
        state["exp_avg_sq"] = v = 0.999 * state["exp_avg_sq"] + (1 - 0.999) * g**2
        step = g / (torch.sqrt(v / (1 - 0.999**t)) + 1e-8)
        self.descend(theta, step, state, t, group, beta=0.9)


class LARS(Transcription):
    """Algorithm 1 of You et al., 2017 (arXiv:1708.03888)."""

    def update(self, theta: Tensor, g: Tensor, state: Any, t: int, group: Any) -> None:
        beta, w_norm, g_norm = group.weight_decay, theta.norm(), g.norm()
        adapts = getattr(group, "adapt", True) and w_norm > 0 and g_norm > 0
        local = group.trust_coefficient * w_norm / (g_norm + beta * w_norm) if adapts else 1.0
        step = group.lr * local * (g + beta * theta)
        state["momentum_buffer"] = v = 0.9 * state["momentum_buffer"] + step
        theta -= v


class LAMB(Transcription):
    """Algorithm 2 of You et al., 2019 (arXiv:1904.00962)."""

    def update(self, theta: Tensor, g: Tensor, state: Any, t: int, group: Any) -> None:
        state["exp_avg"] = m = 0.9 * state["exp_avg"] + (1 - 0.9) * g
        state["exp_avg_sq"] = v = 0.999 * state["exp_avg_sq"] + (1 - 0.999) * g**2
        r = m / (1 - 0.9**t) / (torch.sqrt(v / (1 - 0.999**t)) + 1e-6)
        step = r + group.weight_decay * theta
        adapts = getattr(group, "adapt", True) and theta.norm() > 0 and step.norm() > 0
        theta -= group.lr * (theta.norm() / step.norm() if adapts else 1.0) * step


class StableAdamW(Transcription):
    """Algorithm 2 of Wortsman et al., 2023 (arXiv:2304.13013), in its own, corrected betas."""

    def update(self, theta: Tensor, g: Tensor, state: Any, t: int, group: Any) -> None:
        beta1 = 0.9 * (1 - 0.9 ** (t - 1)) / (1 - 0.9**t)
        beta2 = 0.99 * (1 - 0.99 ** (t - 1)) / (1 - 0.99**t)
        v = beta1 * state["exp_avg"] / max(1 - 0.9 ** (t - 1), 1e-9) + (1 - beta1) * g
        u = beta2 * state["exp_avg_sq"] / max(1 - 0.99 ** (t - 1), 1e-9) + (1 - beta2) * g**2
        rms = (g**2 / u.clamp(min=1e-6**2)).mean().sqrt() if g.numel() else 0.0
        eta = group.lr / max(1.0, float(rms))
        theta -= eta * (group.weight_decay * theta + v / (torch.sqrt(u) + 1e-6))
        state["exp_avg"], state["exp_avg_sq"] = v * (1 - 0.9**t), u * (1 - 0.99**t)


class MARS(Transcription):
    """Algorithm 2 of Yuan et al., 2024 (arXiv:2411.10438), on tensors of any dimension."""

    def update(self, theta: Tensor, g: Tensor, state: Any, t: int, group: Any) -> None:
        c = g
        if group.variance_reduction:
            c = g + 0.025 * 0.95 / (1 - 0.95) * (g - state["last_grad"])
            c = c / c.norm() if c.norm() > 1 else c
            state["last_grad"] = g.clone()
        state["exp_avg"] = m = 0.95 * state["exp_avg"] + (1 - 0.95) * c
        state["exp_avg_sq"] = v = 0.99 * state["exp_avg_sq"] + (1 - 0.99) * c**2
        m_hat, v_hat = m / (1 - 0.95**t), v / (1 - 0.99**t)
        step = m_hat / (torch.sqrt(v_hat) + 1e-8) + group.weight_decay * theta
        theta -= group.lr * step


class Prodigy(torch.optim.Optimizer):
    """Algorithm 4 of Mishchenko and Defazio, 2023 (arXiv:2306.06101), weight decay decoupled."""

    def __init__(self, params: Any, lr: float, d0: float, weight_decay: float) -> None:
        defaults = {"lr": lr, "weight_decay": weight_decay, "d": d0, "d_numerator": 0.0, "d0": d0}
        super().__init__(params, defaults)

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        group = self.param_groups[0]
        d, gamma, beta3 = group["d"], group["lr"], math.sqrt(0.999)
        r, norm = beta3 * group["d_numerator"], 0.0
        for x in (p for p in group["params"] if p.grad is not None):
            g, state = x.grad, self.state[x]
            for name in ("exp_avg", "exp_avg_sq", "s"):
                state.setdefault(name, torch.zeros_like(x))
            x0 = state.setdefault("p0", x.clone())
            r += gamma * d**2 / group["d0"] * float((g * (x0 - x)).sum())
            m = state["exp_avg"] = 0.9 * state["exp_avg"] + (1 - 0.9) * d * g
            v = state["exp_avg_sq"] = 0.999 * state["exp_avg_sq"] + (1 - 0.999) * d**2 * g**2
            state["s"] = beta3 * state["s"] + gamma * d**2 / group["d0"] * g
            norm += float(state["s"].abs().sum())
            step = m / (torch.sqrt(v) + d * 1e-8) + group["weight_decay"] * x
            x -= gamma * d * step
        group["d_numerator"], group["d"] = r, max(d, r / norm if norm else 0.0)


class Muon(Transcription):
    """Jordan, 2024, with singular values by decomposition instead of matrix products.

    ``ns_coefficients``: algorithm 1 of Amsel et al., 2025 (arXiv:2505.16932), or Jordan's.
    ``neuron_beta``: algorithm 1 of Li et al., 2025 (arXiv:2510.05491), whose scale is that of their
    code. ``hyperball``: the update of Wen et al., 2026 (arXiv:2606.16899). ``split``: how many
    parts are matrices of their own, or their rows.
    """

    def update(self, theta: Tensor, g: Tensor, state: Any, t: int, group: Any) -> None:
        step = self.step_of(g, state, group)
        if not getattr(group, "hyperball", False):
            theta -= group.lr * (step + group.weight_decay * theta)
            return
        radius = self.state[theta].get("radius", torch.sqrt(torch.sum(theta**2)))
        moved = theta - group.lr * radius * step / torch.sqrt(torch.sum(step**2))
        theta[...] = radius * moved / torch.sqrt(torch.sum(moved**2))
        state["radius"] = radius

    def step_of(self, g: Tensor, state: Any, group: Any) -> Tensor:
        state["momentum_buffer"] = m = 0.95 * state["momentum_buffer"] + 0.05 * g
        split = getattr(group, "split", 1)
        split = len(g) // split if isinstance(split, int) else split
        parts = torch.split(0.95 * m + 0.05 * g, split)
        moments = torch.split(state["moments"][:, 0], split)
        done = [self.part(x, v, group) for x, v in zip(parts, moments, strict=True)]
        state["moments"] = torch.cat([v for _, v in done])[:, None].expand(-1, g.shape[1])
        return torch.cat([o for o, _ in done])

    def part(self, x: Tensor, v: Tensor, group: Any) -> tuple[Tensor, Tensor]:
        o, beta = self.orthogonal(x, group), getattr(group, "neuron_beta", None)
        if beta is not None:
            v = beta * v + (1 - beta) * torch.mean(o**2, 1)
            even = o / (torch.sqrt(v)[:, None] + 1e-10)
            o = even / torch.sqrt(torch.sum(even**2)) * torch.sqrt(torch.sum(o**2))
        return o * self.ratio(group, *x.shape), v

    def orthogonal(self, x: Tensor, group: Any) -> Tensor:
        u, s, v = torch.linalg.svd(x, full_matrices=False)
        s = s / torch.sqrt(torch.sum(s**2))
        if getattr(group, "ns_coefficients", None) != "polar_express":
            for _ in range(5):
                s = 3.4445 * s - 4.7750 * s**3 + 2.0315 * s**5
            return u @ torch.diag(s) @ v
        s = s / 1.01
        for a, b, c in [
            (8.28721201814563, -23.595886519098837, 17.300387312530933),
            (4.107059111542203, -2.9478499167379106, 0.5448431082926601),
            (3.9486908534822946, -2.908902115962949, 0.5518191394370137),
            (3.3184196573706015, -2.488488024314874, 0.51004894012372),
            (2.300652019954817, -1.6689039845747493, 0.4188073119525673),
        ]:
            s = a * (s / 1.01) + b * (s / 1.01) ** 3 + c * (s / 1.01) ** 5
        return u @ torch.diag(s) @ v

    def ratio(self, group: Any, rows: int, columns: int) -> float:
        ratios = {
            "original": math.sqrt(max(1, rows / columns)),
            "match_rms_adamw": 0.2 * math.sqrt(max(rows, columns)),
            "unit_rms_norm": math.sqrt(rows / columns),
        }
        return ratios[getattr(group, "adjust_lr_fn", "original")]


class MuonWithAdamW(Muon):
    """Jordan's Muon on matrices, as in Liu et al., 2025 (arXiv:2502.16982), AdamW on the rest."""

    def update(self, theta: Tensor, g: Tensor, state: Any, t: int, group: Any) -> None:
        group.adjust_lr_fn = "match_rms_adamw"
        step = self.step_of(g, state, group) if theta.ndim == 2 else self.adam(g, state, t)
        theta -= group.lr * (step + group.weight_decay * theta)

    def adam(self, g: Tensor, state: Any, t: int) -> Tensor:
        state["exp_avg"] = m = 0.9 * state["exp_avg"] + (1 - 0.9) * g
        state["exp_avg_sq"] = v = 0.95 * state["exp_avg_sq"] + (1 - 0.95) * g**2
        return m / (1 - 0.9**t) / (torch.sqrt(v / (1 - 0.95**t)) + 1e-8)


class CAME(Transcription):
    """Algorithm 2 of Luo et al., 2023 (arXiv:2307.02047); a vector as in their code."""

    def update(self, theta: Tensor, g: Tensor, state: Any, t: int, group: Any) -> None:
        square = g**2 + 1e-30
        if theta.ndim < 2:
            state["exp_avg_sq"] = v = 0.999 * state["exp_avg_sq"] + (1 - 0.999) * square
        else:
            v = self.factored(state, "r", "c", 0.999, square)
        u = g / torch.sqrt(v)
        u = u / max(1.0, float(torch.sqrt(torch.mean(u**2))) / 1.0)
        state["exp_avg"] = m = 0.9 * state["exp_avg"] + (1 - 0.9) * u
        if theta.ndim >= 2:
            instability = (u - m) ** 2 + 1e-16
            m = m / torch.sqrt(self.factored(state, "R", "C", 0.9999, instability))
        theta -= group.lr * (m + group.weight_decay * theta)

    def factored(self, state: Any, r: str, c: str, beta: float, square: Tensor) -> Tensor:
        """Sums over rows and columns, as in the paper: the means of the code are the same."""
        for name, axis in ((r, -1), (c, -2)):
            old = state[name] if name in state else torch.zeros_like(square.sum(axis))
            state[name] = beta * old + (1 - beta) * square.sum(axis)
        total = state[r].sum(-1)[..., None, None]
        return state[r].unsqueeze(-1) * state[c].unsqueeze(-2) / total


class APOLLO(Transcription):
    """Algorithm 1 of Zhu et al., 2024 (arXiv:2412.05270), with their code's corrections and limit.

    The axes are those of torch's generator, seeded by how often they were drawn before.
    """

    def update(self, theta: Tensor, g: Tensor, state: Any, t: int, group: Any) -> None:
        start = math.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        if theta.ndim != 2:
            theta *= 1 - group.lr * group.weight_decay
            state["m"] = m = 0.9 * state["m"] + (1 - 0.9) * g
            state["v"] = v = 0.999 * state["v"] + (1 - 0.999) * g**2
            root = torch.sqrt(v / (1 - 0.999**t)) + 1e-6
            theta -= group.lr * m / (1 - 0.9**t) / root
            return
        tall = theta.shape[0] >= theta.shape[1]
        scaled = self.scaled(g.T if tall else g, state, (t - 1) // group.update_proj_gap, group)
        n = float(scaled.norm())
        if "n" in state and n > 1.01 * (state["n"] + 1e-8):
            scaled = scaled * 1.01 * (state["n"] + 1e-8) / n
        state["n"] = float(scaled.norm())
        step = math.sqrt(getattr(group, "scale", 1.0)) * scaled
        theta -= group.lr * start * (step.T if tall else step)
        theta -= group.lr * group.weight_decay * theta

    def scaled(self, g: Tensor, state: Any, draw: int, group: Any) -> Tensor:
        """A wide gradient whose columns are as long as Adam makes those of its projection."""
        m, n = g.shape
        r, generator = min(group.rank, m), torch.Generator().manual_seed(draw)
        low = torch.randn((r, m), generator=generator).double() @ g / math.sqrt(r)
        zero = torch.zeros(r, n, dtype=g.dtype)
        state["M"] = 0.9 * state.get("M", zero) + (1 - 0.9) * low
        state["V"] = 0.999 * state.get("V", zero) + (1 - 0.999) * low**2
        normed = state["M"] / (torch.sqrt(state["V"]) + 1e-6)
        if getattr(group, "scale_type", "channel") == "tensor":
            return g * normed.norm() / (low.norm() + 1e-8)
        return g * normed.norm(dim=0) / (low.norm(dim=0) + 1e-8)


class Kron(Transcription):
    """PSGD with factors of a Kronecker product (Li, 2024, arXiv:2402.11858), as in kron_torch.

    The chance of a fit and the noise are those of generators seeded by t. Diagonal factors are
    diagonal matrices here.
    """

    def update(self, theta: Tensor, g: Tensor, state: Any, t: int, group: Any) -> None:
        longest = getattr(group, "max_size_triangular", 8192)
        matrix = g.reshape(g.shape[0], -1) if g.ndim > 1 else g.reshape(-1, 1)
        m, n = matrix.shape
        if t == 1:
            state["Q"] = [torch.eye(m, dtype=g.dtype), torch.eye(n, dtype=g.dtype)]
        state["mu"] = 0.9 * state["mu"].reshape(m, n) + (1 - 0.9) * matrix
        momentum, chance = state["mu"] / (1 - 0.9**t), random.Random(t)
        if chance.random() < getattr(group, "preconditioner_update_probability", 1.0):
            assert chance.random() >= 0.01  # balance
            noise = torch.randn((m, n), generator=torch.Generator().manual_seed(t)).double()
            self.fit(state["Q"], momentum, noise, [g.ndim > 1 and k <= longest for k in (m, n)])
            if g.ndim < 2:
                state["Q"][1] = torch.eye(1, dtype=g.dtype)
        left, right = (q.T @ q for q in state["Q"])
        step = left @ momentum @ right
        step = step * min(1.0, 1.1 / (float(torch.sqrt(torch.mean(step**2))) + 1e-8))
        theta -= group.lr * (step.reshape(theta.shape) + group.weight_decay * theta)

    def fit(self, q: list[Tensor], g: Tensor, v: Tensor, full: list[bool]) -> None:
        a = q[0] @ g @ q[1].T
        b = torch.linalg.inv(q[0]).T @ v @ torch.linalg.inv(q[1])
        for i, (one, other) in enumerate(((a @ a.T, b @ b.T), (a.T @ a, b.T @ b))):
            total = one + other
            if full[i]:
                row = total[torch.argmax(torch.sum(total**2, 1))]
                bound = torch.linalg.norm(total @ (total @ row)) / torch.linalg.norm(total @ row)
                q[i] = q[i] - 0.1 * torch.triu(one - other) @ q[i] / bound
            else:
                difference = torch.diag(torch.diag(one - other))
                q[i] = q[i] - 0.1 * difference @ q[i] / torch.diag(total).max()


class SOAP(Transcription):
    """Algorithm 3 of Vyas et al., 2024 (arXiv:2409.11321), with their code's first step and order.

    M is in the parameter's own axes; a side longer than ``max_precond_dim`` is not turned. ``kl``:
    the covariances of Lin et al., 2025 (arXiv:2509.03378), and their code's eigenvalues.
    """

    def update(self, theta: Tensor, g: Tensor, state: Any, t: int, group: Any) -> None:
        weight = theta.view(theta.shape[0], -1) if theta.ndim > 1 else theta.view(-1, 1)
        g = g.reshape(weight.shape)
        sides = [theta.ndim > 1 and n <= getattr(group, "max_precond_dim", 10000) for n in g.shape]
        t = t - 1
        if t == 0:
            state["exp_avg"] = state["exp_avg_sq"] = torch.zeros_like(g)
            if getattr(group, "kl", False):
                state["values"] = [torch.full((n,), 0.1, dtype=g.dtype) for n in g.shape]
                state["L"], state["R"] = 0.05 * g @ g.T / g.shape[1], 0.05 * g.T @ g / g.shape[0]
            else:
                self.accumulate(state, g, 0.0, 0.05)
            state["Q"] = [
                torch.linalg.eigh(state[name])[1].flip(1) if turns else torch.eye(n, dtype=g.dtype)
                for name, turns, n in zip("LR", sides, g.shape, strict=True)
            ]
            return
        left, right = state["Q"]
        state["exp_avg"] = m = 0.95 * state["exp_avg"] + 0.05 * g
        turned, m = left.T @ g @ right, left.T @ m @ right
        state["exp_avg_sq"] = v = 0.95 * state["exp_avg_sq"] + 0.05 * turned**2
        n = m / (1 - 0.95**t) / (torch.sqrt(v / (1 - 0.95**t)) + 1e-8)
        weight -= group.lr * left @ n @ right.T
        weight -= group.lr * group.weight_decay * weight
        if getattr(group, "kl", False):
            self.minimise(state, g, sides)
        else:
            self.accumulate(state, g, 0.95, 0.05)
        if t % group.precondition_frequency == 0:
            state["Q"] = list(state["Q"])
            for i, (name, turns) in enumerate(zip("LR", sides, strict=True)):
                if turns:
                    self.refresh(state, name, i)

    def minimise(self, state: Any, g: Tensor, sides: list[bool]) -> None:
        inverse = [
            q @ torch.diag(1 / d) @ q.T if turns else torch.eye(len(d), dtype=g.dtype)
            for q, d, turns in zip(state["Q"], state["values"], sides, strict=True)
        ]
        new = [g @ inverse[1] @ g.T / g.shape[1], g.T @ inverse[0] @ g / g.shape[0]]
        state["L"], state["R"] = (
            0.95 * state[k] + 0.05 * s for k, s in zip("LR", new, strict=True)
        )
        averaged = [
            0.95 * d + 0.05 * torch.diag(q.T @ s @ q)
            for d, q, s in zip(state["values"], state["Q"], new, strict=True)
        ]
        state["values"] = [d.clamp(min=1 / max(10, len(d)) ** 2) for d in averaged]

    def accumulate(self, state: Any, g: Tensor, old: float, new: float) -> None:
        for name, product in (("L", g @ g.T), ("R", g.T @ g)):
            state[name] = old * state[name] + new * product if old else new * product

    def refresh(self, state: Any, name: str, i: int) -> None:
        covariance, basis = state[name], state["Q"][i]
        estimates = torch.diag(basis.T @ covariance @ basis)
        order = torch.argsort(estimates, descending=True)
        v = state["exp_avg_sq"]
        if "values" in state:
            state["values"][i] = state["values"][i][order]
        state["exp_avg_sq"] = v[order] if i == 0 else v[:, order]
        state["Q"][i] = torch.linalg.qr(covariance @ basis[:, order])[0]
