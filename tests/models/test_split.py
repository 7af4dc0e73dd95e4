"""Parts of a model: what each has, and what they refuse."""

from __future__ import annotations

import pytest
import torch

from fedrec.config import LoraConfig
from fedrec.errors import UsageError
from fedrec.models.adapter_bank import AdapterBank
from fedrec.models.body import hidden_states
from fedrec.models.split import SplitPlan, check_split, client_part, computed_by, server_part
from tests.models.tiny import close, deep_model, logits, tiny_ids


@pytest.mark.parametrize(("head", "tail"), [(0, 1), (1, 0), (3, 2), (9, 9)])
def test_plans_that_leave_a_part_empty_are_refused(head: int, tail: int) -> None:
    with pytest.raises(UsageError, match=f"split.head = {head}, split.tail = {tail}: .* choose others"):
        check_split(deep_model("llama", 5), SplitPlan(head, tail))


def test_each_part_has_adapters_of_its_own_layers_and_the_model_stays_as_it_is() -> None:
    model, plan = deep_model("llama", 5), SplitPlan(2, 1)
    before = logits(model)
    client, middle = client_part(model, plan), server_part(model, plan)
    names = [set(AdapterBank(part, LoraConfig(rank=2)).layers) for part in (client, middle.layers)]
    assert not names[0] & names[1]
    assert names[0] | names[1] == set(AdapterBank(model, LoraConfig(rank=2)).layers)
    assert {name.split(".")[2] for name in names[1]} == {"2", "3"}
    assert {name.split(".")[2] for name, _ in client.named_parameters() if ".layers." in name} == {"0", "1", "4"}
    close(logits(model), before)


def test_a_clients_part_reads_nothing_without_its_middle() -> None:
    model, plan = deep_model("gpt2", 4), SplitPlan(1, 1)
    client, middle = client_part(model, plan), server_part(model, plan)
    with pytest.raises(RuntimeError, match="without its middle"):
        hidden_states(client, tiny_ids())
    with torch.no_grad(), computed_by(middle):
        close(hidden_states(client, tiny_ids()), hidden_states(model, tiny_ids()))
