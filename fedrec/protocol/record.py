"""A record: one question or answer, frozen, checked when it is made, with its content as plain values and named arrays.

Whatever is in a content, `Record.of` gives the record or a one-line `BadMessage`. Values that a record does not know
are left alone; what a record must say otherwise than before is a new version of it.
"""

from __future__ import annotations

from collections.abc import Mapping
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


@dataclass(frozen=True)
class Content:
    """A record taken apart.

    Attributes:
        values: JSON values by name, with `record` and `version`.
        arrays: of its adapters as `adapters.to_arrays` names them, or of scores as `pooled.to_arrays` does.
    """

    values: Mapping[str, Any]
    arrays: Mapping[str, NDArray[Any]]


class Record(BaseModel):
    """What all records have."""

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        arbitrary_types_allowed=True,
        ser_json_inf_nan="constants",
        hide_input_in_errors=True,
    )

    version: ClassVar[int] = 1
    reveals: ClassVar[str]
    """to whoever reads it, in words"""

    in_arrays: ClassVar[str] = ""
    """the field that is sent as arrays; none = all are values"""

    def content(self) -> Content:
        """The record as `of` reads it."""
        values = self.model_dump(mode="json", exclude={self.in_arrays})
        own = {"record": type(self).__name__, "version": self.version}
        return Content(own | values, self.arrays())

    def arrays(self) -> Mapping[str, NDArray[Any]]:
        """Of the field that is sent so."""
        return {}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Any:
        """That field of the `arrays`; ValueError, of one line, where they are not such."""

    @classmethod
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
            own = {cls.in_arrays: cls.from_arrays(content.arrays)} if cls.in_arrays else {}
            return cls.model_validate(needed | dict(content.values) | own)
        except ValidationError as error:
            raise BadMessage(_reason(error)) from None
        except ValueError as error:
            raise BadMessage(one_line(str(error))) from None


class WithAdapters(Record):
    """A record that carries adapters, one a shard; none where none are sent."""

    in_arrays = "adapters"

    adapters: Model = Field(default_factory=list)

    def arrays(self) -> Mapping[str, NDArray[Any]]:
        return to_arrays(self.adapters)

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Model:
        return from_arrays(arrays)


def _reason(error: ValidationError) -> str:
    """The first thing that is wrong, of adapters before others, on one line."""
    faults = error.errors(include_url=False)
    fault = min(faults, key=lambda each: each["loc"][:1] != ("adapters",))
    if fault["type"] == "value_error":
        return one_line(str(fault["ctx"]["error"]))
    where = "/".join(str(part) if isinstance(part, int) else shown(part)[1:-1] for part in fault["loc"])
    return f"{where} {shown(fault['input'])} is not {_MEANT.get(fault['type'], 'what it must be')}"
