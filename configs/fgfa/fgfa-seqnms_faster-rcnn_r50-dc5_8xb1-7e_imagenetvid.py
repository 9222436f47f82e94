# mmtrack's FGFA with the ImageNet VID metric and Seq-NMS.
_base_ = 'mmtrack::vid/fgfa/fgfa_faster-rcnn_r50-dc5_8xb1-7e_imagenetvid.py'
custom_imports = dict(imports=['mmrdn.evaluation'])
val_evaluator = dict(
    _delete_=True,
    type='mmrdn.VIDMetric',
    ann_file='data/ILSVRC/annotations/imagenet_vid_val.json',
    linker=dict(type='mmrdn.SeqNMS'))
test_evaluator = val_evaluator
