"""Fuse many groups of images: a plan becomes jobs, which are decoded, fused and encoded in parallel and journalled."""

from __future__ import annotations

from tita_cli.batch.fuser import ApiFuser, Fuser, FuserOptions, Lane
from tita_cli.batch.history import History
from tita_cli.batch.jobs import Job, Jobs, make_jobs
from tita_cli.batch.journal import Journal, read_journal
from tita_cli.batch.pool import LocalPool, Pool
from tita_cli.batch.record import Record
from tita_cli.batch.resume import Recipe, State, Task, Tasks, judge_jobs
from tita_cli.batch.runner import Summary, run_batch
from tita_cli.batch.sizing import choose_sizes, is_gpu_likely
from tita_cli.batch.work import Work

__all__ = [
    "ApiFuser",
    "Fuser",
    "FuserOptions",
    "History",
    "Job",
    "Jobs",
    "Journal",
    "Lane",
    "LocalPool",
    "Pool",
    "Recipe",
    "Record",
    "State",
    "Summary",
    "Task",
    "Tasks",
    "Work",
    "choose_sizes",
    "is_gpu_likely",
    "judge_jobs",
    "make_jobs",
    "read_journal",
    "run_batch",
]
