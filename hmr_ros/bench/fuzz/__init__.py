# SPDX-License-Identifier: Apache-2.0
"""Broken input for everything that is read: ``make fuzz``. Needs hypothesis.

mutations: valid bytes with damage; targets: what is read, and the errors that refuse it; subscribers, files: the
readers of messages and of files; campaign: runs them and reports what is neither a result nor a named error
"""
