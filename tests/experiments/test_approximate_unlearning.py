"""The table of approximate methods: means over seeds, beside the retrained model of the same seed."""

from __future__ import annotations

from typing import Any

from experiments.approximate_unlearning import summary

DISTANCES = {f"{name}{unit}": 0.5 for name in ("jsd", "half_jeffreys", "l2", "ks") for unit in ("", "_scatter")}


def row(name: str, seed: int, auc: float, low: float, high: float, seconds: float = 1.0) -> dict[str, Any]:
    attacked = {f"membership_{key}": value for key, value in (("auc", (low + high) / 2), ("auc_low", low))}
    attacked |= {"membership_auc_high": high, **{f"membership_tpr{end}": 0.01 for end in ("", "_low", "_high")}}
    after = {"auc_before": 0.75, "auc_after": auc, "uauc_at_split_after": None, "seconds": seconds}
    return {"name": name, "seed": seed, **DISTANCES, **attacked, **after, "seconds_teachers": 0.1}


def test_means_over_seeds_are_beside_the_retrained_model_of_the_same_seed() -> None:
    retrained = [row("retraining", seed, 0.70 + seed / 10, 0.4, 0.6, seconds=10.0) for seed in (0, 1)]
    forgot = [row("e2urec", seed, 0.71 + seed / 10, 0.5 + seed / 5, 0.9) for seed in (0, 1)]
    original = {key: value for key, value in row("", 0, 0, 0.61, 0.8).items() if key in DISTANCES or "member" in key}
    table = {
        each["name"]: each for each in summary([*retrained, *forgot], [{**original, "seed": seed} for seed in (0, 1)])
    }
    assert list(table) == ["original", "retraining", "e2urec"]
    assert abs(table["e2urec"]["auc_after_less"] - 0.01) < 1e-9 and table["e2urec"]["time"] == 0.1
    assert [table[name]["membership_apart"] for name in table] == [1.0, 0.0, 0.5]
    assert table["e2urec"]["uauc_at_split_after_less"] is None and table["original"]["time"] is None
