# Copyright (c) mmrdn contributors. All rights reserved.
"""Box linking with relations (BLR): paper section 3.4, Eq. 8-9.

Deviations from the paper, off by default: ``min_iou`` and ``max_gap``.
"""

import warnings
from collections.abc import Sequence

import numpy as np

from mmrdn.post_processing.box_graph import BoxGraph
from mmrdn.post_processing.tube_linking import TubeLinking


class BoxLinkingWithRelations(TubeLinking):
    """Tube linking with scores ``(s_i + s_j + IoU) * exp(w_ij)``, w the mean attention weights.

    Where no relation weight is known it counts as 0: without ``relations`` this is
    :class:`TubeLinking`.
    """

    uses_relations = True

    def _link_scores(self, graph: BoxGraph, relations: Sequence | None) -> np.ndarray:
        scores = super()._link_scores(graph, relations)
        if relations is None:
            return scores
        if len(relations) and all(r is None for r in relations):
            warnings.warn(
                'BoxLinkingWithRelations has no relations and links as TubeLinking does: the model must record them '
                '(recorders=[dict(type="NextFrameRelations")]); an exported one needs a basic stage and a look-ahead'
            )
        scores *= np.exp(graph.gather(relations))
        return scores
