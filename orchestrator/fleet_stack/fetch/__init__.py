"""Get things from elsewhere: verified downloads, vendors' releases, Debian's packages, a cache."""

from fleet_stack.fetch import debian, hosts, tasks, vendor
from fleet_stack.fetch.cache import Cache, CacheError, decide_cache_root
from fleet_stack.fetch.download import Source, download_file, hash_file
from fleet_stack.fetch.download_progress import DownloadProgress
from fleet_stack.fetch.tasks import Tasks

__all__ = (
    "Cache", "CacheError", "DownloadProgress", "Source", "Tasks", "debian",
    "decide_cache_root", "download_file", "hash_file", "hosts", "tasks", "vendor",
)  # fmt: skip
