"""Events in sentences: find the arguments, link them, and let the cliques be the events.

``read_duee`` reads sentences, ``encode_targets`` says what a model should answer about one,
``decode_events`` turns its answer into events, ``evaluate`` compares them with what is true.
"""

from companion.events.cliques import WorkError, maximal_cliques, maximal_cliques_recursive
from companion.events.config import LinkerConfig
from companion.events.corpus import Corpus, generate_corpus, read_corpus
from companion.events.decoding import Decoded, DecodingCut, decode_events
from companion.events.documents import TRIGGER, Argument, Document, Event
from companion.events.hypergraph import (
    Links,
    Reach,
    is_conformal,
    is_recoverable,
    is_simple,
    out_of_reach,
    recovered,
)
from companion.events.linker import EventLinker, LinkerScores, LinkerTargets
from companion.events.losses import multilabel_cross_entropy, sparse_multilabel_cross_entropy
from companion.events.offsets import Offsets, character_offsets, word_offsets
from companion.events.prediction import Linker, Scored
from companion.events.pretrained import load_linker
from companion.events.published_loss import published_sparse_loss
from companion.events.reader import Documents, SkippedLines, read_duee
from companion.events.schema import EventType, Role, Schema
from companion.events.scorers import EfficientGlobalPointer, GlobalPointer
from companion.events.scores import CharacterScore, Scores, duee_score, evaluate
from companion.events.sentences import Sentences
from companion.events.submission import (
    Answer,
    answers,
    read_submission,
    write_duee,
    write_submission,
)
from companion.events.targets import DenseTargets, Positives, Targets, encode_targets
from companion.events.train import train_linker
from companion.events.vocabulary import Encoded, Vocabulary

__all__ = [
    "TRIGGER",
    "Answer",
    "Argument",
    "CharacterScore",
    "Corpus",
    "Decoded",
    "DecodingCut",
    "DenseTargets",
    "Document",
    "Documents",
    "EfficientGlobalPointer",
    "Encoded",
    "Event",
    "EventLinker",
    "EventType",
    "GlobalPointer",
    "Linker",
    "LinkerConfig",
    "LinkerScores",
    "LinkerTargets",
    "Links",
    "Offsets",
    "Positives",
    "Reach",
    "Role",
    "Schema",
    "Scored",
    "Scores",
    "Sentences",
    "SkippedLines",
    "Targets",
    "Vocabulary",
    "WorkError",
    "answers",
    "character_offsets",
    "decode_events",
    "duee_score",
    "encode_targets",
    "evaluate",
    "generate_corpus",
    "is_conformal",
    "is_recoverable",
    "is_simple",
    "load_linker",
    "maximal_cliques",
    "maximal_cliques_recursive",
    "multilabel_cross_entropy",
    "out_of_reach",
    "published_sparse_loss",
    "read_corpus",
    "read_duee",
    "read_submission",
    "recovered",
    "sparse_multilabel_cross_entropy",
    "train_linker",
    "word_offsets",
    "write_duee",
    "write_submission",
]
