"""The light client: synthetic images from Python, napari, Slicer and the command line through one shared local service.

    from medsynth_core.client import connect
    engine = connect()
    image = engine.synthesize(mask, model="polyp", seed=7)

It needs the standard library and numpy only. A client may be used from several threads at once.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import threading
import urllib.parse
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from medsynth_core import places, wire
from medsynth_core.errors import InputError, NotFoundError
from medsynth_core.job import Job
from medsynth_core.lease import Lease
from medsynth_core.link import Link
from medsynth_core.protocol import Capabilities, JobInfo, JobRequest, Scalar, ServiceStatus, from_json, to_json
from medsynth_core.transport import JSON, Reply, Request, Send, checked, read_record, understood
from medsynth_core.tumor_words import spread
from medsynth_core.volume import Volume

__all__ = ["Client", "Job", "connect"]

SMALL_BYTES = 64 * 1024
_OCTETS = {"Content-Type": "application/octet-stream"}
_NARROWER = {"bool": "uint8", "int8": "int16", "int64": "int32", "uint64": "uint32", "float16": "float32", "float64": "float32"}


def connect(
    home: Path | None = None,
    start: bool = True,
    name: str = "python",
    python: str = "",
    environ: Mapping[str, str] | None = None,
) -> Client:
    """Return a client of this user's service, which is started when none runs.

    `home` is the state folder (default: the user's), `name` tells other clients who is there, `python` the interpreter that
    has the service installed (default: this one), `environ` what it is started with (default: what this program has now).
    Raises ServiceUnavailableError when there is none and it cannot be started, ApiVersionError when the running one is of
    another version.
    """
    link = Link(home or places.state_folder(), python, start, environ)
    try:
        return Client(link, name)
    except BaseException:
        link.close()
        raise


class Client:
    """What a program can ask of the service. `send` is the link to it, or a scripted double in a test.

    While it is open it holds a lease, so the service stays; `close`, the end of a `with` block or of the program releases it.
    """

    def __init__(self, send: Send, name: str = "python", lease: bool = True) -> None:
        self._send, self.name = send, name
        self._lock = threading.Lock()  # guards _uploaded
        self._uploaded: set[str] = set()
        self._lease = Lease(send, name) if lease else None
        atexit.register(self.close)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the lease and close the connections; jobs that were submitted go on. May be called twice."""
        atexit.unregister(self.close)
        if self._lease is not None:
            self._lease.release()
        if isinstance(self._send, Link):
            self._send.close()

    def capabilities(self) -> Capabilities:
        """Return engines, parameters, models and device; waits for a starting worker, `ready` says whether it came."""
        return read_record(Capabilities, self.ask("GET", "/v1/capabilities", start=True).body)

    def status(self) -> ServiceStatus:
        """Return the service's state, now. Raises ServiceUnavailableError at once when it is away; never starts it."""
        return read_record(ServiceStatus, self.ask("GET", "/v1/status", seconds=3.0, patience=0).body)

    def synthesize(self, mask: Any, model: str, seed: int = 0, **params: Any) -> Any:
        """Return an image of `mask`: (y, x) or (y, x, 3) for an array (y, x), a Volume for a Volume.

        `mask` holds label values of the model's vocabulary. Ctrl-C cancels the job. Raises InputError, ModelError, JobError.
        """
        job = self.submit("synthesize", model=model, seed=seed, mask=mask, **params)
        with _cancelled_by_ctrl_c(job):
            image = job.result()
        return image if isinstance(mask, Volume) else image.to_image()

    def refine(
        self, image: Any, mask: Any = None, model: str = "refiner", seed: int = 0, uncertainty: bool = False, **params: Any
    ) -> Any:
        """Return `mask` with a better boundary: same shape, type and label values, a Volume for a Volume.

        With `uncertainty` return (mask, uncertainty), uint8: 0 is sure, 255 evenly divided; more `samples` make it finer. Without
        a mask, `coarse` names the network that draws one. `locked` is nonzero where the mask must stay. A label whose result
        would leave its input is kept; the recipe of such a job says which. Ctrl-C cancels the job.
        Raises InputError, ModelError, JobError, and RefusedError when nothing could be refined.
        """
        given = {"image": image} if mask is None else {"image": image, "mask": mask}
        job = self.submit("refine", model=model, seed=seed, **given, **params)
        with _cancelled_by_ctrl_c(job):
            made = job.result("mask")
            unsure = job.result("uncertainty") if uncertainty else None
        like = image if mask is None else mask
        dtype = made.array.dtype if mask is None else _dtype(mask)
        refined = _in_the_form_of(like, made.with_array(made.array.astype(dtype, copy=False)))
        return refined if unsure is None else (refined, _in_the_form_of(like, unsure))

    def grow_tumor(self, model: str = "lgg-flair", seed: int = 0, background: Any = None, **params: Any) -> tuple[Volume, Volume]:
        """Return (image, mask) of a new tumor volume: mask uint8, 1 = tumor, both with their place in the world.

        `center_mm=(x, y, z)` and `extent_mm=(x, y, z)` are world RAS mm, `shape=(z, y, x)` and `spacing_mm=(z, y, x)` the grid;
        all other parameters go by their own names, and what is left out is drawn from what training patients were like.
        `background` is a real grey volume to keep, (z, y, x) or a Volume: only the lesion is grown into it. Ctrl-C cancels the
        job. `submit` with `tumor_words.spread`, and `Job.slices`, give slices as they come.
        Raises InputError, ModelError, JobError.
        """
        given: dict[str, Any] = {} if background is None else {"background": _stack(background)}
        job = self.submit("tumor", model=model, seed=seed, **given, **spread(params))
        with _cancelled_by_ctrl_c(job):
            return job.result("image"), job.result("mask")

    def make_nuclei(self, nuclei: Any = None, model: str = "nuclei-he", seed: int = 0, **params: Any) -> tuple[Any, Any]:
        """Return (image, instances) of histology, (y, x, 3) uint8 and (y, x) uint16, 0 = background; for `slices=n`, n of each.

        `nuclei` (y, x) has a number for each nucleus: they are painted as they are, or others come between them with
        `given="complete"`. `image` (y, x, 3) gives the stain; with `region` (y, x) all outside of it stays bit by bit. Volumes
        for a Volume. What is left out is drawn from what training tiles were like. Ctrl-C cancels the job.
        Raises InputError, ModelError, JobError.
        """
        given = {} if nuclei is None else {"mask": nuclei}
        job = self.submit("nuclei", model=model, seed=seed, **given, **params)
        with _cancelled_by_ctrl_c(job):
            made = job.result("image"), job.result("instances")
        return made if isinstance(nuclei, Volume) else (_tiles(made[0]), _tiles(made[1]))

    def submit(self, engine: str, model: str = "", seed: int = 0, note: str = "", **inputs_and_params: Any) -> Job:
        """Start a job and return it at once. Arrays and Volumes are inputs, all other keywords parameters.

        An array is (y, x), (y, x, 3) or (channel, z, y, x). Raises InputError or ModelError before anything runs.
        """
        encoded = {name: _encode(name, value) for name, value in inputs_and_params.items() if _is_array(value)}
        params = {name: _scalar(name, value) for name, value in inputs_and_params.items() if not _is_array(value)}
        names = {name: wire.fingerprint(data) for name, data in encoded.items()}
        request = JobRequest(engine, model, names, seed, params, self.name, note)
        self._upload(encoded, names)
        try:
            return self._post_job(request)
        except NotFoundError:  # the service has swept an array we remembered, or is another one now
            with self._lock:
                self._uploaded.difference_update(names.values())
            self._upload(encoded, names)
            return self._post_job(request)

    def repeat(self, job: JobInfo) -> Job:
        """Start a job of the list once more and return it: the same engine, model, seed, parameters and arrays.

        The service holds the arrays as long as the first job stands in its list. Raises NotFoundError when it no longer does.
        """
        return self._post_job(replace(job.request, client=self.name))

    def jobs(self) -> tuple[JobInfo, ...]:
        """Return all jobs of all clients, newest first."""
        return self._job_list("/v1/jobs")

    def job(self, job_id: str) -> Job:
        """Return a job by its id. Raises NotFoundError when there is none."""
        job = Job(self._send, job_id)
        job.info()
        return job

    def history(self, limit: int = 100, search: str = "", starred: bool = False) -> tuple[JobInfo, ...]:
        """Return ended jobs, newest first; `search` looks into engine, model and note."""
        fields: dict[str, Any] = (
            {"limit": limit} | ({"search": search} if search else {}) | ({"starred": "true"} if starred else {})
        )
        return self._job_list(f"/v1/history?{urllib.parse.urlencode(fields)}")

    def star(self, job_id: str, starred: bool = True) -> None:
        """Keep a job of the history for ever, or no longer."""
        self.ask("POST", f"/v1/history/{job_id}/star", {"starred": starred})

    def forget(self, job_id: str) -> None:
        """Remove an ended job and its results from the history."""
        self.ask("DELETE", f"/v1/history/{job_id}")

    def load_model(self, model: str) -> ServiceStatus:
        """Load a model ahead of its first job."""
        return read_record(ServiceStatus, self.ask("POST", f"/v1/models/{model}/load", {}, start=True).body)

    def unload_model(self, model: str) -> ServiceStatus:
        """Free the memory of a model."""
        return read_record(ServiceStatus, self.ask("POST", f"/v1/models/{model}/unload", {}).body)

    def refresh_models(self) -> None:
        """Let the service look for models that were added or removed."""
        self.ask("POST", "/v1/models/refresh", {})

    def shutdown(self, force: bool = False) -> None:
        """End the service. Raises ServiceError when it has jobs and `force` is not set; they resume when it is started again."""
        self.ask("POST", "/v1/shutdown", {"force": force}, patience=0)

    def _upload(self, encoded: Mapping[str, bytes], names: Mapping[str, str]) -> None:
        for name, data in encoded.items():
            with self._lock:
                if names[name] in self._uploaded:
                    continue
            self._put(f"/v1/arrays/{names[name]}", data)
            with self._lock:
                self._uploaded.add(names[name])

    def _put(self, path: str, data: bytes) -> None:
        # a small array is sent sooner than the question whether it is there already is answered
        if len(data) > SMALL_BYTES and self._send(Request("HEAD", path, start=True)).status == 200:
            return
        checked(self._send(Request("PUT", path, data, _OCTETS, seconds=120.0, start=True)))

    def _post_job(self, request: JobRequest) -> Job:
        headers = {**JSON, "Idempotency-Key": uuid.uuid4().hex}
        reply = self.ask("POST", "/v1/jobs", to_json(request), headers, start=True)
        return Job(self._send, read_record(JobInfo, reply.body).id)

    def _job_list(self, path: str) -> tuple[JobInfo, ...]:
        listed = self.ask("GET", path).json()
        with understood():
            return from_json(tuple[JobInfo, ...], listed["jobs"], "jobs")

    def ask(
        self,
        method: str,
        path: str,
        fields: dict[str, Any] | None = None,
        headers: Mapping[str, str] = JSON,
        seconds: float = 60.0,
        patience: float = 15.0,
        start: bool = False,
    ) -> Reply:
        """Send one request of the API, with a JSON body of `fields`; for parts of the client that live in other modules.

        Raises the error that the answer names.
        """
        body = None if fields is None else json.dumps(fields).encode()
        return checked(self._send(Request(method, path, body, {} if fields is None else headers, seconds, patience, start)))


@contextlib.contextmanager
def _cancelled_by_ctrl_c(job: Job) -> Iterator[None]:
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        job.cancel()
        raise


def _in_the_form_of(given: Any, made: Volume) -> Any:
    if isinstance(given, Volume):
        return Volume(made.array, given.affine)
    return made.array if np.ndim(given) == 4 else made.to_image()


def _tiles(made: Volume) -> Any:
    """Return one tile as an image, several as images one after the other."""
    if made.array.shape[1] == 1:
        return made.to_image()
    tiles = np.moveaxis(made.array, 0, -1)
    return tiles[..., 0] if tiles.shape[-1] == 1 else tiles


def _dtype(given: Any) -> np.dtype[Any]:
    return (given.array if isinstance(given, Volume) else np.asarray(given)).dtype


def _stack(given: Any) -> Volume:
    if isinstance(given, Volume):
        return given
    array = np.asarray(given)
    return Volume(array[None] if array.ndim == 3 else array)


def _is_array(value: object) -> bool:
    return isinstance(value, (Volume, np.ndarray, list))


def _scalar(name: str, value: Any) -> Scalar:
    plain = value.item() if isinstance(value, np.generic) else value
    if not isinstance(plain, (bool, int, float, str)):
        raise InputError(f"{name} is of type {type(value).__name__}: it must be an array, a number, a text or a flag")
    return plain


def _encode(name: str, value: Any) -> bytes:
    volume = value if isinstance(value, Volume) else _as_volume(np.asarray(value))
    volume = Volume(_narrow(name, volume.array), volume.affine)
    return wire.encode(volume, compress=_compresses_well(volume.array))


def _as_volume(array: np.ndarray) -> Volume:
    return Volume(array) if array.ndim == 4 else Volume.from_image(array)


def _narrow(name: str, array: np.ndarray) -> np.ndarray:
    """Return the array in a type that travels; whole numbers must stay what they are."""
    target = _NARROWER.get(array.dtype.name, array.dtype.name)
    if target not in wire.DTYPES:
        raise InputError(f"{name} is of type {array.dtype}: it must be one of {', '.join(wire.DTYPES)}")
    if array.dtype.kind in "iu" and array.dtype.itemsize > np.dtype(target).itemsize:
        limits = np.iinfo(target)
        if array.size and (array.min() < limits.min or array.max() > limits.max):
            raise InputError(f"{name} holds values outside {limits.min} to {limits.max}: use smaller whole numbers")
    return array.astype(target, copy=False)


def _compresses_well(array: np.ndarray) -> bool:
    """Masks shrink 200 to 1 and are worth it, images are not: a piece from the middle tells which one it is."""
    flat = np.ascontiguousarray(array).reshape(-1)
    middle = flat[flat.size // 2 :][: SMALL_BYTES // array.itemsize]
    return array.dtype.kind in "iu" and int(np.count_nonzero(np.diff(middle))) * 16 < middle.size
