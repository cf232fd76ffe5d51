"""`companion attention`: language models from the command line."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from companion.errors import DataError

if TYPE_CHECKING:
    from companion.attention.config import LanguageConfig
    from companion.attention.pretraining_config import PretrainingConfig

__all__ = ["app"]

app = typer.Typer(
    rich_markup_mode=None, help="Language models: train, sample, evaluate; GAU-α: pretrain, fill."
)

RunArgument = Annotated[
    Path, typer.Argument(metavar="RUN", help="Folder of a run, or a file of it.")
]


@app.command("train")
def train(
    out: Annotated[Path, typer.Option(help="Folder of the run; one found there goes on.")],
    text: Annotated[
        Path | None, typer.Option(help="A file in UTF-8; left out: a small text of the package.")
    ] = None,
    layers: Annotated[str | None, typer.Option(help="transformer, gau or flash.")] = None,
    objective: Annotated[str | None, typer.Option(help="causal or masked.")] = None,
    tokenizer: Annotated[str | None, typer.Option(help="character or bpe.")] = None,
    config: Annotated[Path | None, typer.Option(help="Settings, a YAML file.")] = None,
    preset: Annotated[str | None, typer.Option(help="Settings by name: small.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="One setting, such as net.dim=96.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no bar.")] = False,
) -> None:
    """Train a language model, or go on where a run was interrupted.

    Without --config and --preset the settings are those the folder was begun with, else those of
    "small". On several devices: accelerate launch -m companion attention train ...
    """
    words = {"net.layers": layers, "objective": objective, "text.tokenizer": tokenizer}
    options = [f"{name}={word}" for name, word in words.items() if word is not None]
    chosen = _chosen(out, config, preset)
    chosen = chosen if text is None else chosen.with_text(text)
    chosen = chosen.amended([*options, *(settings or [])])
    from companion.attention.train import is_main_process, train_language

    speaks = is_main_process()
    if speaks:
        typer.echo(f"training in {out}, {chosen.recipe.steps} steps")
    try:
        trained = train_language(chosen, folder=out, progress=not quiet)
    except KeyboardInterrupt as stop:
        if speaks:
            typer.echo(f"companion: {stop or 'interrupted'}", err=True)
        raise typer.Exit(130) from None
    if speaks and trained.run is not None:
        last = trained.run.history[-1]
        follows = "sample" if chosen.objective == "causal" else "evaluate"
        typer.echo(
            f"done, loss {last['loss']:.4f}, on held-out text {last['held_out']:.4f} nats a token; "
            f"next: companion attention {follows} {out}"
        )


@app.command("pretrain")
def pretrain_model(
    out: Annotated[Path, typer.Option(help="Folder of the run; one found there goes on.")],
    text: Annotated[
        Path | None, typer.Option(help="A file in UTF-8; left out: a small text of the package.")
    ] = None,
    vocab: Annotated[
        Path | None, typer.Option(help="A vocab.txt; left out: one is made from the text.")
    ] = None,
    words: Annotated[
        Path | None, typer.Option(help="Words of several characters, one a line.")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="Settings, a YAML file.")] = None,
    preset: Annotated[str | None, typer.Option(help="Settings by name: small or base.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="One setting, such as net.layers=6.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no bar.")] = False,
) -> None:
    """Train a GAU-α to tell hidden words, or go on where a run was interrupted.

    Whole words are hidden; LAMB, no warm-up. "base" is the recipe of the published model. On
    several devices: accelerate launch -m companion attention pretrain ...
    """
    chosen = _chosen_pretraining(out, config, preset).with_files(
        text=text, vocab=vocab, words=words
    )
    chosen = chosen.amended(settings or [])
    from companion.attention.pretraining import MODEL, pretrain
    from companion.attention.train import is_main_process

    speaks = is_main_process()
    if speaks:
        typer.echo(f"training in {out}, {chosen.recipe.steps} steps")
    try:
        trained = pretrain(chosen, folder=out, progress=not quiet)
    except KeyboardInterrupt as stop:
        if speaks:
            typer.echo(f"companion: {stop or 'interrupted'}", err=True)
        raise typer.Exit(130) from None
    if speaks:
        last = trained.run.history[-1]
        typer.echo(
            f"done, loss {last['loss']:.4f}, on held-out text {last['held_out']:.4f} nats a hidden "
            f'token; next: companion attention fill {out / MODEL} "... [MASK] ..."'
        )


@app.command("fill")
def fill(
    folder: Annotated[
        Path,
        typer.Argument(metavar="FOLDER", help="Published weights of GAU-α, or the model of a run."),
    ],
    text: Annotated[str, typer.Argument(metavar="TEXT", help="With one [MASK] or more.")],
    top: Annotated[int, typer.Option(help="How many guesses each.")] = 5,
    minimum_length: Annotated[
        int | None,
        typer.Option(help="Shorter texts count as that long, as later code of the authors has it."),
    ] = None,
) -> None:
    """Say what stands where a text has [MASK]."""
    from companion import pick_device
    from companion.attention import GAUAlpha, fill_mask, load_vocab

    tokenizer = load_vocab(folder / "vocab.txt")
    model = GAUAlpha.from_pretrained(folder, minimum_length=minimum_length).to(pick_device())
    for place, guesses in fill_mask(model, tokenizer, text, top=top).items():
        found = "  ".join(f"{guess.token} {guess.probability:.4f}" for guess in guesses)
        typer.echo(f"token {place}: {found}")


@app.command("sample")
def sample(
    run: RunArgument,
    prompt: Annotated[str, typer.Option(help="How the text begins.")] = "The ",
    count: Annotated[int, typer.Option(help="How many tokens are added.")] = 200,
    temperature: Annotated[float, typer.Option(help="0 takes the likeliest token.")] = 1.0,
    top_k: Annotated[int | None, typer.Option(help="Draw from that many of the likeliest.")] = None,
    seed: Annotated[int, typer.Option(help="The same seed writes the same text.")] = 0,
) -> None:
    """Go on with a text."""
    from companion import pick_device
    from companion.attention.pretrained import load_language

    trained = load_language(run, device=pick_device())
    typer.echo(trained.sample(prompt, count=count, temperature=temperature, top_k=top_k, seed=seed))


@app.command("evaluate")
def evaluate(
    run: RunArgument,
    text: Annotated[
        Path | None,
        typer.Option(help="A file in UTF-8; left out: the end of the run's own text, held out."),
    ] = None,
    file: Annotated[Path | None, typer.Option("--json", help="Write the numbers here.")] = None,
) -> None:
    """Judge a model by a text that it has not learned from: nats a token, bits a character."""
    from companion import pick_device
    from companion.attention.pretrained import held_out_tokens, is_export, load_language
    from companion.text import read_text

    trained = load_language(run, device=pick_device())
    words = None if text is None else read_text(text)
    if words is None and not is_export(run):
        trained = replace(trained, held_out=held_out_tokens(run))
    found = trained.judge(words)
    told = "hidden tokens among" if found.bits is None else "each of"
    typer.echo(f"{found.loss:.4f} nats a token, {told} {found.tokens} tokens")
    if found.bits is not None:
        typer.echo(f"{found.bits:.4f} bits a character, {found.characters} characters")
    if file is not None:
        try:
            file.write_text(
                json.dumps({"run": str(run), **asdict(found)}, indent=2) + "\n", "utf-8"
            )
        except OSError as error:
            raise DataError(f"{file} cannot be written: {error.strerror or error}") from error
        typer.echo(f"written: {file}")


@app.command("export")
def export_model(
    run: RunArgument,
    out: Annotated[Path, typer.Option(help="A .safetensors file.")],
) -> None:
    """Write weights, tokenizer and settings of a run, and nothing else, into one file."""
    from companion.attention.pretrained import export_language, load_language

    export_language(load_language(run), out)
    typer.echo(f"{out}, {out.stat().st_size:,} bytes")


def _chosen(out: Path, config: Path | None, preset: str | None) -> LanguageConfig:
    """The configuration that the options ask for, or that the folder was begun with."""
    from companion.attention.config import LanguageConfig
    from companion.attention.train import SETTINGS

    if config is not None and preset is not None:
        raise DataError("--config and --preset were both given; expected one of them")
    begun = out / SETTINGS
    if preset is None and (config is not None or begun.is_file()):
        return LanguageConfig.from_yaml(config or begun)
    return LanguageConfig.preset(preset or "small")


def _chosen_pretraining(out: Path, config: Path | None, preset: str | None) -> PretrainingConfig:
    """The same for a GAU-α."""
    from companion.attention.pretraining_config import PretrainingConfig
    from companion.attention.train import SETTINGS

    if config is not None and preset is not None:
        raise DataError("--config and --preset were both given; expected one of them")
    begun = out / SETTINGS
    if preset is None and (config is not None or begun.is_file()):
        return PretrainingConfig.from_yaml(config or begun)
    return PretrainingConfig.preset(preset or "small")
