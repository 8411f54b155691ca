"""A site's own device models: the folder `models` beside site.toml, one file a model.

    models/my-meter.toml          model = "my-meter"

Files are read here; what they say is judged by the protocol, which knows what a register is. A model that has
the name of one that ships with the bridge is read instead of it. A mistake in one that no sensor names is a
warning.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from bridge.config.document import Document
from bridge.config.toml_lines import KeyPath
from bridge.errors import ConfigError
from protocols import Protocol
from protocols.errors import SettingsError

FOLDER = "models"
_SUFFIX = ".toml"


class OwnModels:
    """The models of one site.

    Attributes:
        wrong: the names of those in which a mistake was found.
    """

    def __init__(self, site: Path) -> None:
        """Reads the files. `site`: the site file, which need not be there."""
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
        """Every mistake found so far, each with file and line."""
        return [line for _, line in self._told()]

    def mistakes_in(self, used: Collection[str]) -> list[str]:
        """Those in the models of these names, or in the folder."""
        return [line for name, line in self._told() if name in used or not name]

    def warnings_beside(self, used: Collection[str]) -> list[str]:
        """The others: no sensor names their models, so nothing depends on them."""
        return [line for name, line in self._told() if name and name not in used]

    @property
    def tables(self) -> Mapping[str, Mapping[str, Any]]:
        """What each file says in which no mistake was found, by the model's name."""
        return {name: found.tables for name, found in self._documents.items() if name not in self.wrong}

    def place(self, name: str, at: KeyPath = ()) -> str:
        """File and line of a place in a model: `models/my-meter.toml:14`."""
        document = self._documents[name]
        return f"{document.path}:{document.line(at)}" if at else str(document.path)

    def known_to(self, entry: Protocol) -> Protocol:
        """The protocol that knows these models too. Their mistakes are noted; wrong ones are left out."""
        if entry.with_models is None or not self.tables:
            return entry
        try:
            return entry.with_models(self.tables)
        except SettingsError as error:
            for (name, *below), message in error.problems:
                self._documents[str(name)].mistake(tuple(below), message)
                self.wrong.add(str(name))
        return entry.with_models(self.tables)

    def _told(self) -> Iterator[tuple[str, str]]:
        """Every mistake, with the name of the model that it is in."""
        found = {name: document.mistakes for name, document in self._documents.items()}
        return ((name, line) for name, lines in (self._unread | found).items() for line in lines)

    def _files(self, folder: Path) -> list[Path]:
        try:
            return sorted(path for path in folder.iterdir() if path.suffix == _SUFFIX)
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            self._unread[""] = [f"{folder}: cannot be read: {error.strerror}"]
            return []
