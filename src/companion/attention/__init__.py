"""The Gated Attention Unit, mixed chunk attention, and the Transformer they are measured against.

Importing this package needs neither a GPU nor Triton.
"""

from companion.attention.architecture import Architecture
from companion.attention.backend import fastest
from companion.attention.clue import CLUE, clue_average
from companion.attention.config import LanguageConfig, TextConfig
from companion.attention.decoding import Decoder
from companion.attention.encoder import Block, Encoder, TokenEncoder
from companion.attention.gau import gau_attention
from companion.attention.gau_alpha import GAUAlpha, GAUAlphaConfig
from companion.attention.guesses import Guess, fill_mask
from companion.attention.language import Judgement, Language
from companion.attention.mixed_chunk import mixed_chunk_attention
from companion.attention.models import LanguageModel, MaskedLanguageModel, cross_entropy
from companion.attention.norm import ScaleNorm, make_norm
from companion.attention.normalizers import (
    Normalizer,
    relu2,
    self_normalized_relu2,
    softmax,
    softmax_plus,
)
from companion.attention.pretrained import export_language, held_out_tokens, load_language
from companion.attention.pretraining import Pretrained, pretrain
from companion.attention.pretraining_config import CorpusConfig, PretrainingConfig
from companion.attention.rotary import rotate
from companion.attention.sampling import draw
from companion.attention.train import train_language
from companion.attention.transformer import FeedForward, MultiHeadAttention, TransformerLayer
from companion.attention.unit import GatedAttentionUnit
from companion.text import WordPieceTokenizer, load_vocab

__all__ = [
    "CLUE",
    "Architecture",
    "Block",
    "CorpusConfig",
    "Decoder",
    "Encoder",
    "FeedForward",
    "GAUAlpha",
    "GAUAlphaConfig",
    "GatedAttentionUnit",
    "Guess",
    "Judgement",
    "Language",
    "LanguageConfig",
    "LanguageModel",
    "MaskedLanguageModel",
    "MultiHeadAttention",
    "Normalizer",
    "Pretrained",
    "PretrainingConfig",
    "ScaleNorm",
    "TextConfig",
    "TokenEncoder",
    "TransformerLayer",
    "WordPieceTokenizer",
    "clue_average",
    "cross_entropy",
    "draw",
    "export_language",
    "fastest",
    "fill_mask",
    "gau_attention",
    "held_out_tokens",
    "load_language",
    "load_vocab",
    "make_norm",
    "mixed_chunk_attention",
    "pretrain",
    "relu2",
    "rotate",
    "self_normalized_relu2",
    "softmax",
    "softmax_plus",
    "train_language",
]
