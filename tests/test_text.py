"""Texts, tokens, windows, hidden tokens: what goes in comes out, and what is refused."""

import builtins
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import jaxtyping
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from companion.errors import DataError, ShapeError
from companion.text import (
    BytePairTokenizer,
    CharacterTokenizer,
    Windows,
    hide_tokens,
    load_tokenizer,
    read_text,
    small_text,
    split_tokens,
)
from companion.training import Draws

PINNED = "79d169ea3566aec9"  # of scikit-learn 1.9.1


@pytest.fixture
def _as_for_a_user() -> Iterator[None]:
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


def test_the_small_text_is_the_pinned_one() -> None:
    text = small_text()
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == PINNED
    assert 30_000 < len(text) < 32_000


def test_the_small_text_is_prose() -> None:
    text = small_text()
    assert "The famous Iris database, first used by Sir R.A. Fisher. The dataset is taken" in text
    for mark in ("::", ">>>", "``", ":func:", ":class:", ":ref:", ".. ", "====", "----", "`"):
        assert mark not in text, mark
    letters = sum(c.isalpha() or c in " \n,." for c in text)
    assert letters > 0.9 * len(text)
    assert "\n\n\n" not in text
    assert not [line for line in text.splitlines() if line != line.strip()]


def test_a_file_is_read_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("\ufeffGrüße,\r\n世界\rend\n".encode())
    assert read_text(path) == "Grüße,\n世界\nend\n"
    assert read_text(str(path)) == read_text(path)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "is empty; expected text"),
        (b" \n\t\n", "is empty; expected text"),
        (
            b"one\ntwo \xff three",
            r":2: byte 8 is 0xff \(invalid start byte\); expected text",
        ),
        ("naïve".encode("latin-1"), r":1: byte 2 is 0xef \(invalid continuation byte\)"),
        ("€".encode()[:2], r":1: byte 0 is 0xe2 \(unexpected end of data\)"),
        (None, "cannot be read: No such file"),
    ],
)
def test_what_is_no_text_is_told(content: bytes | None, complaint: str, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=f"a\\.txt.*{complaint}"):
        read_text(path)
    with pytest.raises(DataError, match="cannot be read: Is a directory"):
        read_text(tmp_path)


@settings(max_examples=50)
@given(st.text(min_size=1), st.text())
def test_characters_come_back(known: str, text: str) -> None:
    tokenizer = CharacterTokenizer.of(known)
    assert tokenizer.decode(tokenizer.encode(known)) == known
    assert max(tokenizer.encode(known)) == len(tokenizer) - 1
    shown = "".join(c if c in known else "\N{REPLACEMENT CHARACTER}" for c in text)
    assert tokenizer.decode(tokenizer.encode(text)) == shown
    again = load_tokenizer(tokenizer.to_json())
    assert isinstance(again, CharacterTokenizer)
    assert again.characters == tokenizer.characters


def test_byte_pairs_come_back_and_are_shorter(tmp_path: Path) -> None:
    text = small_text()
    tokenizer = BytePairTokenizer.of(text, vocabulary=400)
    assert len(tokenizer) == 400
    tokens = tokenizer.encode(text)
    assert tokenizer.decode(tokens) == text
    assert len(tokens) < 0.65 * len(text)
    assert min(tokens) >= 4
    for other in ("世界 ☃ naïve\t\r\n", "  two  spaces ", ""):
        assert tokenizer.decode(tokenizer.encode(other)) == other
    path = tmp_path / "tokenizer.json"
    path.write_text(tokenizer.to_json(), "utf-8")
    again = load_tokenizer(path)
    assert again.encode(text) == tokens
    assert again.to_json() == tokenizer.to_json()
    assert BytePairTokenizer.of(text, vocabulary=400).to_json() == tokenizer.to_json()


def test_special_tokens_have_the_same_numbers_and_are_not_written() -> None:
    for tokenizer in (CharacterTokenizer("ab"), BytePairTokenizer.of("ab", vocabulary=260)):
        numbers = tokenizer.padding, tokenizer.unknown, tokenizer.hidden, tokenizer.end
        assert numbers == (0, 1, 2, 3)
        a = tokenizer.encode("a")
        assert tokenizer.decode([*a, tokenizer.end, tokenizer.padding]) == "a"


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("{}", "the tokenizer is no tokenizer; expected characters, or one of `tokenizers`"),
        ("{", "the tokenizer is no JSON"),
        ('{"model": {"type": "none"}}', "the tokenizer is no tokenizer: "),
        ('{"format": "companion.text characters 1"}', "the vocabulary is empty"),
        ('{"format": "companion.text characters 1", "characters": "aba"}', "'a' stands twice"),
        ("none.json", r"none\.json cannot be read: No such file"),
    ],
)
def test_what_is_no_tokenizer_is_told(source: str, complaint: str) -> None:
    with pytest.raises(DataError, match=complaint):
        load_tokenizer(source)


def test_a_foreign_tokenizer_is_told() -> None:
    inner = BytePairTokenizer.of("ab", vocabulary=260).inner
    values = json.loads(inner.to_str())
    values["added_tokens"], values["model"]["vocab"] = [], {"a": 0}
    with pytest.raises(DataError, match=r"first tokens are \['a', None, None, None\]; expected"):
        load_tokenizer(json.dumps(values))


def test_wrong_tokens_and_vocabularies_are_told() -> None:
    with pytest.raises(DataError, match="6 is no token; expected 0 to 5"):
        CharacterTokenizer("ab").decode([4, 6])
    with pytest.raises(DataError, match="-1 is no token"):
        CharacterTokenizer("ab").decode([-1])
    with pytest.raises(DataError, match="260 is no token; expected 0 to 259"):
        BytePairTokenizer.of("ab", vocabulary=260).decode([260])
    with pytest.raises(DataError, match="the vocabulary is empty"):
        CharacterTokenizer.of("")
    with pytest.raises(DataError, match=r"characters\[1\] is 'bc'; expected one character"):
        CharacterTokenizer(["a", "bc"])
    with pytest.raises(DataError, match="vocabulary is 100; expected at least 260"):
        BytePairTokenizer.of("ab", vocabulary=100)


def test_without_the_package_for_byte_pairs_one_line_says_so(monkeypatch) -> None:
    real = builtins.__import__

    def without(name, *rest):
        if name == "tokenizers":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(DataError, match="byte pairs need the package tokenizers: run `make setup`"):
        BytePairTokenizer.of("ab")


@given(st.integers(2, 200), st.floats(0.01, 0.99))
def test_the_two_parts_are_the_text(count: int, held_out: float) -> None:
    train, validation = split_tokens(range(count), held_out=held_out)
    assert torch.cat([train, validation]).tolist() == [*range(count)]
    assert len(train) >= 1
    assert len(validation) >= 1
    assert abs(len(validation) - count * held_out) <= 1


@given(st.integers(1, 60), st.integers(1, 12), st.integers(1, 12) | st.none())
def test_windows_cover_the_text(count: int, length: int, stride: int | None) -> None:
    tokens = torch.arange(count)
    if count < length:
        with pytest.raises(DataError, match=f"the text has {count} tokens; expected {length}"):
            Windows(tokens, length, stride=stride)
        return
    windows = Windows(tokens, length, stride=stride)
    every = windows[torch.arange(len(windows))]
    assert every.shape == (len(windows), length)
    assert every[:, 0].tolist() == [*range(0, count - length + 1, stride or length)]
    assert (every.diff(dim=1) == 1).all()
    assert windows[torch.tensor([len(windows) - 1, 0])].tolist() == every[[-1, 0]].tolist()


def hidden(tokens, **options):
    return hide_tokens(tokens, Draws(len(tokens), step=1), vocabulary=50, **options)


def test_tokens_are_hidden_in_the_published_shares() -> None:
    tokens = torch.randint(4, 50, (200, 100))
    changed, chosen = hidden(tokens)
    assert (chosen.sum(dim=1) == 15).all()
    assert torch.equal(changed[~chosen], tokens[~chosen])
    marked = (changed[chosen] == 2).double().mean().item()
    same = (changed[chosen] == tokens[chosen]).double().mean().item()
    assert marked == pytest.approx(0.8, abs=0.02)
    assert same == pytest.approx(0.1 + 0.1 / 46, abs=0.015)
    others = changed[chosen & (changed != 2) & (changed != tokens)]
    assert set(others.tolist()) == {*range(4, 50)}
    assert chosen.double().mean(dim=0).sub(0.15).abs().max() < 0.1  # wherever they stand
    assert torch.equal(tokens, tokens.clone())


def test_padding_and_special_tokens_are_left_alone() -> None:
    tokens = torch.randint(4, 50, (60, 40))
    tokens[:, ::3] = 1
    mask = torch.arange(40).expand(60, 40) >= 13
    changed, chosen = hidden(tokens, mask=mask, share=0.5)
    assert not chosen[:, :13].any()
    assert not chosen[:, ::3].any()
    assert torch.equal(changed[~chosen], tokens[~chosen])
    assert (chosen.sum(dim=1) == round(0.5 * int((mask[0] & (tokens[0] >= 4)).sum()))).all()
    assert not hidden(torch.ones(2, 5, dtype=torch.int64))[1].any()
    assert (hidden(torch.full((9, 3), 9), share=0.01)[1].sum(dim=1) == 1).all()


def test_what_is_hidden_follows_from_the_step_and_not_from_who_hides() -> None:
    tokens = torch.randint(4, 50, (8, 40))
    whole = hide_tokens(tokens, Draws(8, step=3), vocabulary=50)
    parts = [
        hide_tokens(tokens[rows], Draws(8, rows=rows, step=3), vocabulary=50)
        for rows in (slice(0, 4), slice(4, 8))
    ]
    for name in (0, 1):
        assert torch.equal(whole[name], torch.cat([part[name] for part in parts]))
    assert not torch.equal(whole[1], hide_tokens(tokens, Draws(8, step=4), vocabulary=50)[1])


@pytest.mark.parametrize(
    ("call", "complaint"),
    [
        (lambda: split_tokens([4, 5], held_out=0), "held_out is 0; expected a number between"),
        (lambda: split_tokens([4, 5], held_out=1), "held_out is 1"),
        (lambda: split_tokens([4]), "a text of 1 tokens; expected 2 at least"),
        (lambda: Windows(torch.arange(9), 0), "length is 0, stride is 0; expected at least 1"),
        (lambda: Windows(torch.arange(9), 3, stride=-1), "stride is -1"),
        (lambda: hidden(torch.ones(2, 5).long(), share=0), "share is 0; expected more than 0"),
        (lambda: hidden(torch.ones(2, 5).long(), share=1.5), r"share is 1\.5"),
        (lambda: hidden(torch.ones(2, 5).long(), special=50), "vocabulary is 50, 50 special"),
    ],
)
def test_numbers_that_make_no_sense_are_told(call, complaint: str) -> None:
    with pytest.raises(DataError, match=complaint):
        call()


@pytest.mark.usefixtures("_as_for_a_user")
def test_a_wrong_mask_is_told() -> None:
    tokens, mask = torch.ones(2, 5).long(), torch.ones(2, 4, dtype=torch.bool)
    with pytest.raises(ShapeError, match=r"mask has shape \(2, 4\); expected \(2, 5\)"):
        hidden(tokens, mask=mask)
    with pytest.raises(DataError, match=r"mask is torch\.int64; expected torch\.bool"):
        hidden(tokens, mask=tokens)
