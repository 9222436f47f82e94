# Copyright (c) mmrdn contributors. All rights reserved.
from mmrdn.model_zoo.metafile import update_metafile
from mmrdn.model_zoo.metafile_entry import make_entry
from mmrdn.model_zoo.publishing import publish_model

__all__ = ['make_entry', 'publish_model', 'update_metafile']
