"""The one console that commands print to. Ids, titles and names in what they print are data, and stay so."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from fedrec.console.visible import visible


class Terminal(Console):
    """A console on which only its own styles do something: text is made `visible`, whatever it came from."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=visible(segment.text))


def terminal(beside: bool = False) -> Terminal:
    """The console.

    Args:
        beside: on standard error, because standard output takes a result.
    """
    return Terminal(stderr=beside, highlight=False)
