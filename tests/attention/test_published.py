"""Folders as published: three programs' names, three formats; what is missing or too many is named.

The real weights are no part of the book. ``pytest --gau-alpha FOLDER`` runs the checks of the
model's authors on a downloaded folder.
"""

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from attention.test_gau_alpha import MASK, SMALL, TOKENS, awake, published, written_out
from torch import Tensor

from companion.attention import GAUAlpha, fill_mask, load_vocab
from companion.errors import CheckpointError, DataError

CONFIG = {
    "model_type": "gau_alpha", "vocab_size": 50, "hidden_size": 12, "embedding_size": 12,
    "intermediate_size": 24, "attention_key_size": 8, "num_hidden_layers": 3, "type_vocab_size": 2,
    "hidden_act": "swish", "use_bias": False, "normalization": "softmax_plus",
    "attention_scale": True, "hidden_dropout_prob": 0.1, "layer_norm_eps": 1e-12,
    "max_position_embeddings": 512, "pad_token_id": 0,
}  # fmt: skip
BERT4TORCH = {
    "hidden_act": "swish", "hidden_size": 12, "hidden_dropout_prob": 0.1,
    "attention_probs_dropout_prob": 0.1, "num_attention_heads": 1, "attention_key_size": 8,
    "intermediate_size": 24, "num_hidden_layers": 3, "type_vocab_size": 2, "vocab_size": 50,
}  # fmt: skip

Weights = dict[str, Tensor]


def port(model: GAUAlpha) -> Weights:
    """The names of the PyTorch port, the tied head included."""
    found = published(model)
    head = found["gau_alpha.embeddings.word_embeddings.weight"].clone()
    return found | {"cls.predictions.decoder.weight": head}


def bert4torch(model: GAUAlpha) -> Weights:
    """The names of bert4torch, in which the two scalings are one tensor."""
    theirs, found = published(model), {}
    for name, value in theirs.items():
        if "scaleoffset" in name:
            continue
        short = name.removeprefix("gau_alpha.").replace("encoder.layer.", "encoderLayer.")
        found[short.replace("token_type", "segment")] = value
    for i in range(3):
        at = f"gau_alpha.encoder.layer.{i}.gau."
        pair = [theirs[f"{at}{n}_scaleoffset.weight"] for n in "qk"]
        found[f"encoderLayer.{i}.gau.offsetscale.gamma"] = torch.stack(pair)
    return found | {"mlmDecoder.weight": found["embeddings.word_embeddings.weight"].clone()}


def bert4keras(model: GAUAlpha) -> Weights:
    """The names of the TensorFlow checkpoint, its kernels transposed and no head."""
    found = {}
    for name, value in published(model).items():
        short = name.removeprefix("gau_alpha.").removesuffix(".weight").replace(".", "/")
        short = short.replace("encoder/layer/", "GAU_alpha/encoder/layer_")
        if "dense" in short:
            found[short + "/kernel"] = value.T.contiguous()
        elif "scaleoffset" in short:
            found[short + "/gamma"] = value
        else:
            found[f"bert/{short}"] = value
    return found


def write(folder: Path, weights: Weights, *, file: str, config: dict | str = CONFIG) -> Path:
    folder.mkdir(exist_ok=True)
    name = "bert_config.json" if file.endswith("npz") else "config.json"
    (folder / name).write_text(config if isinstance(config, str) else json.dumps(config))
    if file.endswith("safetensors"):
        safetensors.torch.save_file({n: v.contiguous() for n, v in weights.items()}, folder / file)
    elif file.endswith("npz"):
        np.savez(folder / file, allow_pickle=False, **{n: v.numpy() for n, v in weights.items()})
    else:
        torch.save(weights, folder / file)
    return folder


@pytest.mark.parametrize(
    ("names", "file", "config"),
    [
        (port, "pytorch_model.bin", CONFIG),
        (port, "model.safetensors", CONFIG),
        (bert4torch, "pytorch_model.bin", BERT4TORCH),
        (bert4keras, "model.npz", BERT4TORCH),
    ],
    ids=["port-bin", "port-safetensors", "bert4torch", "bert4keras"],
)
@torch.no_grad()
def test_a_published_folder_gives_the_model(
    names: Callable[[GAUAlpha], Weights], file: str, config: dict, tmp_path: Path
) -> None:
    source = awake()
    model = GAUAlpha.from_pretrained(write(tmp_path, names(source), file=file, config=config))
    assert not model.training
    assert model.config == SMALL
    assert model.head.weight is model.encoder.embedding.weight
    expected = written_out(published(source), TOKENS, MASK)
    torch.testing.assert_close(model(TOKENS, MASK), expected, rtol=0, atol=1e-5)


def test_the_names_are_those_that_were_published() -> None:
    """As listed by the three programs: nothing of ours stands in them."""
    model = awake()
    layer = "gau_alpha.encoder.layer.2.gau."
    assert {layer + end for end in ("i_dense.weight", "o_dense.weight", "q_scaleoffset.weight",
                                    "k_scaleoffset.weight")} <= {*port(model)}  # fmt: skip
    assert len(port(model)) == 3 + 4 * 3
    assert [*bert4torch(model)][:2] == [
        "embeddings.word_embeddings.weight",
        "embeddings.segment_embeddings.weight",
    ]
    assert len(bert4torch(model)) == 3 + 3 * 3
    keras = bert4keras(model)
    assert {"bert/embeddings/word_embeddings", "bert/embeddings/token_type_embeddings"} < {*keras}
    assert keras["GAU_alpha/encoder/layer_0/gau/i_dense/kernel"].shape == (12, 2 * 24 + 8)
    assert keras["GAU_alpha/encoder/layer_0/gau/k_scaleoffset/gamma"].shape == (8,)


def test_a_head_may_be_missing_and_weights_may_be_halves(tmp_path: Path) -> None:
    weights = port(awake())
    del weights["cls.predictions.decoder.weight"]
    halves = {name: value.half() for name, value in weights.items()}
    model = GAUAlpha.from_pretrained(write(tmp_path, halves, file="model.safetensors"))
    assert {value.dtype for value in model.parameters()} == {torch.float32}


def test_the_limit_of_short_texts_is_the_readers(tmp_path: Path) -> None:
    folder = write(tmp_path, port(awake()), file="model.safetensors")
    assert GAUAlpha.from_pretrained(folder, minimum_length=16).config.minimum_length == 16


def test_what_is_written_can_be_read(tmp_path: Path) -> None:
    model = awake()
    model.save_pretrained(tmp_path / "new" / "folder")
    again = GAUAlpha.from_pretrained(tmp_path / "new" / "folder")
    assert again.config == model.config
    for name, value in model.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name
    kept = safetensors.torch.load_file(tmp_path / "new" / "folder" / "model.safetensors")
    assert {*kept} == {*published(model)}


def without(name: str) -> Callable[[Weights], Weights]:
    return lambda weights: {n: v for n, v in weights.items() if n != name}


def changed(name: str, change: Callable[[Tensor], Tensor]) -> Callable[[Weights], Weights]:
    return lambda weights: weights | {name: change(weights[name])}


O_DENSE = "gau_alpha.encoder.layer.1.gau.o_dense.weight"
HEAD = "cls.predictions.decoder.weight"


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (without(O_DENSE), rf"{O_DENSE} is missing; expected it, by the names of the PyTorch port"),
        (changed(O_DENSE, lambda v: v.T), rf"{O_DENSE} has shape \(24, 12\); expected \(12, 24\)"),
        (changed(O_DENSE, lambda v: v.long()), rf"{O_DENSE} is torch.int64; expected floating"),
        (lambda w: w | {"gau_alpha.encoder.layer.3.gau.i_dense.weight": torch.ones(1)},
         r"layer.3.gau.i_dense.weight is one too many; the names of the PyTorch port have none"),
        (changed(HEAD, lambda v: v + 1), rf"{HEAD} is not gau_alpha.embeddings.word_embeddings"),
        (without("gau_alpha.embeddings.word_embeddings.weight"), "holds no embedding of tokens"),
    ],
    ids=["missing", "shape", "integers", "extra", "untied", "unknown"],
)  # fmt: skip
def test_other_tensors_are_refused_by_name(
    change: Callable[[Weights], Weights], complaint: str, tmp_path: Path
) -> None:
    folder = write(tmp_path, change(port(awake())), file="model.safetensors")
    with pytest.raises(CheckpointError, match=complaint) as caught:
        GAUAlpha.from_pretrained(folder)
    assert str(folder / "model.safetensors") in str(caught.value)


def test_the_names_of_tensorflow_are_as_strict(tmp_path: Path) -> None:
    name = "GAU_alpha/encoder/layer_0/gau/i_dense/kernel"
    weights = changed(name, lambda value: value.T.contiguous())(bert4keras(awake()))
    with pytest.raises(CheckpointError, match=rf"{name} has shape \(56, 12\); expected \(12, 56\)"):
        GAUAlpha.from_pretrained(write(tmp_path, weights, file="model.npz"))


@pytest.mark.parametrize(
    ("config", "complaint"),
    [
        ("{", "cannot be read as JSON"),
        ("[1]", "holds a list; expected names and values"),
        (CONFIG | {"hidden_act": "gelu"}, 'hidden_act is \'gelu\'; expected "swish" or "silu"'),
        (CONFIG | {"use_bias": True}, "use_bias is True; expected false"),
        (CONFIG | {"normalization": "softmax"}, "normalization is 'softmax'; expected"),
        (CONFIG | {"num_hidden_layers": "3"}, "num_hidden_layers is '3'; expected a whole number"),
        (CONFIG | {"vocab_size": None}, "vocab_size is None; expected a whole number"),
        (CONFIG | {"intermediate_size": 25}, "intermediate_size is 25; expected a multiple of hid"),
        (CONFIG | {"embedding_size": 13}, "embedding_size is 13; expected hidden_size, 12"),
        (CONFIG | {"layer_norm_eps": "x"}, "layer_norm_eps is 'x'; expected a number"),
    ],
)
def test_configurations_of_other_models_are_refused(
    config: Any, complaint: str, tmp_path: Path
) -> None:
    folder = write(tmp_path, port(awake()), file="model.safetensors", config=config)
    with pytest.raises(CheckpointError, match=complaint) as caught:
        GAUAlpha.from_pretrained(folder)
    assert str(folder / "config.json") in str(caught.value)


class Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (Path.touch, (self.path,))


def test_pickles_and_damaged_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"holds no configuration; expected config\.json or "):
        GAUAlpha.from_pretrained(tmp_path)
    folder = write(tmp_path, port(awake()), file="pytorch_model.bin")
    file = folder / "pytorch_model.bin"
    trap = Trap(tmp_path / "this was executed")
    file.write_bytes(pickle.dumps(trap, protocol=2))
    with pytest.raises(CheckpointError, match=r"pytorch_model\.bin cannot be read as weights"):
        GAUAlpha.from_pretrained(folder)
    torch.save([torch.ones(1)], file)
    with pytest.raises(CheckpointError, match="holds a list; expected tensors by name"):
        GAUAlpha.from_pretrained(folder)
    file.unlink()
    with pytest.raises(CheckpointError, match=r"holds no weights; expected model\.safetensors or "):
        GAUAlpha.from_pretrained(folder)
    np.savez(folder / "model.npz", x=np.array([trap], dtype=object))
    with pytest.raises(CheckpointError, match=r"model\.npz cannot be read as weights"):
        GAUAlpha.from_pretrained(folder)
    (folder / "model.safetensors").write_bytes(b"x" * 40)
    with pytest.raises(CheckpointError, match="safetensors cannot be read as weights"):
        GAUAlpha.from_pretrained(folder)
    (folder / "file").write_text("")
    with pytest.raises(CheckpointError, match="cannot be written"):
        awake().save_pretrained(folder / "file")
    assert not trap.path.exists()


# ---------------------------------------------------------------------------------------
# the published weights themselves, for a reader who has them

HINT = (
    "needs the published weights: pytest --gau-alpha FOLDER, with config.json, weights, vocab.txt"
)
SENTENCE = "今天[MASK]很好，我[MASK]去公园玩。"
TEAM = "近期正是上市公司财报密集披露的时间，但有多家龙头公司的业绩令投资者失望"
IDS = [101, 317, 1466, 103, 2100, 1506, 7675, 2351, 103, 861, 585, 1253, 4041, 179, 102]


@pytest.fixture(scope="module")
def downloaded(request: pytest.FixtureRequest) -> Path:
    folder = request.config.getoption("--gau-alpha")
    if folder is None:
        pytest.skip(HINT)
    return Path(folder)


def test_published_guesses(downloaded: Path) -> None:
    """The sentence and the probabilities in the README of the PyTorch port."""
    model, tokenizer = GAUAlpha.from_pretrained(downloaded), load_vocab(downloaded)
    assert tokenizer.encode(SENTENCE, framed=True) == IDS
    guesses = fill_mask(model, tokenizer, SENTENCE)
    expected = {
        3: [("天", 0.8657), ("气", 0.0535), ("阳", 0.0165), ("，", 0.0126), ("晴", 0.0111)],
        8: [("要", 0.4619), ("想", 0.4352), ("又", 0.0252), ("就", 0.0157), ("跑", 0.0064)],
    }
    for place, pairs in expected.items():
        assert [guess.token for guess in guesses[place]] == [token for token, _ in pairs]
        for guess, (_, probability) in zip(guesses[place], pairs, strict=True):
            assert guess.probability == pytest.approx(probability, abs=2e-4)


def test_published_guess_of_two_characters(downloaded: Path) -> None:
    """What bert4torch tests: 上市, hidden, is told as 龙头, which stands further on."""
    model, tokenizer = GAUAlpha.from_pretrained(downloaded), load_vocab(downloaded)
    assert len(tokenizer.encode(TEAM, framed=True)) == 37
    guesses = fill_mask(model, tokenizer, TEAM.replace("上市", "[MASK][MASK]", 1), top=1)
    assert {place: found[0].number for place, found in guesses.items()} == {5: 7666, 6: 1475}


@pytest.mark.usefixtures("_as_for_a_user")
def test_guesses_that_cannot_be_made_are_refused(tmp_path: Path) -> None:
    model = awake()
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *(f"x{i}" for i in range(45))]
    (tmp_path / "vocab.txt").write_text("\n".join(pieces))
    tokenizer = load_vocab(tmp_path / "vocab.txt")
    for text, top, complaint in (
        ("x1 x2", 5, r"'x1 x2' holds no \[MASK\]"),
        ("[MASK]", 0, "top is 0; expected 1 to 50"),
        ("[MASK]", 51, "top is 51; expected 1 to 50"),
    ):
        with pytest.raises(DataError, match=complaint):
            fill_mask(model, tokenizer, text, top)
    (tmp_path / "vocab.txt").write_text("\n".join(pieces[:-1]))
    with pytest.raises(DataError, match="the tokenizer has 49 tokens, the model 50"):
        fill_mask(model, load_vocab(tmp_path), "[MASK]")


def test_guesses_are_the_softmax_at_the_marks(tmp_path: Path) -> None:
    model = awake().train()
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *(f"x{i}" for i in range(45))]
    (tmp_path / "vocab.txt").write_text("\n".join(pieces))
    guesses = fill_mask(model, load_vocab(tmp_path), "x0 [MASK] x1 [MASK]", top=3)
    assert model.training
    tokens = torch.tensor([[2, 5, 4, 6, 4, 3]])
    with torch.no_grad():
        expected = model.eval()(tokens)[0].softmax(dim=-1)
    assert [*guesses] == [2, 4]
    for place, found in guesses.items():
        values, numbers = expected[place].topk(3)
        assert [guess.number for guess in found] == numbers.tolist()
        assert [guess.token for guess in found] == [pieces[number] for number in numbers]
        assert [guess.probability for guess in found] == pytest.approx(values.tolist())
