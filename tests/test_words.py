"""Word pieces and whole words: the published numbers, where words begin, what is hidden of them."""

from collections.abc import Iterator
from pathlib import Path

import jaxtyping
import pytest
import torch

from companion.errors import DataError, ShapeError
from companion.text import (
    WordPieceTokenizer,
    WordWindows,
    encode_words,
    hide_tokens,
    hide_words,
    load_vocab,
    read_words,
    small_text,
)
from companion.training import Draws

MARKS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
PUBLISHED = {
    0: "[PAD]", 100: "[UNK]", 101: "[CLS]", 102: "[SEP]", 103: "[MASK]", 179: "。", 317: "今",
    585: "公", 861: "去", 1253: "园", 1466: "天", 1506: "好", 2100: "很", 2351: "我", 4041: "玩",
    7675: "，",
}  # fmt: skip


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """A vocabulary with the published numbers of one sentence, the others unused."""
    lines = [PUBLISHED.get(number, f"[unused{number}]") for number in range(7676)]
    (tmp_path / "vocab.txt").write_text("\n".join(lines) + "\n", "utf-8")
    return tmp_path


def test_the_published_sentence_has_the_published_numbers(published: Path) -> None:
    found = load_vocab(published).encode("今天[MASK]很好，我[MASK]去公园玩。", framed=True)
    assert found == [101, 317, 1466, 103, 2100, 1506, 7675, 2351, 103, 861, 585, 1253, 4041, 179,
                     102]  # fmt: skip
    tokenizer = load_vocab(published / "vocab.txt")
    assert tokenizer.decode(found) == "[CLS]今天[MASK]很好，我[MASK]去公园玩。[SEP]"
    assert (tokenizer.padding, tokenizer.unknown, tokenizer.hidden) == (0, 100, 103)
    assert tokenizer.ordinary.nonzero().flatten().tolist() == sorted(
        {*PUBLISHED} - {0, *range(100, 104)}
    )


def test_words_are_cut_as_in_bert() -> None:
    tokenizer = WordPieceTokenizer([*MARKS, "un", "##able", "##a", "cafe", "天", ",", "able"])
    pieces = [tokenizer.token(number) for number in tokenizer.encode("UNABLE, Café天天 unab")]
    assert pieces == ["un", "##able", ",", "cafe", "天", "天", "[UNK]"]  # all of a word, or none
    exact = WordPieceTokenizer(tokenizer.pieces, lowercase=False)
    assert exact.encode("UNABLE") == [1]
    ids, spans, words = tokenizer.spans("un天 unable")
    assert [("un天 unable")[a:b] for a, b in spans] == ["un", "天", "un", "able"]
    assert (len(ids), words) == (4, [0, 1, 2, 2])


def test_a_vocabulary_of_a_text_holds_its_letters_and_frequent_words() -> None:
    text = small_text()
    tokenizer = WordPieceTokenizer.of(text, vocabulary=400)
    assert len(tokenizer) == 400
    assert tokenizer.pieces == WordPieceTokenizer.of(text, vocabulary=400).pieces
    assert tokenizer.unknown not in tokenizer.encode(text)
    assert {"the", "of", "##e"} < {*tokenizer.pieces}
    assert (
        tokenizer.decode(tokenizer.encode("The data set, (of) irises"))
        == "the data set,(of) irises"
    )
    assert len(WordPieceTokenizer.of("天 天 ab ab b", vocabulary=1)) == 5 + 3 + 1


def test_a_vocabulary_is_kept_in_lines(tmp_path: Path) -> None:
    tokenizer = WordPieceTokenizer([*MARKS, "天", "##a"])
    (tmp_path / "vocab.txt").write_text(tokenizer.to_lines(), "utf-8")
    assert load_vocab(tmp_path).pieces == tokenizer.pieces
    (tmp_path / "vocab.txt").write_bytes(tokenizer.to_lines().replace("\n", "\r\n").encode())
    assert load_vocab(tmp_path).pieces == tokenizer.pieces


def test_a_batch_is_padded() -> None:
    tokenizer = WordPieceTokenizer(["[CLS]", "[SEP]", "[MASK]", "[UNK]", "[PAD]", "a"])
    tokens, mask = tokenizer.batch(["a a a", "", "a"])
    assert tokens.tolist() == [[0, 5, 5, 5, 1], [0, 1, 4, 4, 4], [0, 5, 1, 4, 4]]
    assert torch.equal(mask, tokens != 4)


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        (["[PAD]", "[UNK]", "[CLS]", "[SEP]"], r"vocab\.txt: \[MASK\] is missing; expected"),
        ([*MARKS, "a", "b", "a"], r"vocab\.txt:8: 'a' stands in line 6 already"),
        ([*MARKS, "", "b"], r"vocab\.txt: pieces\[5\] is ''; expected a word"),
    ],
)
def test_vocabularies_that_are_none_are_refused(
    lines: list[str], complaint: str, tmp_path: Path
) -> None:
    (tmp_path / "vocab.txt").write_text("\n".join(lines))
    with pytest.raises(DataError, match=complaint):
        load_vocab(tmp_path)


def test_what_cannot_be_cut_or_read_is_refused(tmp_path: Path) -> None:
    tokenizer = WordPieceTokenizer([*MARKS, "a"])
    with pytest.raises(DataError, match="texts are 'a'; expected one text at least, in a list"):
        tokenizer.batch("a")
    with pytest.raises(DataError, match=r"texts are \[\]"):
        tokenizer.batch([])
    with pytest.raises(DataError, match="6 is no token; expected 0 to 5"):
        tokenizer.decode([6])
    with pytest.raises(DataError, match="'a' has the numbers 5 and 6"):
        WordPieceTokenizer([*MARKS, "a", "a"])
    with pytest.raises(DataError, match="the text holds no word"):
        WordPieceTokenizer.of(" \n")
    with pytest.raises(DataError, match="cannot be read: No such file"):
        load_vocab(tmp_path / "none.txt")
    (tmp_path / "vocab.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(DataError, match="cannot be read: it is not UTF-8"):
        load_vocab(tmp_path)


# ---------------------------------------------------------------------------------------
# whole words

CHINESE = WordPieceTokenizer([*MARKS, *"今天气很好公园，", "rain", "##y", "##ing", "[unused1]"])
ORDINARY = torch.arange(30) >= 4


def begun(text: str, words: list[str]) -> list[str]:
    """The words of a text, one string each, as ``encode_words`` marks their beginnings."""
    tokens, begins = encode_words(text, CHINESE, words=words)
    found: list[str] = []
    for token, begin in zip(tokens.tolist(), begins.tolist(), strict=True):
        piece = CHINESE.token(token).removeprefix("##")
        if begin:
            found.append(piece)
        else:
            found[-1] += piece
    return found


def test_words_begin_where_the_rule_says() -> None:
    text = "今天天气很好， rainy raining公园"
    assert begun(text, []) == [*"今天天气很好，", "rainy", "raining", "公", "园"]
    assert begun(text, ["今天", "天气", "公园"]) == [
        "今天", "天气", "很", "好", "，", "rainy", "raining", "公园",
    ]  # fmt: skip
    assert begun(text, ["今天天", "天气", "天", "今天"])[:2] == [
        "今天天",
        "气",
    ]  # the longest, from the left
    assert begun("好今天", ["天好"]) == ["好", "今", "天"]


def test_words_are_read_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("今天\n\n 公园 \n", "utf-8")
    assert read_words(tmp_path / "words.txt") == {"今天", "公园"}


def test_windows_are_framed_and_begin_with_a_word() -> None:
    tokens, begins = encode_words("rainy rainy rainy 天", CHINESE)
    windows = WordWindows(tokens, begins, 5, CHINESE, stride=1)
    rows, starts = windows[torch.tensor([0, 1, len(windows) - 1])]
    rain, y, day = (CHINESE.pieces.index(piece) for piece in ("rain", "##y", "天"))
    assert rows.tolist() == [[2, rain, y, rain, 3], [2, y, rain, y, 3], [2, rain, y, day, 3]]
    assert starts.long().tolist() == [[1, 1, 0, 1, 1], [1, 1, 1, 0, 1], [1, 1, 0, 1, 1]]
    assert torch.equal(begins, encode_words("rainy rainy rainy 天", CHINESE)[1])  # left as it was
    assert len(WordWindows(tokens, begins, 5, CHINESE)) == 2
    with pytest.raises(DataError, match="length is 2, stride is 1; expected a length of 3 or more"):
        WordWindows(tokens, begins, 2, CHINESE, stride=1)
    with pytest.raises(DataError, match="the text has 7 tokens; expected 8, a window"):
        WordWindows(tokens, begins, 10, CHINESE)


def lottery(words: int = 500, size: int = 4, **options) -> tuple[torch.Tensor, ...]:
    tokens = torch.full((4, words * size), 9)
    begins = (torch.arange(words * size) % size == 0).expand_as(tokens)
    changed, chosen = hide_words(tokens, begins, Draws(4), ordinary=ORDINARY, hidden=2, **options)
    return tuple(found.view(4, words, size) for found in (tokens, changed, chosen))


def test_whole_words_are_chosen_and_share_one_fate() -> None:
    tokens, changed, chosen = lottery()
    assert torch.equal(chosen.any(dim=2), chosen.all(dim=2))
    assert chosen.sum(dim=(1, 2)).tolist() == [300] * 4  # 15 % of 2000
    assert torch.equal(changed[~chosen], tokens[~chosen])
    words = changed[chosen.all(dim=2)]
    hidden, kept = (words == 2).all(dim=1), (words == 9).all(dim=1)
    other = ~hidden & ~kept
    assert torch.equal((words == 2).any(dim=1), hidden)
    shares = [part.float().mean().item() for part in (hidden, kept, other)]
    assert shares == pytest.approx([0.8, 0.1, 0.1], abs=0.05)  # of 300 words
    drawn = words[other]
    assert drawn.min() >= 4
    assert len(drawn.unique()) > 20


def test_words_of_one_token_are_hidden_as_tokens_are() -> None:
    tokens = torch.randint(0, 30, (6, 50))
    begins = torch.ones_like(tokens, dtype=torch.bool)
    found = hide_words(tokens, begins, Draws(6, step=3), ordinary=ORDINARY, hidden=2, share=0.3)
    expected = hide_tokens(tokens, Draws(6, step=3), vocabulary=30, share=0.3)
    for mine, theirs in zip(found, expected, strict=True):
        assert torch.equal(mine, theirs)


def test_marks_are_neither_chosen_nor_part_of_a_word() -> None:
    tokens = torch.tensor([[2, 9, 9, 3, 9, 9, 0]])
    begins = torch.zeros_like(tokens, dtype=torch.bool)
    seen = set()
    for step in range(20):
        _, chosen = hide_words(
            tokens, begins, Draws(1, step=step), ordinary=ORDINARY, hidden=2, share=0.3
        )
        seen.add(tuple(chosen[0].long().tolist()))
    assert seen == {(0, 1, 1, 0, 0, 0, 0), (0, 0, 0, 0, 1, 1, 0)}


def test_a_row_of_marks_has_nothing_chosen() -> None:
    tokens = torch.tensor([[2, 3, 0]])
    found = hide_words(tokens, tokens > 0, Draws(1), ordinary=ORDINARY, hidden=2)
    assert torch.equal(found[0], tokens)
    assert not found[1].any()


def test_parts_of_a_batch_are_hidden_as_the_whole_is() -> None:
    tokens, begins = torch.randint(4, 30, (6, 40)), torch.rand(6, 40) < 0.5
    whole = hide_words(tokens, begins, Draws(6), ordinary=ORDINARY, hidden=2)
    part = hide_words(tokens[2:5], begins[2:5], Draws(6, rows=slice(2, 5)), ordinary=ORDINARY,
                      hidden=2)  # fmt: skip
    assert all(torch.equal(a[2:5], b) for a, b in zip(whole, part, strict=True))


def test_words_that_cannot_be_hidden_are_refused() -> None:
    tokens = torch.full((2, 5), 9)
    begins = tokens > 0
    with pytest.raises(DataError, match="share is 0; expected more than 0"):
        hide_words(tokens, begins, Draws(2), ordinary=ORDINARY, hidden=2, share=0)
    with pytest.raises(DataError, match="of 30 tokens none is ordinary"):
        hide_words(tokens, begins, Draws(2), ordinary=ORDINARY & False, hidden=2)


@pytest.fixture
def _as_for_a_user() -> Iterator[None]:
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.mark.usefixtures("_as_for_a_user")
def test_beginnings_of_another_shape_are_refused() -> None:
    tokens = torch.full((2, 5), 9)
    with pytest.raises(ShapeError, match=r"begins has shape \(2, 4\); expected that of the tok"):
        hide_words(tokens, tokens[:, :4] > 0, Draws(2), ordinary=ORDINARY, hidden=2)
