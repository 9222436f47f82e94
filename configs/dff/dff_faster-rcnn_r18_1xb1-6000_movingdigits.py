# mmtrack's DFF, small, from scratch on moving digits.
_base_ = [
    '../_base_/models/faster-rcnn_r18-s8_mmtrack_movingdigits.py',
    '../_base_/datasets/moving_digits.py',
    '../_base_/schedules/movingdigits_6000.py',
    '../_base_/default_runtime.py',
]
model = dict(
    type='DFF',
    detector=dict(roi_head=dict(type='StandardRoIHead', bbox_head=dict(type='Shared2FCBBoxHead'))),
    # flow_scale_factor: mmtrack's 5 is for pretrained weights
    motion=dict(type='NarrowFlowNet', img_scale_factor=0.5, flow_scale_factor=0.5),
    test_cfg=dict(key_frame_interval=4),  # frames
)
train_dataloader = dict(
    batch_size=1,
    dataset=dict(
        ref_img_sampler=dict(
            num_ref_imgs=1,  # mmtrack's DFF takes no more
            frame_range=4,  # frames
            filter_key_img=True,
        )
    ),
)
