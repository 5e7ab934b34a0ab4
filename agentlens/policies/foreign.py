"""Files that are no checkpoint we read: what they are by their first bytes, and the way out."""

from __future__ import annotations

from collections.abc import Sequence

from agentlens.errors import CheckpointError, UnsafeCheckpoint

_STARTS: tuple[tuple[bytes, str], ...] = (
    (
        b"version https://git-lfs",
        "a Git LFS pointer, not the file itself; get it with git lfs pull, or from the download "
        "link of its page",
    ),
    (b"\x1f\x8b", "packed with gzip; unpack it with gunzip (or tar xzf) first"),
    (b"BZh", "packed with bzip2; unpack it first"),
    (b"\xfd7zXZ", "packed with xz; unpack it first"),
    (b"7z\xbc\xaf", "packed with 7-Zip; unpack it first"),
    (b"Rar!", "packed with RAR; unpack it first"),
    (b"\x28\xb5\x2f\xfd", "packed with Zstandard; unpack it first"),
    (
        b"\x89HDF",
        "an HDF5 file (Keras, Chainer); read it where it was made and save its arrays with "
        "safetensors, kernels as torch has them, and describe the network in a manifest",
    ),
    (b"\x93NUMPY", "a NumPy array; save the network's tensors with safetensors"),
    (b"\x89PNG", "a picture; expected a checkpoint"),
    (b"GIF8", "a picture; expected a checkpoint"),
    (b"%PDF", "a PDF page; expected a checkpoint"),
)
_HTML = (b"<!doctype html", b"<html", b"<?xml")
_STABLE_BASELINES_2 = {"data", "parameters", "parameter_list"}
_SB3 = {"data", "policy.pth"}


def foreign_file(data: bytes, name: str, members: Sequence[str] = ()) -> CheckpointError:
    """The error for a file that no reader takes.

    Args:
        data: its bytes, or as many of the first as there are at hand (512 are enough).
        name: for the message.
        members: names in it, where it is a readable zip.
    """
    if data[:2] == b"\x80\x02" or data[:2] in (b"\x80\x03", b"\x80\x04", b"\x80\x05"):
        return UnsafeCheckpoint(
            f"{name}: a bare pickle, which can run any code when read; nothing was run. "
            "Expected a torch state dict, a safetensors file or an SB3 zip."
        )
    return CheckpointError(f"{name}: {_words(data, members)}.")


def _words(data: bytes, members: Sequence[str]) -> str:
    if not data:
        return "the file is empty"
    for start, words in _STARTS:
        if data.startswith(start):
            return words
    if data[:512].lstrip().lower().startswith(_HTML):
        return "a web page, not the file it links to; use the page's raw or download link"
    if data.startswith(b"PK"):
        return _zip_words(members)
    if data[257:262] == b"ustar":
        return "a tar archive (torch 0.1 and older packages are such); unpack it first"
    if len(data) > 9 and data[8:9] == b"{" and data[7] == 0:
        return "a safetensors file by its first bytes; give the format safetensors and a manifest"
    if _starts_like_messagepack(data):
        return (
            "MessagePack, as flax writes it (CleanRL's jax scripts); its kernels are laid out "
            "otherwise: turn them round, save them with safetensors and describe the network in a "
            "manifest"
        )
    if data[:1] in b"{[" or data[:3] == b"---":
        return "text (JSON or YAML), which holds no weights"
    return (
        f"not recognised by its first bytes {data[:8]!r}; expected a torch file, a safetensors "
        "file or an SB3 zip"
    )


def _starts_like_messagepack(data: bytes) -> bool:
    """Whether this is a small map whose first key is a string."""
    return (
        len(data) > 1 and 0x81 <= data[0] <= 0x8F and (data[1] == 0xD9 or 0xA0 <= data[1] <= 0xBF)
    )


def _zip_words(members: Sequence[str]) -> str:
    names = set(members)
    if not names:
        return "a zip that is cut off or damaged: its list of members is missing; download it again"
    if names >= _STABLE_BASELINES_2:
        return (
            "a zip of Stable-Baselines 2 (TensorFlow); its policies are not read: convert the "
            "arrays in its member 'parameters' and describe the network in a manifest"
        )
    inner = {n.rpartition("/")[0] for n in names if n.rpartition("/")[2] in _SB3}
    if len(inner) == 1 and all(f"{folder}/data" in names for folder in inner):
        return (
            f"a zip of a folder ({inner.pop()}) that holds an SB3 model; unpack it and zip what "
            "is in the folder, not the folder"
        )
    if any(n.lower().endswith((".zip", ".pt", ".pth")) for n in names):
        return f"a zip around other files ({', '.join(sorted(names)[:3])}); unpack it first"
    return (
        f"a zip with {', '.join(sorted(names)[:4])}, which is neither a torch file (data.pkl in "
        "one folder) nor an SB3 zip (data and policy.pth)"
    )
