"""Made-up `result.json` documents with the form and plausible values of real ones."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

BEST = 0.8312
GAIN = {"pplr": 0.125, "fedavg": 0.118, "fedprox": 0.117, "ditto": 0.114, "local": 0.085, "central": 0.13}
TALKERS = ("pplr", "fedavg", "fedprox", "ditto")


def make_result(
    clients: int = 5, rounds: int = 4, shards: int = 1, strategy: str = "pplr", seed: int = 42, **changes: Any
) -> dict[str, Any]:
    """A result of the given size; `changes` replace top-level entries."""
    rng = np.random.default_rng(seed)
    names = [f"client-{k}" for k in range(clients)]
    level = rng.normal(0.655, 0.022, clients)
    gain = rng.normal(GAIN[strategy], 0.014, clients)
    examples = rng.integers(180, 900, clients)

    def measured(round_: int) -> dict[str, Any]:
        progress = 1 - math.exp(-1.1 * round_)
        aucs = np.round(level + gain * progress + rng.normal(0, 0.002, clients), 6)
        rows = [
            {
                "id": name,
                "examples": int(n),
                "auc": float(auc),
                "uauc": round(float(auc) - 0.04, 6),
                "uauc_at_split": round(float(auc) - 0.02, 6) if round_ == rounds else None,
                "logloss": round(1.05 - float(auc) * 0.62, 6),
            }
            for name, n, auc in zip(names, examples, aucs, strict=True)
        ]
        pooled = float(np.average(aucs, weights=examples)) + 0.012
        overall = {
            "examples": int(examples.sum()),
            "auc": pooled,
            "mean_auc": float(aucs.mean()),
            "worst_auc": float(aucs.min()),
            "std_auc": float(aucs.std()),
            "uauc": pooled - 0.05,
            "uauc_at_split": pooled - 0.03 if round_ == rounds else None,
            "auc_margin": 0.0123,
            "uauc_margin": 0.0234,
            "uauc_at_split_margin": 0.0345 if round_ == rounds else None,
            "logloss": 1.05 - pooled * 0.62,
        }
        return {"clients": rows, "overall": overall}

    likeness = [_similarity(rng, clients) for _ in range(shards)]
    history: list[dict[str, Any]] = []
    for round_ in range(rounds + 1):
        entry: dict[str, Any] = {
            "round": round_,
            **measured(round_),
            "similarity": None,
            "heating": None,
            "weights": None,
        }
        entry |= {"dropped": [], "bytes_up": 0, "bytes_down": 0, "seconds": 3.2}
        if round_ > 0:
            heat = [np.tanh(0.7 / rng.dirichlet(np.full(clients, 6)) ** (round_ / 5)) for _ in range(shards)]
            entry["train_loss"] = dict.fromkeys(names, 0.6 - 0.03 * round_)
            entry["participants"] = names
            entry["bytes_up"] = entry["bytes_down"] = (1_310_720 * clients * shards) if strategy in TALKERS else 0
            entry["seconds"] = 31.4
            if strategy == "pplr":
                entry["similarity"] = [matrix.tolist() for matrix in likeness]
                entry["heating"] = [values.tolist() for values in heat]
                entry["weights"] = [_weights(s, h).tolist() for s, h in zip(likeness, heat, strict=True)]
        history.append(entry)
    final = history[-1]
    return {
        "run": f"{strategy}-demo",
        "strategy": strategy,
        "rounds": rounds,
        "shards": shards,
        "seed": seed,
        "data": "generated",
        "base": "embedded-3f2a",
        "best_possible_auc": BEST,
        "clients": [
            {**client, "users": 40 + k, "train_rows": 1_200 + 70 * k} for k, client in enumerate(final["clients"])
        ],
        "overall": final["overall"],
        "trivial": {"item": 0.6402, "user": 0.6913, "sum": 0.7329, "counts": 0.7415, "effects": 0.6395},
        "trivial_uauc": {"item": 0.6501, "user": 0.4022, "sum": 0.6011, "counts": 0.6123, "effects": 0.6504},
        "trivial_uauc_at_split": {"item": 0.6501, "sum": 0.6501, "counts": 0.6522, "effects": 0.6504},
        "best_possible_uauc": 0.8211,
        "history": history,
        "bytes_up": sum(entry["bytes_up"] for entry in history),
        "bytes_down": sum(entry["bytes_down"] for entry in history),
        "seconds": sum(entry["seconds"] for entry in history),
        "adapter_hash": "sha256:" + "3f2a9c0d71be" * 5 + "77aa",
        "config": {
            "strategy": strategy,
            "train": {"lr": 1e-3, "epochs": 1},
            "clients": {"count": clients, "by": "hash"},
        },
        "notes": ["the generated world of films (seed 7)"],
        "baselines": [],
    } | changes


def write_run(folder: Path, **changes: Any) -> Path:
    """The folder of a run of that result."""
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    result = make_result(clients=2, rounds=1, run=folder.name, **changes)
    (folder / "result.json").write_text(json.dumps(result))
    return folder


def make_comparison(**size: int) -> dict[str, Any]:
    """PPLR beside every baseline, with a reply dropped in round 2."""
    result = make_result(**size)
    result["baselines"] = [make_result(strategy=name, **size) for name in GAIN if name != "pplr"]
    result["history"][2]["dropped"] = [{"client": "client-3", "reason": "stale: answers round 1, expected 2"}]
    return result


def _similarity(rng: np.random.Generator, n: int) -> np.ndarray:
    matrix = rng.uniform(0.52, 0.82, (n, n))
    matrix = (matrix + matrix.T) / 2
    np.fill_diagonal(matrix, 1.0)
    return matrix.round(4)


def _weights(similarity: np.ndarray, heat: np.ndarray) -> np.ndarray:
    shares = similarity * heat[:, None]
    np.fill_diagonal(shares, 1.0)
    return shares / shares.sum(axis=1, keepdims=True)
