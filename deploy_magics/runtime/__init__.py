"""What runs inside the model's process, and the guard around it.

Standard library only, in Python 3.7 syntax: the interpreter is the model's own. Nothing imports
this package by name; it is started by its path (see ``__main__``) as ``deploy_magics_runtime``.
"""
