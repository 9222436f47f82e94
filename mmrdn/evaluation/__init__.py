# Copyright (c) mmrdn contributors. All rights reserved.
# A name is imported when it is used: the functions of numpy need neither torch nor OpenMMLab.
import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        'functional': ['confusion_matrix', 'flicker', 'motion_iou', 'precision_recall', 'vid_map'],
        'linkers': ['build_linker'],
        'metrics': ['VIDMetric'],
        'prediction_files': ['evaluate_predictions', 'link_predictions', 'measure_flicker'],
    },
)
