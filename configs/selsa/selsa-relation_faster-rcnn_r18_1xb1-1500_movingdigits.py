# mmtrack's SELSA whose aggregator is RDN's object relation module, appearance
# only, on moving digits.
_base_ = [
    '../_base_/models/faster-rcnn_r18-s8_movingdigits.py',
    '../_base_/datasets/moving_digits.py',
    '../_base_/schedules/movingdigits_1500.py', '../_base_/default_runtime.py'
]
_base_.model.pop('temporal_range')
model = dict(
    type='SELSA',
    detector=dict(
        roi_head=dict(
            type='mmtrack.SelsaRoIHead',
            bbox_roi_extractor=dict(type='mmtrack.SingleRoIExtractor'),
            bbox_head=dict(
                type='mmtrack.SelsaBBoxHead',
                num_shared_fcs=2,
                aggregator=dict(
                    type='mmrdn.ObjectRelationAggregator',
                    in_channels=_base_.fc_channels,
                    num_attention_blocks=16)))))

# Two support frames in training. In testing eight frames, spread over the
# video, pass the backbone with its first frame and support all of them.
train_dataloader = dict(
    batch_size=1,  # SELSA takes one
    dataset=dict(
        ref_img_sampler=dict(
            num_ref_imgs=2,
            frame_range=6,
            filter_key_img=True,
            method='bilateral_uniform')))
test_pipeline = [
    dict(
        type='TransformBroadcaster',
        share_random_params=True,
        transforms=_base_.test_pipeline[:-1]),
    dict(type='PackTrackInputs', pack_single_img=False)
]
val_dataloader = dict(
    dataset=dict(
        pipeline=test_pipeline,
        ref_img_sampler=dict(
            _delete_=True,
            num_ref_imgs=8,
            frame_range=[-4, 4],
            method='test_with_adaptive_stride')))
test_dataloader = val_dataloader
custom_hooks = [*_base_.custom_hooks, dict(type='ChannelsLastHook')]
