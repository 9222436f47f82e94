# Copyright (c) mmrdn contributors. All rights reserved.
"""Registry nodes of mmrdn, each a child of mmtrack's node of that kind.

With ``default_scope='mmrdn'`` the names of mmrdn and mmtrack resolve without a prefix and those of
mmdet as ``mmdet.X``. Inside a config of mmtrack, and inside a part with ``_scope_='mmdet'``, the
names of mmrdn are ``mmrdn.X``.
"""

from mmengine.registry import Registry
from mmtrack import registry as mmtrack_registry


def _child(kind: str, parent: Registry, *locations: str) -> Registry:
    """Make mmrdn's node below mmtrack's.

    MMEngine looks a prefix up among the children of the current node and of the root, so that from
    mmdet's node ``mmrdn.X`` is found only if the root knows it too.
    """
    node = Registry(kind, parent=parent, scope='mmrdn', locations=[f'mmrdn.{location}' for location in locations])
    parent.parent.children.setdefault('mmrdn', node)
    return node


RUNNERS = _child('runner', mmtrack_registry.RUNNERS)
RUNNER_CONSTRUCTORS = _child('runner constructor', mmtrack_registry.RUNNER_CONSTRUCTORS)
LOOPS = _child('loop', mmtrack_registry.LOOPS, 'engine')
HOOKS = _child('hook', mmtrack_registry.HOOKS, 'engine')
DATASETS = _child(
    'dataset',
    mmtrack_registry.DATASETS,
    'datasets.every_frame_dataset',
    'datasets.imagenet_vid_dataset',
    'datasets.moving_digits_dataset',
    'datasets.wrappers',
)
DATA_SAMPLERS = _child('data sampler', mmtrack_registry.DATA_SAMPLERS, 'datasets.samplers')
TRANSFORMS = _child('transform', mmtrack_registry.TRANSFORMS, 'datasets.transforms')
MODELS = _child('model', mmtrack_registry.MODELS, 'models')
MODEL_WRAPPERS = _child('model_wrapper', mmtrack_registry.MODEL_WRAPPERS)
WEIGHT_INITIALIZERS = _child('weight initializer', mmtrack_registry.WEIGHT_INITIALIZERS)
OPTIMIZERS = _child('optimizer', mmtrack_registry.OPTIMIZERS)
OPTIM_WRAPPERS = _child('optim_wrapper', mmtrack_registry.OPTIM_WRAPPERS, 'engine')
OPTIM_WRAPPER_CONSTRUCTORS = _child('optimizer constructor', mmtrack_registry.OPTIM_WRAPPER_CONSTRUCTORS)
PARAM_SCHEDULERS = _child('parameter scheduler', mmtrack_registry.PARAM_SCHEDULERS)
METRICS = _child('metric', mmtrack_registry.METRICS, 'evaluation.metrics')
TASK_UTILS = _child('task util', mmtrack_registry.TASK_UTILS, 'models', 'evaluation.linkers')
VISUALIZERS = _child('visualizer', mmtrack_registry.VISUALIZERS, 'visualization.vid_visualizer')
VISBACKENDS = _child('vis_backend', mmtrack_registry.VISBACKENDS)
LOG_PROCESSORS = _child('log processor', mmtrack_registry.LOG_PROCESSORS, 'engine')
