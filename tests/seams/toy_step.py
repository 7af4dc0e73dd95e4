"""A step of training: each person's gradient is clipped by itself, in a slot of their own: the first half of DP-SGD."""

from __future__ import annotations

import torch

from fedrec.data.prompts import Window
from fedrec.models.adapter_bank import AdapterBank, Routed
from fedrec.training.plain_step import Plain

LONGEST = 0.05


class PerPerson(Plain):
    def backward(self, batch: list[Window]) -> tuple[float, int]:
        learning = self.learning
        whose = [int(learning.lesson.users[window.rows[0]]) for window in batch]
        people = sorted(set(whose))
        with AdapterBank(learning.model, learning.lora, width=len(people), items=learning.items) as slots:
            slots.copy(self.bank, [0] * len(people))
            routing = Routed(torch.tensor([people.index(person) for person in whose]))
            losses = learning.loss(batch, slots, routing, each=True)
            losses.mean().backward()
            gradients = [parameter.grad for parameter in slots.parameters() if parameter.requires_grad]
            lengths = torch.stack([each.flatten(1).norm(dim=1) for each in gradients]).norm(dim=0)
            shrink = (LONGEST / lengths).clamp(max=1.0)
            for parameter, each in zip(self.parameters, gradients, strict=True):
                parameter.grad = torch.einsum("p,p...->...", shrink, each)[None]
        return float(losses.detach().sum()), len(losses)
