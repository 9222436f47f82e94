# Copyright (c) mmrdn contributors. All rights reserved.
from torch import Tensor


def rescale_norm(weight: Tensor, variance: Tensor, theirs: float, ours: float) -> Tensor:
    """Weights of a frozen batch norm that adds another epsilon.

    Args:
        weight (Tensor): (c,) its weights.
        variance (Tensor): (c,) its running variance.
        theirs (float): Epsilon that the source adds to the variance.
        ours (float): Epsilon that the model adds.

    Returns:
        Tensor: (c,) weights that give the same scale, in float64.

    Raises:
        ValueError: A variance is no positive number, and the source adds nothing.
    """
    variance = variance.double()
    if not variance.is_meta and not (variance + theirs > 0).all():
        lowest = (variance + theirs).min().item()
        raise ValueError(f'holds a variance of {lowest:g}, expected more than 0')
    return weight.double() * ((variance + ours) / (variance + theirs)).sqrt()
