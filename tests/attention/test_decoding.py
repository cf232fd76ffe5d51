"""Reading piece by piece is reading at once; what is remembered; what is drawn."""

from itertools import pairwise
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from companion.attention import (
    Architecture,
    Decoder,
    Encoder,
    GatedAttentionUnit,
    LanguageModel,
    TokenEncoder,
    draw,
    self_normalized_relu2,
    softmax,
    softmax_plus,
)
from companion.errors import DataError, NumericsError, ShapeError

KINDS = ("transformer", "gau", "flash")
every_kind = pytest.mark.parametrize("kind", KINDS)
VOCABULARY = 30


def shaken(module: nn.Module) -> None:
    """Make scales, offsets and gains other than those of the start."""
    with torch.no_grad():
        for parameter in module.parameters():
            if parameter.ndim < 2 or parameter.shape[0] <= 4:
                parameter.add_(torch.randn_like(parameter) / 2)


def encoder(kind: Any, **options: Any) -> TokenEncoder:
    measures = Architecture(layers=kind, dim=16, depth=2, chunk=4, **options)
    made = measures.token_encoder(VOCABULARY, causal=True)
    shaken(made)
    return made


def model(kind: Any) -> LanguageModel:
    made = LanguageModel(encoder(kind), tied=False)
    nn.init.normal_(made.head.weight)
    return made


def in_pieces(made: TokenEncoder, tokens: Tensor, sizes: list[int]) -> Tensor:
    decoder = Decoder(made, batch=len(tokens))
    return torch.cat([decoder.read(piece) for piece in tokens.split(sizes, dim=1)], dim=1)


@every_kind
@pytest.mark.parametrize("placement", ["pre", "post"])
@pytest.mark.parametrize(
    "sizes", [[1] * 23, [23], [5, 1, 1, 4, 12], [0, 4, 4, 15]], ids=lambda sizes: str(len(sizes))
)
def test_pieces_are_the_whole(kind, placement, sizes: list[int]) -> None:
    made = encoder(kind, placement=placement).double()
    tokens = torch.randint(VOCABULARY, (2, 23))
    found, wanted = in_pieces(made, tokens, sizes), made(tokens)
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-12)


@every_kind
@pytest.mark.parametrize(
    ("dtype", "most"), [(torch.float32, 1e-5), (torch.bfloat16, 0.05), (torch.float16, 0.01)]
)
def test_pieces_are_the_whole_in_lower_precisions(kind, dtype: torch.dtype, most: float) -> None:
    made = encoder(kind).to(dtype)
    tokens = torch.randint(VOCABULARY, (2, 23))
    found, wanted = in_pieces(made, tokens, [1] * 23).float(), made(tokens).float()
    assert (found - wanted).norm() < most * wanted.norm()


@pytest.mark.parametrize("normalize", [softmax, softmax_plus, self_normalized_relu2])
def test_pieces_are_the_whole_for_every_normaliser(normalize) -> None:
    check_unit(GatedAttentionUnit(16, key_dim=8, causal=True, normalize=normalize))


@pytest.mark.parametrize("attention", ["quad", "mixed_chunk"])
def test_pieces_are_the_whole_without_rotary_positions(attention) -> None:
    check_unit(GatedAttentionUnit(16, key_dim=8, causal=True, attention=attention, rope=False))


def test_pieces_are_the_whole_with_a_fixed_length() -> None:
    check_unit(GatedAttentionUnit(16, key_dim=8, causal=True, length=50))


def check_unit(unit: GatedAttentionUnit) -> None:
    made = TokenEncoder(Encoder([unit], dim=16), vocabulary=VOCABULARY).double()
    shaken(made)
    tokens = torch.randint(VOCABULARY, (2, 11))
    found = in_pieces(made, tokens, [3, 1, 7])
    torch.testing.assert_close(found, made(tokens), rtol=0, atol=1e-12)


def test_what_is_remembered_grows_with_the_text_but_for_flash() -> None:
    numbers = {"transformer": 2 * 2 * 16, "gau": 4 * (8 + 32), "flash": 0}  # per token and text
    for kind, each in numbers.items():
        decoder, found = Decoder(encoder(kind), batch=3), []
        for _ in range(40):
            decoder.read(torch.randint(VOCABULARY, (3, 1)))
            found.append(decoder.remembered)
        steps = {after - before for before, after in pairwise(found)}
        assert steps == {3 * each}, kind
        assert decoder.position == 40
    constant = 4 * 3 * (8 * 32 + 4 * (2 * 8 + 32))  # KᵀV, and a chunk of four tokens
    assert Decoder(encoder("flash"), batch=3).remembered == constant


@every_kind
def test_reading_makes_no_use_of_dropout_and_keeps_no_gradient(kind) -> None:
    made = encoder(kind, dropout=0.5)
    tokens = torch.randint(VOCABULARY, (2, 9))
    found = in_pieces(made.train(), tokens, [9])
    assert not found.requires_grad
    torch.testing.assert_close(found, made.eval()(tokens), rtol=0, atol=1e-5)


@every_kind
def test_the_likeliest_text_is_that_of_the_parallel_pass(kind) -> None:
    made = model(kind).double()
    prompt = torch.randint(VOCABULARY, (2, 3))
    text = made.generate(prompt, count=14, temperature=0)
    assert text.shape == (2, 17)
    assert torch.equal(text[:, :3], prompt)
    assert torch.equal(made(text)[:, 2:-1].argmax(dim=-1), text[:, 3:])


@every_kind
def test_a_generator_repeats_a_text(kind) -> None:
    made, prompt = model(kind), torch.randint(VOCABULARY, (2, 3))

    def written(seed: int, **options: Any) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        return made.generate(prompt, count=12, generator=generator, **options)

    assert torch.equal(written(1), written(1))
    assert not torch.equal(written(1), written(2))
    assert torch.equal(written(1, top_k=1), written(2, temperature=0))
    assert torch.equal(written(1, top_k=VOCABULARY + 5), written(1))
    assert torch.equal(made.generate(prompt, count=0), prompt)


def test_the_end_finishes_a_row_and_all_ends_the_text() -> None:
    class Counting(Decoder):
        """Says that the next token is one more, for sure."""

        def read(self, tokens: Tensor) -> Tensor:
            return nn.functional.one_hot((tokens + 1) % VOCABULARY, VOCABULARY) * 1e9

    made = model("gau")
    made.head = nn.Identity()  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("companion.attention.models.Decoder", Counting)
        text = made.generate(torch.tensor([[5], [7]]), count=20, end=9, padding=0)
    assert text.tolist() == [[5, 6, 7, 8, 9], [7, 8, 9, 0, 0]]


def test_tokens_are_drawn_as_often_as_their_chance() -> None:
    logits = torch.tensor([0.0, 1.0, 2.0, -1.0]).expand(20_000, 4)
    generator = torch.Generator().manual_seed(0)
    for temperature in (0.5, 1.0, 2.0):
        found = draw(logits, temperature=temperature, generator=generator).bincount(minlength=4)
        wanted = (logits[0] / temperature).softmax(dim=0)
        torch.testing.assert_close(found / 20_000, wanted, rtol=0, atol=0.015)
    top = draw(logits, top_k=2, generator=generator).bincount(minlength=4) / 20_000
    wanted = torch.tensor([0, 1.0, 2.0, 0]).exp() * torch.tensor([0, 1, 1, 0])
    torch.testing.assert_close(top, wanted / wanted.sum(), rtol=0, atol=0.015)
    rest = draw(logits, without=[1, 2], generator=generator).bincount(minlength=4)
    assert rest[1] == rest[2] == 0


NUMBERS = st.floats(-(2.0**127), 2.0**127, width=32) | st.just(-torch.inf)


@given(
    row=st.lists(NUMBERS, min_size=1, max_size=6),
    temperature=st.floats(0, 1e308),
    top_k=st.none() | st.integers(1, 9),
)
def test_no_score_and_no_temperature_makes_a_nan(row, temperature, top_k) -> None:
    logits = torch.tensor([row])
    if logits.max() == -torch.inf:
        with pytest.raises(DataError, match="no token is left"):
            draw(logits, temperature=temperature, top_k=top_k)
        return
    token = draw(logits, temperature=temperature, top_k=top_k).item()
    assert 0 <= token < len(row)
    assert row[int(token)] > -torch.inf


@pytest.mark.usefixtures("_as_for_a_user")
@pytest.mark.parametrize(
    ("options", "kind", "complaint"),
    [
        ({"temperature": -1}, DataError, "temperature is -1; expected 0 or more"),
        ({"temperature": torch.inf}, DataError, "temperature is inf"),
        ({"temperature": torch.nan}, DataError, "temperature is nan"),
        ({"top_k": 0}, DataError, "top_k is 0; expected at least 1, or None"),
        ({"without": range(VOCABULARY)}, DataError, "no token is left to draw from"),
        ({"count": -1}, DataError, "count is -1; expected 0 or more"),
        ({"prompt": torch.zeros(1, 0, dtype=torch.int64)}, DataError, r"shape \(1, 0\); expected"),
        ({"prompt": torch.zeros(0, 1, dtype=torch.int64)}, DataError, r"shape \(0, 1\); expected"),
        ({"prompt": torch.zeros(1, dtype=torch.int64)}, ShapeError, r"have shape \(1,\)"),
        ({"prompt": torch.full((1, 1), 99)}, DataError, r"tokens\[0, 0\] is 99; expected 0 to 29"),
        ({"prompt": "The "}, DataError, "tokens are str"),
    ],
)
def test_what_makes_no_text_is_refused(options, kind, complaint: str) -> None:
    call = {"prompt": torch.zeros(1, 2, dtype=torch.int64), "count": 2, **options}
    with pytest.raises(kind, match=complaint):
        model("gau").generate(call.pop("prompt"), **call)


def test_a_model_that_says_nan_is_told() -> None:
    made = model("gau")
    nn.init.constant_(made.head.weight[3:4], torch.nan)
    with pytest.raises(NumericsError, match=r"logits\[0, 3\] is nan"):
        made.generate(torch.zeros(1, 2, dtype=torch.int64), count=1)
    with pytest.raises(NumericsError, match=r"logits\[0, 1\] is inf"):
        draw(torch.tensor([[0.0, torch.inf]]))


@pytest.mark.usefixtures("_as_for_a_user")
def test_what_cannot_be_read_in_pieces_is_refused() -> None:
    both = Architecture(dim=16).token_encoder(VOCABULARY)
    with pytest.raises(DataError, match="GatedAttentionUnit sees what comes after"):
        Decoder(both, batch=1)
    foreign = TokenEncoder(Encoder([nn.Linear(16, 16)], dim=16), vocabulary=VOCABULARY)
    with pytest.raises(DataError, match="Linear cannot be read in pieces"):
        Decoder(foreign, batch=1)
    with pytest.raises(DataError, match="batch is 0"):
        Decoder(encoder("gau"), batch=0)
    with pytest.raises(ShapeError, match="tokens have 2 rows; expected 3"):
        Decoder(encoder("gau"), batch=3).read(torch.zeros(2, 1, dtype=torch.int64))
