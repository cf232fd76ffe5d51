"""The CLUE scores of GAU-α and its rivals, as published, and their averages."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from companion.errors import DataError

__all__ = ["CLUE", "clue_average"]

TASKS = (
    *("iflytek", "tnews", "afqmc", "cmnli", "ocnli", "wsc", "csl"),
    *("cmrc2018", "c3", "chid", "cluener"),
)
PUBLISHED = {
    "BERT": (60.06, 56.80, 72.41, 79.56, 73.93, 78.62, 83.93, 56.17, 60.54, 85.69, 79.45),
    "RoBERTa": (60.64, 58.06, 74.05, 81.24, 76.00, 87.50, 84.50, 56.54, 67.66, 86.71, 79.47),
    "RoFormer": (60.91, 57.54, 73.52, 80.92, 76.07, 86.84, 84.63, 56.26, 67.24, 86.57, 79.72),
    "RoFormerV2*": (60.87, 56.54, 72.75, 80.34, 75.36, 80.92, 84.67, 57.91, 64.62, 85.09, 81.08),
    "GAU-α": (61.41, 57.76, 74.17, 81.82, 75.86, 79.93, 85.67, 58.09, 68.24, 87.91, 80.01),
}

CLUE: dict[str, dict[str, float]] = {
    model: dict(zip(TASKS, scores, strict=True)) for model, scores in PUBLISHED.items()
}
"""Scores on the development sets of CLUE (Xu et al., *CLUE*, 2020), by model and task, in percent:
kexue.fm/archives/9052 and the README of ZhuiyiTechnology/GAU-alpha. RoFormerV2* is the version
that was trained on hidden words alone, with the data and the script of GAU-α."""


def clue_average(
    table: Mapping[str, Mapping[str, float]], *, without: Collection[str] = ("wsc",)
) -> dict[str, float]:
    """Return the mean score of each model, the best first.

    The set of WSC has 304 questions in it: two points there are six answers, which is why it is
    left out unless you say otherwise.

    Args:
        table: scores by model and task, such as ``CLUE``.
        without: tasks that do not count.

    Raises:
        DataError: if models were scored on different tasks, a task is unknown, or none is left.

    >>> {model: round(mean, 2) for model, mean in clue_average(CLUE).items()}
    {'GAU-α': 73.09, 'RoBERTa': 72.49, 'RoFormer': 72.34, 'RoFormerV2*': 71.92, 'BERT': 70.85}
    >>> next(iter(clue_average(CLUE, without=())))
    'RoBERTa'
    """
    if isinstance(without, str):
        raise DataError(f"without is the text {without!r}; expected names, such as ({without!r},)")
    if not table:
        raise DataError("the table is empty; expected scores of one model at least")
    first, tasks = next((model, {*scores}) for model, scores in table.items())
    for model, scores in table.items():
        if {*scores} != tasks:
            differ = ", ".join(sorted({*scores} ^ tasks))
            raise DataError(f"{model} and {first} differ in {differ}; expected the same tasks")
    unknown = sorted({*without} - tasks)
    if unknown:
        raise DataError(f"no task {unknown[0]!r}; there are: {', '.join(sorted(tasks))}")
    counted = sorted(tasks - {*without})
    if not counted:
        raise DataError("no task is left; expected one at least")
    means = {
        model: sum(scores[task] for task in counted) / len(counted)
        for model, scores in table.items()
    }
    return dict(sorted(means.items(), key=lambda pair: -pair[1]))
