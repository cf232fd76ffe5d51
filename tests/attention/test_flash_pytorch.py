"""FLASH-pytorch as an outside oracle: equal where the definitions agree, and where they do not."""

import pytest
import torch
from torch.nn import functional

from companion.attention import GatedAttentionUnit

peer = pytest.importorskip("flash_pytorch", reason="pip install FLASH-pytorch")
DIM, KEY, CHUNK = 16, 8, 8


def layer(kind, **options):
    """The peer's layer in float64, its biases of position and of projections zero."""
    size = {"dim": DIM, "query_key_dim": KEY}
    size |= {"group_size": CHUNK} if kind == "FLASH" else {"add_residual": False}
    module = getattr(peer, kind)(**size, **options).double()
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if "relative" in name or (name.startswith("to_") and name.endswith("bias")):
                parameter.zero_()
            elif name.endswith("gamma"):
                parameter.normal_()  # .02 as published leaves 1e-12 to compare
    return module


def twin(module, n, *, causal):
    """Our unit with the peer's weights; what divides the scores is put into the queries."""
    flash = isinstance(module, peer.FLASH)
    unit = GatedAttentionUnit(
        DIM,
        key_dim=KEY,
        causal=causal,
        rope=False,
        attention="mixed_chunk" if flash else "quad",
        chunk=CHUNK,
        length=None if flash else n,
    ).double()
    source = module.qk_offset_scale if flash else module.offsetscale
    with torch.no_grad():
        v, u = module.to_hidden[0].weight.chunk(2)
        unit.to_hidden.weight.copy_(torch.cat([u, v, module.to_qk[0].weight]))
        out = module.to_out if flash else module.to_out[0]
        unit.to_out.weight.copy_(out.weight)
        order = [0, 2, 1, 3] if flash else [0, 1]  # theirs: q, q, k, k
        unit.scale.copy_(source.gamma[order])
        assert unit.offset is not None
        unit.offset.copy_(source.beta[order])
        squared = (KEY / (CHUNK if flash else n)) ** 0.5  # their 1/n² over our 1/(ns), its root
        unit.scale[0] *= squared
        unit.offset[0] *= squared
    return unit


def gap(found, expected):
    with torch.no_grad():
        return float((found - expected).norm() / expected.norm().clamp_min(1e-12))


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("n", [1, 7, 24])
def test_the_gated_attention_unit_is_the_peer_s(causal, n):
    module = layer("GAU", causal=causal)
    x = torch.randn(2, n, DIM, dtype=torch.float64)
    found = twin(module, n, causal=causal)(module.norm(x))
    assert gap(found, module(x)) < 1e-12


@pytest.mark.parametrize("n", [1, 7, 16, 21])
def test_mixed_chunk_attention_is_the_peer_s_where_the_definitions_agree(n):
    x = torch.randn(2, n, DIM, dtype=torch.float64)
    module = layer("FLASH")
    branch = module(x) - x
    assert gap(twin(module, n, causal=False)(module.norm(x)), branch) < 1e-12
    module = layer("FLASH", causal=True)
    branch = (module(x) - x)[:, : 2 * CHUNK]  # later, they divide the earlier chunks by c alone
    found = twin(module, n, causal=True)(module.norm(x))[:, : 2 * CHUNK]
    assert gap(found, branch) < 1e-12


def test_its_causal_unit_is_another_on_a_prefix_and_ours_is_not():
    x = torch.randn(1, 24, DIM, dtype=torch.float64)
    module = layer("GAU", causal=True)
    assert gap(module(x[:, :8]), module(x)[:, :8]) > 0.5
    unit = twin(module, 24, causal=True)
    unit.options["length"] = None
    assert gap(unit(x[:, :8]), unit(x)[:, :8]) < 1e-12


def test_its_causal_linear_branch_grows_and_ours_does_not():
    n = 64 * CHUNK
    x = torch.randn(4, n, DIM, dtype=torch.float64)
    module = layer("FLASH", causal=True)
    with torch.no_grad():
        module.qk_offset_scale.gamma[0] = 0  # no quadratic branch
        module.qk_offset_scale.gamma[1] = module.qk_offset_scale.gamma[3] = 1

    @torch.no_grad()
    def growth(branch):
        sizes = branch.unflatten(1, (-1, CHUNK)).square().mean(dim=(0, 2, 3)).sqrt()
        return float(sizes[-8:].mean() / sizes[1:9].mean())

    assert growth(module(x) - x) > 8
    assert growth(twin(module, n, causal=True)(module.norm(x))) == pytest.approx(1, abs=0.4)


@pytest.mark.parametrize("kind", ["GAU", "FLASH"])
def test_more_padding_changes_its_outputs_and_not_ours(kind):
    x = torch.randn(1, 100, DIM, dtype=torch.float64)
    module = layer(kind)

    def change(call):
        outputs = []
        for n in (104, 512):
            mask = torch.arange(n)[None] < 100
            wide = functional.pad(x, (0, 0, 0, n - 100), value=9.0)
            outputs.append(call(wide, mask)[:, :100])
        return gap(outputs[1], outputs[0])

    residual = kind == "FLASH"
    assert change(lambda x, mask: module(x, mask=mask) - residual * x) > 0.2
    unit = twin(module, 100, causal=False)
    unit.options.pop("length", None)
    assert change(lambda x, mask: unit(module.norm(x), mask)) < 1e-12


def test_its_switch_of_reduction_leaves_every_chunk_alone():
    x = torch.randn(1, 3 * CHUNK, DIM, dtype=torch.float64)
    other = x.clone()
    other[:, 2 * CHUNK :] = torch.randn(1, CHUNK, DIM, dtype=torch.float64)
    for reduced in (False, True):
        module = layer("FLASH", reduce_group_non_causal_attn=reduced)
        unit = twin(module, 3 * CHUNK, causal=False)
        effects = [
            (call(other) - call(x))[:, :CHUNK].abs().max()
            for call in (lambda x, m=module: m(x) - x, lambda x, m=module, u=unit: u(m.norm(x)))
        ]
        assert (effects[0] > 1e-9) == reduced
        assert effects[1] > 1e-9


def test_its_initialisations_are_dead_and_deafening():
    x = torch.randn(1, 512, 128)
    mixed = []
    for kind in ("GAU", "FLASH"):
        module = getattr(peer, kind)(dim=128)
        if kind == "GAU":
            torch.nn.init.zeros_(module.rel_pos_bias.relative_attention_bias.weight)
        out = module.to_out if kind == "FLASH" else module.to_out[0]
        out.register_forward_pre_hook(lambda _, inputs: mixed.append(inputs[0]))
        with torch.no_grad():
            module(x)
    sizes = [float(tensor.square().mean().sqrt()) for tensor in mixed]
    assert sizes[0] < 1e-9
    assert sizes[1] > 50
