"""Updates of clients, cut and their mean noised: differential privacy of a client (McMahan et al. 2018).

    theta' = sum_i w_i (theta + u_i min(1, C / |u_i|))  +  N(0, (z C max_i w_i)^2)

w are FedAvg's weights, which numbers of rows tell and which are public here: taking one client's update away, or having
it zero, moves the mean by C max w at most. With a quantile the bound C follows the updates (Andrew et al. 2021):

    b = ( sum_i (1[|u_i| <= C] - 1/2)  +  N(0, s^2) ) / n + 1/2,    C' = C exp(-rate (b - quantile))

The two draws together cost what noise of z costs: 1/z^2 = 1/z_u^2 + 1/(2 s)^2.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch

from fedrec.privacy.noise_source import generator_of
from fedrec.protocol.adapters import State
from fedrec.strategies.columns import distance

_COUNTED = 0.1  # largest part of 1/z^2 that the count of short updates takes
_DRAWS = 4  # the sum of several Gaussians keeps floating point numbers from giving the noise away (Holohan et al. 2021)


def cut(state: State, start: State, clip: float) -> tuple[State, bool]:
    """An adapter whose update since `start` is no longer than `clip`, as float32 has it; and whether it was not before.

    One that is short enough, or has moved nowhere, comes back as it is, bit for bit.
    """
    length = distance(state, start)
    if length <= clip:
        return state, False
    for power in range(24):
        factor = clip / length * (1 - 1e-7 * 2**power)  # rounding to float32 may leave it longer than it should be
        shorter = {
            key: (start[key] + factor * (array.astype(np.float64) - start[key])).astype(np.float32)
            for key, array in state.items()
        }
        if distance(shorter, start) <= clip:
            return shorter, True
    return dict(start), True


def noised(mean: State, deviation: float, key: bytes) -> State:
    """A mean with Gaussian noise on each of its numbers; bit for bit as it is without any.

    Args:
        deviation: standard deviation of the noise.
        key: what it is drawn from.
    """
    if not deviation:
        return mean
    generator = generator_of(key, torch.device("cpu"))
    return {name: _add(mean[name], deviation, generator) for name in sorted(mean)}


def _add(
    array: np.ndarray[tuple[int, ...], np.dtype[np.float32]], deviation: float, generator: torch.Generator
) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    drawn = torch.randn((_DRAWS, *array.shape), generator=generator, dtype=torch.float64).sum(0) / math.sqrt(_DRAWS)
    return (array + deviation * drawn.numpy()).astype(np.float32)


def multipliers(noise: float, clients: int, adaptive: bool) -> tuple[float, float]:
    """Noise multiplier of the updates, and standard deviation of the noised count of short ones, that cost `noise`.

    Args:
        clients: whose updates are in the mean; of many of them the count has noise of a twentieth (Andrew et al. 2021).
        adaptive: whether there is a count.
    """
    if not adaptive or not noise:
        return noise, 0.0
    count = max(clients / 20, noise / (2 * math.sqrt(_COUNTED)))
    return 1 / math.sqrt(noise**-2 - (2 * count) ** -2), count


def next_clip(
    clip: float, cut_off: Mapping[str, bool], quantile: float, rate: float, deviation: float, key: bytes
) -> float:
    """The bound of the next round.

    Args:
        cut_off: by client, whether its update was longer than `clip`.
        deviation: of the noise on how many were not; key: what it is drawn from.
    """
    short = sum(0.5 if not cut_ else -0.5 for cut_ in cut_off.values())
    if deviation:
        drawn = torch.randn(_DRAWS, generator=generator_of(key, torch.device("cpu")), dtype=torch.float64)
        short += deviation * float(drawn.sum()) / math.sqrt(_DRAWS)
    part = min(1.0, max(0.0, short / len(cut_off) + 0.5))
    return clip * math.exp(-rate * (part - quantile))
