# RDN on a narrow Swin Transformer with FPN, from scratch, on moving digits.
_base_ = './rdn_faster-rcnn_r18-fpn_1xb4-1500_movingdigits.py'
model = dict(
    detector=dict(
        backbone=dict(
            _delete_=True,
            type='SwinTransformer',
            embed_dims=32,
            depths=(2, 2, 2),
            num_heads=(2, 4, 8),
            strides=(4, 2, 2),  # 4, 8 and 16 in all
            window_size=4,  # positions of a map
            out_indices=(0, 1, 2),
        )
    )
)
optim_wrapper = dict(
    paramwise_cfg=dict(custom_keys={'relative_position_bias_table': dict(decay_mult=0.0), 'norm': dict(decay_mult=0.0)})
)
