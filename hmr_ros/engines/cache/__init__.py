# SPDX-License-Identifier: Apache-2.0
"""TensorRT engines on disk. An engine is executable code, so only engines built and sealed by this user are loaded.

cache: find, build, store; entry: the sealed record beside an engine; private_directory: files of this user alone;
file_lock: one builder at a time; child: builds and probes in a process of their own.
"""
