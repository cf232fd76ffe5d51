"""How output layers are called: which tensor of a model turns its last state into scores."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["BIASES", "EMBEDDINGS", "OUTPUTS", "biases_of", "matching"]

# A name counts when it is one of these, or ends in one after a dot.
OUTPUTS = (
    "lm_head.weight",  # Llama, Mistral, Qwen, Gemma, T5, BART, XLM-R ...
    "lm_head.decoder.weight",  # RoBERTa
    "lm_head.linear.weight",  # Phi
    "cls.predictions.decoder.weight",  # BERT
    "predictions.decoder.weight",  # ALBERT
    "generator_lm_head.weight",  # ELECTRA
    "vocab_projector.weight",  # DistilBERT
    "pred_layer.proj.weight",  # XLM
    "embed_out.weight",  # GPT-NeoX, Pythia
    "output_projection.weight",  # fairseq
    "output_layer.weight",  # ChatGLM
    "output.weight",  # Llama as Meta writes it
    "head.weight",  # RWKV, the language models of companion.attention
)
EMBEDDINGS = (
    "embed_tokens.weight",  # Llama, BART, Marian, T5
    "wte.weight",  # GPT-2, GPT-J
    "shared.weight",  # T5, BART, Marian
    "word_embeddings.weight",  # BERT, BLOOM, Falcon
    "tok_embeddings.weight",  # Llama as Meta writes it, ModernBERT
    "embed_in.weight",  # GPT-NeoX
    "encoder.embedding.weight",  # companion.attention
    "Wemb",  # Marian's own files
    "decoder_Wemb",
)
BIASES = (
    "lm_head.bias",
    "lm_head.decoder.bias",
    "lm_head.linear.bias",
    "cls.predictions.bias",
    "cls.predictions.decoder.bias",
    "predictions.bias",
    "predictions.decoder.bias",
    "generator_lm_head.bias",
    "vocab_projector.bias",
    "pred_layer.proj.bias",
    "final_logits_bias",
    "head.bias",
    "decoder_ff_logit_out_b",
)


def matching(names: Iterable[str], endings: Iterable[str]) -> list[str]:
    """Return the names that are, or end after a dot in, one of the endings.

    >>> matching(["model.lm_head.weight", "xlm_head.weight", "lm_head.bias"], OUTPUTS)
    ['model.lm_head.weight']
    """
    chosen = tuple(endings)
    dotted = tuple("." + ending for ending in chosen)
    return [name for name in names if name in chosen or name.endswith(dotted)]


def biases_of(weight: str, names: Iterable[str]) -> list[str]:
    """Return the biases that belong to a weight: its own if there is one, else the usual names.

    A weight that is neither an output layer nor an embedding by name has its own bias or none.

    >>> biases_of("bert.embeddings.word_embeddings.weight", ["cls.predictions.bias", "x.bias"])
    ['cls.predictions.bias']
    >>> biases_of("classifier.weight", ["classifier.bias", "lm_head.bias"])
    ['classifier.bias']
    """
    names = list(names)
    own = weight.removesuffix("weight") + "bias"
    if weight.endswith("weight") and own in names:
        return [own]
    if matching([weight], (*OUTPUTS, *EMBEDDINGS)):
        return matching(names, BIASES)
    return []
