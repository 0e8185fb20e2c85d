# SPDX-License-Identifier: Apache-2.0
"""The networks in PyTorch: what is trained, and the equivalent form of each that is exported. No robot imports them.

``compact_pose2mesh`` is the shipped Pose2Mesh, ``pose2mesh`` the published one (``posenet``, then ``meshnet``;
``mesh_heads`` its ablations), ``global_to_pixel`` the network that reads images.

Graph convolutions: ``coarsening`` (a mesh -> coarser graphs), ``blocks`` (their nodes in patches), ``chebyshev`` (the
convolution on either), ``upsampling`` (a few hundred nodes -> all vertices). ``body_model`` poses bodies in batches.
"""
