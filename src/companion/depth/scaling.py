"""How a network of N layers is scaled: the straight path by α, the weights of a branch by λ."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, overload

from companion.errors import DataError

__all__ = ["DepthScaling"]

# Exponents p of (2N)^p for α and λ, one pair for each optimiser and place of the norm.
EXPONENTS = {
    ("sgd", "post"): (1 / 4, -1 / 4),
    ("adam", "post"): (1 / 2, -1 / 2),
    ("lamb", "post"): (0.0, -1 / 2),
    ("sgd", "pre"): (0.0, -1 / 2),
    ("adam", "pre"): (0.0, -1.0),
    ("lamb", "pre"): (0.0, -1 / 2),
}
ARCHITECTURES = ("encoder", "decoder", "encoder-decoder")


@dataclass(frozen=True)
class DepthScaling:
    r"""The factor α of the straight path, and the factor λ of the branch's weights (``gain``).

    .. math:: x_{l+1} = \mathrm{LN}(\alpha x_l + F(x_l)), \qquad W = \lambda U

    for the value, output and feed-forward matrices W of F, where U has its usual size; query and
    key keep theirs (eq-depth-deepnorm, eq-depth-rule). Without arguments nothing is scaled.

    Raises:
        DataError: if α or λ is not a finite number above 0.

    >>> DepthScaling()
    DepthScaling(alpha=1.0, gain=1.0)
    """

    alpha: float | int = 1.0
    gain: float | int = 1.0

    def __post_init__(self) -> None:
        for name in ("alpha", "gain"):
            value = getattr(self, name)
            if not 0 < value < math.inf:
                raise DataError(f"{name} is {value}; expected a finite number above 0")

    @property
    def branch_weight(self) -> float:
        """Return λ²/α, the weight that a branch of two matrices starts with (eq-depth-consistency).

        >>> round(DepthScaling.for_optimizer("adam", 50, "post").branch_weight, 6)
        0.001
        """
        return self.gain**2 / self.alpha

    @classmethod
    def for_optimizer(cls, optimizer: str, layers: int, norm: str = "post") -> DepthScaling:
        r"""Return the scaling that keeps the first step's change of the loss level in depth.

        With N = ``layers``, 2N branches (eq-depth-sgd, eq-depth-adam, eq-depth-lamb,
        eq-depth-prenorm; Su Jianlin, kexue.fm/archives/8978):

        ======  ==================================  ===================
        .       post                                pre (α = 1)
        ======  ==================================  ===================
        sgd     α = (2N)^(1/4), λ = (2N)^(−1/4)     λ = (2N)^(−1/2)
        adam    α = (2N)^(1/2), λ = (2N)^(−1/2)     λ = (2N)^(−1)
        lamb    α = 1, λ = (2N)^(−1/2)              λ = (2N)^(−1/2)
        ======  ==================================  ===================

        Args:
            optimizer: "sgd", "adam" or "lamb".
            layers: N, layers of two branches each; ResidualStack of single branches has 2N.
            norm: where the norm stands, "post" or "pre".

        Raises:
            DataError: if a name is unknown or ``layers`` is below 1.

        >>> DepthScaling.for_optimizer("sgd", 8, "post")
        DepthScaling(alpha=2.0, gain=0.5)
        """
        _at_least_one("layers", layers)
        if (optimizer, norm) not in EXPONENTS:
            found = f"optimizer {optimizer!r} with norm {norm!r}"
            raise DataError(f"{found}; expected 'sgd', 'adam' or 'lamb' with 'post' or 'pre'")
        alpha, gain = EXPONENTS[optimizer, norm]
        return cls((2 * layers) ** alpha, (2 * layers) ** gain)

    @overload
    @classmethod
    def deepnet(
        cls,
        architecture: Literal["encoder", "decoder"],
        encoder_layers: int = 0,
        decoder_layers: int = 0,
    ) -> DepthScaling: ...

    @overload
    @classmethod
    def deepnet(
        cls,
        architecture: Literal["encoder-decoder"],
        encoder_layers: int = 0,
        decoder_layers: int = 0,
    ) -> tuple[DepthScaling, DepthScaling]: ...

    @classmethod
    def deepnet(
        cls, architecture: str, encoder_layers: int = 0, decoder_layers: int = 0
    ) -> DepthScaling | tuple[DepthScaling, DepthScaling]:
        r"""Return the constants of DeepNet (Wang et al., arXiv 2203.00555, figure 2).

        With N encoder and M decoder layers:

        - "encoder": α = (2N)^(1/4), λ = (8N)^(−1/4);
        - "decoder": α = (2M)^(1/4), λ = (8M)^(−1/4);
        - "encoder-decoder": a pair. Encoder α = 0.81 (N⁴M)^(1/16), λ = 0.87 (N⁴M)^(−1/16);
          decoder α = (3M)^(1/4), λ = (12M)^(−1/4).

        Args:
            architecture: which of the three.
            encoder_layers: N; "decoder" does not look at it.
            decoder_layers: M; "encoder" does not look at it.

        Raises:
            DataError: if the name is unknown, or a number of layers that is needed is below 1.

        >>> DepthScaling.deepnet("encoder", 2)
        DepthScaling(alpha=1.4142135623730951, gain=0.5)
        >>> encoder, decoder = DepthScaling.deepnet("encoder-decoder", 16, 1)
        >>> encoder.alpha, encoder.gain
        (1.62, 0.435)
        """
        if architecture not in ARCHITECTURES:
            expected = ", ".join(map(repr, ARCHITECTURES))
            raise DataError(f"architecture is {architecture!r}; expected one of {expected}")
        if architecture != "decoder":
            _at_least_one("encoder_layers", encoder_layers)
        if architecture != "encoder":
            _at_least_one("decoder_layers", decoder_layers)
        n, m = encoder_layers, decoder_layers
        if architecture == "encoder":
            return cls((2 * n) ** (1 / 4), (8 * n) ** (-1 / 4))
        if architecture == "decoder":
            return cls((2 * m) ** (1 / 4), (8 * m) ** (-1 / 4))
        root = (n**4 * m) ** (1 / 16)
        return cls(0.81 * root, 0.87 / root), cls((3 * m) ** (1 / 4), (12 * m) ** (-1 / 4))


def _at_least_one(name: str, count: int) -> None:
    if not isinstance(count, int) or count < 1:
        raise DataError(f"{name} is {count!r}; expected a whole number, at least 1")
