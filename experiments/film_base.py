"""A base model for real film data, from public text and public ratings only.

It reads film-text (titles, years, genres, short articles) as ordinary language, then one public data set as timelines:
never the one it is to be measured on. A base for MovieTweetings learns to read timelines from MovieLens 100K.

    python -m experiments.film_base --out runs/bases/film
    python -m experiments.film_base --out runs/bases/film-for-tweets --timelines ml-100k
"""

from __future__ import annotations

import gzip
import json
import random
import re
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from transformers import LlamaForCausalLM

from fedrec.config import DataConfig, PromptConfig
from fedrec.data.load import load_dataset
from fedrec.data.prompts import PromptEncoder
from fedrec.models.pretraining import END, language_batches, new_llama, pretrain, token_batches, train_tokenizer

ARTICLE = re.compile(r"^(The|A|An|Les?|La|Der|Die|Das|El) (.+)$")


def film_texts(folder: Path, seed: int) -> list[str]:
    """One short text a film: title, year and genres, then what it is about. Titles in both common spellings."""
    path = folder / "film-text" / "film-text.jsonl.gz"
    if not path.exists():
        raise SystemExit(f"{path}: not there; name the folder of the benchmark data with --data")
    chance = random.Random(seed)
    texts = []
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            film = json.loads(line)
            title = film["title"]
            article = ARTICLE.match(title)
            if article and chance.random() < 0.6:  # as MovieLens spells it
                title = f"{article[2]}, {article[1]}"
            genres = ", ".join(film["genres"])
            texts.append(" ".join(filter(None, (f"{title} ({film['year']})", genres, film["extract"]))))
    return texts


def build(
    data: Path, out: Path, timelines: str, seed: int, vocabulary: int, passes: int, text_tokens: int
) -> dict[str, object]:
    """The base in `out`; what went into it."""
    began = time.monotonic()
    texts = film_texts(data, seed)
    cohort = load_dataset(DataConfig(path=str(data / timelines), split="user-time"), seed)
    tokenizer = train_tokenizer([*texts, *cohort.catalogue.titles], vocabulary)
    model = new_llama(len(tokenizer), width=256, layers=4, context=1024, seed=seed)
    numbers = np.random.default_rng(seed)
    documents = tokenizer([text[: text_tokens * 4] for text in texts], add_special_tokens=False)["input_ids"]
    documents = [ids[:text_tokens] for ids in documents]
    end = tokenizer.convert_tokens_to_ids(END)
    batches = list(language_batches(documents, end, 256, 16, numbers))
    facts: dict[str, object] = {"text_tokens": sum(map(len, documents))}
    kept = out.with_name(out.name + "-text")
    if kept.exists():
        model = LlamaForCausalLM.from_pretrained(kept)
    else:
        losses = pretrain(model, batches, 2e-3, True, ticker("film text", len(batches)))
        facts["text_loss"] = float(np.mean(losses[-50:]))
        model.save_pretrained(kept)
    rows = cohort.interactions
    encoder = PromptEncoder(tokenizer, cohort.catalogue.titles, PromptConfig(), 1024)
    windows = encoder.windows(rows, np.ones(len(rows), bool))
    steps = [
        batch
        for _ in range(passes)
        for batch in token_batches(windows, rows.label, encoder.template.answers, 1536, numbers)
    ]
    losses = pretrain(model, steps, 7e-4, True, ticker(cohort.name, len(steps)))
    facts |= {"timelines": cohort.name, "rows": len(rows), "loss": float(np.mean(losses[-50:]))}
    out.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)
    facts |= {"parameters": model.num_parameters(), "seconds": time.monotonic() - began, "seed": seed}
    (out / "built.json").write_text(json.dumps(facts, indent=1))
    return facts


def ticker(name: str, total: int):
    began, done = time.monotonic(), [0]

    def tick(loss: float) -> None:
        done[0] += 1
        if done[0] % 25 == 0 or done[0] == total:
            print(f"{name}: {done[0]}/{total}  loss {loss:.3f}  {time.monotonic() - began:.0f} s", flush=True)

    return tick


def main(
    out: Annotated[Path, typer.Option(help="Folder for the base model.")],
    data: Annotated[Path, typer.Option(help="The benchmark data.")] = Path("../shared/data"),
    timelines: Annotated[str, typer.Option(help="The public data set it reads as timelines.")] = "movietweetings",
    seed: int = 1,
    vocabulary: int = 6000,
    passes: Annotated[int, typer.Option(help="Passes over the timelines.")] = 2,
    text_tokens: Annotated[int, typer.Option(help="At most so many tokens of a film's text.")] = 40,
    threads: int = 2,
) -> None:
    """Build the base and print what went into it."""
    torch.set_num_threads(threads)
    print(json.dumps(build(data, out, timelines, seed, vocabulary, passes, text_tokens), indent=1))


if __name__ == "__main__":
    typer.run(main)
