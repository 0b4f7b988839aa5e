"""The shared local service: `python -m medsynth_core.service --home FOLDER`.

__main__   reads the command line          server      lock, port, connection.json, when to stop
app        the routes                      security    who may ask, before any route
jobs       states, queue, retries          supervisor  the worker process, seen from here
store      everything on disk, through journal (SQLite), arrays (uploads), results (volumes)
worker     the child process               device      its one thread that runs engines
frames     what service and worker say to each other
"""
