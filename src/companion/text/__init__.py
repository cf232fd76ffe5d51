"""Small texts, tokens and windows for language models."""

from companion.text.corpora import read_text, small_text
from companion.text.tokenizer import (
    BytePairTokenizer,
    CharacterTokenizer,
    Tokenizer,
    load_tokenizer,
)
from companion.text.windows import Windows, hide_tokens, split_tokens
from companion.text.word_pieces import WordPieceTokenizer, load_vocab
from companion.text.words import WordWindows, encode_words, hide_words, read_words

__all__ = [
    "BytePairTokenizer",
    "CharacterTokenizer",
    "Tokenizer",
    "Windows",
    "WordPieceTokenizer",
    "WordWindows",
    "encode_words",
    "hide_tokens",
    "hide_words",
    "load_tokenizer",
    "load_vocab",
    "read_text",
    "read_words",
    "small_text",
    "split_tokens",
]
