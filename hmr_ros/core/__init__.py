# SPDX-License-Identifier: Apache-2.0
"""The records, geometry and body of the project, in numpy and the standard library alone; all other packages import it.

Modules
    camera: Camera, from calibration_file or a field of view; people: Detections, Estimates, Bodies; hands:
    BodyHands; forecasts: Forecasts; records: their base; arrays: types of arrays; archives: .npz files;
    restricted_pickle: the arrays of pickles, whose code is not run; skeleton: joint sets; manifest: what a network
    expects and returns; json_fields: what JSON should hold; settings: what settings are made with; share: where shipped
    files lie; plausibility: camera matrices that cannot be; bounded: dicts of a limited size; blas: threads of linear
    algebra; thread_names: as the system shows them; tracepoints: where the time of an image goes; uncertainty:
    covariances, and what they are calibrated with; metrics: errors; photo_labels: joints labelled in photos;
    named_errors: of the operating system, with the file.
Packages, each of which imports only those before it
    config: the settings of a pipeline, of the node and of several cameras.
    geometry: rotations, cameras, crops, keypoints, TF frames.
    body: SMPL's schema, from parameters to meshes, also of hands; collision capsules.
    fitting: from a network's output and keypoints to SMPL parameters and a root translation.
    temporal: tracked people from image to image: smoothing, velocity, coasting, presence; load shedding.
    ros4hri: people as ROS4HRI (REP-155) describes them: joints, hands, URDF, motion, gestures.
"""
