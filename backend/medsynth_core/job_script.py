"""A job of the list as Python that makes it once more."""

from __future__ import annotations

from medsynth_core.job import STATE
from medsynth_core.protocol import JobInfo

START = ("from medsynth_core.client import connect", "", "engine = connect()")


def as_python(job: JobInfo) -> str:
    """Return a script that makes the same result: from parameters, or where arrays were sent, from the job that holds them."""
    request = job.request
    facts = [f"model={request.model!r}"] if request.model else []
    facts += [f"seed={request.seed}", *(f"{name}={value!r}" for name, value in request.params.items())]
    if request.inputs:
        lines = [
            f"# {request.engine}: {', '.join(facts)}",
            f"# The engine keeps its arrays ({', '.join(request.inputs)}) as long as the job stands in the list.",
            f'job = engine.repeat(engine.job("{job.id}").info())',
        ]
    else:
        lines = [f"job = engine.submit({', '.join([repr(request.engine), *facts])})"]
    results = [f'{output.name} = job.result("{output.name}")' for output in job.outputs if output.kind != STATE]
    return "\n".join([*START, *lines, *results]) + "\n"
