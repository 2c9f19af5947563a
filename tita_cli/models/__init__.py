"""Model files: find, verify, list and load them."""

from __future__ import annotations

from tita_cli.models.find import file_hash, find_model, shipped_models, user_folder

__all__ = ["file_hash", "find_model", "shipped_models", "user_folder"]
