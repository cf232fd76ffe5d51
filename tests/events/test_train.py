"""Training by configuration: what is learned, resumed, saved and loaded, and what is refused."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from companion.errors import CheckpointError, DataError, NumericsError
from companion.events import (
    Corpus,
    Document,
    EventLinker,
    Linker,
    LinkerConfig,
    evaluate,
    generate_corpus,
    load_linker,
    read_corpus,
    train_linker,
)
from companion.training import Recipe, fit, newest_checkpoint

TINY = ["tokens=word", "net.dim=16", "net.depth=1", "net.key_dim=8", "key_dim=8", "recipe.batch=4",
        "recipe.warmup=0", "recipe.steps=4", "recipe.average=null"]  # fmt: skip


def tiny(*options: str) -> LinkerConfig:
    return LinkerConfig().amended([*TINY, *options])


def trained(config: LinkerConfig, corpus: Corpus, **options: Any) -> Linker:
    return train_linker(
        config, corpus.train, corpus.schema, device="cpu", progress=False, **options
    )


def weights(model: nn.Module) -> Tensor:
    return torch.cat([value.flatten() for value in model.state_dict().values()])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("corpus")
    generate_corpus(path, language="en", train=40, dev=12, held_out=6, seed=3)
    return path


@pytest.fixture(scope="module")
def corpus(folder: Path) -> Corpus:
    return read_corpus(folder)


@pytest.fixture(scope="module")
def learned(corpus: Corpus) -> Linker:
    config = tiny("tokens=word", "least=1", "net.dim=32", "recipe.steps=90",
                  "recipe.rate=2e-2", "recipe.log_every=1")  # fmt: skip
    few = corpus.train[:3]
    return train_linker(config, few, corpus.schema, held_out=few, device="cpu", progress=False)


def test_a_few_sentences_are_learned_by_heart(corpus: Corpus, learned: Linker) -> None:
    few = corpus.train[:3]
    scores = evaluate(learned.predict(few), few)
    assert scores.argument_f1 > 0.97
    assert scores.event_f1 > 0.8
    assert learned.run is not None
    last = learned.run.history[-1]
    assert last["argument_f1"] == pytest.approx(scores.argument_f1)
    assert last["event_f1"] == pytest.approx(scores.event_f1)
    assert last["loss"] < 0.05 * learned.run.history[0]["loss"]


def test_the_baseline_has_the_same_spans_and_one_event_for_each_type(
    corpus: Corpus, learned: Linker
) -> None:
    few = corpus.train[:3]
    linked, unlinked = learned.predict(few), learned.predict(few, linked=False)
    for events, merged in zip(linked, unlinked, strict=True):
        assert len(merged) == len({event.type for event in events})
        for one in merged:
            spans = [event.arguments for event in events if event.type == one.type]
            assert one.arguments == frozenset().union(*spans)
    assert sum(map(len, unlinked)) < sum(map(len, linked))


def test_predictions_stand_in_the_order_asked_and_do_not_depend_on_the_company(
    corpus: Corpus, learned: Linker
) -> None:
    documents = [*corpus.dev, *corpus.train[:3]]
    together = learned.predict(documents)
    alone = [learned.predict([document])[0] for document in documents]
    assert together == alone
    assert len({str(events) for events in together}) > 5
    lengths = [len(one.offsets) for one in learned.scores(documents)]
    assert lengths == sorted(lengths)
    none = learned.predict(documents, threshold=1e6)
    assert [*map(len, none)] == [0] * len(documents)


def test_the_same_configuration_gives_the_same_weights(corpus: Corpus) -> None:
    torch.manual_seed(1)
    first = trained(tiny(), corpus)
    torch.manual_seed(2)
    again = trained(tiny(), corpus)
    other = trained(tiny("recipe.seed=1"), corpus)
    assert torch.equal(weights(first.model), weights(again.model))
    assert not torch.equal(weights(first.model), weights(other.model))


def test_a_run_that_was_stopped_goes_on_as_if_it_had_not(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tiny("recipe.steps=8", "recipe.save_every=2", "recipe.average=0.9",
                  "net.dropout=0.1", "tokens=word",
                  "recipe.log_every=1")  # fmt: skip
    whole = trained(config, corpus)
    calls, forward = [], EventLinker.forward

    def stopping(model: EventLinker, *inputs: Any) -> Any:
        calls.append(1)
        if len(calls) == 6:
            raise KeyboardInterrupt
        return forward(model, *inputs)

    monkeypatch.setattr(EventLinker, "forward", stopping)
    with pytest.raises(KeyboardInterrupt):
        trained(config, corpus, folder=tmp_path)
    monkeypatch.undo()
    newest = newest_checkpoint(tmp_path)
    assert newest is not None
    assert newest.name == "step-00000004.safetensors"
    resumed = trained(config, corpus, folder=tmp_path)
    assert torch.equal(weights(resumed.model), weights(whole.model))
    assert resumed.run is not None
    assert whole.run is not None
    assert [row["loss"] for row in resumed.run.history] == [r["loss"] for r in whole.run.history]


def test_micro_batches_learn_what_the_batch_does(corpus: Corpus) -> None:
    config = tiny("recipe.steps=2")
    whole, parts = trained(config, corpus), trained(config.amended(["recipe.accumulate=2"]), corpus)
    torch.testing.assert_close(weights(parts.model), weights(whole.model), rtol=0, atol=1e-4)


@pytest.mark.parametrize("triggers", [True, False], ids=["triggers", "none"])
def test_what_is_loaded_is_what_was_trained(folder: Path, tmp_path: Path, triggers: bool) -> None:
    corpus = read_corpus(folder, triggers=triggers)
    options = ["tokens=word", f"triggers={triggers}", "recipe.average=0.5", "scorer=plain"]
    result = trained(tiny(*options), corpus, folder=tmp_path)
    newest = newest_checkpoint(tmp_path)
    assert newest is not None
    for path in (tmp_path, newest):
        loaded = load_linker(path)
        assert torch.equal(weights(loaded.model), weights(result.model))
        assert loaded.config.net == result.config.net
        assert loaded.schema.labels == result.schema.labels
        assert loaded.vocabulary == result.vocabulary
        assert not loaded.model.training
        pairs = zip(loaded.scores(corpus.dev[:3]), result.scores(corpus.dev[:3]), strict=True)
        assert all(torch.equal(mine.spans, theirs.spans) for mine, theirs in pairs)


def test_files_that_are_not_of_the_run_are_told(corpus: Corpus, tmp_path: Path) -> None:
    trained(tiny(), corpus, folder=tmp_path / "run")
    run = tmp_path / "run"

    def square(model: nn.Module, batch: Tensor, draws: Any) -> Tensor:
        return model(batch).square().mean()

    fit(nn.Linear(1, 1), square, torch.ones(4, 1), Recipe(steps=1, batch=2),
        folder=tmp_path / "other", progress=False)  # fmt: skip
    with pytest.raises(CheckpointError, match="is of another kind of run; expected a linker"):
        load_linker(tmp_path / "other")
    with pytest.raises(CheckpointError, match="none cannot be read"):
        load_linker(tmp_path / "none")
    schema = (run / "event_schema.json").read_text()
    lines = schema.splitlines(keepends=True)
    (run / "event_schema.json").write_text("".join([*lines[1:], lines[0]]))
    with pytest.raises(CheckpointError, match=r"event_schema\.json is another schema than that"):
        load_linker(run)
    (run / "event_schema.json").write_text(schema)
    vocabulary = (run / "vocabulary.json").read_text()
    values = json.loads(vocabulary)
    (run / "vocabulary.json").write_text(json.dumps(values | {"pieces": values["pieces"][1:]}))
    with pytest.raises(CheckpointError, match=r"vocabulary\.json is another vocabulary than that"):
        load_linker(run)
    (run / "vocabulary.json").write_text("{}")
    with pytest.raises(CheckpointError, match=r"vocabulary\.json is no vocabulary .*another versi"):
        load_linker(run)
    (run / "vocabulary.json").unlink()
    with pytest.raises(CheckpointError, match=r"vocabulary\.json cannot be read"):
        load_linker(run)


def test_another_run_does_not_go_on(corpus: Corpus, tmp_path: Path) -> None:
    trained(tiny(), corpus, folder=tmp_path)
    before = (tmp_path / "config.yaml").read_text()
    with pytest.raises(CheckpointError, match=r"scorer: efficient in the checkpoint, plain asked"):
        trained(tiny("scorer=plain"), corpus, folder=tmp_path)
    assert (tmp_path / "config.yaml").read_text() == before
    fewer = corpus.train[:20] + corpus.train[:20]
    with pytest.raises(CheckpointError, match=r"digests\.documents"):
        train_linker(tiny("least=1"), fewer, corpus.schema, folder=tmp_path, progress=False)


def test_a_loss_that_is_no_number_stops_and_names_the_step(corpus: Corpus) -> None:
    config = tiny("recipe.rate=1e38", "recipe.clip=null", "recipe.log_every=1", "recipe.steps=9")
    with pytest.raises(NumericsError, match="step "):
        trained(config, corpus)


def test_what_cannot_be_learned_is_told_before_training(corpus: Corpus, tmp_path: Path) -> None:
    run, long = tmp_path / "run", Document("1", "no " * 297, source="x.json:3")
    for config, documents, complaint in [
        (tiny("triggers=false"), corpus.train, "the schema has triggers=True; expected False"),
        (tiny(), [*corpus.train, long], r"x\.json:3: text has 297 tokens; expected 1 to 256"),
        (tiny(), [], "there are no sentences"),
        (tiny("net.layers=transformer", "net.heads=3"), corpus.train, "dim is 16, heads are 3"),
    ]:
        with pytest.raises(DataError, match=complaint):
            train_linker(config, documents, corpus.schema, folder=run, progress=False)
    with pytest.raises(DataError, match=r"x\.json:3: text has"):
        train_linker(
            tiny(), corpus.train, corpus.schema, held_out=[long], folder=run, progress=False
        )
    assert not run.exists()


def test_every_setting_survives_its_file(tmp_path: Path) -> None:
    config = LinkerConfig().amended(
        ["triggers=false", "tokens=word", "least=3", "length=99", "scorer=plain", "key_dim=8",
         "link_rope=false", "dropout=0.2", "threshold=-1", "measure_every=7", "net.dim=32",
         "recipe.seed=3"]
    )  # fmt: skip
    config.to_yaml(tmp_path / "run.yaml")
    assert LinkerConfig.from_yaml(tmp_path / "run.yaml") == config
    assert LinkerConfig.from_plain(config.to_plain(), name="x") == config


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("tokens: byte", "tokens is 'byte'; expected one of character, word"),
        ("least: 0", "least is 0; expected at least 1"),
        ("dropout: 1.0", "dropout is 1.0; expected 0 <= dropout < 1"),
        ("measure_every: 0", "measure_every is 0; expected at least 1"),
        ("net: {deep: 3}", ":1: net.deep is unknown; the nearest known key is net.depth"),
    ],
    ids=["tokens", "least", "dropout", "measure", "deep"],
)
def test_a_wrong_file_is_told(text: str, complaint: str, tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text(text)
    with pytest.raises(DataError) as caught:
        LinkerConfig.from_yaml(tmp_path / "run.yaml")
    assert complaint in str(caught.value)
