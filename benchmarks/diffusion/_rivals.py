"""Three packages with nets of one size: how each of them is built, trained and sampled from."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from companion.diffusion import Schedule, denoising_loss, sample
from companion.diffusion.graphs import Graphed
from companion.diffusion.normalization import fastest, group_norm_silu
from companion.diffusion.unet import UNet

PEERS = ["diffusers", "denoising-diffusion-pytorch", "torchvision", "triton"]


@dataclass(frozen=True)
class Size:
    """Nets of as many parameters as each package can be brought to."""

    name: str
    picture: tuple[int, int]  # channels, height
    parameters: int
    companion: dict[str, Any]
    diffusers: dict[str, Any]
    lucidrains: dict[str, Any]


def _digits(name: str, base: int, parameters: int, lucidrains: dict[str, Any]) -> Size:
    """Two levels, two blocks each, attention at 4×4: layer by layer as UNet2DModel's."""
    return Size(
        name,
        (1, 8),
        parameters,
        {"base": base, "multipliers": (1, 2), "attention": (4,), "size": 8, "groups": 8},
        {
            "block_out_channels": (base, 2 * base),
            "down_block_types": ("DownBlock2D", "AttnDownBlock2D"),
            "up_block_types": ("AttnUpBlock2D", "UpBlock2D"),
            "norm_num_groups": 8,
        },
        {"dim_mults": (1, 2)} | lucidrains,
    )


SIZES = [
    _digits("digits .25 M", 16, 252_545, {"dim": 16, "attn_dim_head": 40}),
    _digits("digits .57 M", 24, 565_057, {"dim": 26}),
    Size(
        "CIFAR-10",
        (3, 32),
        35_746_307,
        {},
        {  # google/ddpm-cifar10-32
            "block_out_channels": (128, 256, 256, 256),
            "down_block_types": ("DownBlock2D", "AttnDownBlock2D", "DownBlock2D", "DownBlock2D"),
            "up_block_types": ("UpBlock2D", "UpBlock2D", "AttnUpBlock2D", "UpBlock2D"),
            "downsample_padding": 0,
            "norm_num_groups": 32,
        },
        {"dim": 64},
    ),
]


@dataclass(frozen=True)
class Rival:
    """A net, its package's loss on pictures in [−1, 1], and its sampler of so many calls."""

    net: nn.Module
    loss: Callable[[nn.Module, Tensor], Tensor]
    sample: Callable[[nn.Module, int, int], Tensor]  # net, pictures, calls
    layout: torch.memory_format = torch.contiguous_format
    graphs: bool = False  # calls are replayed, and not seen


Build = Callable[[Size, torch.device], Rival]


def companion(size: Size, device: torch.device, *, plain: bool = False) -> Rival:
    """On CUDA with the kernel, channels_last and graphs; ``plain``: without all three.

    On a CPU weights are channels_last as ``fit`` and ``load_diffusion`` lay them.
    """
    channels, height = size.picture
    normalize = group_norm_silu if plain else fastest(device)
    net = UNet(channels, **size.companion, dropout=0.0, normalize=normalize)
    quick = device.type == "cuda" and not plain
    schedule = Schedule.linear()
    graphs: dict[int, nn.Module] = {}

    def draw(net: nn.Module, count: int, calls: int) -> Tensor:
        model = graphs.setdefault(id(net), Graphed(net)) if quick else net
        short = Schedule.linear(calls, first=0.1 / calls, last=20 / calls)
        return sample(model, short, (count, channels, height, height), clip=True)

    layout = torch.channels_last if quick or device.type == "cpu" else torch.contiguous_format
    return Rival(net, lambda net, x: denoising_loss(net, x, schedule), draw, layout, quick)


def diffusers(size: Size, device: torch.device) -> Rival:
    """As in its guide to training: add_noise and the mean square; DDPMPipeline."""
    mend_torchvision()
    package: Any = import_module("diffusers")

    channels, height = size.picture
    net = package.UNet2DModel(
        sample_size=height,
        in_channels=channels,
        out_channels=channels,
        layers_per_block=2,
        attention_head_dim=None,
        flip_sin_to_cos=False,
        freq_shift=1,
        norm_eps=1e-6,
        **size.diffusers,
    )
    scheduler = package.DDPMScheduler(1000)

    def loss(net: nn.Module, x: Tensor) -> Tensor:
        noise = torch.randn_like(x)
        t = torch.randint(0, 1000, (len(x),), device=x.device)
        guess = net(scheduler.add_noise(x, noise, t), t).sample
        return nn.functional.mse_loss(guess, noise)

    def draw(net: nn.Module, count: int, calls: int) -> Tensor:
        betas = {"beta_start": 0.1 / calls, "beta_end": 20 / calls}
        short = package.DDPMScheduler(calls, variance_type="fixed_large", **betas)
        pipeline = package.DDPMPipeline(net, short)
        pipeline.set_progress_bar_config(disable=True)
        made = pipeline(batch_size=count, num_inference_steps=calls, output_type="np")
        return torch.from_numpy(made.images).permute(0, 3, 1, 2)

    return Rival(net, loss, draw)


def lucidrains(size: Size, device: torch.device) -> Rival:
    """GaussianDiffusion with the noise as its target and Ho's linear schedule."""
    mend_torchvision()
    package = import_module("denoising_diffusion_pytorch")
    channels, height = size.picture
    net = package.Unet(channels=channels, **size.lucidrains)

    def around(net: nn.Module, steps: int) -> Any:
        options = {"image_size": height, "objective": "pred_noise", "beta_schedule": "linear"}
        return package.GaussianDiffusion(net, timesteps=steps, **options).to(device)

    whole: dict[int, Any] = {}

    def loss(net: nn.Module, x: Tensor) -> Tensor:
        if id(net) not in whole:
            whole[id(net)] = around(net, 1000)
        return whole[id(net)]((x + 1) / 2)  # it takes pictures in [0, 1]

    def draw(net: nn.Module, count: int, calls: int) -> Tensor:
        with contextlib.redirect_stderr(io.StringIO()):  # its bar
            return around(net, calls).sample(batch_size=count)

    return Rival(net, loss, draw)


def mend_torchvision() -> None:
    """Make ``import torchvision`` work, which both peers do where it is installed.

    torchvision from the package index is built for CUDA; beside a torch for the CPU its compiled
    half does not load, and importing it fails over two operators. None of it is used here, so
    these two are declared.
    """
    if find_spec("torchvision") is None or "torchvision" in sys.modules:
        return
    try:
        import_module("torchvision")
    except RuntimeError:
        for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
            del sys.modules[name]
        for name in ("nms", "qnms"):
            signature = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
            torch.library.define(f"torchvision::{name}", signature)


BUILDERS: dict[str, Build] = {
    "companion": companion,
    "diffusers": diffusers,
    "lucidrains": lucidrains,
}


def builders(device: torch.device) -> dict[str, Build]:
    """Return all contestants; on CUDA also this package without its kernel and graphs."""
    if device.type != "cuda":
        return BUILDERS
    return BUILDERS | {"companion plain": lambda *both: companion(*both, plain=True)}


def ready(build: Build, size: Size, device: torch.device, *, compiled: bool) -> tuple[Rival, Any]:
    """Build, move and compile: the rival, and the net to call."""
    torch.manual_seed(0)
    rival = build(size, device)
    net = rival.net.to(device)
    net.to(memory_format=rival.layout)  # pyright: ignore[reportCallIssue]
    return rival, torch.compile(net) if compiled else net


def count(net: nn.Module) -> int:
    return sum(parameter.numel() for parameter in net.parameters())


def mismatch(net: nn.Module, size: Size) -> float:
    """Return how far the number of parameters is from that of the size, as a share."""
    return abs(count(net) / size.parameters - 1)


def flop_per_picture(rival: Rival, picture: Tensor, *, backward: bool) -> int:
    """Count the products and sums of one picture on the way there, or there and back."""
    net = deepcopy(rival.net)
    with FlopCounterMode(display=False) as counter:
        loss = rival.loss(net, picture)
        if backward:
            loss.backward()
    return counter.get_total_flops()


def precise(name: str, device: torch.device) -> contextlib.AbstractContextManager[Any]:
    """Return the context of a precision: float32 is float32, not TF32."""
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    if name == "fp32":
        return contextlib.nullcontext()
    return torch.autocast(device.type, torch.bfloat16)
