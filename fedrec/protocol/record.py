"""A record: one question or answer, frozen, checked when it is made, with its content as plain values and named arrays.

Whatever is in a content, `Record.of` gives the record or a one-line `BadMessage`. Values that a record does not know
are left alone; what a record must say otherwise than before is a new version of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Self

from numpy.typing import NDArray
from pydantic import (
    AfterValidator,
    AllowInfNan,
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    ValidationError,
)

from fedrec.errors import FedrecError
from fedrec.protocol.adapters import Model, from_arrays, to_arrays
from fedrec.text import one_line, shown


def _auc(value: float) -> float:
    if value < 0 or value > 1:
        raise ValueError(f"an AUC of {value:g} is not within 0 and 1")
    return value


Whole = StrictInt
Count = Annotated[StrictInt, Field(ge=0, le=10**12)]
"""How many there are, or the number of one of them."""
Text = StrictStr
Flag = StrictBool
Real = StrictFloat
"""Also NaN, where something cannot be told."""
Finite = Annotated[StrictFloat, AllowInfNan(False)]
Hash = Annotated[StrictStr, Field(pattern="^([0-9a-f]{64})?$")]
"""SHA-256 in hexadecimal digits; empty where there is nothing to hash."""
LogLikelihood = Annotated[StrictFloat, Field(ge=-1000, le=0)]
Auc = Annotated[StrictFloat, AfterValidator(_auc)]
"""Also NaN, where it cannot be told."""

_MEANT = {
    "string_type": "a name",
    "int_type": "an integer",
    "float_type": "a number",
    "finite_number": "a finite number",
    "greater_than_equal": "large enough",
    "less_than_equal": "small enough",
    "string_pattern_mismatch": "64 hexadecimal digits",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "dict_type": "an object",
}


class BadMessage(FedrecError):
    """A message that is no question and no answer, or none that counts; it is one line that says why."""


@contextmanager
def untrusted() -> Iterator[None]:
    """Around whatever reads or checks what somebody else has sent: what goes wrong there is a BadMessage, of one line.

    Also memory that is not there or a number too large: one message that cannot be read must not end anything else.
    """
    try:
        yield
    except BadMessage:
        raise
    except Exception as error:
        raise BadMessage(f"it cannot be read: {type(error).__name__}, {one_line(str(error))[:120]}") from error


@dataclass(frozen=True)
class Content:
    """A record taken apart.

    Attributes:
        values: JSON values by name, with `record` and `version`.
        arrays: of its adapters as `adapters.to_arrays` names them, or of scores as `pooled.to_arrays` does.
    """

    values: Mapping[str, Any]
    arrays: Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class AsArrays:
    """Of a field that is sent as named arrays: how, and back; ValueError, of one line, where they are not such."""

    arrays: Callable[[Any], Mapping[str, NDArray[Any]]]
    value: Callable[[Mapping[str, NDArray[Any]]], Any]


Adapters = Annotated[Model, AsArrays(to_arrays, from_arrays)]
"""One a shard; none where none are sent."""


class Record(BaseModel):
    """What all records have.

    Attributes:
        reveals: to whoever reads it, in words.
    """

    model_config = ConfigDict(
        frozen=True, arbitrary_types_allowed=True, ser_json_inf_nan="constants", hide_input_in_errors=True
    )

    version: ClassVar[int]
    reveals: ClassVar[str]

    def __init_subclass__(cls, *, reveals: str = "", version: int = 1) -> None:
        cls.reveals, cls.version = reveals, version

    def content(self) -> Content:
        """The record as `of` reads it."""
        sent = self._sent_as_arrays()
        values = self.model_dump(mode="json", exclude=set(sent))
        own = {"record": type(self).__name__, "version": self.version}
        return Content(own | values, {k: v for name in sent for k, v in sent[name].arrays(getattr(self, name)).items()})

    @classmethod
    @untrusted()
    def of(cls, content: Content) -> Self:
        """
        Raises:
            BadMessage: it is another record, of another version, or a value or an array is not what it must be.
        """
        named, version = content.values.get("record"), content.values.get("version")
        if named != cls.__name__:
            raise BadMessage(f"it is {shown(named)}, not {cls.__name__}")
        if version != cls.version or isinstance(version, bool):
            raise BadMessage(
                f"{cls.__name__} has version {shown(version)}, and only {cls.version} is known here: "
                "install the same fedrec on server and clients"
            )
        needed = {name: None for name, field in cls.model_fields.items() if field.is_required()}
        try:
            own = {name: form.value(content.arrays) for name, form in cls._sent_as_arrays().items()}
            return cls.model_validate(needed | dict(content.values) | own)
        except ValidationError as error:
            raise BadMessage(_reason(error)) from None
        except ValueError as error:
            raise BadMessage(one_line(str(error))) from None

    @classmethod
    def _sent_as_arrays(cls) -> dict[str, AsArrays]:
        fields = cls.model_fields.items()
        return {name: each for name, field in fields for each in field.metadata if isinstance(each, AsArrays)}


def one_each(shards: int, **values: Sequence[object]) -> None:
    """
    Raises:
        ValueError: of one of them there are not as many as shards.
    """
    for name, given in values.items():
        if len(given) != shards:
            raise ValueError(f"it has {len(given)} {name} for {shards} shards")


def _reason(error: ValidationError) -> str:
    """The first thing that is wrong, on one line."""
    fault = error.errors(include_url=False)[0]
    if fault["type"] == "value_error":
        return one_line(str(fault["ctx"]["error"]))
    where = "/".join(str(part) if isinstance(part, int) else shown(part)[1:-1] for part in fault["loc"])
    return f"{where} {shown(fault['input'])} is not {_MEANT.get(fault['type'], 'what it must be')}"
