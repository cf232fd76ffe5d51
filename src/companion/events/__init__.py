"""Events in sentences: find the arguments, link those that belong together, read the events off."""

from companion.events.losses import multilabel_cross_entropy, sparse_multilabel_cross_entropy
from companion.events.scorers import EfficientGlobalPointer, GlobalPointer

__all__ = [
    "EfficientGlobalPointer",
    "GlobalPointer",
    "multilabel_cross_entropy",
    "sparse_multilabel_cross_entropy",
]
