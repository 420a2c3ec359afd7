"""Where a store may lie: SQLite's locks may fail on a network file system."""

from __future__ import annotations

import re
from pathlib import Path

from simdl.errors import StorageError

_NETWORK = re.compile(
    r"nfs\d?|cifs|smb\w*|9p|ceph|lustre|afs|coda|glusterfs|gpfs|beegfs\w*|orangefs|pvfs2|davfs"
    r"|fuse\.(sshfs|ceph\w*|glusterfs|rclone|s3fs|smbnetfs|gcsfuse|juicefs)"
)


def file_system(path: Path, mounts: str) -> str:
    """Return the kind of file system that `path` lies on, given the text of /proc/mounts."""
    kind, longest = "", -1
    for line in mounts.splitlines():
        fields = line.split()
        if len(fields) < 3:
            continue
        point = re.sub(r"\\(\d{3})", lambda code: chr(int(code[1], 8)), fields[1])
        # of two mounts on one point the later one counts
        if path.is_relative_to(point) and len(point) >= longest:
            kind, longest = fields[2], len(point)
    return kind


def network(path: Path, mounts: str | None = None) -> str:
    """Return the kind of the network file system that `path` lies on, "" for a local one."""
    if mounts is None:
        try:
            mounts = Path("/proc/mounts").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""  # not a Linux: nothing to go by
    kind = file_system(path.resolve(), mounts)
    return kind if _NETWORK.fullmatch(kind) else ""


def refuse_network(path: Path, mounts: str | None = None) -> None:
    """Raise StorageError where `path` lies on a network file system: locks may fail there."""
    kind = network(path, mounts)
    if kind:
        raise StorageError(
            f"{path}: lies on a network file system ({kind}), where SQLite's locks may fail:"
            " name a store on a local disk and copy it when the sweep is done"
        )
