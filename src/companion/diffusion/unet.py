"""The U-Net that predicts the noise, as Ho, Jain and Abbeel built it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from companion.diffusion.blocks import EPSILON, Attention, Block, Doubling, Normalize, embed_time
from companion.diffusion.normalization import group_norm_silu
from companion.errors import DataError, ShapeError

__all__ = ["UNet"]


class UNet(nn.Module):
    r"""Predict the unit-variance noise :math:`\hat\varepsilon` in :math:`x_t`, for every t.

    The network of Ho, Jain and Abbeel, *Denoising Diffusion Probabilistic Models*, 2020,
    appendix B: ``blocks`` residual blocks at each level on the way down and ``extra`` more on the
    way up, where each block also reads what the way down left at that level; between two levels
    the picture is halved by a convolution of stride 2 and doubled by repetition and a convolution;
    self-attention after the blocks at the heights named, and between two blocks in the middle.
    Every block is told the time. Last layers start at zero: an untrained net predicts zero noise.

    Args:
        channels: of the pictures: 1 for gray, 3 for colour.
        base: width of the first level; the time's embedding is 4·base wide.
        multipliers: width of each level in units of ``base``; one entry a level.
        attention: the heights at which pixels attend to each other, counted for pictures of
            height ``size``; with ``()`` there is none, and one block alone in the middle.
        blocks: residual blocks a level.
        extra: 1 as Ho et al.: one block more a level on the way up, so that the outputs of the
            first and of the halving convolutions are read as well; or 0.
        dropout: inside each block, while training.
        size: the height that ``attention`` counts from. Other heights and widths work as well:
            all multiples of 2 to the power of the number of levels less one.
        groups: of each group norm.
        normalize: group norm and SiLU in one; same signature as ``group_norm_silu``.

    Attributes:
        options: all of the above but ``normalize``, as JSON can hold it:
            ``UNet(**net.options)`` is a net of the same shape.

    Raises:
        DataError: for options that make no network.

    >>> net = UNet.digits()
    >>> net(torch.zeros(2, 1, 8, 8), torch.tensor([1, 1000])).shape
    torch.Size([2, 1, 8, 8])
    """

    def __init__(
        self,
        channels: int,
        *,
        base: int = 128,
        multipliers: Sequence[int] = (1, 2, 2, 2),
        attention: Sequence[int] = (16,),
        blocks: int = 2,
        extra: int = 1,
        dropout: float = 0.1,
        size: int = 32,
        groups: int = 32,
        normalize: Normalize = group_norm_silu,
    ) -> None:
        super().__init__()
        self.options: dict[str, int | float | list[int]] = {
            "channels": channels,
            "base": base,
            "multipliers": list(multipliers),
            "attention": list(attention),
            "blocks": blocks,
            "extra": extra,
            "dropout": dropout,
            "size": size,
            "groups": groups,
        }
        _check_numbers(self.options)
        widths = [base * multiplier for multiplier in multipliers]
        sizes = [size >> level for level in range(len(widths))]
        _check_levels(widths, sizes, list(attention), groups)
        self.channels, self.base, self.extra = channels, base, extra
        self.groups, self.normalize = groups, normalize
        self.multiple = 2 ** (len(widths) - 1)
        self.time = nn.Sequential(
            nn.Linear(base, 4 * base), nn.SiLU(), nn.Linear(4 * base, 4 * base), nn.SiLU()
        )
        self.first = nn.Conv2d(channels, base, 3, padding=1)
        self.down, self.middle, self.up = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        self._build(widths, [height in attention for height in sizes], blocks, dropout)
        self.norm = nn.GroupNorm(groups, widths[0], eps=EPSILON)
        self.last = nn.Conv2d(widths[0], channels, 3, padding=1)
        # One matrix tells all blocks the time: a single product in place of one for each block.
        self.shift_widths = [block.conv1.out_channels for block in self._blocks()]
        self.shifts = nn.Linear(4 * base, sum(self.shift_widths))
        self._initialise()

    @classmethod
    def cifar10(cls, *, dropout: float = 0.1, normalize: Normalize = group_norm_silu) -> UNet:
        """Return the net of Ho et al. for CIFAR-10: 35,746,307 parameters, 3×32×32."""
        return cls(3, dropout=dropout, normalize=normalize)

    @classmethod
    def digits(cls, *, normalize: Normalize = group_norm_silu) -> UNet:
        """Return a net small enough to train on a laptop's CPU in a minute: 1×8×8.

        >>> sum(parameter.numel() for parameter in UNet.digits().parameters())
        103473
        """
        return cls(
            1,
            base=16,
            multipliers=(1, 2),
            attention=(),
            blocks=1,
            extra=0,
            dropout=0.0,
            size=8,
            groups=8,
            normalize=normalize,
        )

    def forward(
        self, x: Float[Tensor, "batch channel height width"], t: Int64[Tensor, " batch"]
    ) -> Float[Tensor, "batch channel height width"]:
        r"""Return :math:`\hat\varepsilon(x_t, t)`, of the shape of x.

        Args:
            x: noisy pictures, of the precision of the weights (or under ``torch.autocast``).
            t: the step of each, 1 to T. One number, expanded (``torch.tensor([t]).expand(batch)``),
                is embedded once, and its shift is no more than the bias of a convolution.

        Raises:
            ShapeError: for other channels, a height or width that cannot be halved at every
                level, or not one t for each picture.
            DataError: if t holds no int64, or x no floating-point numbers.
        """
        self._check_input(x, t)
        if t.stride(0) == 0:  # one number, expanded
            t = t[:1]
        time = self.shifts(self.time(embed_time(t, self.base, self.shifts.weight.dtype)))
        shifts = iter(time.split(self.shift_widths, dim=1))
        if x.device.type == "cpu":  # a clone, as one channel counts as innermost in any layout
            x = x.clone(memory_format=torch.channels_last)
        h = self.first(x)
        kept = [h] if self.extra else []
        for layer in self.down:
            h = layer(h, next(shifts)) if isinstance(layer, Block) else layer(h)
            if self.extra or isinstance(layer, Block):
                kept.append(h)
        for layer in self.middle:
            h = layer(h, next(shifts))
        for layer in self.up:
            if isinstance(layer, Block):
                h = layer(torch.cat([h, kept.pop()], dim=1), next(shifts))
            else:
                h = layer(h)
        norm = self.norm
        h = self.normalize(h, norm.weight, norm.bias, groups=self.groups, eps=norm.eps)
        return self.last(h)

    def _build(self, widths: list[int], attend: list[bool], blocks: int, dropout: float) -> None:
        """Fill the way down, the middle and the way up."""

        def block(inner: int, outer: int, attention: bool) -> Block:
            options = {"groups": self.groups, "dropout": dropout, "normalize": self.normalize}
            return Block(inner, outer, attention=attention, **options)

        width = widths[0]
        kept = [width] if self.extra else []
        for level, outer in enumerate(widths):
            if level:
                self.down.append(nn.Conv2d(width, width, 3, stride=2, padding=1))
                kept += [width] if self.extra else []
            for _ in range(blocks):
                self.down.append(block(width, outer, attend[level]))
                width = outer
                kept.append(width)
        self.middle.append(block(width, width, any(attend)))
        if any(attend):
            self.middle.append(block(width, width, False))
        for level, outer in reversed(list(enumerate(widths))):
            for _ in range(blocks + self.extra):
                self.up.append(block(width + kept.pop(), outer, attend[level]))
                width = outer
            if level:
                self.up.append(Doubling(width))

    def _blocks(self) -> Iterator[Block]:
        """Yield the residual blocks in the order in which they run."""
        for part in (self.down, self.middle, self.up):
            yield from (layer for layer in part if isinstance(layer, Block))

    @torch.no_grad()
    def _initialise(self) -> None:
        """Glorot's uniform weights and zero biases, as Ho et al.; zero for what is added last."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        for weight in self.shifts.weight.split(self.shift_widths):
            nn.init.xavier_uniform_(weight)
        for module in self.modules():
            if isinstance(module, Attention):
                for weight in module.qkv.weight.chunk(3):
                    nn.init.xavier_uniform_(weight)
                nn.init.zeros_(module.project.weight)
            elif isinstance(module, Block):
                nn.init.zeros_(module.conv2.weight)
        nn.init.zeros_(self.last.weight)

    def _check_input(self, x: Tensor, t: Tensor) -> None:
        if x.ndim != 4 or x.shape[1] != self.channels:
            expected = f"[batch, {self.channels}, height, width]"
            raise ShapeError(f"x has shape {tuple(x.shape)}; expected {expected}")
        if x.shape[2] % self.multiple or x.shape[3] % self.multiple or not x.numel():
            found = f"{tuple(x.shape)}: height {x.shape[2]}, width {x.shape[3]}"
            expected = f"both multiples of {self.multiple}, and at least one picture"
            raise ShapeError(f"x has shape {found}; expected {expected}")
        if t.shape != x.shape[:1]:
            expected = f"({len(x)},), one step for each picture"
            raise ShapeError(f"t has shape {tuple(t.shape)}; expected {expected}")
        if t.dtype != torch.int64 or not x.is_floating_point():
            raise DataError(f"x is {x.dtype}, t is {t.dtype}; expected floating point and int64")


def _check_numbers(options: dict[str, int | float | list[int]]) -> None:
    """Refuse what is no count, or no probability."""
    for name in ("channels", "base", "blocks", "size", "groups", "multipliers", "attention"):
        value = options[name]
        for number in value if isinstance(value, list) else [value]:
            if not isinstance(number, int) or isinstance(number, bool) or number < 1:
                raise DataError(f"{name} is {value!r}; expected whole numbers of at least 1")
    if options["extra"] not in (0, 1):
        raise DataError(f"extra is {options['extra']!r}; expected 0 or 1")
    dropout = options["dropout"]
    if isinstance(dropout, list) or not 0 <= dropout < 1:
        raise DataError(f"dropout is {dropout}; expected at least 0 and less than 1")


def _check_levels(widths: list[int], sizes: list[int], attention: list[int], groups: int) -> None:
    """Refuse levels that no picture, group norm or attention fits."""
    if not widths:
        raise DataError("multipliers is empty; expected one for each level, such as (1, 2)")
    for width in widths:
        if width % groups:
            raise DataError(f"groups={groups} does not divide a level of width {width}")
    if widths[0] % 2:
        raise DataError(f"base is {widths[0]}; expected an even number: a sine and a cosine each")
    multiple = 2 ** (len(sizes) - 1)
    if sizes[0] % multiple:
        expected = f"a multiple of {multiple} for {len(sizes)} levels"
        raise DataError(f"size is {sizes[0]}; expected {expected}")
    for height in attention:
        if height not in sizes:
            raise DataError(f"attention at height {height}; the levels have the heights {sizes}")
