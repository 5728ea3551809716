"""What a translator's file says of what it translates: from what to what, and how it was trained to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

KEY = "translation"
"""Where it is in a card's information."""

Statistics = Literal["picture", "stored"]
Direction = Literal["AtoB", "BtoA"]
Color = Literal["rgb", "grey"]


@dataclass(frozen=True, kw_only=True)
class Translation:
    """How a generator is to be used; `asdict` of it is what stands in the file.

    Attributes:
        direction: which side of its pairs became which; None where another tool's file does not tell.
        batch: pairs in a training batch; None where that is unknown.
        statistics: which statistics its norms use by default.
        dropout: whether it was trained with dropout; None where that is unknown.
        condition: what made its inputs of photos: a name, and the parameters beside it; None if nothing did.
        inputs, outputs: what a person calls them, as in edges and photo; "" where that is unknown.
        color: of its outputs.
    """

    direction: Direction | None = None
    batch: int | None = None
    statistics: Statistics = "picture"
    dropout: bool | None = None
    condition: Mapping[str, Any] | None = None
    inputs: str = ""
    outputs: str = ""
    color: Color = "rgb"

    def __post_init__(self) -> None:
        """Raise ValueError for what a file must not say."""
        condition = self.condition
        right = {
            "direction": self.direction in (None, *get_args(Direction)),
            "batch": self.batch is None or (type(self.batch) is int and 0 < self.batch <= 1 << 20),
            "statistics": self.statistics in get_args(Statistics),
            "dropout": self.dropout in (None, True, False) and type(self.dropout) is not int,
            "condition": condition is None
            or (isinstance(condition, Mapping) and isinstance(condition.get("name"), str)),
            "inputs": isinstance(self.inputs, str),
            "outputs": isinstance(self.outputs, str),
            "color": self.color in get_args(Color),
        }
        for name, fits in right.items():
            if not fits:
                raise ValueError(f"its {name} is {getattr(self, name)!r}")

    @classmethod
    def of(cls, information: Mapping[str, Any]) -> Translation:
        """That in a card's information; raises KeyError, TypeError or ValueError where there is none."""
        return cls(**information[KEY])

    @property
    def information(self) -> dict[str, Any]:
        """To put into a card's information."""
        return {KEY: asdict(self)}

    def __str__(self) -> str:
        """`edges -> photo`."""
        return f"{self.inputs or 'picture'} -> {self.outputs or 'picture'}"
