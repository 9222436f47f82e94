# Copyright (c) mmrdn contributors. All rights reserved.
import numpy as np
import pytest

from mmrdn.structures import FrameAnnotations, FrameDetections
from mmrdn.visualization import FrameDrawer, class_color, put_label
from mmrdn.visualization.canvas import Rect, line_width
from mmrdn.visualization.font import Font

CLASSES = ('zero', 'one', 'two')


def draw(boxes, labels=None, scores=None, size=(120, 160), track_ids=None, marked=None, classes=CLASSES, **kwargs):
    """Boxes on gray, of label 0, 1, ... unless said otherwise; ground truth where there are no scores."""
    labels = np.arange(len(boxes)) if labels is None else labels
    if scores is None:
        found = FrameAnnotations(bboxes=boxes, labels=labels)
    else:
        found = FrameDetections(bboxes=boxes, labels=labels, scores=scores, track_ids=track_ids)
    image = np.full((*size, 3), 128, np.uint8)
    out = FrameDrawer(classes, **kwargs).draw_boxes(image, found, marked)
    assert (image == 128).all()  # the image itself stays as it is
    return out


def ground(out, label):
    """First and last row of a label, with the edge of its box if it touches.

    Between the letters a label's ground has its color in three rows in succession, over more
    columns than the upright edges of a box.
    """
    same = (out == class_color(label)).all(2)
    rows = [y for y in range(len(same) - 2) if same[y : y + 3].all(0).sum() >= 8]
    return min(rows), max(rows) + 2


def test_edges_are_where_the_box_is():
    out = draw([[20, 60, 70, 100]], [1])
    assert line_width(120, 160) == 1
    for y, x in ((80, 20), (80, 70), (100, 45), (60, 20), (100, 70)):
        assert (out[y, x] == class_color(1)).all()
    assert (out[62:99, 22:69] == 128).all()  # nothing inside
    assert (out[102:] == 128).all() and (out[:, 72:] == 128).all()


def test_a_larger_image_has_wider_lines():
    """8 times the box and the image: 4 pixels, between black ones."""
    out = draw([[20, 60, 70, 100]], [1], scale=8)
    assert out.shape == (960, 1280, 3) and line_width(960, 1280) == 4
    row = out[640, 140:180]
    color = np.flatnonzero((row == class_color(1)).all(1))
    black = np.flatnonzero((row == 0).all(1))
    assert 4 <= len(color) <= 5 and 160 in color + 140
    assert black.min() < color.min() and black.max() > color.max()


def test_marked_box_has_a_white_ring():
    out = draw([[20, 60, 70, 100], [90, 60, 140, 100]], [1, 1], marked=1)
    assert (out[80, 90] == class_color(1)).all()
    assert (out[80, [89, 91]] == 255).all() and (out[80, 21] == 128).all()


@pytest.mark.parametrize(
    'box, top',
    [
        ([20, 60, 70, 100], 60 - Font(9).line_height),  # above the box
        ([20, 0, 70, 50], 51),  # below a box at the upper border
        ([20, 0, 70, 119], 0),  # inside a box as high as the image
    ],
)
def test_label_is_inside_the_image(box, top):
    """Its ground begins at that row, and is as high as a line."""
    out = draw([box], [1], [0.87])
    width = Font(9).width('one 0.87')
    label = out[top : top + Font(9).line_height, 20 : 20 + width]
    allowed = np.array([class_color(1), (0, 0, 0)], float)
    # Ground, ink, or between them: black on green leaves blue and red at 0.
    assert (label[..., [0, 2]] == 0).all() and allowed[0].tolist() == [0, 255, 0]
    assert (label == class_color(1)).all(2).mean() > 0.5
    assert (label[..., 1] < 60).sum() > 20  # something is written


def test_label_at_the_right_border_moves_left():
    out = draw([[150, 60, 159, 100]], [1], [0.87])
    width = Font(9).width('one 0.87')
    label = out[60 - Font(9).line_height : 60, -width:]
    assert (label[..., [0, 2]] == 0).all()


def test_labels_do_not_cover_each_other():
    """Two boxes in one place: above the better one, below the other."""
    out = draw([[20, 60, 70, 100]] * 2, [0, 1], [0.5, 0.9])
    assert ground(out, 1) == (60 - Font(9).line_height, 60)
    assert ground(out, 0) == (101, 100 + Font(9).line_height)


def test_better_box_is_drawn_over_the_other():
    for scores, label in (([0.5, 0.9], 1), ([0.9, 0.5], 0)):
        out = draw([[20, 60, 70, 100]] * 2, [0, 1], scores)
        assert (out[80, 20] == class_color(label)).all()


def test_label_loses_its_score_where_it_is_too_long():
    """'one 0.87 #12' is wider than the image, 'one #12' is not."""
    width = Font(9).width('one #12')
    assert width < 46 < Font(9).width('one 0.87 #12')
    size = (60, 46)
    box = [[2, 30, 40, 50]]
    out = draw(box, [1], [0.87], size, track_ids=[12])
    assert (out == draw(box, [1], None, size, classes=('zero', 'one #12', 'two'))).all()
    assert ground(out, 1) == (30 - Font(9).line_height, 30)


def test_label_that_fits_nowhere_is_dropped():
    out = draw([[1, 2, 8, 9]], [1], [0.5], (10, 10))
    assert (out[2, 1] == class_color(1)).all()
    assert (out[4:7, 3:7] == 128).all()


@pytest.mark.parametrize('ids, same', [([-1, -1], True), ([3, -1], False)])
def test_track_numbers_are_shown(ids, same):
    boxes = [[10, 60, 40, 90], [90, 60, 120, 90]]
    plain = draw(boxes, [1, 2], [0.5, 0.6])
    numbered = draw(boxes, [1, 2], [0.5, 0.6], track_ids=ids)
    assert (numbered[:, 85:] == plain[:, 85:]).all()
    assert (numbered == plain).all() == same


def test_score_above_one_is_shown_as_it_is():
    box = [[10, 60, 40, 90]]
    assert (draw(box, [1], [1.9]) != draw(box, [1], [1.0])).any()


@pytest.mark.parametrize(
    'box, seen',
    [
        ([-50, 60, 70, 300], True),
        ([-1e9, -1e9, 1e9, 1e9], True),
        ([-90, 60, -10, 100], False),
        ([20, 130, 60, 1e12], False),
        ([200, 10, 300, 50], False),
    ],
)
def test_box_beyond_the_image_is_cut(box, seen):
    out = draw([box], [1], [0.9])
    assert (out != 128).any() == seen
    if seen:
        x1, y1, x2, y2 = np.clip(box, 0, [159, 119] * 2).astype(int)
        for y, x in ((y2 - 2, x1), (y1 + 40, x2), (y2, x1 + 5)):
            assert (out[y, x] == class_color(1)).all()


def test_nothing_found_leaves_the_image():
    assert (draw(np.zeros((0, 4))) == 128).all()
    assert (draw(np.zeros(0), scores=[]) == 128).all()


@pytest.mark.parametrize(
    'boxes, labels, scores, message',
    [
        ([[0, 0, 5, 5], [0, 0, np.nan, 5]], [0, 1], None, 'bboxes must be finite, got nan'),
        ([[0, 0, np.inf, 5]], [0], None, 'bboxes must be finite, got inf'),
        ([[9, 0, 5, 5]], [0], None, r'bboxes must be xyxy with x2 >= x1 .* got \[9.0, 0.0, 5.0, 5.0\]'),
        ([[0, 0, 5, 5], [9, 0, 5, 5]], [0, 0], [0.5, 0.5], r'box 1: \[9.0, 0.0, .* is not x1 <= x2, y1 <= y2'),
        ([[0, 0, 5, 5]], [3], None, 'box 0: label 3, but there are 3 classes'),
        ([[0, 0, 5, 5]], [-1], None, 'box 0: label -1, but there are 3 classes'),
        ([[0, 0, 5, 5]], [0], [np.nan], 'scores must be finite, got nan'),
        ([[0, 0, 5]], [0], None, r'bboxes must be \(1, 4\), got \(1, 3\)'),
    ],
)
def test_faulty_boxes_are_named(boxes, labels, scores, message):
    with pytest.raises(ValueError, match=message):
        draw(boxes, labels, scores)


@pytest.mark.parametrize(
    'image, found',
    [
        (np.zeros((20, 30), np.uint8), r'\(20, 30\) uint8'),
        (np.zeros((20, 30, 1), np.uint8), r'\(20, 30, 1\) uint8'),
        (np.zeros((20, 30, 3)), r'\(20, 30, 3\) float64'),
        (np.zeros((0, 30, 3), np.uint8), r'\(0, 30, 3\) uint8'),
        (None, 'NoneType'),
    ],
)
def test_anything_but_a_color_image_is_refused(image, found):
    with pytest.raises(
        ValueError,
        match=r'image must be \(height, width, 3\) uint8 in '
        f'color, got {found}$',
    ):
        FrameDrawer(CLASSES).draw_boxes(image, FrameAnnotations(bboxes=[], labels=[]))


def test_names_of_any_letters_can_be_drawn():
    image = np.full((120, 160, 3), 128, np.uint8)
    names = ['Füchse', 'two\nlines', '']
    boxes = FrameAnnotations(bboxes=[[10, 20, 60, 30], [10, 50, 60, 60], [10, 90, 60, 99]], labels=np.arange(3))
    out = FrameDrawer(names).draw_boxes(image, boxes)
    assert (out[20, 20] == class_color(0)).all()


def test_put_label_is_moved_into_the_image():
    canvas = np.full((120, 160, 3), 128, np.uint8)
    put_label(canvas, 'better', (160, -20), (0, 255, 0))
    width = Font(9).width('better')
    assert (canvas[: Font(9).line_height, -width:, [0, 2]] == 0).all()
    assert (canvas[Font(9).line_height :] == 128).all()
    assert (canvas[:, :-width] == 128).all()


def test_rectangles_overlap_by_hand():
    a = Rect(0, 0, 9, 4)
    assert a.overlap(Rect(8, 3, 20, 20)) == 4
    assert a.overlap(a) == 50
    assert a.overlap(Rect(10, 0, 20, 4)) == 0


def test_text_is_shortened_to_what_fits():
    width = Font(12).width('domestic…')
    assert Font(12).shorten('domestic_cat', width) == 'domestic…'
    assert Font(12).shorten('domestic_cat', width - 1) == 'domesti…'
    assert Font(12).shorten('domestic_cat', 1000) == 'domestic_cat'
    assert Font(12).shorten('domestic_cat', 1) == ''


def test_font_grows_with_the_image():
    sizes = [Font.for_image(*size).size for size in ((128, 160), (480, 640), (1080, 1920))]
    assert sizes == [9, 18, 26]  # 0.8 times the root of the height
