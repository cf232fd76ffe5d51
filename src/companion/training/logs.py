"""The record of a run: rows in memory, in log.csv and for TensorBoard, and a progress bar."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from companion.errors import CheckpointError, DataError
from companion.training.checkpoint import write_whole

__all__ = ["LOG", "Log", "Row", "read_log"]

Row = dict[str, int | float]
LOG = "log.csv"


def read_log(path: Path | str, *, until: int | None = None) -> list[Row]:
    """Return the rows of a log.csv, up to a step.

    A last line that was cut off by a kill is left out.

    Raises:
        DataError: if another line is no row; the message names it.
    """
    path = Path(path)
    if not path.exists():
        return []
    lines = path.read_text("utf-8").splitlines()
    names = next(csv.reader(lines[:1]), [])
    rows = []
    for number, cells in enumerate(csv.reader(lines[1:]), start=2):
        try:
            row = _parse(names, cells)
        except ValueError as error:
            if number == len(lines):
                break
            raise DataError(f"{path}:{number}: {error}; expected one number a column") from error
        if until is None or row["step"] <= until:
            rows.append(row)
    return rows


def _parse(names: list[str], cells: list[str]) -> Row:
    pairs = [(name, cell) for name, cell in zip(names, cells, strict=True) if cell]
    return {name: int(cell) if name == "step" else float(cell) for name, cell in pairs}


class Log:
    """Where the main process of a run writes its rows; the rows are kept in ``rows``.

    Args:
        folder: of log.csv and the TensorBoard events; None writes nothing.
        rows: those of the run so far, which replace what stands in the file.
        step: optimiser steps done.
        steps: optimiser steps in all, for the bar.
        progress: whether there is a bar.
    """

    def __init__(
        self, folder: Path | None, *, rows: list[Row], step: int, steps: int, progress: bool
    ) -> None:
        from tqdm import tqdm

        self.rows, self._folder = rows, folder
        self._bar = tqdm(total=steps, initial=step, unit="step", disable=not progress, leave=True)
        self._columns: list[str] = []
        self._file: Any = None
        self._board: Any = None
        if folder is not None:
            from torch.utils.tensorboard import SummaryWriter

            with _told(folder):
                self._rewrite(folder)
                self._board = SummaryWriter(str(folder), purge_step=step + 1)

    def add(self, row: Row) -> None:
        """Append a row.

        Raises:
            CheckpointError: if the disk is full or refuses.
        """
        self.rows.append(row)
        self._bar.set_postfix(
            {"loss": f"{row['loss']:.4g}", "samples/s": f"{row['samples_per_second']:.0f}"}
        )
        if self._folder is None:
            return
        with _told(self._folder):
            if row.keys() <= set(self._columns):
                self._file.write(_lines(self._columns, [row]))
                self._file.flush()
            else:
                self._rewrite(self._folder)
            for name in row.keys() - {"step"}:
                self._board.add_scalar(name, row[name], row["step"])

    def advance(self) -> None:
        """Move the bar by one step."""
        self._bar.update()

    def settle(self) -> None:
        """Bring everything to the disk: a checkpoint never knows more than the log.

        Raises:
            CheckpointError: as ``add``.
        """
        if self._folder is not None:
            with _told(self._folder):
                self._file.flush()
                os.fsync(self._file.fileno())
                self._board.flush()

    def close(self) -> None:
        self._bar.close()
        if self._folder is not None:
            with suppress(OSError):  # what matters has been settled
                self._file.close()
                self._board.close()

    def _rewrite(self, folder: Path) -> None:
        """Write all rows anew: after a resume, and when a row has a new column."""
        if self._file is not None:
            self._file.close()
        self._columns = ["step", "loss", "norm", "rate", "seconds", "samples_per_second"]
        self._columns += [*dict.fromkeys(n for r in self.rows for n in r if n not in self._columns)]
        header = ",".join(self._columns) + "\n"
        write_whole(folder / LOG, (header + _lines(self._columns, self.rows)).encode())
        self._file = (folder / LOG).open("a", encoding="utf-8", newline="")


@contextmanager
def _told(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        problem = error.strerror or str(error)
        raise CheckpointError(f"the log in {folder} cannot be written: {problem}") from error


def _lines(columns: list[str], rows: list[Row]) -> str:
    """Return rows as text from which the same numbers are read again."""
    text = io.StringIO()
    cells = [["" if (v := row.get(name)) is None else repr(v) for name in columns] for row in rows]
    csv.writer(text, lineterminator="\n").writerows(cells)
    return text.getvalue()
