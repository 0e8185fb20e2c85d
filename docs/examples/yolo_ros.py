# SPDX-License-Identifier: Apache-2.0
"""yolo_ros -> hmr_ros: run this beside yolo_ros; docs/detection.md has the commands.

It subscribes ``yolo`` (yolo_msgs/DetectionArray) and publishes ``detections`` (vision_msgs) and, of a pose model,
``keypoints`` (hmr_ros/Keypoints2DArray), with the header of the image.
"""

import rclpy
from hmr_ros.msg import Keypoints2D, Keypoints2DArray
from rclpy.node import Node
from vision_msgs.msg import Detection2D, Detection2DArray, ObjectHypothesisWithPose

JOINTS = 17
"""YOLO's pose models have COCO's joints; yolo_ros numbers them from 1 and leaves out those below its threshold."""


def to_boxes(message):
    """The detections of a yolo_msgs/DetectionArray as vision_msgs has them."""
    return Detection2DArray(header=message.header, detections=[_box(d, message.header) for d in message.detections])


def _box(detection, header):
    box = Detection2D(header=header, id=detection.id)
    box.bbox.center.position.x = detection.bbox.center.position.x
    box.bbox.center.position.y = detection.bbox.center.position.y
    box.bbox.center.theta = detection.bbox.center.theta
    box.bbox.size_x, box.bbox.size_y = detection.bbox.size.x, detection.bbox.size.y
    hypothesis = ObjectHypothesisWithPose()
    hypothesis.hypothesis.class_id = detection.class_name
    hypothesis.hypothesis.score = detection.score
    box.results = [hypothesis]
    return box


def to_keypoints(message):
    """The people of a yolo_msgs/DetectionArray of a pose model."""
    people = [_person(d) for d in message.detections if d.class_name == "person" and d.keypoints.data]
    return Keypoints2DArray(header=message.header, joint_set="coco17", people=people)


def _person(detection):
    points, scores = [0.0] * (2 * JOINTS), [0.0] * JOINTS
    for keypoint in detection.keypoints.data:
        k = keypoint.id - 1
        points[2 * k : 2 * k + 2] = keypoint.point.x, keypoint.point.y
        scores[k] = keypoint.score
    return Keypoints2D(id=detection.id, score=detection.score, keypoints=points, keypoint_scores=scores)


def main():
    """Convert until a signal ends it."""
    from yolo_msgs.msg import DetectionArray

    rclpy.init()
    node = Node("yolo_to_hmr")
    boxes = node.create_publisher(Detection2DArray, "detections", 10)
    keypoints = node.create_publisher(Keypoints2DArray, "keypoints", 10)

    def convert(message):
        boxes.publish(to_boxes(message))
        keypoints.publish(to_keypoints(message))

    node.create_subscription(DetectionArray, "yolo", convert, 10)
    rclpy.spin(node)


if __name__ == "__main__":
    main()
