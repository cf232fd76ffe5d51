"""GAU-α is what was published: its size, its forward pass, its start, and where n enters."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from companion.attention import CLUE, GAUAlpha, GAUAlphaConfig, clue_average
from companion.attention.gau_alpha import initialise
from companion.errors import DataError

SMALL = GAUAlphaConfig(vocabulary=50, dim=12, key_dim=8, layers=3)


def rms(x: Tensor) -> Tensor:
    return x / (x.square().mean(dim=-1, keepdim=True) + 1e-12).sqrt()


def turned(x: Tensor, *, halves: bool = False) -> Tensor:
    """Every pair of numbers, as a complex one, times e^{imθ}; ``halves``: the other convention."""
    seq, s = x.shape[-2:]
    theta = 10000.0 ** (-2 * torch.arange(s // 2, dtype=x.dtype) / s)
    angle = torch.arange(seq, dtype=x.dtype)[:, None] * theta
    first, second = x.chunk(2, dim=-1) if halves else (x[..., 0::2], x[..., 1::2])
    pairs = torch.complex(first, second) * torch.polar(torch.ones_like(angle), angle)
    return torch.cat([pairs.real, pairs.imag], dim=-1)  # q·k does not ask for the order


def written_out(
    weights: dict[str, Tensor],
    tokens: Tensor,
    mask: Tensor,
    *,
    halves: bool = False,
    padded: bool = False,
    natural: bool = False,
    swapped: bool = False,
) -> Tensor:
    """The logits from the published names, one text after another, with none of our layers."""
    table = weights["gau_alpha.embeddings.word_embeddings.weight"]
    e = 2 * table.shape[1]
    logits = torch.zeros(*tokens.shape, len(table), dtype=table.dtype)
    for row, there in enumerate(mask):
        ids = tokens[row, there]
        n = tokens.shape[1] if padded else len(ids)
        scale = math.log(n) if natural else math.log(n) / math.log(512)
        h = rms(table[ids] + weights["gau_alpha.embeddings.token_type_embeddings.weight"][0])
        for i in range(sum(name.endswith("i_dense.weight") for name in weights)):
            at = f"gau_alpha.encoder.layer.{i}.gau."
            hidden = h @ weights[at + "i_dense.weight"].T
            hidden = hidden * torch.sigmoid(hidden)
            u, v, z = hidden[:, :e], hidden[:, e : 2 * e], hidden[:, 2 * e :]
            u, v = (v, u) if swapped else (u, v)
            q = turned(z * weights[at + "q_scaleoffset.weight"], halves=halves)
            k = turned(z * weights[at + "k_scaleoffset.weight"], halves=halves)
            weight = torch.exp(scale * (q @ k.T) / z.shape[1] ** 0.5)
            weight = weight / weight.sum(dim=1, keepdim=True)
            h = rms(h + (u * (weight @ v)) @ weights[at + "o_dense.weight"].T)
        logits[row, there] = h @ table.T
    return logits


def published(model: GAUAlpha) -> dict[str, Tensor]:
    """The weights of a model by the names of the PyTorch port."""
    found = {
        "gau_alpha.embeddings.word_embeddings.weight": model.encoder.embedding.weight,
        "gau_alpha.embeddings.token_type_embeddings.weight": model.get_parameter(
            "encoder.segment_embedding.weight"
        ),
    }
    for i in range(model.config.layers):
        ours, theirs = f"encoder.encoder.blocks.{i}.branch.", f"gau_alpha.encoder.layer.{i}.gau."
        found[theirs + "i_dense.weight"] = model.get_parameter(ours + "to_hidden.weight")
        found[theirs + "o_dense.weight"] = model.get_parameter(ours + "to_out.weight")
        scale = model.get_parameter(ours + "scale")
        found |= {f"{theirs}{n}_scaleoffset.weight": scale[row] for row, n in enumerate("qk")}
    return {name: value.detach() for name, value in found.items()}


def awake(config: GAUAlphaConfig = SMALL, seed: int = 0) -> GAUAlpha:
    """A model whose scores are large enough for every rule to matter."""
    torch.manual_seed(seed)
    model = GAUAlpha(config).eval()
    with torch.no_grad():
        for name, value in model.named_parameters():
            value.normal_() if name.endswith("scale") else value.normal_(std=0.6)
    return model


TOKENS = torch.randint(0, 50, (3, 11), generator=torch.Generator().manual_seed(1))
MASK = torch.arange(11) < torch.tensor([[11], [7], [2]])


@torch.no_grad()
def test_the_forward_pass_is_the_published_one() -> None:
    model = awake()
    expected = written_out(published(model), TOKENS, MASK)
    assert expected.abs().max() > 3
    torch.testing.assert_close(model(TOKENS, MASK), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("variant", ["halves", "padded", "natural", "swapped"])
@torch.no_grad()
def test_what_is_nearly_the_published_one_is_told_apart(variant: str) -> None:
    """Halves as pairs, padding counted in n, log n without its base, gate and values exchanged."""
    model = awake()
    logits = model(TOKENS, MASK)
    wrong = written_out(published(model), TOKENS, MASK, **{variant: True})
    assert (logits - wrong).abs().max() > 0.05


@torch.no_grad()
def test_padding_changes_nothing() -> None:
    model = awake()
    alone = model(TOKENS[1:2, :7])
    padded = model(TOKENS[1:2], MASK[1:2])
    torch.testing.assert_close(padded[:, :7], alone, rtol=0, atol=1e-5)
    assert (padded[:, 7:] == 0).all()


@torch.no_grad()
def test_short_texts_count_as_longer_ones_only_if_asked_to() -> None:
    model = awake()
    clamped = awake(replace(SMALL, minimum_length=7))
    found, other = model(TOKENS, MASK), clamped(TOKENS, MASK)
    torch.testing.assert_close(found[:2], other[:2], rtol=0, atol=0)
    assert (found[2] - other[2]).abs().max() > 0.05


def test_the_published_size() -> None:
    with torch.device("meta"):
        model = GAUAlpha()
    shapes = {tuple(value.shape) for value in model.parameters()}
    assert sum(value.numel() for value in model.parameters()) == 96_517_632
    assert shapes == {(12000, 768), (2, 768), (3200, 768), (768, 1536), (2, 128)}
    assert model.head.weight is model.encoder.embedding.weight


def test_the_weights_begin_as_the_published_script_draws_them() -> None:
    torch.manual_seed(0)
    model = GAUAlpha(GAUAlphaConfig(vocabulary=3000, dim=64, key_dim=32, layers=8))
    fans = {"to_hidden": 64, "to_out": 128, "embedding": 64}
    for name, value in model.named_parameters():
        fan = next((fan for part, fan in fans.items() if part in name), None)
        if fan is None:
            assert (value == 1).all(), name
        elif value.numel() > 1000:
            sigma = 0.5 / fan**0.5  # 8 to the power of −1/3 is one half
            assert value.std().item() == pytest.approx(sigma, rel=0.02), name
            widest = value.abs().max().item() / sigma
            assert widest == pytest.approx(2 / 0.87962566, rel=2e-3), name
    torch.manual_seed(0)
    deeper = torch.nn.Linear(64, 512)
    initialise(deeper, layers=64)
    assert deeper.weight.std().item() == pytest.approx(0.25 / 8, rel=0.03)


def test_what_a_sentence_becomes() -> None:
    model = awake()
    with torch.no_grad():
        vectors = model.encoder(TOKENS, MASK)
        first = model.sentence_vectors(TOKENS, MASK)
        mean = model.sentence_vectors(TOKENS, MASK, pooling="mean")
        left = model.sentence_vectors(TOKENS.flip(1), MASK.flip(1))
    torch.testing.assert_close(first, vectors[:, 0])
    torch.testing.assert_close(mean[1], vectors[1, :7].mean(dim=0))
    torch.testing.assert_close(left[2], model.encoder(TOKENS.flip(1), MASK.flip(1))[2, 9].detach())


def test_gradients_reach_every_weight() -> None:
    model = GAUAlpha(SMALL)
    model.loss(TOKENS, TOKENS.flip(1), MASK, MASK).backward()
    for name, value in model.named_parameters():
        assert value.grad is not None, name
        assert value.grad.isfinite().all(), name
        assert value.grad.any(), name


@pytest.mark.usefixtures("_as_for_a_user")
@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"layers": 0}, "layers is 0; expected at least 1"),
        ({"minimum_length": 0}, "minimum_length is 0; expected at least 1"),
        ({"segments": -1}, "segments is -1; expected 0 or more"),
        ({"base": 1}, "base is 1; expected 2 or more"),
        ({"dropout": 1.0}, "dropout is 1.0; expected 0 <= dropout < 1"),
        ({"eps": 0.0}, "eps is 0.0; expected more than 0"),
    ],
)
def test_measures_that_make_no_model_are_refused(options: dict, complaint: str) -> None:
    with pytest.raises(DataError, match=complaint):
        replace(SMALL, **options)


@pytest.mark.usefixtures("_as_for_a_user")
def test_sentences_that_are_none_are_refused() -> None:
    model = awake()
    with pytest.raises(DataError, match="pooling is 'last'; expected 'first' or 'mean'"):
        model.sentence_vectors(TOKENS, pooling="last")  # pyright: ignore[reportArgumentType]
    for tokens, mask in ((TOKENS[:, :0], None), (TOKENS, MASK & (torch.arange(3) > 0)[:, None])):
        with pytest.raises(DataError, match="a text has no token"):
            model.sentence_vectors(tokens, mask)


def test_the_averages_of_clue() -> None:
    """Without WSC GAU-α is first, with it RoBERTa; every score of WSC is of 304 answers."""
    without = {name: round(mean, 2) for name, mean in clue_average(CLUE).items()}
    assert without == {"GAU-α": 73.09, "RoBERTa": 72.49, "RoFormer": 72.34,
                       "RoFormerV2*": 71.92, "BERT": 70.85}  # fmt: skip
    full = clue_average(CLUE, without=())
    assert [*full][:2] == ["RoBERTa", "GAU-α"]
    assert (round(full["RoBERTa"], 2), round(full["GAU-α"], 2)) == (73.85, 73.72)
    for scores in CLUE.values():
        answers = round(scores["wsc"] * 3.04)
        assert round(100 * answers / 304, 2) == scores["wsc"]


@pytest.mark.usefixtures("_as_for_a_user")
@pytest.mark.parametrize(
    ("table", "without", "complaint"),
    [
        ({}, (), "the table is empty"),
        ({"a": {"x": 1.0}, "b": {"y": 1.0}}, (), "b and a differ in x, y"),
        ({"a": {"x": 1.0}}, ("z",), "no task 'z'; there are: x"),
        ({"a": {"x": 1.0}}, ("x",), "no task is left"),
        ({"a": {"x": 1.0}}, "x", "without is the text 'x'; expected names"),
    ],
)
def test_tables_without_an_average_are_refused(table, without, complaint) -> None:
    with pytest.raises(DataError, match=complaint):
        clue_average(table, without=without)
