"""Gaussian noise that can be drawn again by who has the key, and by nobody else.

`torch.manual_seed` keeps 32 bits of a seed on a CPU: whoever sees an update could try them all. So the whole state of
the generator (Mersenne Twister, 624 words) is made of the key, by SHAKE-256. On an accelerator it is 64 bits.
"""

from __future__ import annotations

import hashlib

import numpy as np
import torch

from fedrec.errors import FedrecError

_WORDS = 624
_FIRST = 24  # byte of the state: behind the seed, two counters and the place of the next word


def generator_of(key: bytes, device: torch.device) -> torch.Generator:
    """A generator on a device, of a key.

    Raises:
        FedrecError: this version of torch lays the state out otherwise.
    """
    made = torch.Generator(device)
    if device.type != "cpu":
        return made.manual_seed(int.from_bytes(hashlib.sha256(key).digest()[:8], "big") >> 1)
    state = made.manual_seed(1).get_state().numpy().copy()
    words = state[_FIRST : _FIRST + 8 * _WORDS].view(np.uint64)
    if words[0] != 1 or words[1] != 1812433254:  # MT19937 of seed 1
        raise FedrecError(f"torch {torch.__version__}: its random generator cannot be given a key; use another version")
    words[:] = np.frombuffer(hashlib.shake_256(key).digest(4 * _WORDS), np.uint32)
    return made.set_state(torch.from_numpy(state))


def sampled(key: bytes, count: int, rate: float) -> list[int]:
    """Which of so many are in a step, each by a chance of its own (Poisson sampling)."""
    drawn = np.random.default_rng(int.from_bytes(key, "big")).random(count) < rate
    return [int(index) for index in np.flatnonzero(drawn)]
