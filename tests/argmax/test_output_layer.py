"""The output layer is found in every kind of file, and what cannot be read is named."""

import json
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from companion.argmax.output_layer import load_output_layer
from companion.argmax.weight_files import StoredTensors
from companion.errors import DataError

GENERATOR = torch.Generator().manual_seed(0)
WEIGHT = torch.randn(7, 3, generator=GENERATOR)
OTHER = torch.randn(7, 3, generator=GENERATOR)
BIAS = torch.randn(7, generator=GENERATOR)


def put(folder: Path, tensors: dict[str, Tensor], name: str = "model.safetensors") -> Path:
    save_file({key: value.clone() for key, value in tensors.items()}, folder / name)
    return folder / name


def put_shards(folder: Path, shards: dict[str, dict[str, Tensor]]) -> Path:
    for name, tensors in shards.items():
        put(folder, tensors, name)
    names = {key: name for name, tensors in shards.items() for key in tensors}
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": names}))
    return index


def same(found: Tensor | None, expected: Tensor | None) -> bool:
    return found is expected or torch.equal(as_tensor(found), as_tensor(expected))


def as_tensor(value: Tensor | None) -> Tensor:
    return torch.zeros(0) if value is None else value


# --------------------------------------------------------------------------------- what is found


@pytest.mark.parametrize(
    ("weight", "bias"),
    [
        ("lm_head.weight", "lm_head.bias"),
        ("lm_head.decoder.weight", "lm_head.bias"),
        ("cls.predictions.decoder.weight", "cls.predictions.bias"),
        ("gpt_neox.embed_out.weight", None),
        ("embed_out.weight", None),
        ("decoder.output_projection.weight", None),
        ("vocab_projector.weight", "vocab_projector.bias"),
        ("head.weight", None),
    ],
)
def test_an_output_layer_goes_before_the_embedding(tmp_path, weight, bias):
    tensors = {"model.embed_tokens.weight": OTHER, weight: WEIGHT, "model.norm.bias": BIAS}
    put(tmp_path, tensors | ({bias: BIAS} if bias else {}))
    layer = load_output_layer(tmp_path)
    assert (layer.name, layer.bias_name, layer.tied) == (weight, bias, False)
    assert torch.equal(layer.weight, WEIGHT)
    assert same(layer.bias, BIAS if bias else None)


@pytest.mark.parametrize(
    ("weight", "bias"),
    [
        ("model.embed_tokens.weight", None),
        ("transformer.wte.weight", None),
        ("wte.weight", None),
        ("bert.embeddings.word_embeddings.weight", "cls.predictions.bias"),
        ("model.shared.weight", "final_logits_bias"),
        ("tok_embeddings.weight", None),
    ],
)
def test_a_tied_embedding_is_found_and_said_to_be_one(tmp_path, weight, bias):
    row = {bias: BIAS[None] if bias == "final_logits_bias" else BIAS} if bias else {}
    put(tmp_path, {weight: WEIGHT, "bert.embeddings.position_embeddings.weight": OTHER} | row)
    layer = load_output_layer(tmp_path)
    assert (layer.name, layer.bias_name, layer.tied) == (weight, bias, True)
    assert same(layer.bias, BIAS if bias else None)
    assert "tied to the embedding" in str(layer)
    assert "7 classes x 3, float32" in str(layer)


def test_one_embedding_stored_several_times_is_one(tmp_path):
    names = ["model.shared.weight", "model.decoder.embed_tokens.weight"]
    put(tmp_path, dict.fromkeys(names, WEIGHT) | {"model.encoder.embed_tokens.weight": OTHER})
    assert torch.equal(load_output_layer(tmp_path).weight, WEIGHT)


def test_what_is_named_is_taken(tmp_path):
    path = put(tmp_path, {"lm_head.weight": WEIGHT, "lm_head.bias": BIAS, "x.weight": OTHER,
                          "x.bias": 2 * BIAS, "own": 3 * BIAS})  # fmt: skip
    layer = load_output_layer(path, "x.weight")
    assert torch.equal(layer.weight, OTHER)
    assert layer.bias_name == "x.bias"
    assert load_output_layer(path, "x.weight", bias="own").bias_name == "own"
    assert load_output_layer(path, bias=False).bias is None


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_the_precision_of_the_file_is_kept(tmp_path, dtype):
    put(tmp_path, {"lm_head.weight": WEIGHT.to(dtype)})
    layer = load_output_layer(tmp_path)
    assert torch.equal(layer.weight, WEIGHT.to(dtype))
    assert layer.weight.dtype == dtype


@pytest.mark.parametrize("dtype", ["<f2", "<f4", ">f4", "<f8"])
def test_arrays_of_numpy_are_read(tmp_path, dtype):
    array = WEIGHT.numpy().astype(dtype)
    np.save(tmp_path / "words.npy", np.asfortranarray(array))
    layer = load_output_layer(tmp_path)
    assert layer.name == "words"
    assert np.array_equal(layer.weight.numpy(), array)
    np.savez(tmp_path / "model.npz", Wemb=array, decoder_ff_logit_out_b=BIAS.numpy()[None])
    layer = load_output_layer(tmp_path / "model.npz")
    assert np.array_equal(layer.weight.numpy(), array)
    assert same(layer.bias, BIAS)


def test_the_only_matrix_needs_no_name(tmp_path):
    path = put(tmp_path, {"anything": WEIGHT, "vector": BIAS}, "a.safetensors")
    assert load_output_layer(path).name == "anything"


def test_of_shards_only_the_needed_are_opened(tmp_path):
    shards = {"a.safetensors": {"lm_head.weight": WEIGHT}, "b.safetensors": {"x.weight": OTHER}}
    index = put_shards(tmp_path, shards)
    (tmp_path / "b.safetensors").unlink()
    for path in (tmp_path, index):
        assert torch.equal(load_output_layer(path).weight, WEIGHT)


def test_shards_without_an_index_are_put_together(tmp_path):
    put(tmp_path, {"x.weight": OTHER}, "model-00001-of-00002.safetensors")
    put(tmp_path, {"lm_head.weight": WEIGHT}, "model-00002-of-00002.safetensors")
    assert torch.equal(load_output_layer(tmp_path).weight, WEIGHT)


def test_only_the_needed_tensors_are_read(tmp_path, monkeypatch):
    tensors = {"lm_head.weight": WEIGHT, "lm_head.bias": BIAS, "model.embed_tokens.weight": OTHER}
    put(tmp_path, tensors)
    read, names = StoredTensors.read, []
    monkeypatch.setattr(StoredTensors, "read", lambda self, n: (names.append(n), read(self, n))[1])
    load_output_layer(tmp_path)
    assert sorted(names) == ["lm_head.bias", "lm_head.weight"]


def test_a_file_may_be_larger_than_the_memory(tmp_path):
    size = 2**42  # four terabytes of zeros, which take no place on the disk
    entries = {
        "other": {"dtype": "F32", "shape": [size // 4], "data_offsets": [0, size]},
        "lm_head.weight": {"dtype": "F32", "shape": [7, 3], "data_offsets": [size, size + 84]},
    }
    header = json.dumps(entries).encode()
    header += b" " * (-len(header) % 8)
    path = tmp_path / "model.safetensors"
    with path.open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        file.seek(size, os.SEEK_CUR)
        file.write(WEIGHT.numpy().tobytes())
    assert torch.equal(load_output_layer(path).weight, WEIGHT)


# ------------------------------------------------------------------------------- what is refused


def faulty(folder: Path, fault: str) -> Path:
    """Write what is wrong in the given way, and return what to open."""
    head = {"lm_head.weight": WEIGHT}
    if fault == "nothing there":
        return folder / "none"
    if fault == "empty folder":
        (folder / "empty").mkdir()
        return folder / "empty"
    if fault == "words alone":
        (folder / "config.json").write_text("{}")
    elif fault.startswith("pickle "):
        (folder / fault.removeprefix("pickle ")).write_bytes(pickle.dumps({}))
    elif fault == "a pickle file":
        torch.save(head, folder / "model.pt")
        return folder / "model.pt"
    elif fault == "another kind":
        (folder / "model.gguf").write_bytes(b"GGUF")
        return folder / "model.gguf"
    elif fault == "two files":
        put(folder, head, "a.safetensors")
        put(folder, head, "b.safetensors")
    elif fault == "truncated":
        path = put(folder, head)
        path.write_bytes(path.read_bytes()[:-5])
    elif fault == "no safetensors":
        (folder / "model.safetensors").write_bytes(b"hello")
    elif fault == "no name that is known":
        put(folder, {"a.weight": WEIGHT, "b.weight": OTHER})
    elif fault == "two output layers":
        put(folder, {"lm_head.weight": WEIGHT, "decoder.output_projection.weight": OTHER})
    elif fault == "untied":
        put(folder, {"model.embed_tokens.weight": WEIGHT})
        (folder / "config.json").write_text('{"tie_word_embeddings": false}')
    elif fault == "config":
        put(folder, {"model.embed_tokens.weight": WEIGHT})
        (folder / "config.json").write_text('{"tie_')
    elif fault == "three axes":
        put(folder, {"lm_head.weight": WEIGHT[None]})
    elif fault == "integers":
        put(folder, {"lm_head.weight": WEIGHT.to(torch.int8)})
    elif fault == "8 bits":
        put(folder, {"lm_head.weight": WEIGHT.to(torch.float8_e4m3fn)})
    elif fault == "bias":
        put(folder, head | {"lm_head.bias": BIAS[:4]})
    elif fault == "shard":
        put_shards(folder, {"a.safetensors": head, "b.safetensors": {"x": OTHER}})
        (folder / "a.safetensors").unlink()
    elif fault == "listed, not there":
        put_shards(folder, {"a.safetensors": head})
        put(folder, {"x": OTHER}, "a.safetensors")
    elif fault == "shard without index":
        put(folder, head, "model-00001-of-00003.safetensors")
    else:
        return faulty_index_or_array(folder, fault)
    return folder


def faulty_index_or_array(folder: Path, fault: str) -> Path:
    index = folder / "model.safetensors.index.json"
    if fault == "index":
        index.write_text('{"weight_map": 3}')
    elif fault == "index outside":
        index.write_text('{"weight_map": {"lm_head.weight": "../other.safetensors"}}')
    elif fault == "index of pickles":
        index.write_text('{"weight_map": {"lm_head.weight": "pytorch_model.bin"}}')
    elif fault == "objects":
        np.save(folder / "words.npy", np.array([[1, 2], [3, None]], dtype=object))
    elif fault == "objects in npz":
        np.savez(folder / "words.npz", w=np.array([[1, 2], [3, None]], dtype=object))
    elif fault == "integer array":
        np.save(folder / "words.npy", np.arange(6).reshape(3, 2))
    elif fault == "two bytes":
        np.save(folder / "words.npy", WEIGHT.numpy().astype("<f2").view("V2"))
    elif fault == "npy":
        np.save(folder / "words.npy", WEIGHT.numpy())
        (folder / "words.npy").write_bytes((folder / "words.npy").read_bytes()[:-5])
    elif fault == "npy of nothing":
        (folder / "words.npy").write_bytes(b"")
    else:
        assert fault == "npz"
        np.savez(folder / "words.npz", w=WEIGHT.numpy())
        (folder / "words.npz").write_bytes((folder / "words.npz").read_bytes()[:-30])
    return folder


@pytest.mark.parametrize(
    ("fault", "complaint"),
    [
        ("nothing there", "none does not exist"),
        ("empty folder", "empty holds no file; expected weights: .safetensors, .npy, .npz"),
        ("words alone", "holds config.json; expected weights"),
        ("pickle pytorch_model.bin", "pytorch_model.bin is a pickle.*write the tensors anew"),
        ("a pickle file", "model.pt is a pickle.*torch.load.'model.pt', weights_only=True"),
        ("another kind", "model.gguf is no file of weights known here; expected .safetensors"),
        ("two files", "holds a.safetensors, b.safetensors; say which file is meant"),
        ("truncated", "model.safetensors is no whole safetensors file"),
        ("no safetensors", "model.safetensors is no whole safetensors file .5 bytes"),
        ("no name that is known", "say which tensor is meant, of a.weight, b.weight"),
        ("two output layers", "2 different output layers: decoder.output_projection.weight, lm_"),
        ("untied", "config.json beside it says that the embedding model.embed_tokens.weight is"),
        ("config", "config.json is no JSON"),
        ("three axes", r"model.safetensors: lm_head.weight has shape \(1, 7, 3\); expected two"),
        ("integers", "model.safetensors: lm_head.weight is of type I8; expected one of bfloat16"),
        ("8 bits", "model.safetensors: lm_head.weight is of type F8_E4M3; expected one of"),
        ("bias", r"model.safetensors: lm_head.bias has shape \(4,\); expected \(7,\), one for"),
        ("shard", "a.safetensors is missing"),
        ("listed, not there", "a.safetensors does not hold lm_head.weight, which the index says"),
        ("shard without index", "model-00002-of-00003.safetensors is missing"),
        ("index", "model.safetensors.index.json is no index: expected a weight_map"),
        ("index outside", "lm_head.weight lies in '../other.safetensors'; expected"),
        ("index of pickles", "lies in 'pytorch_model.bin'; expected.*weights_only=True"),
        ("objects", "words.npy: words holds Python objects, a pickle.*numpy.save"),
        ("objects in npz", "words.npz: w holds Python objects, a pickle"),
        ("integer array", "words.npy: words is of type int64; expected one of"),
        ("two bytes", "words.npy: words is of type .*bfloat16.*; write it as float32"),
        ("npy", "words.npy: words is no whole array"),
        ("npy of nothing", "words.npy: words is no whole array"),
        ("npz", "words.npz is no whole npz file"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path, fault, complaint):
    with pytest.raises(DataError, match=complaint):
        load_output_layer(faulty(tmp_path, fault))


def test_a_wrong_name_is_answered_with_close_ones(tmp_path):
    path = put(tmp_path, {"lm_head.weight": WEIGHT, "lm_head.bias": BIAS})
    with pytest.raises(DataError, match=r"holds no tensor 'lm_heat.weight'; is it lm_head.weight"):
        load_output_layer(path, "lm_heat.weight")
    with pytest.raises(DataError, match=r"holds no tensor 'bias'"):
        load_output_layer(path, bias="bias")
    with pytest.raises(DataError, match=r"no tensor 'QQQ'; there are lm_head.bias, lm_head.weight"):
        load_output_layer(path, "QQQ")


def test_the_way_out_of_a_pickle_leads_out(tmp_path, monkeypatch):
    torch.save({"lm_head.weight": WEIGHT, "model.embed_tokens.weight": WEIGHT}, tmp_path / "m.pt")
    with pytest.raises(DataError) as refused:
        load_output_layer(tmp_path / "m.pt")
    program = str(refused.value).partition('python -c "')[2].removesuffix('"')
    monkeypatch.chdir(tmp_path)
    exec(program, {})
    assert torch.equal(load_output_layer(tmp_path / "m.safetensors").weight, WEIGHT)
