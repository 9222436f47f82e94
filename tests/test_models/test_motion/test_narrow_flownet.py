# Copyright (c) mmrdn contributors. All rights reserved.
import pytest
import torch
from mmtrack.models import FlowNetSimple

from mmrdn.models import NarrowFlowNet

META = dict(img_shape=(60, 90))
PREPROCESS = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375])


def flow(net, seed=0):
    pairs = torch.randn(2, 6, 64, 96, generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        return net(pairs, META, PREPROCESS)


@pytest.mark.slow
def test_full_width_is_mmtracks():
    torch.manual_seed(0)
    theirs = FlowNetSimple(img_scale_factor=0.5)
    ours = NarrowFlowNet(divisor=1, img_scale_factor=0.5)
    ours.load_state_dict(theirs.state_dict())
    assert torch.equal(flow(ours), flow(theirs))


@pytest.mark.slow
@pytest.mark.parametrize('divisor', [4, 32])
def test_widths(divisor):
    """Each layer has a share of FlowNetSimple's, but for images and flows."""
    wanted = {key: value.shape for key, value in FlowNetSimple(img_scale_factor=0.5).state_dict().items()}
    found = NarrowFlowNet(divisor=divisor, img_scale_factor=0.5).state_dict()
    assert found.keys() == wanted.keys()
    for key, value in found.items():
        for ours, theirs in zip(value.shape[:2], wanted[key][:2]):
            if theirs % 64 == 2:  # feature maps and a flow, or a flow alone
                assert ours == (theirs - 2) // divisor + 2
            elif theirs > 7:  # neither the images nor the size of the kernel
                assert ours == theirs // divisor
            else:
                assert ours == theirs


def test_starts_at_no_motion_and_learns_it():
    torch.manual_seed(0)
    net = NarrowFlowNet(divisor=16, img_scale_factor=0.5)
    assert flow(net).abs().max() > 0
    net.init_weights()
    assert flow(net).shape == (2, 2, 64, 96)
    assert flow(net).abs().max() == 0
    pairs = torch.randn(1, 6, 64, 96)
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-3)
    errors = []
    for _ in range(3):
        error = (net(pairs, META, PREPROCESS) - 3).square().mean()
        errors.append(error.item())
        optimizer.zero_grad()
        error.backward()
        optimizer.step()
    assert errors[0] == pytest.approx(9) and errors[2] < errors[1] < errors[0]


def test_pretrained_weights_stay(tmp_path):
    """Those that init_cfg names, the last layer too."""
    net = NarrowFlowNet(divisor=16, img_scale_factor=0.5)
    torch.save(net.state_dict(), tmp_path / 'flow.pth')
    init_cfg = dict(type='Pretrained', checkpoint=f'{tmp_path}/flow.pth')
    loaded = NarrowFlowNet(divisor=16, img_scale_factor=0.5, init_cfg=init_cfg)
    loaded.init_weights()
    assert torch.equal(flow(loaded), flow(net))


@pytest.mark.parametrize('divisor', [0, 3, 64, 2.5])
def test_divisor_is_checked(divisor):
    with pytest.raises(ValueError, match=f'^divisor must be 1, 2, 4, 8, 16 or 32, got {divisor}$'):
        NarrowFlowNet(divisor=divisor, img_scale_factor=0.5)
