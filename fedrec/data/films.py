"""The films of the generated world: titles made of words that carry genre, year and quality, and their true features.

The eight genres stand on a ring of moods, neighbours alike: who likes crime tends to like thrillers and to dislike
comedies. Films from `NEW_SINCE` on are named with words of their own: whoever read only older films (the public cohort,
the base model) must learn from people what those words mean.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fedrec.data.dataset import Catalogue

YEARS = (1960, 2019)
NEW_SINCE = 2000
NEWER = 0.35  # part of the catalogue
TWINS = 0.02  # part of the catalogue that carries the title of another film

# genre → words of older films, words of newer films; in the order of the ring
GENRES: dict[str, tuple[str, str]] = {
    "crime": (
        "Heist Alibi Gangster Detective Vendetta Ransom Smuggler Verdict Syndicate Getaway",
        "Hacker Forensic Cartel Casefile Phishing Narcos",
    ),
    "thriller": (
        "Conspiracy Hostage Stalker Witness Cipher Suspect Pursuit Deadline Betrayal Informant",
        "Darknet Tracker Blackout Sleeper Firewall Whistleblower",
    ),
    "horror": (
        "Haunting Crypt Vampire Curse Séance Nightmare Werewolf Graveyard Poltergeist Mörder",
        "Zombie Slender Outbreak Infected Ritual Possession",
    ),
    "science fiction": (
        "Galaxy Android Starship Nebula Martian Robot Wormhole Asteroid Cosmonaut Солярис",
        "Drone Quantum Singularity Hologram Nanobot Simulation",
    ),
    "adventure": (
        "Treasure Expedition Pirate Safari Lagoon Explorer Jungle Caravan Voyage 冒険",
        "Parkour Summit Wingsuit Backpacker Avalanche Everest",
    ),
    "comedy": (
        "Prank Clown Mishap Bachelor Nonsense Cousin Waiter Blunder Vacation Señorita",
        "Hangover Roommate Selfie Barista Bromance Influencer",
    ),
    "romance": (
        "Sweetheart Bouquet Serenade Honeymoon Valentine Kiss Waltz Longing Fiancée Amour",
        "Texting Soulmate Playlist Airport Proposal Matchmaker",
    ),
    "drama": (
        "Widow Orphan Harvest Exile Testament Inheritance Prodigal Confession Mother Père",
        "Refugee Startup Divorce Dementia Custody Foreclosure",
    ),
}
# adjectives of older films, of newer films; and what each adds to the log-odds of a like
ADJECTIVES = (
    ("Golden Immortal Magnificent Timeless", "Silent Northern Crimson Winter", "Cheap Clumsy Hollow Dreary"),
    ("Viral Iconic Radiant Fearless", "Digital Urban Neon Remote", "Generic Bloated Rebooted Sponsored"),
)
WEIGHTS = (1.8, 0.0, -1.8)
PLACES = ["Lisbon", "Kyoto", "Zürich", "Cairo", "Montréal", "Odessa", "Boston", "Málaga", "Dakar", "Reykjavík"]
FORMS = ("The {adjective} {word}", "{adjective} {place} {word}", "{other} and {word}", "{adjective} {word}")

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Films:
    """m films and what is true of them.

    Attributes:
        catalogue: ids and titles.
        genre: (m,) index into `GENRES`.
        year: (m,) year of release.
        mood: (m, 3) features that tastes weigh: the place on the ring of genres (a unit vector), the era in [-1, 1].
        quality: (m,) what every person's log-odds of a like share.
        descriptions: one sentence for each film older than `NEW_SINCE`, with genre, decade and quality in words.
    """

    catalogue: Catalogue
    genre: NDArray[np.int64]
    year: NDArray[np.int64]
    mood: Array
    quality: Array
    descriptions: tuple[str, ...]


def make_films(count: int, random: np.random.Generator) -> Films:
    """`count` films, part of them newer than `NEW_SINCE`; a few carry title, year and genre of another film."""
    genre = random.integers(len(GENRES), size=count)
    newer = random.random(count) < NEWER
    year = np.where(newer, random.integers(NEW_SINCE, YEARS[1] + 1, count), random.integers(YEARS[0], NEW_SINCE, count))
    praise = random.integers(len(WEIGHTS), size=count)
    form = random.integers(len(FORMS), size=count)
    draws = random.random((4, count))
    model = np.where(random.random(count) < TWINS, random.integers(count, size=count), np.arange(count))

    genre, newer, year = genre[model], newer[model], year[model]
    praise, form = praise[model], form[model]
    titles = [_title(*row) for row in zip(genre, newer, year, praise, form, *draws[:, model], strict=True)]
    spoken = np.array(["{adjective}" in text for text in FORMS])[form]
    weight = np.where(spoken, np.array(WEIGHTS)[praise], 0.0)
    angle = 2 * np.pi * genre / len(GENRES)
    era = (year - YEARS[0]) / (YEARS[1] - YEARS[0]) * 2 - 1
    return Films(
        catalogue=Catalogue(tuple(f"f{number:04d}" for number in range(count)), tuple(titles)),
        genre=genre,
        year=year,
        mood=np.stack([np.cos(angle), np.sin(angle), era], axis=1),
        quality=weight + 0.3 * random.standard_normal(count),
        descriptions=tuple(
            _description(titles[film], genre[film], year[film], weight[film])
            for film in np.flatnonzero(year < NEW_SINCE)
        ),
    )


_WORDS = [tuple(part.split() for part in parts) for parts in GENRES.values()]
_NAMES = list(GENRES)


def _title(genre: int, newer: bool, year: int, praise: int, form: int, *draws: float) -> str:
    words = _WORDS[genre][int(newer)]
    adjectives = ADJECTIVES[int(newer)][praise].split()
    choices = (adjectives, words, words, PLACES)
    adjective, word, other, place = (
        choice[int(draw * len(choice))] for choice, draw in zip(choices, draws, strict=True)
    )
    return f"{FORMS[form].format(adjective=adjective, word=word, other=other, place=place)} ({year})"


def _description(title: str, genre: int, year: int, weight: float) -> str:
    praise = {-1: "weak", 0: "decent", 1: "acclaimed"}[int(np.sign(weight))]
    return f"{title}: {_NAMES[genre]}, {praise}, {year // 10 * 10}s."
