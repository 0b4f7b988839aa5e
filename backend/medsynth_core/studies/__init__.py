"""Questions about a model that need data, engine and judges together: does it help, is it faithful, does it copy?

Above the engines, beside the service: `evaluation` has the figures and judges, which know neither engines nor training folders.
"""
