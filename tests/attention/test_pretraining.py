"""GAU-α from the start: hidden words are learned, runs go on, and the command says what it did."""

import math
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from companion.attention import (
    GAUAlpha,
    PretrainingConfig,
    fill_mask,
    load_vocab,
    pretrain,
)
from companion.attention.pretraining import Pretrained, masked_words_loss
from companion.cli import main
from companion.errors import CheckpointError, DataError
from companion.text import WordPieceTokenizer, encode_words, hide_words, small_text, split_tokens
from companion.training import Draws, newest_checkpoint, read_log

TINY = ["net.dim=16", "net.key_dim=8", "net.layers=1", "text.length=16", "text.vocabulary=300",
        "recipe.batch=4", "recipe.steps=6", "recipe.log_every=2", "measure_every=4"]  # fmt: skip

SHORT = small_text()[:3000]


def tiny(*options: str) -> PretrainingConfig:
    return PretrainingConfig().amended([*TINY, *options])


def trained(config: PretrainingConfig, *, text: str | None = SHORT, **options: Any) -> Pretrained:
    return pretrain(config, text=text, device="cpu", progress=False, **options)


def weights(model: nn.Module) -> Tensor:
    return torch.cat([value.flatten() for value in model.state_dict().values()])


def column(result: Pretrained, name: str) -> list[float]:
    return [row[name] for row in result.run.history if name in row]


def test_hidden_words_of_a_small_text_are_learned_without_warm_up() -> None:
    """Better than what the frequencies of the tokens alone can say, and from the first step on."""
    options = ["net.dim=32", "net.layers=2", "text.length=32", "recipe.batch=16",
               "recipe.rate=0.03", "recipe.steps=100", "recipe.milestones=[100]",
               "recipe.factors=[0.1]", "recipe.log_every=1", "measure_every=100"]  # fmt: skip
    result = pretrain(tiny(*options), device="cpu", progress=False)
    losses = column(result, "loss")
    learned, held_out = split_tokens(encode_words(small_text(), result.tokenizer)[0])
    counts = 1 + torch.bincount(learned, minlength=300)
    alone = [-(counts / counts.sum()).log()[part].mean().item() for part in (learned, held_out)]
    assert losses[0] == pytest.approx(math.log(300), abs=0.5)  # it knows nothing
    assert sum(losses[-10:]) / 10 < alone[0] - 0.3
    assert column(result, "held_out")[-1] < alone[1]
    assert sum(losses[5:10]) < sum(losses[:5])
    assert not result.model.training


def test_the_loss_is_the_mean_over_texts_of_their_hidden_tokens() -> None:
    torch.manual_seed(0)
    tokenizer = WordPieceTokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefgh"])
    model = trained(tiny("recipe.steps=1"), text="a b c d e f g h " * 30).model
    tokens = torch.randint(5, model.config.vocabulary, (3, 12))
    begins = torch.rand(3, 12) < 0.4
    draws = {"ordinary": tokenizer.ordinary, "hidden": tokenizer.hidden, "share": 0.3}
    shown, chosen = hide_words(tokens, begins, Draws(3), **draws)
    with torch.no_grad():
        logits = model(shown)
        found = masked_words_loss(model, tokens, begins, Draws(3), tokenizer=tokenizer, share=0.3)
    rows = [
        functional.cross_entropy(logits[row, chosen[row]], tokens[row, chosen[row]])
        for row in range(3)
    ]
    assert len({int(n) for n in chosen.sum(dim=1)}) > 1
    torch.testing.assert_close(found, torch.stack(rows).mean())


def test_micro_batches_learn_what_the_batch_does() -> None:
    whole, parts = (
        trained(tiny("recipe.steps=2")),
        trained(tiny("recipe.steps=2", "recipe.accumulate=2")),
    )
    torch.testing.assert_close(weights(parts.model), weights(whole.model), rtol=0, atol=1e-5)


def test_the_same_configuration_gives_the_same_weights() -> None:
    torch.manual_seed(1)
    first = trained(tiny("net.dropout=0.1"))
    torch.manual_seed(2)
    again = trained(tiny("net.dropout=0.1"))
    assert torch.equal(weights(first.model), weights(again.model))
    assert not torch.equal(weights(first.model), weights(trained(tiny("recipe.seed=1")).model))


def test_a_run_that_was_stopped_goes_on_as_if_it_had_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tiny("recipe.steps=8", "recipe.save_every=2", "recipe.log_every=1", "net.dropout=0.1",
                  "recipe.milestones=[3, 6]", "recipe.factors=[0.5, 0.1]")  # fmt: skip
    whole = trained(config)
    calls, forward = [], GAUAlpha.forward

    def stopping(model: Any, *inputs: Any, **options: Any) -> Tensor:
        calls.append(model.training)
        if sum(calls) == 6:
            raise KeyboardInterrupt
        return forward(model, *inputs, **options)

    monkeypatch.setattr(GAUAlpha, "forward", stopping)
    with pytest.raises(KeyboardInterrupt):
        trained(config, folder=tmp_path)
    monkeypatch.undo()
    newest = newest_checkpoint(tmp_path)
    assert newest is not None
    assert newest.name == "step-00000004.safetensors"
    resumed = trained(config, folder=tmp_path)
    assert torch.equal(weights(resumed.model), weights(whole.model))
    assert column(resumed, "loss") == column(whole, "loss")
    other = tiny("recipe.steps=8", "net.dropout=0.2")
    with pytest.raises(CheckpointError, match=r"about.pretraining.net.dropout: 0.1 in the check"):
        trained(other, folder=tmp_path)


def test_what_a_run_leaves_is_read_like_published_weights(tmp_path: Path) -> None:
    result = trained(tiny(), folder=tmp_path)
    model, tokenizer = GAUAlpha.from_pretrained(tmp_path / "model"), load_vocab(tmp_path / "model")
    assert torch.equal(weights(model), weights(result.model))
    assert tokenizer.pieces == result.tokenizer.pieces
    text = "the [MASK] of irises"
    assert fill_mask(model, tokenizer, text) == fill_mask(result.model, result.tokenizer, text)


def test_words_of_a_list_are_hidden_together(tmp_path: Path) -> None:
    (tmp_path / "words").write_text("天气\n公园\n", "utf-8")
    (tmp_path / "text").write_text("今天天气很好，去公园玩。" * 20, "utf-8")
    config = tiny("recipe.steps=1").with_files(text=tmp_path / "text", words=tmp_path / "words")
    seen: list[Tensor] = []
    real = hide_words

    def watched(tokens: Tensor, begins: Tensor, *rest: Any, **options: Any) -> Any:
        seen.append(begins)
        return real(tokens, begins, *rest, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("companion.attention.pretraining.hide_words", watched)
        trained(config, text=None)
    inner = seen[0][:, 2:-1].float().mean().item()  # 10 of 12 characters begin a word
    assert inner == pytest.approx(10 / 12, abs=0.05)


@pytest.mark.parametrize(
    ("options", "text", "complaint"),
    [
        (["text.held_out=1"], None, "held_out 1.0; expected a number between 0 and 1"),
        (["text.length=2"], None, "length 2, stride 1; expected 3 or more"),
        (["hidden=0"], None, "hidden 0.0; expected more than 0"),
        (["measure_every=0"], None, "measure_every 0; expected 1 or more"),
        (["recipe.factors=[0.5]"], None, "3 milestones and 1 factors"),
        (["net.lairs=2"], None, "the nearest known key is net.layers"),
        ([], "a b c", "the text has 2 tokens; expected 14, a window"),
        ([], "a", "a text of 1 tokens; expected 2 at least"),
        ([], " ", "the text holds no word"),
    ],
)
def test_settings_and_texts_that_make_no_run_are_refused(
    options: list[str], text: str | None, complaint: str
) -> None:
    with pytest.raises(DataError, match=complaint):
        trained(tiny(*options), text=text or SHORT)


def test_settings_are_written_and_read(tmp_path: Path) -> None:
    config = PretrainingConfig.preset("base").amended(["text.words=x.txt"])
    config.to_yaml(tmp_path / "config.yaml")
    assert PretrainingConfig.from_yaml(tmp_path / "config.yaml") == config
    (tmp_path / "own.yaml").write_text("preset: base\nnet: {layers: 12}\n")
    own = PretrainingConfig.from_yaml(tmp_path / "own.yaml")
    assert (own.net.layers, own.net.dim, own.recipe.batch) == (12, 768, 512)
    (tmp_path / "own.yaml").write_text("net: {layers: 1}\npreset: huge\n")
    with pytest.raises(
        DataError, match=r"own.yaml:2: preset: no preset 'huge'; there are: small, base"
    ):
        PretrainingConfig.from_yaml(tmp_path / "own.yaml")


def test_the_published_preset_is_the_published_recipe() -> None:
    recipe = PretrainingConfig.preset("base").recipe
    assert (recipe.rate, recipe.weight_decay, recipe.warmup, recipe.clip) == (
        1.76e-3,
        0.01,
        0,
        None,
    )
    assert recipe.batch // recipe.accumulate == 128
    micro = [milestone * recipe.accumulate for milestone in recipe.milestones]
    assert dict(zip(micro, recipe.factors, strict=True)) == {
        160_000: 0.5, 640_000: 0.1, 1_280_000: 0.01,
    }  # fmt: skip


# ---------------------------------------------------------------------------------------
# the command


def command(out: Path, *options: str, start: tuple[str, ...] = ()) -> int:
    sets = [word for option in options for word in ("--set", option)]
    return main(["attention", "pretrain", "--quiet", "--out", str(out), *start, *sets])


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("alpha")
    (folder / "text.txt").write_text("the quick brown fox jumps over the lazy dog\n" * 20)
    (folder / "words.txt").write_text("lazy dog\n")
    start = ("--text", str(folder / "text.txt"), "--words", str(folder / "words.txt"))
    assert command(folder / "run", *TINY, start=start) == 0
    return folder / "run"


def test_the_command_trains_and_says_what_is_next(
    run: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    start = ("--text", str(run.parent / "text.txt"))
    assert command(tmp_path / "run", *TINY, "net.layers=2", start=start) == 0
    out = capfd.readouterr().out
    assert "6 steps" in out
    assert f'next: companion attention fill {tmp_path / "run" / "model"} "' in out
    assert [row["step"] for row in read_log(tmp_path / "run" / "log.csv")] == [2, 4, 6]
    assert PretrainingConfig.from_yaml(run / "config.yaml").text.words == str(
        run.parent / "words.txt"
    )


def test_the_command_goes_on_with_the_settings_of_the_folder(
    run: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert command(run, "recipe.steps=8") == 0
    assert "8 steps" in capfd.readouterr().out
    vocab = run / "model" / "vocab.txt"
    start = ("--text", str(run.parent / "text.txt"), "--vocab", str(vocab))
    assert command(tmp_path, *TINY, start=start) == 0
    assert (tmp_path / "vocab.txt").read_text() == vocab.read_text()


def test_the_command_fills_a_gap(run: Path, capfd: pytest.CaptureFixture[str]) -> None:
    call = ["attention", "fill", str(run / "model"), "the [MASK] fox [MASK]", "--top", "3"]
    assert main(call) == 0
    lines = capfd.readouterr().out.splitlines()
    model, tokenizer = GAUAlpha.from_pretrained(run / "model"), load_vocab(run / "model")
    guesses = fill_mask(model, tokenizer, call[3], top=3)
    assert [line.partition(":")[0] for line in lines] == [f"token {place}" for place in guesses]
    for line, found in zip(lines, guesses.values(), strict=True):
        assert line.split()[2::2] == [guess.token for guess in found]
        assert line.split()[3::2] == [f"{guess.probability:.4f}" for guess in found]
    assert main([*call, "--minimum-length", "16"]) == 0
    assert capfd.readouterr().out.splitlines() != lines


def test_interrupted_it_saves_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    calls, forward = [], GAUAlpha.forward

    def interrupted(model: Any, *inputs: Any, **options: Any) -> Tensor:
        calls.append(1)
        if len(calls) == 3:
            signal.raise_signal(signal.SIGINT)
        return forward(model, *inputs, **options)

    monkeypatch.setattr(GAUAlpha, "forward", interrupted)
    assert command(tmp_path, *TINY) == 130
    assert "stopped after step 3" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("call", "complaint"),
    [
        (
            ["pretrain", "--out", "{tmp}", "--preset", "huge"],
            "no preset 'huge'; there are: small, base",
        ),
        (["pretrain", "--out", "{tmp}", "--preset", "small", "--config", "x"], "both given"),
        (["pretrain", "--out", "{tmp}", "--set", "net.dmi=2"], "the nearest known key is net.dim"),
        (["pretrain", "--out", "{tmp}", "--vocab", "{tmp}/no"], "{tmp}/no cannot be read"),
        (["pretrain", "--out", "{tmp}", "--words", "{tmp}/no"], "{tmp}/no cannot be read"),
        (["fill", "{run}/model", "a b"], "'a b' holds no [MASK]; expected one at least"),
        (["fill", "{tmp}", "[MASK]"], "{tmp}/vocab.txt cannot be read: No such file"),
        (["fill", "{run}", "[MASK]"], "{run} holds no configuration; expected config.json or"),
    ],
)
def test_a_wrong_call_is_one_line(
    call: list[str], complaint: str, run: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = [word.format(tmp=tmp_path, run=run) for word in call]
    assert main(["attention", *words]) == 1
    last = capfd.readouterr().err.splitlines()[-1]
    assert last.startswith("companion: ")
    assert complaint.format(tmp=tmp_path, run=run) in last
