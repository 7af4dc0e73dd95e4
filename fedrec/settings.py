"""A section of settings: how it is read, and what is in it as a list: key, default, kind and meaning."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NamedTuple, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from fedrec.errors import UsageError, did_you_mean
from fedrec.registry import Registry

_KINDS = {
    "integer": "a whole number", "number": "a number", "boolean": "true or false", "string": "text",
    "dictionary": "a table, {name = 'value'}", "tuple": "a list, ['value']",
}  # fmt: skip


class Section(BaseModel):
    """A frozen part of the configuration; an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _by_name(cls, tree: Any) -> Any:
        """`none`, which stands for nothing in `--set`, is a name where one of the choices is called so."""
        if not isinstance(tree, dict):
            return tree
        named = [key for key, field in cls.model_fields.items() if "none" in get_args(field.annotation)]
        return {**tree, **{key: "none" for key in named if key in tree and tree[key] is None}}


AnySection = TypeVar("AnySection", bound=Section)


class Setting(NamedTuple):
    """
    Attributes:
        default: as JSON has it.
        kind: the values it takes.
    """

    key: str
    default: str
    kind: str
    meaning: str


def validated(section: type[AnySection], tree: Any) -> AnySection:
    """A section of the configuration from plain data, or one UsageError that lists every mistake."""
    try:
        return section.model_validate(tree)
    except ValidationError as error:
        faults = [_fault(item, section) for item in error.errors()]
        raise UsageError("configuration: " + "; ".join(faults)) from None


def _fault(item: Any, section: type[Section]) -> str:
    where = ".".join(str(part) for part in item["loc"]) or "run"
    if item["type"] == "extra_forbidden":
        return f"{where} is not a setting{did_you_mean(where, known_keys(section))}"
    value = "" if item["type"] in ("missing", "value_error") else f" = {json.dumps(item['input'], default=str)[:60]}"
    told = re.sub(r"^\w+ should", "must", item["msg"].removeprefix("Value error, "))
    return f"{where}{value}: " + re.sub(r"a valid (\w+).*", lambda kind: _KINDS.get(kind[1], kind[1]), told)


def known_keys(section: type[Section]) -> list[str]:
    """The keys of all its settings and of the sections in it."""
    keys = [each.key for each in all_settings(section)]
    return [*keys, *sorted({key.rpartition(".")[0] for key in keys if "." in key})]


def all_settings(section: type[Section], prefix: str = "") -> Iterator[Setting]:
    """The settings of a section and of those within it, in their order."""
    for name, field in section.model_fields.items():
        key = f"{prefix}{name}"
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            yield from all_settings(field.annotation, f"{key}.")
        else:
            default = None if field.is_required() else field.get_default(call_default_factory=True)
            shown = "none" if default is None else json.dumps(default, ensure_ascii=False, default=str).strip('"')
            names = next((" | ".join(each) for each in field.metadata if isinstance(each, Registry)), None)
            yield Setting(key, shown, names or _kind(field.annotation), field.description or "")


def flat(tree: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """A nested configuration as dotted keys and values, the form that `--set` takes."""
    rows: list[tuple[str, Any]] = []
    for key, value in tree.items():
        rows += flat(value, f"{prefix}{key}.") if isinstance(value, dict) and value else [(f"{prefix}{key}", value)]
    return rows


def _kind(annotation: object) -> str:
    """A type as a reader sees it: `a | b` for choices."""
    origin, inside = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " | ".join(map(str, inside))
    if origin in (Union, UnionType):  # what none means is in the meaning
        return _kind(next(part for part in inside if part is not NoneType))
    if origin is Annotated:
        return _kind(inside[0])
    names: dict[object, str] = {str: "text", int: "number", float: "number", bool: "true | false", tuple: "list"}
    return names.get(origin or annotation, "table")
