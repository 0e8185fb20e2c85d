# SPDX-License-Identifier: Apache-2.0
"""Many inputs: `hmr run recordings/** --out results --workers N`.

inputs: what directories and patterns hold
address: what a result depends on, as a digest
store: the results, by their addresses, and what is known about them
job: one input, in whichever process: files or a reason
workers: processes of this machine
cluster: tasks of Ray, on many machines
schedule: who works on what, again after a failure
chunks: where long inputs are cut
merging: results of chunks -> one result
assembling: jobs in chunks
report: report.html and report.parquet
run: all of it
"""
