"""Trainings as a client asks for them: let the doctor look at a folder, start, watch, pause, go on, stop.

    trainings = Trainings(client)
    report = trainings.examine(TrainingRequest("synthesize", "/data/polyps", "my-polyps"))
    info = trainings.start(request)

The training goes on in the service's child when the client is gone. Paths: POST /v1/doctor, GET /v1/doctor/{id},
GET /v1/doctor/{id}/thumbnails/{n}, POST and GET /v1/trainings, GET /v1/trainings/{id}, …/lines?after=N, …/strips/{step},
POST …/pause, …/resume, …/stop, DELETE /v1/trainings/{id}.
"""
