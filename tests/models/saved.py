"""Base models on disk as tests make them: tiny, random, of any family, with a tokenizer that fits."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM

from fedrec.models.pretraining import train_tokenizer

WORDS = ["red storm", "blue river", "old mask", "Films one person watched, Yes No"]
SIZES = {
    "max_position_embeddings": 256,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
}


def save_base(folder: Path, family: str = "llama", *, tokens: int = 300, **settings: Any) -> Path:
    """A random model of a family, of these sizes, beside a tokenizer of `tokens` tokens."""
    tokenizer = train_tokenizer(WORDS * 3, tokens)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model(family, **{"vocab_size": 400} | settings))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def altered(path: Path, at: int = -1) -> None:
    """Another byte, of the same size and with the time of before, as who hides it would have it."""
    times, content = path.stat(), bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
