# Copyright (c) mmrdn contributors. All rights reserved.
"""Draw a track in which box linking recovered detections, over time."""

import argparse

from mmrdn.utils.cli import add_arguments, one_line_errors


@one_line_errors
def main() -> None:
    """Draw, and print what."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('predictions', help='JSON of predictions')
    parser.add_argument('linked', help='the same predictions after link_predictions.py')
    parser.add_argument('ann_file', help='ground truth (COCO-VID JSON)')
    parser.add_argument('image_root', help='directory of the images')
    parser.add_argument('out', help='image to write, PNG or JPEG')
    add_arguments(parser, '--score-thr')
    parser.add_argument('--num-frames', type=int, default=6, help='number of frames to draw (default: %(default)s)')
    add_arguments(parser, '--overwrite', help='replace OUT')
    args = parser.parse_args()
    from mmrdn.browsing.track_browser import browse_track

    track = browse_track(**vars(args))
    print(
        f'{args.out}: track {track["instance_id"]} of video '
        f'{track["video_id"]}, {track["frames"]} frames, {track["recovered"]} '
        f'detections recovered; threshold {args.score_thr:g} before, '
        f'{track["linked_thr"]:.3f} after linking'
    )


if __name__ == '__main__':
    main()
