"""The corpora hold what they promise, and a folder is read as DuEE's would be."""

import json
import random
from collections import Counter
from dataclasses import replace

import pytest

from companion.errors import DataError
from companion.events import (
    TRIGGER,
    Corpus,
    character_offsets,
    encode_targets,
    generate_corpus,
    is_recoverable,
    out_of_reach,
    read_corpus,
    word_offsets,
)
from companion.events import corpus as corpora
from companion.events.chinese import CHINESE
from companion.events.english import ENGLISH
from companion.events.templates import Pattern, render

LANGUAGES = {"zh": CHINESE, "en": ENGLISH}
OFFSETS = {"zh": character_offsets, "en": word_offsets}


@pytest.fixture(scope="module", params=LANGUAGES)
def made(request, tmp_path_factory) -> tuple[str, Corpus]:
    language = request.param
    folder = tmp_path_factory.mktemp(language)
    return language, generate_corpus(
        folder, language=language, train=400, dev=60, held_out=60, beyond=0.1
    )


def labelled(corpus: Corpus) -> list:
    return [*corpus.train, *corpus.dev, *corpus.held_out]


def test_counts_and_schema(made):
    language, corpus = made
    assert [len(part) for part in (corpus.train, corpus.dev, corpus.held_out)] == [400, 60, 60]
    assert len(corpus.test) == 60
    assert not any(one.labelled or one.events for one in corpus.test)
    assert len(corpus.schema.types) == 7
    used = Counter(
        (event.type, one.role)
        for d in corpus.train
        for event in d.events
        for one in event.arguments
    )
    assert used.keys() == {*corpus.schema.labels}, "every label occurs"
    assert {one.text[-1] for one in corpus.train} == {LANGUAGES[language].stop}
    assert all(one.text[0] == one.text[0].upper() for one in corpus.train)


def test_no_sentence_stands_in_two_files_and_no_id_twice(made):
    _, corpus = made
    everything = [*labelled(corpus), *corpus.test]
    assert len({one.text for one in everything}) == len({one.id for one in everything}) == 580


def test_all_that_was_asked_for_is_there(made):
    _, corpus = made
    seen = Counter()
    for one in corpus.train:
        events = one.events
        seen[f"{len(events)} events"] += 1
        types = [event.type for event in events]
        seen["several of one type"] += len({*types}) < len(types)
        triggers = [event.trigger for event in events]
        seen["one trigger"] += len({*triggers}) < len(triggers)
        others = [event.arguments - {event.trigger} for event in events]
        seen["common arguments"] += len(frozenset().union(*others)) < sum(map(len, others))
        places = {(a.start, a.end) for event in events for a in event.arguments}
        seen["nested"] += any(
            a != b and a[0] <= b[0] and b[1] <= a[1] for a in places for b in places
        )
    assert min(seen.values()) > 20, seen
    assert set(seen) >= {"1 events", "2 events", "3 events"}
    assert seen["several of one type"] > 100


def test_every_argument_falls_on_tokens(made):
    language, corpus = made
    for one in labelled(corpus):
        offsets = OFFSETS[language](one.text)
        assert encode_targets(one, corpus.schema, offsets).unreachable == ()
        assert all(event.trigger is not None for event in one.events)


def test_no_word_fills_two_slots_of_a_sentence(made):
    """Who reads the words alone can tell who is who."""
    _, corpus = made
    for one in labelled(corpus):
        words = {
            (argument.start, argument.end): argument.text
            for event in one.events
            for argument in event.arguments
            if argument.role != TRIGGER
        }
        assert len({*words.values()}) == len(words), one.text


def test_sentences_beyond_reach_are_those_that_were_asked_for(made):
    _, corpus = made
    assert 20 < out_of_reach(corpus.train).documents_lost < 60  # a tenth of 400
    assert out_of_reach(corpus.held_out).documents_lost == 0


@pytest.mark.parametrize("language", LANGUAGES)
def test_patterns_are_recoverable_but_for_those_set_apart(language):
    chosen = LANGUAGES[language]
    generator = random.Random(0)
    for pattern in chosen.patterns:
        text, events = render([pattern], chosen, generator)
        assert "{" not in text
        assert "}" not in text
        assert is_recoverable(events), pattern.text
    assert len(chosen.beyond) > 1
    for pattern in chosen.beyond:
        assert not is_recoverable(render([pattern], chosen, generator)[1]), pattern.text


@pytest.mark.parametrize("language", LANGUAGES)
def test_patterns_held_out_are_new_and_of_known_types_and_triggers(language):
    patterns = LANGUAGES[language].patterns
    learned = {one.text for one in patterns if not one.held_out}
    held_out = [one for one in patterns if one.held_out]
    assert len(held_out) >= 10
    assert not learned & {one.text for one in held_out}
    types = {one.types[0] for one in held_out if len(one.types) == 1}
    assert types == {*LANGUAGES[language].roles}


def test_same_seed_same_files_other_seed_other_sentences(tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        generate_corpus(tmp_path / name, seed=seed, train=20, dev=5, held_out=5)
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert names == [
        "duee_dev.json", "duee_event_schema.json", "duee_held_out.json", "duee_test1.json",
        "duee_train.json",
    ]  # fmt: skip
    read = {
        folder: {name: (tmp_path / folder / name).read_bytes() for name in names}
        for folder in "abc"
    }
    assert read["a"] == read["b"]
    assert read["a"]["duee_train.json"] != read["c"]["duee_train.json"]
    line = json.loads(read["a"]["duee_train.json"].splitlines()[0])
    assert line.keys() == {"text", "id", "event_list"}
    assert {"event_type", "trigger", "trigger_start_index", "arguments"} <= {*line["event_list"][0]}


def test_folder_of_duee_has_neither_held_out_sentences_nor_must_it_have_a_test(tmp_path):
    generate_corpus(tmp_path, train=10, dev=5, held_out=5)
    (tmp_path / "duee_held_out.json").unlink()
    (tmp_path / "duee_test1.json").rename(tmp_path / "duee_test2.json")
    corpus = read_corpus(tmp_path, triggers=False)
    assert corpus.held_out == []
    assert len(corpus.test) == 5
    assert all(role != TRIGGER for _, role in corpus.schema.labels)
    (tmp_path / "duee_test2.json").unlink()
    (tmp_path / "duee_event_schema.json").rename(tmp_path / "other.json")
    assert read_corpus(tmp_path, schema=tmp_path / "other.json").test == []
    with pytest.raises(DataError, match=r"duee_event_schema.json cannot be read"):
        read_corpus(tmp_path)


def test_patterns_held_out_are_in_no_other_file(monkeypatch, tmp_path):
    types = [("灾害-地震",), ("灾害-地震", "灾害-地震")]
    texts = ["{1 地点}{1 触发词:地震}", "{1 地点}、{2 地点}{12 触发词:地震}"]
    learned = [Pattern(*pair) for pair in zip(types, texts, strict=True)]
    held_out = [Pattern(one.types, one.text + "了", held_out=True) for one in learned]
    few = replace(CHINESE, patterns=[*learned, *held_out], beyond=[])
    monkeypatch.setitem(corpora.LANGUAGES, "zh", few)
    corpus = generate_corpus(tmp_path, train=30, dev=10, held_out=30, beyond=0)
    assert all("了" in one.text for one in corpus.held_out)
    assert not any("了" in one.text for one in (*corpus.train, *corpus.dev, *corpus.test))


@pytest.mark.usefixtures("_as_for_a_user")
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"language": "de"}, r"language is 'de'; expected one of \['en', 'zh'\]"),
        ({"dev": 0}, "train is 2000, dev 0"),
        ({"beyond": 1.5}, "beyond 1.5; expected .* a share from 0 to 1"),
    ],
)
def test_corpus_that_cannot_be_made(options, message, tmp_path):
    with pytest.raises(DataError, match=message):
        generate_corpus(tmp_path / "none", **options)
    assert not (tmp_path / "none").exists()


def test_more_sentences_than_there_are(monkeypatch, tmp_path):
    one = Pattern(("灾害-地震",), "{1 触发词:地震}")
    few = replace(CHINESE, patterns=[one, replace(one, held_out=True)] * 2, beyond=[])
    monkeypatch.setitem(corpora.LANGUAGES, "zh", few)
    monkeypatch.setattr(corpora, "_chosen", lambda patterns, generator: [patterns[0]])
    with pytest.raises(DataError, match="2 sentences asked for, 1 are there; expected fewer"):
        generate_corpus(tmp_path, train=2, dev=1, held_out=1, beyond=0)
