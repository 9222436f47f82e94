# Copyright (c) mmrdn contributors. All rights reserved.
import numpy as np

from mmrdn.visualization import titled_panels
from mmrdn.visualization.panels import panel_margin, title_height


def test_panels_stand_side_by_side():
    panels = [np.full((20, 100, 3), value, np.uint8) for value in (50, 200)]
    row = titled_panels(panels, ['a', 'b' * 100])
    top, margin = title_height(20, 100), panel_margin(20, 100)
    assert row.shape == (20 + top, 2 * (100 + margin) + margin, 3)
    right = 100 + 2 * margin
    assert (row[top:, margin : 100 + margin] == 50).all()
    assert (row[top:, right : right + 100] == 200).all()
    assert row[:top, margin : margin + 20].max() > 200  # a title each, and
    assert row[:top, right : right + 20].max() > 200  # none beyond its panel
    assert (row[:, right + 100 :] == 32).all()
