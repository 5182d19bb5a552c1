"""The complete metadata: importing this module imports every `hub/<noun>/model.py`, so that no list must be kept."""

import pkgutil
from importlib import import_module
from importlib.util import find_spec

import hub
from hub.storage.base import Base

for _module in pkgutil.iter_modules(hub.__path__, "hub."):
    if _module.ispkg and find_spec(f"{_module.name}.model"):
        import_module(f"{_module.name}.model")

metadata = Base.metadata
