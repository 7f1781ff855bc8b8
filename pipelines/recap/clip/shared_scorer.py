"""A scorer that the processes of a machine share: one holds the model, and scores for the others.

The process that locks a file in a folder of this user alone loads the model, and answers at a
socket beside it. The others send it the pixels of crops, and captions. When it ends, its lock ends
too, and the next process that asks takes its place.
"""

import os
import socket
import stat
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from hashlib import blake2b
from multiprocessing.connection import Connection

import msgspec
from filelock import lock_descriptor
from PIL import Image

from pipelines.recap.clip.scorer import Score, Scorer
from schemas.errors import BuildError

_RETRY_SECONDS = 0.2
_LONGEST_FOLDER = 60  # bytes of a path that leave room for a socket's name
_SHORT_FOLDER = "/tmp"  # noqa: S108 - checked to be of this user alone


class _Crop(msgspec.Struct, frozen=True, array_like=True):
    mode: str
    width: int
    height: int
    pixels: bytes


class _Question(msgspec.Struct, frozen=True, array_like=True):
    """Crops, each once; captions, and the number of each caption's crop."""

    crops: list[_Crop]
    captions: list[str]
    rows: list[int]


class _Answer(msgspec.Struct, frozen=True, array_like=True):
    scores: list[Score]
    error: str = ""


class SharedScorer:
    """A scorer of this process if it is the first of its name on the machine, else that one's."""

    def __init__(self, make: Callable[[], Scorer], name: str) -> None:
        """Find the process that holds the scorer, or become it.

        Args:
            make: the function that makes the scorer.
            name: what processes that share a scorer have in common, and no others.

        Raises:
            BuildError: others can write into the folder where the processes meet.
        """
        self._make = make
        digest = blake2b(name.encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()
        self._path = os.path.join(_private_folder(), digest)
        self._file = os.open(f"{self._path}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        self._held: Scorer | None = None
        self._one_call = threading.Lock()
        self._join()

    @property
    def identity(self) -> str:
        """The names of model, weights and activation, and what is scored."""
        return self._identity

    def score(self, crops: Sequence[Image.Image], captions: Sequence[str]) -> list[Score]:
        """Return a score for each crop and its caption, in order.

        Raises:
            BuildError: the process that holds the model could not score.
        """
        with self._one_call:
            while self._held is None:
                with suppress(OSError, EOFError):  # it has ended
                    return _asked(self._connection, crops, captions)
                self._join()
            return self._held.score(crops, captions)

    def _join(self) -> None:
        """Connect to the process that holds the scorer, or make the scorer here."""
        while not lock_descriptor(self._file, blocking=False):
            with suppress(OSError, EOFError):  # it loads the model, or ends
                with socket.socket(socket.AF_UNIX) as connecting:
                    connecting.connect(self._path)
                    self._connection = Connection(connecting.detach())
                self._identity = self._connection.recv_bytes().decode()
                return
            time.sleep(_RETRY_SECONDS)
        self._held = self._make()
        self._identity = self._held.identity
        with suppress(FileNotFoundError):
            os.unlink(self._path)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(self._path)
        listener.listen()
        threading.Thread(target=self._listen, args=(listener,), name="scorer", daemon=True).start()

    def _listen(self, listener: socket.socket) -> None:
        while True:
            with suppress(OSError):
                connection = Connection(listener.accept()[0].detach())
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: Connection) -> None:
        """Answer another process until it ends."""
        with connection, suppress(OSError, EOFError):
            connection.send_bytes(self._identity.encode())
            while True:
                question = _QUESTIONS.decode(connection.recv_bytes())
                connection.send_bytes(msgspec.msgpack.encode(self._answer(question)))

    def _answer(self, question: _Question) -> _Answer:
        crops = [
            Image.frombytes(crop.mode, (crop.width, crop.height), crop.pixels)
            for crop in question.crops
        ]
        try:
            return _Answer(self.score([crops[row] for row in question.rows], question.captions))
        except (OSError, RuntimeError, ValueError) as error:  # of the model, or its device
            return _Answer([], f"{type(error).__name__}: {error}")


def _asked(
    connection: Connection, crops: Sequence[Image.Image], captions: Sequence[str]
) -> list[Score]:
    distinct = {id(crop): crop for crop in crops}
    numbers = {key: number for number, key in enumerate(distinct)}
    question = _Question(
        [_Crop(crop.mode, *crop.size, crop.tobytes()) for crop in distinct.values()],
        list(captions),
        [numbers[id(crop)] for crop in crops],
    )
    connection.send_bytes(msgspec.msgpack.encode(question))
    answer = _ANSWERS.decode(connection.recv_bytes())
    if answer.error:
        raise BuildError(f"captions could not be scored: {answer.error}")
    return answer.scores


def _private_folder() -> str:
    """Return a folder that this user alone can enter."""
    above = tempfile.gettempdir()
    if len(os.fsencode(above)) > _LONGEST_FOLDER:
        above = _SHORT_FOLDER
    folder = os.path.join(above, f"regionforge-scorers-{os.getuid()}")
    with suppress(FileExistsError):
        os.mkdir(folder, 0o700)
    status = os.lstat(folder)
    private = stat.S_ISDIR(status.st_mode) and not status.st_mode & 0o077
    if not private or status.st_uid != os.getuid():
        raise BuildError(f"{folder}: expected a folder that only this user can enter: remove it")
    return folder


_QUESTIONS = msgspec.msgpack.Decoder(_Question)
_ANSWERS = msgspec.msgpack.Decoder(_Answer)
