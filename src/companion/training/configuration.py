"""What every configuration of a run can do: presets by name, YAML files, options by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml

from companion.errors import DataError
from companion.training.settings import amend, plain, read_options, read_yaml

__all__ = ["Configuration"]

Kind = TypeVar("Kind", bound="Configuration")


class Configuration:
    """A base for frozen dataclasses whose fields all have defaults, and may be such again."""

    @classmethod
    def presets(cls: type[Kind]) -> Mapping[str, Callable[[], Kind]]:
        """Return how to make each preset, by its name; the first is where files start from."""
        return {"small": cls}

    @classmethod
    def preset(cls: type[Kind], name: str) -> Kind:
        """Return the settings of a name that ``presets`` knows.

        Raises:
            DataError: if it knows none of that name.
        """
        presets = cls.presets()
        if name not in presets:
            there = "there is" if len(presets) == 1 else "there are"
            raise DataError(f"no preset {name!r}; {there}: {', '.join(presets)}")
        return presets[name]()

    @classmethod
    def from_yaml(cls: type[Kind], path: str | Path) -> Kind:
        """Read a file written by ``to_yaml`` or by hand; what it leaves out comes from a preset.

        That preset is the one its key ``preset`` names; without such a key, the first.

        Raises:
            DataError: naming file, line and key, for a key that is none or a wrong value.
        """
        values, place = read_yaml(Path(path))
        try:
            start = cls.preset(str(values.pop("preset", next(iter(cls.presets())))))
        except DataError as error:
            raise DataError(f"{place('preset')}: {error}") from None
        return amend(start, values, place)

    @classmethod
    def from_plain(cls: type[Kind], values: Mapping[str, Any], *, name: str) -> Kind:
        """Return the configuration of ``to_plain``; `name` is the file that complaints name."""
        return amend(cls(), values, lambda key: f"{name}: {key}")

    def amended(self: Kind, options: Iterable[str]) -> Kind:
        """Return the configuration with options such as ``recipe.steps=200`` carried out.

        Raises:
            DataError: for a name that is none, or a value that does not fit.
        """
        return amend(self, read_options(options), lambda key: f"--set {key}")

    def to_plain(self) -> dict[str, Any]:
        """Return nested dicts and lists of numbers and words, as JSON and YAML hold them."""
        return plain(self)

    def to_yaml(self, path: str | Path) -> None:
        """Write every setting into a file that ``from_yaml`` reads."""
        text = yaml.safe_dump(self.to_plain(), sort_keys=False, default_flow_style=None)
        Path(path).write_text(text, "utf-8")
