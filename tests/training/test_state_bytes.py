"""States as bytes: what each type loses, and what is refused."""

from __future__ import annotations

import struct

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save

from fedrec.protocol.record import BadMessage
from fedrec.training.state_bytes import Wire, from_bytes, to_bytes

ERRORS: dict[Wire, float] = {"fp32": 0.0, "bf16": 2**-8, "fp16": 2**-11, "int8": 1 / 254}  # of a row's largest number


@given(wire=st.sampled_from(sorted(ERRORS)), size=st.sampled_from([1e-12, 1e-6, 1.0, 1e6]), seed=st.integers(0, 99))
def test_a_number_comes_back_to_within_what_its_type_loses(wire: Wire, size: float, seed: int) -> None:
    states = size * torch.randn(5, 2, 8, generator=torch.Generator().manual_seed(seed))
    states[3] = 0
    back = from_bytes(to_bytes(states, wire), wire, states.shape)
    lost = (back - states).flatten(1).abs().amax(1)
    assert (lost <= ERRORS[wire] * 1.001 * states.flatten(1).abs().amax(1)).all()


def test_int8_is_a_quarter_of_fp32() -> None:
    states = torch.randn(256, 512)
    assert len(to_bytes(states, "int8")) / len(to_bytes(states, "fp32")) == pytest.approx(0.25, abs=0.005)


def test_what_is_no_states_is_refused_in_one_line() -> None:
    good = torch.ones(3, 4)
    huge = struct.pack("<Q", 10 * 2**30) + b"{}"
    wrong = [
        (b"", "fp32"), (huge, "fp32"), (to_bytes(good, "fp32")[:-1], "fp32"), (to_bytes(good, "fp32"), "int8"),
        (to_bytes(good[:2], "fp32"), "fp32"), (save({"states": good, "more": good.clone()}), "fp32"),
        (to_bytes(good * torch.nan, "fp32"), "fp32"), (to_bytes(good * torch.inf, "int8"), "int8"),
        (save({"states": good.to(torch.int8), "scale": torch.ones(1)}), "int8"),
    ]  # fmt: skip
    for data, wire in wrong:
        with pytest.raises(BadMessage) as refused:
            from_bytes(data, wire, (3, 4))  # type: ignore[arg-type]
        assert "\n" not in str(refused.value)
