"""A site's own device models: the folder `models` beside site.toml, one file a model.

    models/my-meter.toml          model = "my-meter"

This module reads the files; the protocol checks their contents, as it knows what a register is. A model with
the name of one that ships with the bridge replaces that one. A mistake in a model that no sensor names is a
warning.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from bridge.config.document import Document
from bridge.config.toml_lines import KeyPath
from bridge.errors import ConfigError
from protocols.toolkit.errors import SettingsError
from protocols.toolkit.protocol import CatalogueEntry

FOLDER = "models"
_SUFFIX = ".toml"


class OwnModels:
    """The models of one site.

    Attributes:
        wrong: the names of the models that have a mistake.
    """

    def __init__(self, site: Path) -> None:
        """Read the files of the folder.

        Args:
            site: the site file, which need not exist.
        """
        self.wrong: set[str] = set()
        self._documents: dict[str, Document] = {}
        self._unread: dict[str, list[str]] = {}  # by the model's name; "" is the folder
        for path in self._files(site.parent / FOLDER):
            try:
                self._documents[path.stem] = Document.read(path)
            except ConfigError as error:
                self._unread[path.stem] = list(error.mistakes)
                self.wrong.add(path.stem)

    @property
    def mistakes(self) -> list[str]:
        """Return every mistake noted so far, each with file and line."""
        return [line for _, line in self._mistakes_by_model()]

    def mistakes_in(self, used_names: Collection[str]) -> list[str]:
        """Return the mistakes in models that sensors name (`used_names`), and those of the folder itself."""
        return [line for name, line in self._mistakes_by_model() if name in used_names or not name]

    def warnings_beside(self, used_names: Collection[str]) -> list[str]:
        """Return the mistakes in all other models: no sensor names these, so nothing depends on them."""
        return [line for name, line in self._mistakes_by_model() if name and name not in used_names]

    @property
    def tables(self) -> Mapping[str, Mapping[str, Any]]:
        """Return the contents of each file without a mistake, by the model's name."""
        return {name: document.tables for name, document in self._documents.items() if name not in self.wrong}

    def place(self, name: str, at: KeyPath = ()) -> str:
        """Return file and line of a place in a model: `models/my-meter.toml:14`."""
        document = self._documents[name]
        return f"{document.path}:{document.line(at)}" if at else str(document.path)

    def known_to(self, entry: CatalogueEntry) -> CatalogueEntry:
        """Return the protocol with these models added; note their mistakes and leave out the wrong ones."""
        extended = entry.models.extended if entry.models else None
        if extended is None or not self.tables:
            return entry
        try:
            return extended(self.tables)
        except SettingsError as error:
            for (name, *below), message in error.problems:
                self._documents[str(name)].mistake(tuple(below), message)
                self.wrong.add(str(name))
        return extended(self.tables)

    def _mistakes_by_model(self) -> Iterator[tuple[str, str]]:
        """Return every mistake, each with the name of its model."""
        mistakes = {name: document.mistakes for name, document in self._documents.items()}
        return ((name, line) for name, lines in (self._unread | mistakes).items() for line in lines)

    def _files(self, folder: Path) -> list[Path]:
        try:
            return sorted(path for path in folder.iterdir() if path.suffix == _SUFFIX)
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            self._unread[""] = [f"{folder}: cannot be read: {error.strerror}"]
            return []
