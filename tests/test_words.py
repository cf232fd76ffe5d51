"""Word pieces by the rules of BERT: the published numbers, marks, padding, and what is refused."""

from pathlib import Path

import pytest
import torch

from companion.errors import DataError
from companion.text import WordPieceTokenizer, load_vocab, small_text

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
