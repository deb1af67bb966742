"""Where a path in a flow file points: below the flow's folder, or, when absolute, exactly where it says."""

from __future__ import annotations

from pathlib import Path


def resolve(folder: Path, path: str) -> Path:
    """The absolute path that ``path`` means in a flow file that lies in ``folder``.

    A relative path cannot leave the folder, neither by ``..`` nor through a symbolic link: raises `ValueError`.
    """
    if not path.strip() or "\0" in path:
        raise ValueError("the path is empty or holds a zero byte")
    given = Path(path)
    if given.is_absolute():
        return given
    root = folder.resolve()
    place = (root / given).resolve()
    if not place.is_relative_to(root):
        raise ValueError(f"{path} leaves the folder of the flow file")
    return place
