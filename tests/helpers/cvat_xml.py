# Copyright (c) mmrdn contributors. All rights reserved.
"""Files of CVAT for video 1.1 and for images 1.1, as CVAT 2 exports them."""

HEAD = """<?xml version="1.0" encoding="utf-8"?>
<annotations>
  <version>1.1</version>
  <meta>
    <task>
      <id>7</id>
      <name>crossing, day 1</name>
      <size>{size}</size>
      <mode>interpolation</mode>
      <overlap>5</overlap>
      <bugtracker></bugtracker>
      <created>2024-03-01 10:00:00.000000+00:00</created>
      <subset>default</subset>
      <start_frame>{start}</start_frame>
      <stop_frame>{stop}</stop_frame>
      <frame_filter>{step}</frame_filter>
      <labels>
        <label><name>car</name><color>#ff0000</color><type>any</type><attributes></attributes></label>
        <label><name>person</name><color>#00ff00</color><type>any</type><attributes></attributes></label>
      </labels>
      <segments><segment><id>7</id><start>0</start><stop>9</stop><url>http://localhost/api/jobs/7</url></segment></segments>
      <owner><username>ann</username><email></email></owner>
      <original_size><width>640</width><height>360</height></original_size>
      <source>{source}</source>
    </task>
    <dumped>2024-03-02 10:00:00.000000+00:00</dumped>
  </meta>
"""
IMAGES = """<?xml version="1.0" encoding="utf-8"?>
<annotations><version>1.1</version>
<meta><task><id>1</id><name>stills</name><size>3</size><mode>annotation</mode>
<labels><label><name>car</name></label><label><name>dog</name></label></labels></task></meta>
<image id="0" name="clip a/frame_000000.png" width="640" height="360">
  <box label="car" source="manual" occluded="1" xtl="10.00" ytl="20.00" xbr="30.50" ybr="60.00" z_order="0">
    <attribute name="track_id">4</attribute><attribute name="color">red</attribute></box>
  <tag label="dog" source="manual"></tag>
</image>
<image id="2" name="clip a/frame_000010.png" width="640" height="360"></image>
<image id="1" name="clip a/frame_000002.png" width="640" height="360">
  <box label="car" source="manual" occluded="0" xtl="12.00" ytl="20.00" xbr="32.00" ybr="60.00" z_order="0">
    <attribute name="track_id">4</attribute></box>
  <box label="dog" source="manual" occluded="0" xtl="1.00" ytl="2.00" xbr="3.00" ybr="4.00" z_order="0"></box>
</image>
</annotations>"""


def video_xml(body, size=10, start=0, stop=9, step='', source='cross road.mp4'):
    return HEAD.format(size=size, start=start, stop=stop, step=step, source=source) + body + '</annotations>\n'


def track(label, *boxes, number=0, extra=''):
    return f'<track id="{number}" label="{label}" source="manual"{extra}>{"".join(boxes)}</track>'


def box(frame, corners, keyframe=1, outside=0, occluded=0, extra='', inner=''):
    x1, y1, x2, y2 = corners
    return (
        f'<box frame="{frame}" keyframe="{keyframe}" outside="{outside}" occluded="{occluded}" xtl="{x1:.2f}" '
        f'ytl="{y1:.2f}" xbr="{x2:.2f}" ybr="{y2:.2f}" z_order="0"{extra}>{inner}</box>\n'
    )
