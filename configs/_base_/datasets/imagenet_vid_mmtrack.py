# What children of mmtrack's ImageNet VID configs change, under names of its
# own: MMEngine lets no two bases have the same one.
custom_imports = dict(imports=['mmrdn.evaluation', 'mmrdn.models'])
det_ann_file = 'annotations/imagenet_det_30classes.json'  # of our converter
vid_metric = dict(type='mmrdn.VIDMetric', ann_file='data/ILSVRC/annotations/imagenet_vid_val.json')
