"""``python RUNTIME_FOLDER guard|runner|zygote ARGUMENT``: starts a part of this folder by its path.

The folder becomes the package ``deploy_magics_runtime`` and leaves ``sys.path``, so that no module
of ours can be taken for one of the model's.
"""

import importlib
import importlib.util
import os
import sys

PACKAGE = "deploy_magics_runtime"


def become_package():
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry or ".") != here]
    spec = importlib.util.spec_from_file_location(
        PACKAGE, os.path.join(here, "__init__.py"), submodule_search_locations=[here]
    )
    package = importlib.util.module_from_spec(spec)
    sys.modules[PACKAGE] = package
    spec.loader.exec_module(package)


if __name__ == "__main__":
    become_package()
    part = importlib.import_module(PACKAGE + "." + sys.argv[1])
    sys.exit(part.main(*sys.argv[2:]))
