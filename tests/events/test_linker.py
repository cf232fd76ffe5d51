"""The model: three scorers on one encoder, targets and padding, and what goes through decoding."""

import pytest
import torch
from torch import Tensor, nn

from companion.attention import Architecture
from companion.errors import DataError, ShapeError
from companion.events import (
    Argument,
    Document,
    Event,
    EventLinker,
    EventType,
    LinkerTargets,
    Role,
    Schema,
    decode_events,
    multilabel_cross_entropy,
)
from companion.events.linker import SCORERS, linker_loss, pair_indices
from companion.events.scorers import MASKED
from companion.events.sentences import Sentences, batch_tokens, short_enough
from companion.events.vocabulary import Vocabulary

SCHEMA = Schema(
    (EventType("beat", (Role("winner"), Role("loser"))), EventType("hire", (Role("firm"),))),
    triggers=False,
)


def beat(text: str, winner: str, loser: str) -> Event:
    spans = (
        (role, text.index(name), name) for role, name in (("winner", winner), ("loser", loser))
    )
    return Event("beat", frozenset(Argument(role, at, at + len(n), n) for role, at, n in spans))


LONG = "Li beat Al, then Bo beat Ed"
DOCUMENTS = [
    Document("1", LONG, (beat(LONG, "Li", "Al"), beat(LONG, "Bo", "Ed"))),
    Document("2", "Al beat Bo", (beat("Al beat Bo", "Al", "Bo"),)),
    Document("3", "rain", ()),
]


def linker(scorer: str = "efficient", **options) -> EventLinker:
    torch.manual_seed(0)
    encoder = Architecture(layers="gau", dim=16, depth=1).token_encoder(40)
    model = EventLinker(encoder, SCHEMA, key_dim=8, scorer=scorer, **options)  # pyright: ignore
    return model.double().eval()


def sentences(kind: str = "character") -> Sentences:
    texts = [document.text for document in DOCUMENTS]
    vocabulary = Vocabulary.of(texts, kind=kind, least=1)  # pyright: ignore
    return Sentences(DOCUMENTS, SCHEMA, vocabulary, longest=64)


@pytest.mark.parametrize("scorer", SCORERS)
def test_padding_changes_nothing(scorer: str) -> None:
    model, data = linker(scorer), sentences()
    batch = data[torch.arange(3)]
    scores = model(batch["tokens"], batch["mask"])
    for row, one in enumerate(data.encoded):
        n = len(one.tokens)
        alone = model(torch.tensor([one.tokens]))
        for part, own in zip(scores, alone, strict=True):
            torch.testing.assert_close(part[row, :, :n, :n], own[0])
            outside = torch.ones(part.shape[-2:], dtype=torch.bool)
            outside[:n, :n] = False
            assert (part[row][:, outside] == MASKED).all()


def test_the_loss_is_the_mean_over_rows_and_not_touched_by_padding() -> None:
    model, data = linker(), sentences()

    def loss(rows: list[int]) -> Tensor:
        batch = data[torch.tensor(rows)]
        targets = LinkerTargets(*(batch[name] for name in LinkerTargets._fields))
        return model.loss(batch["tokens"], targets, batch["mask"])

    each = torch.stack([loss([row]) for row in range(3)])
    torch.testing.assert_close(loss([0, 1, 2]), each.mean())
    torch.testing.assert_close(loss([2, 2, 0]), (2 * each[2] + each[0]) / 3)


def test_the_loss_is_the_dense_one_summed_over_labels() -> None:
    model, data = linker(), sentences()
    batch = data[torch.tensor([0])]
    scores = model(batch["tokens"])
    targets = LinkerTargets(*(batch[name] for name in LinkerTargets._fields))
    total = torch.zeros((), dtype=torch.float64)
    for part, pairs in zip(scores, targets, strict=True):
        dense = torch.zeros(part.shape, dtype=torch.bool)
        for label, some in enumerate(pairs[0].tolist()):
            for i, j in some:
                if i >= 0:
                    dense[0, label, i, j] = True
        total = total + multilabel_cross_entropy(part.flatten(2), dense.flatten(2)).sum()
    torch.testing.assert_close(linker_loss(scores, targets), total / 3)


def test_scores_that_fit_the_targets_are_decoded_as_the_events() -> None:
    for row, document in enumerate(DOCUMENTS):
        data = sentences("word")
        batch, n = data[torch.tensor([row])], len(data.encoded[row].tokens)
        scores = []
        for name, labels in (("spans", 3), ("heads", 1), ("tails", 1)):
            flat = torch.full((1, labels, n * n + 1), -1.0)
            indices = pair_indices(batch[name], n)
            flat.scatter_(2, indices.where(indices >= 0, torch.tensor(n * n)), 1.0)
            scores.append(flat[0, :, :-1].reshape(labels, n, n))
        spans, heads, tails = scores
        offsets = data.encoded[row].offsets
        found = decode_events(spans, heads, tails, SCHEMA, document.text, offsets)
        assert set(found) == set(document.events)


def test_one_step_goes_down_and_every_parameter_learns() -> None:
    model, data = linker().train(), sentences()
    batch = data[torch.arange(3)]
    targets = LinkerTargets(*(batch[name] for name in LinkerTargets._fields))
    loss = model.loss(batch["tokens"], targets, batch["mask"])
    loss.backward()
    silent = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert silent == []
    torch.optim.SGD(model.parameters(), lr=1e-3).step()
    assert model.loss(batch["tokens"], targets, batch["mask"]) < loss


def test_any_encoder_will_do() -> None:
    class Bag(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Embedding(40, 6)

        def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
            return self.table(tokens)

    assert EventLinker(Bag(), SCHEMA, hidden=6)(torch.ones(1, 4).long()).spans.shape == (1, 3, 4, 4)
    with pytest.raises(DataError, match="the encoder has no dim; expected hidden, the width"):
        EventLinker(Bag(), SCHEMA)


@pytest.mark.usefixtures("_as_for_a_user")
def test_another_scorer_is_told() -> None:
    with pytest.raises(DataError, match="scorer is 'large'; expected one of efficient, plain"):
        linker("large")


@pytest.mark.usefixtures("_as_for_a_user")
def test_pairs_that_are_none_are_told() -> None:
    pairs = torch.tensor([[[[0, 1], [2, 5]]]])
    with pytest.raises(DataError, match=r"pairs\[0, 0, 1\] is \[2, 5\]; expected tokens 0 to 4"):
        pair_indices(pairs, 5)
    with pytest.raises(DataError, match=r"pairs\[0, 0, 0\] is \[-1, 0\]"):
        pair_indices(torch.tensor([[[[-1, 0]]]]), 5)
    with pytest.raises(ShapeError, match=r"pairs have shape \(1, 1, 2, 3\); expected the last"):
        pair_indices(torch.zeros(1, 1, 2, 3).long(), 5)


def test_words_of_a_known_shape_are_known_and_the_rest_is_unknown() -> None:
    texts = ["Li met Bo in 1999", "Li met Al in 2003", "Li met Al in Rome"]
    words = Vocabulary.of(texts, kind="word")
    encoded = words.encode("Li met Xu in 1887").tokens
    seen = words.encode("Li met Bo in 1999").tokens
    assert encoded == seen
    assert words.unknown not in encoded
    assert len({encoded[2], encoded[4], words.encode("Al").tokens[0]}) == 3  # Xx, 0, Al itself
    assert words.encode("Li met Al in Rome").tokens != seen
    assert words.encode("LI mEt — !").tokens == [words.unknown] * 4
    characters = Vocabulary.of(texts, kind="character")
    assert characters.encode("in Q").tokens[-1] == characters.unknown
    assert characters.encode("in Q").offsets[-1] == (3, 4)


@pytest.mark.parametrize("kind", ["character", "word"])
def test_a_vocabulary_survives_its_file(kind: str) -> None:
    vocabulary = Vocabulary.of(["ein Bär", "ein\u2028Satz"], kind=kind)  # pyright: ignore
    assert Vocabulary.from_json(vocabulary.to_json()) == vocabulary
    assert len(vocabulary) == 2 + len(vocabulary.pieces)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{", r"the vocabulary is no JSON: "),
        ("[]", "is no vocabulary of this version"),
        ('{"format": "companion.events vocabulary 1", "kind": "word"}', "has no list of pieces"),
        (
            '{"format": "companion.events vocabulary 1", "kind": "word", "pieces": []}',
            "the vocabulary is empty",
        ),
        (
            '{"format": "companion.events vocabulary 1", "kind": "byte", "pieces": ["a"]}',
            "kind is 'byte'; expected 'character' or 'word'",
        ),
        (
            '{"format": "companion.events vocabulary 1", "kind": "word", "pieces": ["a", "a"]}',
            "'a' stands twice",
        ),
    ],
    ids=["json", "format", "pieces", "empty", "kind", "twice"],
)
@pytest.mark.usefixtures("_as_for_a_user")
def test_a_file_that_is_no_vocabulary_is_told(text: str, complaint: str) -> None:
    with pytest.raises(DataError, match=complaint):
        Vocabulary.from_json(text)


def test_sentences_that_cannot_be_learned_from_are_told() -> None:
    vocabulary = Vocabulary.of([LONG], kind="word", least=1)
    long = Document("1", LONG, source="train.json:7")
    with pytest.raises(DataError, match=r"train.json:7: text has 8 tokens; expected 1 to 7 \(leng"):
        Sentences([long], SCHEMA, vocabulary, longest=7)
    with pytest.raises(DataError, match=r"document '9': event_list is missing"):
        Sentences([Document("9", "rain", labelled=False)], SCHEMA, vocabulary, longest=7)
    with pytest.raises(DataError, match="there are no sentences"):
        Sentences([], SCHEMA, vocabulary, longest=7)
    with pytest.raises(DataError, match=r"document '2': text has 0 tokens"):
        short_enough([Document("2", " ")], vocabulary, longest=7)
    with pytest.warns(UserWarning, match="1 of 2 texts skipped; the first: train.json:7: text has"):
        kept, skipped = short_enough([long, DOCUMENTS[2]], vocabulary, longest=7, on_error="skip")
    assert kept == [DOCUMENTS[2]]
    assert len(skipped) == 1


def test_arguments_between_the_borders_of_words_are_listed() -> None:
    within = Event("hire", frozenset({Argument("firm", 1, 3, "ai")}))
    document = Document("1", "rain", (within,))
    vocabulary = Vocabulary.of(["rain"], kind="word", least=1)
    data = Sentences([document], SCHEMA, vocabulary, longest=7)
    assert data.unreachable == [(document, Argument("firm", 1, 3, "ai"))]
    assert batch_tokens([[3], [4, 5]])[1].tolist() == [[True, False], [True, True]]
