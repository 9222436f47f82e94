# Copyright (c) mmrdn contributors. All rights reserved.
"""A function a format that returns the contents of files; ``WRITERS`` has them by name."""

from collections.abc import Callable, Sequence

from mmrdn.datasets.converters.annotated_video import AnnotatedVideo
from mmrdn.datasets.converters.loss_report import LossReport
from mmrdn.datasets.converters.writers.cvat_video import cvat_video_files
from mmrdn.datasets.converters.writers.label_studio import label_studio_files
from mmrdn.datasets.converters.writers.mot import mot_files
from mmrdn.datasets.converters.writers.ytvis import ytvis_files

# From videos, their losses and frames a second to the content of each file by its relative path; of
# a format of one file its path is ''.
WRITERS: dict[str, Callable[[Sequence[AnnotatedVideo], LossReport, float], dict[str, bytes]]] = {
    'cvat-video': cvat_video_files,
    'mot': mot_files,
    'ytvis': ytvis_files,
    'label-studio': label_studio_files,
}
