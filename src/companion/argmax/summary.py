"""A report in words: how many of each verdict, which classes, and by how little they win."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from torch import Tensor

from companion.argmax.report import ArgmaxReport
from companion.argmax.token_text import TokenText

__all__ = ["describe"]


def describe(report: ArgmaxReport, tokens: TokenText | None = None, *, show: int = 10) -> str:
    """Return the verdicts for people: counts, the first classes of each kind, the least leads.

    Args:
        report: of a scan.
        tokens: the text of the classes, if they are tokens.
        show: how many classes of a kind at most.
    """
    return "\n".join(_lines(report, tokens, show))


def _lines(report: ArgmaxReport, tokens: TokenText | None, show: int) -> Iterator[str]:
    yield str(report)
    twins = (report.verdict == 0) & (report.twin >= 0)
    never = (report.verdict == 0) & (report.twin < 0)

    def line(j: int, words: str) -> str:
        k = int(report.classes[j])
        return f"  {k:>8}  {words}" + (f"  {tokens[k]}" if tokens is not None else "")

    def rests_on(j: int) -> str:
        others = int(report.starts[j + 1] - report.starts[j])
        return f"outdone by {others:>4} others together"

    yield from _listed("never the best", never, lambda j: line(j, rests_on(j)), show)
    same = lambda j: line(j, f"has the row of {int(report.twin[j])}")  # noqa: E731
    yield from _listed("never the best alone, duplicates", twins, same, show)
    yield from _listed("undecided", report.verdict == -1, lambda j: line(j, "no proof"), show)
    won = (report.verdict == 1).nonzero()[:, 0]
    if show and len(won):
        yield f"least proved leads of the {len(won)} that can win, in logits at the state kept"
        order = report.margin[won].argsort(stable=True)[:show]
        yield from (line(int(j), f"{float(report.margin[j]):.3g}") for j in won[order])


def _listed(title: str, chosen: Tensor, line: Callable[[int], str], show: int) -> Iterator[str]:
    entries = chosen.nonzero()[:, 0].tolist()
    if entries:
        yield f"{title}: {len(entries)}"
        yield from map(line, entries[:show])
        if len(entries) > show:
            yield f"  and {len(entries) - show} more"
