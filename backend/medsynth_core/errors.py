"""Every error MedSynth raises on purpose.

    MedSynthError                internal            something of ours broke
    ├── InputError               bad_input           what was handed in cannot be used
    │   ├── ShapeError           shape_mismatch
    │   ├── LabelError           unknown_label
    │   ├── ParameterError       bad_parameter
    │   ├── FormatError          bad_file
    │   └── TrainingDataError    bad_training_data   carries the list of offenders
    ├── ModelError               bad_model
    │   ├── ModelNotFoundError   model_not_found
    │   ├── ModelTamperedError   model_tampered
    │   └── ModelTooNewError     model_too_new
    ├── ServiceError             service_error
    │   ├── ServiceUnavailableError   service_unavailable
    │   ├── UnauthorizedError         unauthorized
    │   ├── ApiVersionError           api_version
    │   ├── NotFoundError             not_found
    │   └── StorageFullError          storage_full
    └── JobError                 job_failed
        ├── JobCancelledError    job_cancelled
        ├── RefusedError         refused             the result was not fit to be given
        ├── WorkerDiedError      worker_died
        └── OutOfMemoryError     out_of_memory

A message says what is wrong, the value, the rule and the way out, in one sentence. It never holds a traceback, patient text
or the path of a DICOM folder: it travels over the wire as it is. `code` is stable and may be tested for.
"""

from __future__ import annotations


class MedSynthError(Exception):
    """Base of all errors; `code` is the stable name a program may test for."""

    code = "internal"


class InputError(MedSynthError):
    """What was handed in cannot be used as it is."""

    code = "bad_input"


class ShapeError(InputError):
    """Two arrays that belong together do not fit, or one has the wrong number of axes."""

    code = "shape_mismatch"


class LabelError(InputError):
    """A mask holds a value that is not in the model's vocabulary."""

    code = "unknown_label"


class ParameterError(InputError):
    """A parameter is unknown, of the wrong type, or outside its range."""

    code = "bad_parameter"


class FormatError(InputError):
    """A file is damaged, of an unknown kind, or too large to be honest."""

    code = "bad_file"


class TrainingDataError(InputError):
    """A training folder cannot be used; `offenders` names each file and what is wrong with it."""

    code = "bad_training_data"

    def __init__(self, message: str, offenders: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.offenders = offenders


class ModelError(MedSynthError):
    """A model folder cannot be used."""

    code = "bad_model"


class ModelNotFoundError(ModelError):
    """No installed model has this name."""

    code = "model_not_found"


class ModelTamperedError(ModelError):
    """A file of the model folder is missing or differs from its checksum."""

    code = "model_tampered"


class ModelTooNewError(ModelError):
    """The model folder was written by a newer MedSynth."""

    code = "model_too_new"


class ServiceError(MedSynthError):
    """The local service refused or could not answer."""

    code = "service_error"


class ServiceUnavailableError(ServiceError):
    """The local service does not run, or stopped answering."""

    code = "service_unavailable"


class UnauthorizedError(ServiceError):
    """The token is missing or wrong."""

    code = "unauthorized"


class ApiVersionError(ServiceError):
    """The running service speaks another version of the API."""

    code = "api_version"


class NotFoundError(ServiceError):
    """The service has no such job, array, slice or result."""

    code = "not_found"


class StorageFullError(ServiceError):
    """The disk has no room for the result."""

    code = "storage_full"


class JobError(MedSynthError):
    """A job ended without its result."""

    code = "job_failed"


class JobCancelledError(JobError):
    """The job was cancelled; slices made before are kept."""

    code = "job_cancelled"


class RefusedError(JobError):
    """An engine made a result that is not fit to be given; the input stands as it was."""

    code = "refused"


class WorkerDiedError(JobError):
    """The worker process died more often than the job may be retried."""

    code = "worker_died"


class OutOfMemoryError(JobError):
    """The device has too little memory, after every step of the ladder was tried."""

    code = "out_of_memory"


def _walk(base: type[MedSynthError]) -> dict[str, type[MedSynthError]]:
    found = {base.code: base}
    for child in base.__subclasses__():
        if child.__module__ == __name__:  # a program's own refinement shares its parent's code and may be built otherwise
            found |= _walk(child)
    return found


def error_from_code(code: str, message: str) -> MedSynthError:
    """Return the error class that carries `code`, holding `message`; an unknown code gives the base class."""
    return _walk(MedSynthError).get(code, MedSynthError)(message)
