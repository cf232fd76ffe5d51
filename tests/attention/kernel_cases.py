"""What both kernels are measured with: errors against float64 beside those of the reference."""

import os

import torch

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
DEVICE = torch.device("cpu" if INTERPRETED else "cuda")
NO_DEVICE = "needs CUDA; test_compilers runs this file in Triton's interpreter"
HALVES = [torch.bfloat16, torch.float16]


def draw(batch, n, *widths, dtype=torch.float32):
    """Return tensors [batch, n, width] on the device of the test."""
    return [torch.randn(batch, n, width).to(DEVICE, dtype) for width in widths]


def holes(batch, n):
    """Return a mask with holes everywhere, one sequence of nothing but padding, one without any."""
    mask = torch.rand(batch, n) < 0.7
    mask[0] = False
    mask[-1] = True
    return mask.to(DEVICE)


def outcome(function, tensors, do, dtype, **options):
    """Return the result and the gradients of the tensors, in that precision."""
    leaves = [tensor.detach().to(dtype).requires_grad_() for tensor in tensors]
    mixed = function(*leaves, **options)
    assert mixed.dtype == dtype
    return mixed.detach(), *torch.autograd.grad(mixed, leaves, do.to(dtype))


def assert_same(function, reference, tensors, do, *, rtol=1e-5, **options):
    """Result and gradients differ from those in float64 by 1e-5 of the largest number."""
    found = outcome(function, tensors, do, tensors[0].dtype, **options)
    exact = outcome(reference, tensors, do, torch.float64, **options)
    for i, (ours, truth) in enumerate(zip(found, exact, strict=True)):
        error = float((ours - truth).abs().max())
        assert error <= rtol * size(truth), f"output {i}: {error} of {size(truth)}"


def assert_twice_as_exact_as_plain(function, reference, tensors, do, **options):
    """The error, against float64, is at most twice that of plain PyTorch in the same precision."""
    dtype = tensors[0].dtype
    found = outcome(function, tensors, do, dtype, **options)
    plain = outcome(reference, tensors, do, dtype, **options)
    exact = outcome(reference, tensors, do, torch.float64, **options)
    for i, (ours, theirs, truth) in enumerate(zip(found, plain, exact, strict=True)):
        limit = 2 * float((theirs - truth).norm()) + 1e-6 * float(truth.norm())
        if INTERPRETED and dtype == torch.bfloat16:  # the interpreter cuts off what it should round
            limit += torch.finfo(dtype).eps / 2 * float(truth.norm())
        error = float((ours - truth).norm())
        assert error <= limit, f"output {i}: {error}, allowed {limit}"


def size(truth):
    """Return the largest number, or 1 if all are zero."""
    return float(truth.abs().max()) or 1.0


def most_kept(function):
    """Return how many numbers the largest tensor has that a call keeps for the way back."""
    sizes = []

    def note(tensor):
        sizes.append(tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        function()
    return max(sizes)
