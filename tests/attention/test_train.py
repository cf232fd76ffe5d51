"""Training by configuration: what is learned, resumed, saved and judged, and what is refused."""

import math
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import Tensor, nn

from companion.attention import (
    Language,
    LanguageConfig,
    LanguageModel,
    MaskedLanguageModel,
    TextConfig,
    export_language,
    held_out_tokens,
    load_language,
    train_language,
)
from companion.errors import CheckpointError, DataError, NumericsError
from companion.text import small_text
from companion.training import Recipe, fit, newest_checkpoint

TINY = ["net.dim=16", "net.depth=1", "net.chunk=8", "text.length=24", "recipe.batch=4",
        "recipe.warmup=0", "recipe.steps=4"]  # fmt: skip


def tiny(*options: str) -> LanguageConfig:
    return LanguageConfig().amended([*TINY, *options])


def trained(config: LanguageConfig, **options: Any) -> Language:
    return train_language(config, device="cpu", progress=False, **options)


def weights(model: nn.Module) -> Tensor:
    return torch.cat([value.flatten() for value in model.state_dict().values()])


def column(result: Language, name: str) -> list[float]:
    assert result.run is not None
    return [row[name] for row in result.run.history if name in row]


@pytest.mark.parametrize("layers", ["transformer", "gau", "flash"])
def test_a_small_text_is_learned(layers: str) -> None:
    result = trained(
        LanguageConfig().amended(
            [f"net.layers={layers}", "net.dim=32", "net.depth=1", "net.chunk=16", "text.length=48",
             "recipe.batch=8", "recipe.steps=60", "recipe.warmup=5", "recipe.rate=1e-2",
             "recipe.decay=constant", "measure_every=60", "recipe.log_every=1"]
        )
    )  # fmt: skip
    losses, held_out = column(result, "loss"), column(result, "held_out")
    assert losses[0] == pytest.approx(math.log(93) + 1 / 8, rel=0.03)  # it knows nothing
    assert sum(losses[-5:]) / 5 < 3.1  # the frequencies of the letters alone leave 3.38
    assert held_out[-1] < 3.35


def test_hidden_tokens_are_learned() -> None:
    options = ["objective=masked", "net.dim=32", "recipe.steps=40", "recipe.rate=1e-2"]
    result = trained(tiny(*options, "recipe.log_every=1", "recipe.batch=16", "text.length=48"))
    losses = column(result, "loss")
    assert isinstance(result.model, MaskedLanguageModel)
    assert losses[0] > 4.2
    assert sum(losses[-5:]) / 5 < 3.4
    judged = result.judge()
    assert judged.bits is None
    assert judged.loss == pytest.approx(column(result, "held_out")[-1])


@pytest.mark.parametrize("objective", ["causal", "masked"])
def test_the_same_configuration_gives_the_same_weights(objective: str) -> None:
    options = [f"objective={objective}", "net.dropout=0.1"]
    torch.manual_seed(1)
    first = trained(tiny(*options))
    torch.manual_seed(2)
    again = trained(tiny(*options))
    other = trained(tiny(*options, "recipe.seed=1"))
    assert torch.equal(weights(first.model), weights(again.model))
    assert not torch.equal(weights(first.model), weights(other.model))


@pytest.mark.parametrize("objective", ["causal", "masked"])
def test_a_run_that_was_stopped_goes_on_as_if_it_had_not(
    objective: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tiny(f"objective={objective}", "recipe.steps=8", "recipe.save_every=2",
                  "recipe.log_every=1", "net.layers=flash", "recipe.average=0.9")  # fmt: skip
    whole = trained(config)
    calls, kind = [], type(whole.model)
    forward = kind.forward

    def stopping(model: Any, *inputs: Any) -> Tensor:
        calls.append(1)
        if len(calls) == 6:
            raise KeyboardInterrupt
        return forward(model, *inputs)

    monkeypatch.setattr(kind, "forward", stopping)
    with pytest.raises(KeyboardInterrupt):
        trained(config, folder=tmp_path)
    monkeypatch.undo()
    newest = newest_checkpoint(tmp_path)
    assert newest is not None
    assert newest.name == "step-00000004.safetensors"
    resumed = trained(config, folder=tmp_path)
    assert torch.equal(weights(resumed.model), weights(whole.model))
    assert column(resumed, "loss") == column(whole, "loss")


def test_micro_batches_learn_what_the_batch_does() -> None:
    for objective in ("causal", "masked"):
        config = tiny(f"objective={objective}", "recipe.steps=2", "recipe.rate=1e-3")
        whole = trained(config)
        parts = trained(config.amended(["recipe.accumulate=2"]))
        torch.testing.assert_close(weights(parts.model), weights(whole.model), rtol=0, atol=1e-4)


@pytest.mark.parametrize("tokenizer", ["character", "bpe"])
@pytest.mark.parametrize("tied", ["true", "false"])
def test_what_is_loaded_is_what_was_trained(tokenizer: str, tied: str, tmp_path: Path) -> None:
    config = tiny(f"text.tokenizer={tokenizer}", f"tied={tied}", "text.vocabulary=300")
    result = trained(config, folder=tmp_path)
    export_language(result, tmp_path / "model.safetensors")
    newest = newest_checkpoint(tmp_path)
    assert newest is not None
    for path in (tmp_path, newest, tmp_path / "model.safetensors"):
        loaded = load_language(path)
        assert torch.equal(weights(loaded.model), weights(result.model))
        assert loaded.config.net == config.net
        assert loaded.tokenizer.to_json() == result.tokenizer.to_json()
        assert not loaded.model.training
        assert loaded.sample("The ", count=9) == result.sample("The ", count=9)
    heads = safetensors.torch.load_file(tmp_path / "model.safetensors").keys() & {"head.weight"}
    assert len(heads) == (tied == "false")


def test_the_text_held_out_is_found_again(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("one two three four five " * 20)
    result = trained(tiny().with_text(path), folder=tmp_path / "run")
    assert result.held_out is not None
    assert torch.equal(held_out_tokens(tmp_path / "run"), result.held_out)
    path.write_text("six " * 100)
    with pytest.raises(DataError, match=r"words\.txt is another text than the run in "):
        held_out_tokens(tmp_path / "run")
    with pytest.raises(CheckpointError, match=r"digests\.text"):
        trained(tiny("recipe.steps=9").with_text(path), folder=tmp_path / "run")


def test_a_judgement_is_the_mean_over_every_token_that_is_told() -> None:
    result = trained(tiny("text.length=10"))
    text = small_text()[:38]  # three windows of ten and one, and a rest
    judged = result.judge(text)
    tokens = torch.tensor([result.tokenizer.encode(text)])
    assert isinstance(result.model, LanguageModel)
    windows = [tokens[:, start : start + 11] for start in (0, 10, 20)]
    with torch.no_grad():
        wanted = sum(result.model.loss(window).item() for window in windows) / 3
    assert judged.loss == pytest.approx(wanted, rel=1e-5)
    assert (judged.tokens, judged.characters) == (30, 30)
    assert judged.bits == pytest.approx(judged.loss / math.log(2))
    short = result.judge("The")
    assert (short.tokens, short.characters) == (2, 2)


def test_bits_are_counted_by_the_character() -> None:
    result = trained(tiny("text.tokenizer=bpe", "text.vocabulary=400"))
    judged = result.judge()
    assert judged.bits is not None
    assert judged.characters > 1.4 * judged.tokens
    wanted = judged.loss * judged.tokens / judged.characters / math.log(2)
    assert judged.bits == pytest.approx(wanted)


def test_a_text_goes_on_and_repeats_with_the_seed() -> None:
    result = trained(tiny("text.held_out=0.2"))
    text = result.sample("The ", count=30, seed=1)
    assert text.startswith("The ")
    assert len(text) == 34  # no special token is among them
    assert text == result.sample("The ", count=30, seed=1)
    assert text != result.sample("The ", count=30, seed=2)
    greedy = [result.sample("The ", count=8, temperature=0, seed=seed) for seed in (1, 2)]
    assert greedy[0] == greedy[1] == result.sample("The ", count=8, top_k=1)


@pytest.mark.parametrize(
    ("prompt", "options", "complaint"),
    [
        ("", {}, "the prompt is empty"),
        ("Zürich", {}, "the prompt holds 'Z', which the run has never seen"),
        ("The", {"count": -1}, "count is -1"),
        ("The", {"temperature": -0.5}, r"temperature is -0\.5"),
        ("The", {"top_k": 0}, "top_k is 0"),
    ],
)
def test_what_makes_no_text_is_told(prompt: str, options: Any, complaint: str) -> None:
    with pytest.raises(DataError, match=complaint):
        trained(tiny("recipe.steps=1")).sample(prompt, **options)


def test_a_masked_run_writes_no_text_and_a_file_holds_none(tmp_path: Path) -> None:
    result = trained(tiny("objective=masked", "recipe.steps=1"), folder=tmp_path)
    with pytest.raises(DataError, match="learned to tell hidden tokens; expected a causal one"):
        result.sample("The ")
    with pytest.raises(DataError, match="a model from a file brings no text"):
        load_language(tmp_path).judge()
    with pytest.raises(DataError, match="the text to judge by has 1 tokens; expected 2"):
        result.judge("T")


def test_another_configuration_does_not_go_on(tmp_path: Path) -> None:
    trained(tiny(), folder=tmp_path)
    before = (tmp_path / "config.yaml").read_text()
    with pytest.raises(CheckpointError, match=r"net\.layers: gau in the checkpoint, flash asked"):
        trained(tiny("net.layers=flash"), folder=tmp_path)
    assert (tmp_path / "config.yaml").read_text() == before


def test_a_loss_that_is_no_number_stops_and_names_the_step(tmp_path: Path) -> None:
    config = tiny("recipe.rate=1e38", "recipe.clip=null", "recipe.log_every=1", "recipe.steps=50")
    with pytest.raises(NumericsError, match="step "):
        trained(config, folder=tmp_path)
    assert newest_checkpoint(tmp_path) is None


@pytest.mark.parametrize(
    ("options", "text", "complaint"),
    [
        ([], "short", "the text has 4 tokens; expected 25, a window"),
        ([], "s", "a text of 1 tokens; expected 2 at least"),
        (["net.layers=transformer", "net.heads=3"], None, "dim is 16, heads are 3"),
        (["net.key_dim=3"], None, "key_dim is 3"),
        (["text.tokenizer=bpe", "text.vocabulary=9"], None, "vocabulary is 9; expected at least"),
        (["text.path=none.txt"], None, r"none\.txt cannot be read"),
    ],
)
def test_what_cannot_be_learned_is_told_before_training(
    options: list[str], text: str | None, complaint: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=complaint):
        trained(tiny(*options), text=text, folder=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_files_that_are_no_models_are_told(tmp_path: Path) -> None:
    run, out = tmp_path / "run", tmp_path / "model.safetensors"
    result = trained(tiny(), folder=run)
    export_language(result, out)

    def square(model: nn.Module, batch: Tensor, draws: Any) -> Tensor:
        return model(batch).square().mean()

    fit(nn.Linear(1, 1), square, torch.ones(4, 1), Recipe(steps=1, batch=2),
        folder=tmp_path / "other", progress=False)  # fmt: skip
    with pytest.raises(CheckpointError, match="is of another kind of run; expected a language"):
        load_language(tmp_path / "other")
    with pytest.raises(CheckpointError, match="none cannot be read"):
        load_language(tmp_path / "none")
    kept = safetensors.torch.load_file(out)
    with safetensors.safe_open(out, framework="pt") as file:
        metadata = dict(file.metadata())
    for change, complaint in [
        (
            {"head.weight": kept["encoder.embedding.weight"][1:].clone()},
            r"head\.weight has shape \(92, 16",
        ),
        ({"extra": torch.ones(1)}, r"extra has shape \(1,\); expected nothing"),
    ]:
        safetensors.torch.save_file({**kept, **change}, out, metadata)
        with pytest.raises(CheckpointError, match=complaint):
            load_language(out)
    safetensors.torch.save_file(kept, out, {**metadata, "config": '{"net": {"dim": "wide"}}'})
    with pytest.raises(CheckpointError, match=r"net\.dim is 'wide'; .*another version"):
        load_language(out)
    safetensors.torch.save_file(kept, out, {"format": metadata["format"]})
    with pytest.raises(CheckpointError, match="does not say of which configuration"):
        load_language(out)
    (run / "tokenizer.json").write_text("{}")
    with pytest.raises(CheckpointError, match=r"tokenizer\.json is another tokenizer than that"):
        load_language(run)
    (run / "tokenizer.json").unlink()
    with pytest.raises(CheckpointError, match=r"tokenizer\.json cannot be read"):
        load_language(run)
    with pytest.raises(CheckpointError, match="could not be written: No such file"):
        export_language(result, tmp_path / "no" / "model.safetensors")


def test_every_setting_survives_its_file(tmp_path: Path) -> None:
    config = LanguageConfig(
        text=TextConfig(path="a: 1", held_out=0.2, length=9, tokenizer="bpe", vocabulary=300),
        objective="masked", tied=False, hidden=0.3, measure_every=7,
    ).amended(
        ["net.layers=transformer", "net.heads=2", "net.key_dim=4", "net.norm=plain",
         "net.placement=post", "net.dropout=0.1", "net.fused=false", "recipe.seed=3"]
    )  # fmt: skip
    config.to_yaml(tmp_path / "run.yaml")
    assert LanguageConfig.from_yaml(tmp_path / "run.yaml") == config
    assert LanguageConfig.from_plain(config.to_plain(), name="x") == config
    (tmp_path / "empty.yaml").write_text("preset: small\n")
    assert LanguageConfig.from_yaml(tmp_path / "empty.yaml") == LanguageConfig()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("net: {layers: lstm}", "net.layers is 'lstm'; expected one of transformer, gau, flash"),
        ("objective: both", "objective is 'both'; expected one of causal, masked"),
        ("text: {length: 1}", "text: length 1; expected 2 or more"),
        ("text: {held_out: 1.0}", "text: held_out 1.0; expected a number between 0 and 1"),
        ("hidden: 0.0", "hidden 0.0; expected more than 0, and at most 1"),
        ("measure_every: 0", "measure_every 0; expected 1 or more"),
        ("net: {dim: 0}", "net: dim is 0; expected at least 1"),
        ("net: {deep: 3}", ":1: net.deep is unknown; the nearest known key is net.depth"),
        ("preset: large", ":1: preset: no preset 'large'; there is: small"),
    ],
)
def test_a_wrong_file_is_told(text: str, complaint: str, tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text(text)
    with pytest.raises(DataError) as caught:
        LanguageConfig.from_yaml(tmp_path / "run.yaml")
    assert complaint in str(caught.value)
