# Copyright (c) mmrdn contributors. All rights reserved.
import pytest
import torch
import torch.nn.functional as F

from mmrdn.model_converters.backbone_conventions import rescale_norm


@pytest.mark.parametrize('theirs, ours', [(0.0, 1e-5), (1e-3, 1e-5), (1e-5, 1e-3)])
def test_same_scale(theirs, ours):
    """Also where the variance is much smaller than epsilon."""
    variance = torch.tensor([1.0, 1e-3, 1e-9, 1e-13])
    weight = torch.tensor([0.5, -2.0, 1.0, 3.0])
    x = torch.full((1, 4), 1e-3, dtype=torch.float64)
    expected = x * weight / (variance.double() + theirs).sqrt()
    found = F.batch_norm(
        x, torch.zeros(4).double(), variance.double(), rescale_norm(weight, variance, theirs, ours), eps=ours
    )
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=0)


def test_no_variance():
    with pytest.raises(ValueError, match='^holds a variance of -0.5, expected more than 0$'):
        rescale_norm(torch.ones(2), torch.tensor([1.0, -0.5]), 0.0, 1e-5)
