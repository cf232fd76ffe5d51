"""How well events are found: Chinese and English, with triggers and without, three seeds each.

The corpora are generated (``companion.events.generate_corpus``) and read back. Each model is judged
on sentences it has not learned from: from the patterns it knows (``dev``), of these the ones with
several events (``several``) and with several of one type (``same_type``), and from patterns that
it has never seen (``held_out``). ``linked`` are the events that the links say, ``baseline`` the
same spans with one event for each type. One more model is as in the essay, where the scorers of
links do not see distances (``link_rope`` false). Scores are counts of a CPU; its seconds depend on
the machine. The record is written after each model, the most important first, so that a stop loses
one at most; ``planned`` says how many there are in all.

Run: ``python benchmarks/events/training.py`` (``--quick``: small corpora, few steps, one seed).
"""

from __future__ import annotations

import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.harness import arguments, write
from companion.events import (
    Corpus,
    DecodingCut,
    Document,
    Linker,
    LinkerConfig,
    Scored,
    evaluate,
    generate_corpus,
    is_recoverable,
    read_corpus,
    train_linker,
)

TOKENS: dict[Literal["zh", "en"], str] = {"zh": "character", "en": "word"}
THRESHOLDS = (-4, -3, -2, -1, 0, 1, 2, 3, 4)
SIZES = {"train": 2000, "dev": 300, "held_out": 300}
QUICK = {"train": 60, "dev": 12, "held_out": 12}


@dataclass(frozen=True)
class Case:
    """What one model learns, and how."""

    language: Literal["zh", "en"]
    triggers: bool = True
    seed: int = 0
    link_rope: bool = True

    def configuration(self, *, quick: bool) -> LinkerConfig:
        """Return the default configuration with what the case changes."""
        options = [
            f"tokens={TOKENS[self.language]}", f"triggers={self.triggers}",
            f"link_rope={self.link_rope}", f"recipe.seed={self.seed}",
        ]  # fmt: skip
        if quick:
            options += ["recipe.steps=4", "recipe.warmup=1", "net.depth=1"]
        return LinkerConfig().amended(options)


def cases(*, quick: bool) -> list[Case]:
    """Return the cases, the most important first."""
    if quick:
        return [Case("zh"), Case("en", triggers=False), Case("en", link_rope=False)]
    both = (True, False)
    found = [Case(name, one, seed) for seed in (0, 1, 2) for name in TOKENS for one in both]
    found.append(Case("en", link_rope=False))
    return sorted(found, key=lambda case: case.seed > 0 and not case.triggers)


def sets(corpus: Corpus) -> Iterator[tuple[str, list[Document]]]:
    """Yield the sets of sentences that a model is judged by."""
    yield "dev", [*corpus.dev]
    yield "several", [one for one in corpus.dev if len(one.events) > 1]
    repeated = (max(Counter(e.type for e in one.events).values(), default=0) for one in corpus.dev)
    yield "same_type", [one for one, most in zip(corpus.dev, repeated, strict=True) if most > 1]
    yield "held_out", [*corpus.held_out]


def counts(
    scored: Sequence[Scored],
    *,
    most: int,
    threshold: int | float = 0.0,
    linked: bool = True,
) -> dict[str, Any]:
    """Return how many arguments and events are right, predicted and true, and the two F1."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", DecodingCut)
        found = [one.events(threshold=threshold, linked=linked, most=most) for one in scored]
    scores = evaluate(found, [one.document for one in scored])
    return asdict(scores) | {
        "argument_f1": round(scores.argument_f1, 4),
        "event_f1": round(scores.event_f1, 4),
        "cut": len(caught),
    }


def judged(linker: Linker, corpus: Corpus, *, most: int) -> dict[str, Any]:
    """Return all scores of a model, and precision and recall by threshold."""
    found: dict[str, Any] = {}
    for name, documents in sets(corpus):
        scored = [*linker.scores(documents)]
        found[name] = {
            "sentences": len(documents),
            "recoverable": sum(is_recoverable(one.events) for one in documents),
            "linked": counts(scored, most=most),
            "baseline": counts(scored, most=most, linked=False),
        }
        if name == "dev":
            found["thresholds"] = [
                {"threshold": t} | counts(scored, most=most, threshold=t) for t in THRESHOLDS
            ]
    return found


def trained(case: Case, corpus: Corpus, *, quick: bool) -> dict[str, Any]:
    """Train once, and return what goes into the record."""
    config = case.configuration(quick=quick)
    start = time.process_time()
    linker = train_linker(config, corpus.train, corpus.schema, device="cpu", progress=False)
    seconds = time.process_time() - start
    assert linker.run is not None
    row = asdict(case) | {
        "labels": len(corpus.schema.labels),
        "parameters": sum(p.numel() for p in linker.model.parameters()),
        "processor_s": round(seconds, 1),
        "losses": [[one["step"], round(one["loss"], 4)] for one in linker.run.history],
        "scores": judged(linker, corpus, most=16 if quick else 256),
    }
    shown = {name: row["scores"][name]["linked"]["event_f1"] for name in ("dev", "held_out")}
    print(case, row["processor_s"], shown, flush=True)
    return row


def main() -> None:
    options = arguments(__doc__)
    options.device = torch.device("cpu")  # digits of record are those of a CPU
    sizes = QUICK if options.quick else SIZES
    planned = cases(quick=options.quick)
    record: dict[str, Any] = {
        "sizes": sizes,
        "setting": LinkerConfig().to_plain(),
        "planned": len(planned),
        "runs": [],
    }
    with tempfile.TemporaryDirectory() as folder:
        for case in planned:
            place = Path(folder) / case.language
            if not place.exists():
                generate_corpus(place, language=case.language, seed=0, **sizes)
            corpus = read_corpus(place, triggers=case.triggers)
            record["runs"].append(trained(case, corpus, quick=options.quick))
            path = write("events-training", options, ["networkx"], record)
            print(path, flush=True)


if __name__ == "__main__":
    main()
