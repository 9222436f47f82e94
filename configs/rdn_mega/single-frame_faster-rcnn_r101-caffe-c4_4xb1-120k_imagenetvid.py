# MEGA's "single frame baseline": Faster R-CNN with two fcs.
_base_ = [
    '../_base_/models/faster-rcnn_r101-caffe-c4_imagenetvid.py',
    '../_base_/datasets/imagenet_vid_mega_style.py',
    '../_base_/schedules/sgd_120k.py',
    '../_base_/default_runtime.py',
]
model = dict(detector=dict(roi_head=dict(bbox_head=dict(num_shared_fcs=2))))

# No support frames.
_base_.train_dataloader.dataset.datasets[0].ref_img_sampler.update(num_ref_imgs=0, frame_range=0)
_base_.train_dataloader.dataset.datasets[1].ref_img_sampler.update(num_ref_imgs=0)
